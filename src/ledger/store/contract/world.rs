//! A store with what a scenario needs around it.

use super::*;

/// Changes an account's row, as if it had come to that, and lets gateways know.
pub struct SetAccount {
    pub account: String,
    pub set: Box<dyn Fn(&mut crate::domain::Account) + Send + Sync>,
}

impl Operation for SetAccount {
    type Output = ();

    fn decide(&self, draft: &mut Draft, now: Timestamp) -> Result<(), Stop> {
        let mut row = draft.account_named(&self.account)?;
        (self.set)(&mut row.account);
        draft.announce_account(row.account.no, crate::domain::KeyNo(0), now);
        draft.put(row);
        Ok(())
    }
}

pub const TTL_MS: u64 = 20_000;

/// A store with what a story needs around it.
pub struct World {
    pub store: Store,
    pub second: i64,
}

pub fn credits(whole: i64) -> Credits {
    Credits::from_micros(whole * 1_000_000)
}

/// A name that nothing has yet, not even in a database from long ago.
pub fn fresh(kind: &str) -> String {
    format!("{kind}_{}", uuid::Uuid::now_v7().simple())
}

pub fn memo() -> IdempotencyRecord {
    IdempotencyRecord { key: fresh("memo"), fingerprint: [0; 32], origin: Origin::default() }
}

impl World {
    pub fn new(store: Store) -> Self {
        Self { store, second: 1_800_000_000 }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(self.second).unwrap()
    }

    pub async fn run(&self, command: Command) -> Result<Done, StoreError> {
        match self.store.execute(command, memo(), self.now()).await? {
            Answer::First(done) => Ok(done),
            Answer::Replayed(body) => panic!("never asked before: {body}"),
        }
    }

    /// An account with a subject of the same name as its credential; gives the key's identifier.
    pub async fn customer(&self, id: &str) -> String {
        let account = AccountId::parse(id).unwrap();
        self.run(Command::CreateAccount { id: account, name: None }).await.unwrap();
        self.subject(id, id).await
    }

    pub async fn subject(&self, account: &str, subject: &str) -> String {
        let id = KeyId::stored(format!("key_{subject}"));
        let credential = Credential::Subject(subject.into());
        self.run(Command::CreateKey(NewKey::plain(account, id.clone(), credential))).await.unwrap();
        id.to_string()
    }

    pub async fn give(&self, account: &str, whole: i64, lasts: Option<i64>) -> Result<Done, StoreError> {
        let id = GrantId::stored(fresh("grant"));
        let expires_at = lasts.map(|lasts| Timestamp::from_second(self.second + lasts).unwrap());
        let (account, amount) = (account.to_owned(), credits(whole));
        let (note, source) = (None, None);
        self.run(Command::Grant { account, id, amount, priority: 100, expires_at, note, source }).await
    }

    /// A plan with this monthly quota, counted from the subscription's start, and this rollover limit.
    pub async fn plan(&self, name: &str, quota: i64, rollover: i64) {
        let zone = period::zone("Europe/Berlin").unwrap();
        let rhythm = Rhythm { unit: Unit::Month, every: 1, anchor: Anchor::Start, zone };
        let terms = Terms { rollover: credits(rollover), ..Terms::plain(credits(quota), rhythm) };
        self.plan_of(name, terms).await;
    }

    pub async fn plan_of(&self, name: &str, terms: Terms) {
        let name = PlanName::parse(name).unwrap();
        self.run(Command::CreatePlan { name, terms }).await.unwrap();
    }

    /// Subscribes an account to a plan, with a start this many seconds from now (negative: in the past).
    pub async fn subscribe(&self, account: &str, plan: &str, ahead: i64) -> Result<Done, StoreError> {
        let starts_at = Some(Timestamp::from_second(self.second + ahead).unwrap());
        let asked = api::NewSubscription { plan: plan.into(), starts_at, trial_ends_at: None };
        self.run(Command::Subscribe { account: account.into(), id: fresh("sub"), asked }).await
    }

    pub async fn send(&self, gateway: &str, seen: Option<u64>, entries: Vec<Entry>) -> ExchangeResponse {
        let gateway = gateway.to_owned();
        let request =
            ExchangeRequest { protocol: VERSION, gateway, seen, entries, usage: None, models: vec![] };
        self.store.exchange(request, self.now(), TTL_MS).await.unwrap()
    }

    pub async fn exchange_entry(&self, gateway: &str, entry: Entry) -> EntryAnswer {
        self.send(gateway, None, vec![entry]).await.entries.pop().unwrap()
    }

    pub async fn balance(&self, account: &str) -> [i64; 5] {
        let b = self.store.balance(account.into(), self.now()).await.unwrap();
        [b.available, b.held, b.spent, b.expired, b.owed].map(|amount| amount.micros() / 1_000_000)
    }

    /// The audit passes regardless of what gateways have reported.
    pub async fn agrees(&self) {
        let audit = self.store.audit().await.unwrap();
        assert!(audit.agrees(), "{:#?}", audit.problems);
    }

    pub async fn assert_audit_passes(&self) {
        let audit = self.store.audit().await.unwrap();
        assert!(audit.ok, "{:#?}", audit.problems);
    }
}

pub fn report(key: &str, epoch: u32, spent: i64, returned: i64) -> Entry {
    Entry {
        payer: Payer::Id(key.into()),
        ended: None,
        lease: Some(LeaseReport {
            epoch,
            spent: credits(spent),
            returned: credits(returned),
            held: Credits::ZERO,
            demand: 0,
        }),
        ask: None,
        on_credit: Credits::ZERO,
        holds: Holds::default(),
    }
}

pub fn asking(entry: Entry, need: i64, want: i64) -> Entry {
    Entry { ask: Some(Ask { least: credits(need), need: credits(need), want: credits(want) }), ..entry }
}

pub fn ending(key: &str, epoch: u32, spent: i64) -> Entry {
    Entry { lease: None, ended: Some(Ended { epoch, spent: credits(spent) }), ..report(key, 0, 0, 0) }
}
