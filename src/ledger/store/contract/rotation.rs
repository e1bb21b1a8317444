//! Keys that are rotated, and when keys were last used.

use super::*;
use crate::api::Edit;
use crate::command::rotation::Rotation;
use jiff::SignedDuration;

/// A key of `acme`'s team with a note and products, and its secret.
async fn key(world: &World) -> String {
    world.customer("acme").await;
    world.team("acme", "research").await.unwrap();
    let fresh = key::FreshKey::compose(&[11; 32]).unwrap();
    let credential = Credential::Key { hash: fresh.hash, prefix: fresh.prefix };
    let plain = NewKey::plain("acme", KeyId::stored("key_old".into()), credential);
    let (team, products) = (Some("research".to_owned()), Some(vec!["chat".to_owned()]));
    let note = Some("production".to_owned());
    world.run(Command::CreateKey(NewKey { note, team, products, ..plain })).await.unwrap();
    fresh.secret
}

/// Rotates a key; gives the answer and the new key.
async fn rotate(
    world: &World,
    (old, new): (&str, &str),
    overlap_s: i64,
    expires_at: Edit<Timestamp>,
) -> Result<(api::RotatedKey, String), StoreError> {
    // Each name has a secret of its own.
    let seed = match new {
        "key_newer" => 1,
        "key_third" => 2,
        _ => 3,
    };
    let fresh = key::FreshKey::compose(&[seed; 32]).unwrap();
    let rotation = Rotation {
        key: old.to_owned(),
        id: KeyId::stored(new.into()),
        hash: fresh.hash,
        prefix: fresh.prefix,
        overlap: SignedDuration::from_secs(overlap_s),
        expires_at,
    };
    match world.run(Command::RotateKey(rotation)).await? {
        Done::Rotated(rotated) => Ok((rotated, fresh.secret)),
        other => panic!("{other:?}"),
    }
}

fn asks(secret: &str) -> Entry {
    Entry { payer: Payer::Key(secret.into()), ..asking(report("", 1, 0, 0), 1, 1) }
}

async fn refused(world: &World, gateway: &str, secret: &str) -> Option<RefusalCode> {
    world.exchange_entry(gateway, asks(secret)).await.refused.map(|refused| refused.code)
}

pub async fn a_rotated_key_works_until_the_overlap_ends(mut world: World) {
    let old = key(&world).await;
    world.give("acme", 50, None).await.unwrap();
    let (rotated, new) = rotate(&world, ("key_old", "key_newer"), 3_600, Edit::Keep).await.unwrap();
    let end = world.now() + SignedDuration::from_hours(1);
    assert_eq!((rotated.old.state, rotated.old.expires_at), (KeyState::Active, Some(end)));
    assert_eq!(rotated.old.replaced_by.as_deref(), Some("key_newer"));
    let of = |key: &api::Key| {
        (key.account.clone(), key.team.clone(), key.products.clone(), key.note.clone(), key.subject.clone())
    };
    assert_eq!(of(&rotated.new), of(&rotated.old));
    assert_eq!((rotated.new.expires_at, rotated.new.replaced_by.as_deref()), (None, None));
    assert_eq!((refused(&world, "a", &old).await, refused(&world, "b", &new).await), (None, None));

    let again = rotate(&world, ("key_old", "key_third"), 0, Edit::Keep).await.unwrap_err().to_string();
    assert!(again.contains("was rotated to key_newer before"), "{again}");
    world.second += 3_600;
    assert_eq!(refused(&world, "c", &old).await, Some(RefusalCode::KeyExpired));
    assert_eq!(refused(&world, "c", &new).await, None);
    world.store.expire(world.now()).await.unwrap();
    let news = world.send("a", Some(0), vec![]).await;
    assert_eq!(news.changes.iter().map(|it| it.refused).collect::<Vec<_>>(), [Some(RefusalCode::KeyExpired)]);
    let shown = world.store.key("key_old".into(), world.now()).await.unwrap();
    assert_eq!((shown.state, shown.replaced_by.as_deref()), (KeyState::Expired, Some("key_newer")));
    world.assert_audit_passes().await;
}

pub async fn a_rotation_without_overlap_is_announced_at_once(world: World) {
    let old = key(&world).await;
    world.give("acme", 50, None).await.unwrap();
    assert_eq!(refused(&world, "a", &old).await, None);
    let never = Edit::Remove;
    let (rotated, new) = rotate(&world, ("key_old", "key_newer"), 0, never).await.unwrap();
    assert_eq!((rotated.old.state, rotated.old.expires_at), (KeyState::Expired, Some(world.now())));
    let news = world.send("a", Some(0), vec![]).await;
    assert_eq!(news.changes[0].refused, Some(RefusalCode::KeyExpired));
    assert_eq!(refused(&world, "b", &new).await, None);
    let gone = rotate(&world, ("key_old", "key_third"), 0, Edit::Keep).await.unwrap_err().to_string();
    assert!(gone.contains("rotate that one"), "{gone}");
    // What was made in its place can be rotated in turn, also to an end of its own.
    let soon = world.now() + SignedDuration::from_secs(60);
    let (second, _) = rotate(&world, ("key_newer", "key_third"), 3_600, Edit::Set(soon)).await.unwrap();
    assert_eq!(second.new.expires_at, Some(soon));
    let (third, _) = rotate(&world, ("key_third", "key_the_fourth"), 3_600, Edit::Keep).await.unwrap();
    assert_eq!(
        (third.old.expires_at, third.new.expires_at),
        (Some(soon), Some(soon)),
        "no later than before"
    );
}

