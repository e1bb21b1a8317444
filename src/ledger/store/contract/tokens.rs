//! Tokens of operators and gateways, and the trail of what was done with them.

use super::*;
use crate::command::exchange::SaidOfGateway;
use crate::command::tokens::{Holder, NewToken};
use crate::domain::TokenId;
use crate::domain::access::{AccessScope, MAX_TOKENS_PER_NAME, OidcSubject, TokenKind, TokenName};
use crate::store::tokens::Invalid;
use crate::store::{Page, TrailQuery};
use serde_json::{Value, json};

const ISSUER: &str = "https://login.test";

fn with_token(token: Option<&str>) -> SaidOfGateway {
    SaidOfGateway { token: token.map(str::to_owned), version: Some("1.2.3".to_owned()) }
}

fn secret(kind: TokenKind, number: u8) -> String {
    format!("{}{number}", kind.prefix())
}

impl World {
    /// A token with the secret of this number.
    pub async fn token(&self, number: u8, holder: Holder) -> Result<api::Token, StoreError> {
        let kind =
            if matches!(holder, Holder::Gateways(_)) { TokenKind::Gateway } else { TokenKind::Operator };
        let id = TokenId::stored(format!("token_{number}"));
        let hash = key::hash(&secret(kind, number));
        let new = NewToken { id, hash, prefix: "fg_".into(), expires_at: None, holder, identity: None };
        match self.run(Command::CreateToken(new)).await? {
            Done::Token(token) => Ok(token),
            other => panic!("{other:?}"),
        }
    }

    /// Lets a subject stand for an operator.
    pub async fn link(&self, number: u8, operator: &str, subject: &str) -> Result<api::Token, StoreError> {
        let identity = Some(OidcSubject { issuer: ISSUER.to_owned(), subject: subject.to_owned() });
        let id = TokenId::stored(format!("token_{number}"));
        let hash = key::hash(id.as_str());
        let holder = Holder::Operator(operator.to_owned());
        let new = NewToken { id, hash, prefix: String::new(), expires_at: None, holder, identity };
        match self.run(Command::CreateToken(new)).await? {
            Done::Token(token) => Ok(token),
            other => panic!("{other:?}"),
        }
    }

    async fn revoke_tokens(
        &self,
        kind: TokenKind,
        name: &str,
        token: Option<&str>,
    ) -> Result<Done, StoreError> {
        let (name, token) = (name.to_owned(), token.map(str::to_owned));
        self.run(Command::RevokeTokens { kind, name, token }).await
    }

    fn shows(&self, kind: TokenKind, number: u8) -> Result<String, Invalid> {
        let found = self.store.known_tokens().find(kind, secret(kind, number).as_bytes(), self.now());
        found.map(|token| token.name().to_owned()).map_err(|(why, _)| why)
    }

    async fn trail_of(&self, account: Option<&str>, operator: Option<&str>) -> Vec<api::TrailEntry> {
        let page = Page { limit: 100, after: None };
        let (account, operator) = (account.map(str::to_owned), operator.map(str::to_owned));
        self.store
            .trail(TrailQuery { account, operator, since: None, until: None, page })
            .await
            .unwrap()
            .entries
    }

    async fn says_as(
        &self,
        token: Option<&str>,
        gateway: &str,
        entry: Entry,
    ) -> Result<EntryAnswer, StoreError> {
        let request = ExchangeRequest {
            protocol: VERSION,
            gateway: gateway.to_owned(),
            seen: None,
            entries: vec![entry],
            usage: None,
            models: vec![],
        };
        let answer = self.store.exchange_as(with_token(token), request, self.now(), TTL_MS).await?;
        Ok(answer.entries.into_iter().next().unwrap())
    }
}

fn name(text: &str) -> TokenName {
    TokenName::parse(text).unwrap()
}

pub async fn a_subject_stands_for_one_operator_until_it_is_revoked(world: World) {
    world.token(1, Holder::NewOperator(name("alice"), AccessScope::Support)).await.unwrap();
    world.token(2, Holder::NewOperator(name("bob"), AccessScope::Read)).await.unwrap();
    let linked = world.link(3, "alice", "sub-1").await.unwrap();
    assert_eq!((linked.scope, linked.oidc_subject.as_deref()), (Some(AccessScope::Support), Some("sub-1")));
    let taken = world.link(4, "bob", "sub-1").await;
    assert!(matches!(&taken, Err(StoreError::Refused(Refusal::SubjectLinked(name, _))) if name == "alice"));
    let stands_for = || {
        let found = world.store.known_tokens().subject(ISSUER, "sub-1", world.now());
        found.map(|found| found.map(|token| token.name().to_owned()))
    };
    assert_eq!(stands_for(), Some(Ok("alice".to_owned())));
    assert!(world.store.known_tokens().subject("https://other.test", "sub-1", world.now()).is_none());
    let shown = world.store.known_tokens().find(TokenKind::Operator, b"token_3", world.now());
    assert!(shown.is_err(), "it is no token that could be shown");

    world.revoke_tokens(TokenKind::Operator, "alice", Some("token_3")).await.unwrap();
    assert_eq!(stands_for(), Some(Err(Invalid::Revoked)));
    world.link(5, "bob", "sub-1").await.unwrap();
    assert_eq!(stands_for(), Some(Ok("bob".to_owned())));
}

