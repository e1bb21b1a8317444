//! How operations find what they are about. Whatever belongs to an account is asked for by way of the account, so that
//! its lock is held before.

use super::{Draft, Stop};
use crate::domain::{AccountNo, GatewayNo, GrantNo, KeyNo, PlanNo};
use crate::store::Refusal;
use crate::store::record::Record as _;
use crate::store::rows::{
    AccountRow, BudgetKey, BudgetRow, ChangeRow, GatewayRow, GrantRow, KeyRow, LeaseKey, LeaseRow,
};
use jiff::Timestamp;

fn whose(row: &KeyRow) -> (KeyNo, AccountNo) {
    (row.key.no, row.account)
}

impl Draft {
    /// An account, locked; none when another transaction has it and this one doesn't wait.
    pub fn account(&mut self, no: AccountNo) -> Result<Option<AccountRow>, Stop> {
        self.get::<AccountRow>(&(no,)).map(Option::<&_>::cloned)
    }

    /// The account with this identifier, locked.
    pub fn account_named(&mut self, id: &str) -> Result<AccountRow, Stop> {
        let no = self.accounts_by_id(&(id.to_owned(),))?.next().map(|row| row.account.no);
        let missing = || Refusal::NotFound { what: "account", id: id.to_owned() };
        self.account(no.ok_or_else(missing)?)?.ok_or_else(|| missing().into())
    }

    /// Whether an account has this identifier.
    pub fn has_account(&mut self, id: &str) -> Result<bool, Stop> {
        Ok(self.accounts_by_id(&(id.to_owned(),))?.next().is_some())
    }

    /// A key of an account that is locked.
    pub fn key(&mut self, no: KeyNo) -> Result<Option<KeyRow>, Stop> {
        self.get::<KeyRow>(&(no,)).map(Option::<&_>::cloned)
    }

    /// The number of the gateway with this name, which is made on first contact.
    pub fn gateway(&mut self, name: &str) -> Result<GatewayNo, Stop> {
        if let Some(no) = self.guess_gateway(name)
            && self.get::<GatewayRow>(&(no,))?.is_some_and(|row| row.name == name)
        {
            return Ok(no);
        }
        let found = self.gateways_by_name(&(name.to_owned(),))?.next().map(|row| row.no);
        if let Some(no) = found {
            self.directory.note_gateway(name, no);
            return Ok(no);
        }
        let no = GatewayNo(self.number(GatewayRow::TABLE)?);
        self.put(GatewayRow { no, name: name.to_owned(), token: None, version: None });
        Ok(no)
    }

    /// The number that the gateway with this name probably has.
    pub fn guess_gateway(&self, name: &str) -> Option<GatewayNo> {
        self.directory.gateway(name)
    }

    /// The number of the key with this identifier, and its account. It is a guess as long as the key's row isn't
    /// loaded.
    pub fn key_by_id(&mut self, id: &str) -> Result<Option<(KeyNo, AccountNo)>, Stop> {
        let is = |row: &KeyRow| row.key.id.as_str() == id;
        if let Some(guess) = self.guess_key(id.as_bytes(), is) {
            return Ok(Some(guess));
        }
        let found = self.keys_by_id(&(id.to_owned(),))?.next().map(whose);
        self.note_key(id.as_bytes(), found);
        Ok(found)
    }

    /// The number of the key with this hash, and its account. It is a guess as long as the key's row isn't loaded.
    pub fn key_by_hash(&mut self, hash: &[u8]) -> Result<Option<(KeyNo, AccountNo)>, Stop> {
        let is = |row: &KeyRow| row.hash.as_deref() == Some(hash);
        if let Some(guess) = self.guess_key(hash, is) {
            return Ok(Some(guess));
        }
        let found = self.keys_by_hash(&(hash.to_vec(),))?.next().map(whose);
        self.note_key(hash, found);
        Ok(found)
    }

    /// What the directory says, unless the row says otherwise, which is wanted.
    fn guess_key(&mut self, name: &[u8], is: impl Fn(&KeyRow) -> bool) -> Option<(KeyNo, AccountNo)> {
        let (no, account) = self.directory.key(name)?;
        let right = match self.get::<KeyRow>(&(no,)) {
            Ok(row) => row.is_some_and(|row| row.account == account && is(row)),
            Err(_) => true,
        };
        right.then_some((no, account))
    }

    fn note_key(&self, name: &[u8], found: Option<(KeyNo, AccountNo)>) {
        if let Some(found) = found {
            self.directory.note_key(name, found);
        }
    }

    /// The lease of a key on a gateway; its account is locked.
    pub fn lease(&mut self, place: LeaseKey) -> Result<Option<LeaseRow>, Stop> {
        self.get::<LeaseRow>(&place).map(Option::<&_>::cloned)
    }

    /// The open leases with money of an account that is locked.
    pub fn holders_of(&mut self, account: AccountNo) -> Result<Vec<LeaseRow>, Stop> {
        Ok(self.holders(&(account,))?.cloned().collect())
    }

    /// The grants of an account with something left, and those of these numbers. It is locked.
    pub fn grants_of(
        &mut self,
        account: AccountNo,
        drawn: impl IntoIterator<Item = GrantNo>,
    ) -> Result<Vec<GrantRow>, Stop> {
        let live = self.live_grants(&(account,)).map(|rows| rows.cloned().collect::<Vec<_>>());
        let mut missing = live.is_err();
        let mut grants = live.unwrap_or_default();
        for no in drawn {
            if grants.iter().any(|row| row.grant.no == no) {
                continue;
            }
            match self.get::<GrantRow>(&(no,)) {
                Ok(row) => grants.extend(row.filter(|row| row.account == account).cloned()),
                Err(_) => missing = true,
            }
        }
        if missing { Err(Stop::Missing) } else { Ok(grants) }
    }

    /// A grant that was loaded with others of its account, or made.
    pub fn loaded_grant(&mut self, no: GrantNo) -> Option<GrantRow> {
        self.known::<GrantRow>(&(no,)).cloned()
    }

    /// A budget of an account that is locked.
    pub fn budget(&mut self, place: BudgetKey) -> Result<Option<BudgetRow>, Stop> {
        self.get::<BudgetRow>(&place).map(Option::<&_>::cloned)
    }

    /// Lets gateways hear of an account, or of one key of it (zero: of all).
    pub fn announce_account(&mut self, account: AccountNo, key: KeyNo, now: Timestamp) {
        self.announce(ChangeRow { seq: 0, account, key, gateway: GatewayNo(0), created_at: now });
    }

    /// A plan's number by its name.
    pub fn plan_named(&mut self, name: &str) -> Result<PlanNo, Stop> {
        let found = self.plans_by_name(&(name.to_owned(),))?.next().map(|row| row.no);
        found.ok_or_else(|| Refusal::NotFound { what: "plan", id: name.to_owned() }.into())
    }
}
