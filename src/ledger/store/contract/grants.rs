//! Grants, repeated commands, and lists.

use super::*;

pub async fn grants_run_out_of_time(world: World) {
    let key = world.customer("acme").await;
    world.give("acme", 10, Some(60)).await.unwrap();
    world.give("acme", 5, None).await.unwrap();
    world.exchange_entry("gw", asking(report(&key, 1, 0, 0), 4, 4)).await;
    let world = World { second: world.second + 60, ..world };
    assert_eq!(world.balance("acme").await, [5, 4, 0, 6, 0], "before anybody took it out");
    assert_eq!(world.store.expire(world.now()).await.unwrap(), 1);
    assert_eq!(world.store.expire(world.now()).await.unwrap(), 0);
    world.exchange_entry("gw", report(&key, 1, 1, 2)).await;
    assert_eq!(world.balance("acme").await, [5, 1, 1, 8, 0], "what comes back too late is lost as well");
    world.assert_audit_passes().await;
}

pub async fn repeated_admin_commands_are_idempotent(world: World) {
    let id = AccountId::parse("acme").unwrap();
    let command = Command::CreateAccount { id: id.clone(), name: Some("Acme".into()) };
    let (key, origin) = ("once".into(), Origin::default());
    let memo = IdempotencyRecord { key, fingerprint: [1; 32], origin };
    let first = world.store.execute(command.clone(), memo.clone(), world.now()).await.unwrap();
    let Answer::First(done) = first else { panic!("{first:?}") };
    let again = world.store.execute(command.clone(), memo.clone(), world.now()).await.unwrap();
    assert_eq!(again, Answer::Replayed(serde_json::to_string(&done).unwrap()));
    let other = IdempotencyRecord { fingerprint: [2; 32], ..memo };
    let reused = world.store.execute(command.clone(), other, world.now()).await;
    assert!(matches!(reused, Err(StoreError::Refused(Refusal::KeyReused))), "{reused:?}");
    let exists = world.run(command).await;
    assert!(matches!(exists, Err(StoreError::Refused(Refusal::AccountExists(_)))), "{exists:?}");
    let late = World { second: world.second + 2 * 86_400, ..world };
    assert!(late.store.prune(late.now()).await.unwrap() > 0, "answers are kept for a day");
}

pub async fn the_number_of_grants_per_account_is_limited(world: World) {
    world.customer("acme").await;
    for _ in 0..crate::domain::grant::MAX_LIVE_GRANTS {
        world.give("acme", 1, None).await.unwrap();
    }
    let more = world.give("acme", 1, None).await;
    assert!(matches!(more, Err(StoreError::Refused(Refusal::TooManyGrants { .. }))), "{more:?}");
    world.assert_audit_passes().await;
}

pub async fn a_grant_that_would_overflow_the_books_is_refused(world: World) {
    world.customer("acme").await;
    for _ in 0..9 {
        world.give("acme", 1_000_000_000_000, None).await.unwrap();
    }
    let more = world.give("acme", 1_000_000_000_000, None).await;
    assert!(matches!(more, Err(StoreError::Refused(Refusal::Book(_)))), "{more:?}");
    assert_eq!(world.balance("acme").await[0], 9_000_000_000_000);
    world.assert_audit_passes().await;
}

pub async fn lists_come_in_pages(world: World) {
    for id in ["c", "a", "b"] {
        world.customer(id).await;
        world.give(id, 1, None).await.unwrap();
    }
    let first = world
        .store
        .accounts(AccountQuery { page: Page { limit: 2, after: None }, ..AccountQuery::default() })
        .await
        .unwrap();
    assert_eq!(first.next.as_deref(), Some("b"));
    let rest = world
        .store
        .accounts(AccountQuery { page: Page { limit: 2, after: first.next }, ..AccountQuery::default() })
        .await
        .unwrap();
    assert_eq!((rest.accounts[0].id.as_str(), rest.next), ("c", None));
    let page = Page { limit: 2, after: None };
    assert_eq!(world.store.grants("a".into(), page, false, world.now()).await.unwrap().grants.len(), 1);
    let missing = world.store.balance("d".into(), world.now()).await;
    assert!(matches!(missing, Err(StoreError::Refused(Refusal::NotFound { what: "account", .. }))));
    world.store.write_probe(world.now()).await.unwrap();
}