pub async fn an_operator_has_several_tokens_of_one_scope(world: World) {
    let alice = || Holder::Operator("alice".into());
    assert!(matches!(world.token(1, alice()).await, Err(StoreError::Refused(Refusal::NotFound { .. }))));
    let first = world.token(1, Holder::NewOperator(name("alice"), AccessScope::Support)).await.unwrap();
    assert_eq!((first.scope, first.state, first.token), (Some(AccessScope::Support), KeyState::Active, None));
    let again = world.token(2, Holder::NewOperator(name("alice"), AccessScope::Admin)).await;
    assert!(matches!(again, Err(StoreError::Refused(Refusal::OperatorExists(_)))), "{again:?}");
    assert_eq!(world.token(2, alice()).await.unwrap().scope, Some(AccessScope::Support));
    assert_eq!(world.shows(TokenKind::Operator, 1), Ok("alice".to_owned()), "it counts at once");
    assert_eq!(world.shows(TokenKind::Gateway, 1), Err(Invalid::Unknown));

    world.revoke_tokens(TokenKind::Operator, "alice", Some("token_1")).await.unwrap();
    assert_eq!(world.shows(TokenKind::Operator, 1), Err(Invalid::Revoked));
    assert_eq!(world.shows(TokenKind::Operator, 2), Ok("alice".to_owned()));
    let none = world.revoke_tokens(TokenKind::Operator, "alice", Some("token_9")).await;
    assert!(matches!(none, Err(StoreError::Refused(Refusal::NotFound { .. }))));

    for number in 3..=11 {
        world.token(number, alice()).await.unwrap();
    }
    let many = world.token(12, alice()).await;
    assert!(
        matches!(many, Err(StoreError::Refused(Refusal::TooMany { .. }))),
        "{MAX_TOKENS_PER_NAME}: {many:?}"
    );
    world.revoke_tokens(TokenKind::Operator, "alice", None).await.unwrap();
    assert_eq!(world.shows(TokenKind::Operator, 2), Err(Invalid::Revoked));
    let page = |after| Page { limit: 8, after };
    let listed = world.store.tokens(TokenKind::Operator, page(None), world.now()).await.unwrap();
    assert_eq!(listed.tokens.len(), 8);
    let rest = world.store.tokens(TokenKind::Operator, page(listed.next), world.now()).await.unwrap();
    assert_eq!((rest.tokens.len(), rest.next), (3, None));
    let later = world.token(13, Holder::NewOperator(name("alice"), AccessScope::Read)).await.unwrap();
    assert_eq!(later.scope, Some(AccessScope::Read), "a name without a valid token is free");
}

pub async fn the_last_use_of_a_token_is_kept_to_the_minute(mut world: World) {
    world.token(1, Holder::NewOperator(name("alice"), AccessScope::Read)).await.unwrap();
    world.second += 75;
    world.shows(TokenKind::Operator, 1).unwrap();
    world.store.note_token_uses(world.now()).await.unwrap();
    world.store.refresh_tokens().await.unwrap();
    let listed =
        world.store.tokens(TokenKind::Operator, Page { limit: 9, after: None }, world.now()).await.unwrap();
    let used = listed.tokens.first().unwrap().last_used_at.unwrap();
    assert_eq!(used.as_second(), world.second - world.second % 60);
    world.revoke_tokens(TokenKind::Operator, "alice", None).await.unwrap();
    let later = World { second: world.second + 91 * 86_400, ..World::new(world.store.clone()) };
    while later.store.prune(later.now()).await.unwrap() > 0 {}
    let listed =
        later.store.tokens(TokenKind::Operator, Page { limit: 9, after: None }, later.now()).await.unwrap();
    assert_eq!(listed.tokens, []);
}