pub async fn only_a_key_that_works_can_be_rotated(world: World) {
    key(&world).await;
    let refused = async |key: &str| {
        let refused = rotate(&world, (key, "key_newer"), 60, Edit::Keep).await.unwrap_err();
        assert!(!matches!(refused, StoreError::Backend(_)), "{refused}");
        refused.to_string()
    };
    assert!(refused("key_acme").await.contains("is a subject, not a key"));
    assert!(refused("key_none").await.contains("there is no key \"key_none\""));
    world.run(Command::RevokeKey { id: "key_old".into() }).await.unwrap();
    assert!(refused("key_old").await.contains("is revoked"));
    world.run(Command::TurnAccount { account: "acme".into(), turn: Transition::Close }).await.unwrap();
    assert!(refused("key_old").await.contains("is closed"));
}

pub async fn a_rotated_key_has_the_budget_with_what_was_used_of_it(mut world: World) {
    let old = key(&world).await;
    world.give("acme", 50, None).await.unwrap();
    world.budget(Whose::Key("key_old".into()), 10, Unit::Day).await.unwrap();
    let asks = |secret: &str, entry| Entry { payer: Payer::Key(secret.into()), ..entry };
    world.exchange_entry("a", asks(&old, asking(report("", 1, 0, 0), 6, 6))).await;
    world.exchange_entry("a", asks(&old, report("", 1, 4, 0))).await;
    let (_, new) = rotate(&world, ("key_old", "key_newer"), 90_000, Edit::Keep).await.unwrap();
    let page = Page { limit: 9, after: None };
    let budgets = world.store.budgets("acme".into(), page, world.now()).await.unwrap().budgets;
    let used = |n: usize| (budgets[n].credits, budgets[n].spent, budgets[n].held, budgets[n].left);
    assert_eq!(used(0), (credits(10), credits(4), credits(2), credits(4)));
    assert_eq!(used(1), (credits(10), credits(6), credits(0), credits(4)), "what is held counts as spent");
    let granted =
        world.exchange_entry("b", asks(&new, asking(report("", 1, 0, 0), 4, 9))).await.lease.unwrap();
    assert_eq!(granted.granted, credits(4));
    world.exchange_entry("b", asks(&new, report("", 1, 4, 0))).await;
    let refused = world.exchange_entry("b", asks(&new, asking(report("", 1, 4, 0), 5, 5))).await.refused;
    assert_eq!(refused.unwrap().code, RefusalCode::KeyBudgetExhausted);
    world.second += 86_400;
    let refused = world.exchange_entry("b", asks(&new, asking(report("", 1, 4, 0), 14, 14))).await.refused;
    assert_eq!(refused, None, "a new day, and all of it");
    world.assert_audit_passes().await;
}

pub async fn a_keys_last_use_is_known_to_the_minute(mut world: World) {
    let key = world.customer("acme").await;
    let mut number = 0;
    let mut uses = async |world: &World, second: i64| {
        number += 1;
        let (payer, rule) = (key.clone(), "r".to_owned());
        let line = UsageLine {
            payer,
            rule,
            requests: 1,
            credits: credits(1),
            refunds: 0,
            item: None,
            basis: None,
            used: Quantities::default(),
            product: None,
        };
        let usage = Some(UsageReport {
            broker: "w".into(),
            seq: number,
            lines: vec![line],
            ..UsageReport::default()
        });
        let (gateway, entries, models) = ("gw".to_owned(), vec![], vec![]);
        let request = ExchangeRequest { protocol: VERSION, gateway, seen: None, entries, usage, models };
        let now = Timestamp::from_second(second).unwrap();
        world.store.exchange(request, now, TTL_MS).await.unwrap();
    };
    let last = async |world: &World| {
        let page = Page { limit: 9, after: None };
        let keys = world.store.keys("acme".into(), page, world.now()).await.unwrap().keys;
        let one = world.store.key("key_acme".into(), world.now()).await.unwrap();
        assert_eq!(keys[0], one);
        one.last_used_at.map(|at| at.as_second() - 1_800_000_000)
    };
    assert_eq!(last(&world).await, None);
    uses(&world, world.second + 5).await;
    uses(&world, world.second + 50).await;
    assert_eq!(last(&world).await, Some(0));
    uses(&world, world.second + 130).await;
    assert_eq!(last(&world).await, Some(120));
    // Another ledger, or a clock that was set back, may be behind.
    uses(&world, world.second + 61).await;
    assert_eq!(last(&world).await, Some(120), "never back");
    world.second += 200;
    let Done::Key(revoked) = world.run(Command::RevokeKey { id: "key_acme".into() }).await.unwrap() else {
        panic!("not a key");
    };
    assert_eq!(revoked.last_used_at.map(|at| at.as_second() - 1_800_000_000), Some(120));
}