pub async fn a_gateway_is_tied_to_the_named_token_that_it_came_with(world: World) {
    world.customer("acme").await;
    world.give("acme", 100, None).await.unwrap();
    for (number, fleet) in [(1, "eu"), (2, "us")] {
        world.token(number, Holder::Gateways(name(fleet))).await.unwrap();
    }
    let opening = || asking(report("key_acme", 1, 0, 0), 5, 5);
    // A fleet that has had the token of the environment goes on with its own.
    world.says_as(None, "gw-1", opening()).await.unwrap();
    let lease = world.says_as(Some("eu"), "gw-1", report("key_acme", 1, 2, 0)).await.unwrap().lease;
    assert!(lease.is_some(), "the lease is the same");
    for thief in [None, Some("us")] {
        let robbed = world.says_as(thief, "gw-1", report("key_acme", 1, 5, 0)).await;
        assert!(matches!(robbed, Err(StoreError::Refused(Refusal::ForeignGateway))), "{thief:?}: {robbed:?}");
    }
    assert_eq!(world.balance("acme").await[2], 2, "what the thieves said isn't booked");
    world.says_as(Some("eu"), "gw-1", report("key_acme", 1, 3, 0)).await.unwrap();
    world.says_as(Some("us"), "gw-2", opening()).await.unwrap();
    // A second token of the same name is as good as the first, and a fleet without any valid one can move on.
    let second = world.token(3, Holder::Gateways(name("eu"))).await.unwrap();
    world.revoke_tokens(TokenKind::Gateway, "eu", Some("token_1")).await.unwrap();
    let robbed = world.says_as(None, "gw-1", report("key_acme", 1, 3, 0)).await;
    assert!(matches!(robbed, Err(StoreError::Refused(Refusal::ForeignGateway))), "{robbed:?}");
    world.revoke_tokens(TokenKind::Gateway, "eu", Some(&second.id)).await.unwrap();
    world.says_as(None, "gw-1", report("key_acme", 1, 4, 0)).await.unwrap();
    world.agrees().await;
}

pub async fn the_trail_says_who_did_what_and_what_was_there_before(mut world: World) {
    let by = |operator: &str, command: &str| IdempotencyRecord {
        origin: Origin {
            operator: operator.into(),
            token: Some("token_7".into()),
            peer: "192.0.2.7".into(),
            command: command.into(),
        },
        ..memo()
    };
    world.customer("acme").await;
    let suspend = Command::TurnAccount { account: "acme".into(), turn: Transition::Suspend };
    let record = by("alice", "suspend_account");
    let first = world.store.execute(suspend.clone(), record.clone(), world.now()).await.unwrap();
    let again = world.store.execute(suspend, record.clone(), world.now()).await.unwrap();
    assert!(matches!((first, again), (Answer::First(_), Answer::Replayed(_))));
    let trail = world.trail_of(Some("acme"), Some("alice")).await;
    let [entry] = trail.as_slice() else { panic!("once: {trail:?}") };
    assert_eq!(entry.before, Some(json!({"accounts": [{"id": "acme", "name": null, "state": "active"}]})));
    assert_eq!(entry.after["state"], "suspended");
    assert_eq!((entry.token.as_deref(), entry.from.as_str()), (Some("token_7"), "192.0.2.7"));
    assert_eq!((entry.command.as_str(), &entry.idempotency_key), ("suspend_account", &record.key));
    assert_eq!(entry.at, world.now());

    // What is refused did nothing.
    let again = Command::CreateAccount { id: AccountId::parse("acme").unwrap(), name: None };
    world.store.execute(again, by("alice", "open_account"), world.now()).await.unwrap_err();
    assert_eq!(world.trail_of(None, Some("alice")).await.len(), 1);

    world.second += 60;
    let id = GrantId::stored(fresh("grant"));
    let grant = Command::Grant {
        account: "acme".into(),
        id,
        amount: credits(7),
        priority: 100,
        expires_at: None,
        note: None,
        source: None,
    };
    world.store.execute(grant, by("bob", "give_grant"), world.now()).await.unwrap();
    let trail = world.trail_of(Some("acme"), Some("bob")).await;
    let before = trail.first().unwrap().before.clone().unwrap();
    assert_eq!(before["accounts"][0]["available"], "0", "{before}");
    assert_eq!(trail.first().unwrap().after["amount"], "7");

    // A key's hash and a token's never enter it, nor anything secret.
    world.token(1, Holder::NewOperator(name("carol"), AccessScope::Read)).await.unwrap();
    world.revoke_tokens(TokenKind::Operator, "carol", None).await.unwrap();
    let all = world.trail_of(None, None).await;
    let text = serde_json::to_string(&all).unwrap();
    assert!(!text.contains("hash") && !text.contains(&secret(TokenKind::Operator, 1)), "{text}");
    let revoked = all.first().unwrap().before.clone().unwrap();
    assert_eq!(revoked["tokens"][0]["revoked_at"], Value::Null, "{revoked}");

    // In pages, newest first, by time, and for a stated time only.
    let mut after = None;
    let mut ids = Vec::new();
    loop {
        let page = Page { limit: 2, after };
        let query = TrailQuery { account: None, operator: None, since: None, until: None, page };
        let page = world.store.trail(query).await.unwrap();
        ids.extend(page.entries.iter().map(|entry| entry.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(ids, all.iter().map(|entry| entry.id).collect::<Vec<_>>());
    let page = Page { limit: 100, after: None };
    let since = TrailQuery { account: None, operator: None, since: Some(world.now()), until: None, page };
    assert_eq!(world.store.trail(since.clone()).await.unwrap().entries.len(), 3);
    let until = TrailQuery { since: None, until: Some(world.now()), ..since };
    assert_eq!(world.store.trail(until).await.unwrap().entries.len(), ids.len() - 3);
    while world.store.prune_trail(30_000, world.now()).await.unwrap() > 0 {}
    assert_eq!(world.trail_of(None, None).await.len(), 3, "older than 30 seconds");
    world.agrees().await;
}
