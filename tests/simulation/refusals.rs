//! Whether a refusal is true, and whether what must stop a sale has stopped it.

use crate::clock::MS;
use crate::world::World;
use faregate::decide::refusal::Refusal;
use faregate_ledger::domain::entitlement::Entitlement;
use faregate_ledger::domain::policy::SubscriptionStatus;
use faregate_ledger::domain::{Key, Scope};
use faregate_protocol::RefusalCode;

/// For how long a gate remembers a refusal (ms), with room for a slow clock.
const REMEMBERED_MS: u64 = 1_100;
/// Within this time a suspension or a revocation reaches every gateway when nothing is lost (ms).
const CLOSED_WITHIN_MS: u64 = 2_500;

impl World {
    /// How long ago the reason of a refusal may lie (ns).
    pub fn refusal_window(&self) -> u64 {
        let wait = 2 * (self.conditions.max_wait_ms + self.conditions.timeout_ms);
        let frozen =
            if self.conditions.calm { 0 } else { 2 * (self.conditions.ttl_ms + self.conditions.grace_ms) };
        (REMEMBERED_MS + wait + self.conditions.slow_ms + frozen + 1_000) * MS
    }

    /// A caller is refused only when there is nothing left for it, or for a reason that is true.
    pub fn check_refusal(
        &mut self,
        serial: u64,
        key: usize,
        path: &str,
        refusal: &Refusal,
    ) -> Result<(), String> {
        let gateway = self.workers[&serial].gateway;
        let since = self.time.saturating_sub(self.refusal_window());
        let price = refusal.needed.map_or(0, |price| price.micros());
        self.say(|| format!("worker {serial} refuses {price} micro-credits to key {key}: {}", refusal.code));
        let (row, known) = (&self.model.keys[key], self.model.key(key));
        let is_true = match refusal.code {
            code if code.is_short() => {
                self.trace.count(counted(code));
                let idle = if self.conditions.calm { self.idle(gateway, key, price, code) } else { None };
                if let Some((at, other)) = idle {
                    let lease = self.record(at, other);
                    let row = self.model.lease(&self.gateways[at].name, other);
                    let row = row.map(|row| &row.lease);
                    return Err(format!(
                        "key {key} is refused {price} while gateway {at} sits on more for key {other}: {lease:?}; {row:?}"
                    ));
                }
                self.oracle.was_short(key, since, code, price)
            }
            RefusalCode::PaymentPastDue => {
                self.trace.count("refused: payment past due");
                self.oracle.was(row.account, since, |it| {
                    it.is_some_and(|it| it.status == SubscriptionStatus::Unpaid)
                })
            }
            RefusalCode::InvalidKey => known.revoked,
            RefusalCode::KeyExpired => known.expires_at.is_some_and(|at| at <= self.oracle.latest_wall),
            RefusalCode::AccountSuspended => self.oracle.was_suspended(row.account, since),
            RefusalCode::PlanExcludesRoute => {
                self.trace.count("refused: plan excludes route");
                let includes = |it: Option<&Entitlement>| includes(it, path.trim_start_matches('/'));
                let wait = self.conditions.max_wait_ms + self.conditions.timeout_ms;
                let calm = self.time.saturating_sub((self.within_ms() + wait) * MS);
                let since = if self.conditions.calm { calm } else { since };
                self.oracle.was(row.account, since, |it| !includes(it))
            }
            RefusalCode::KeyExcludesRoute => {
                self.trace.count("refused: key excludes route");
                let product = path.trim_start_matches('/');
                known.products.as_ref().is_some_and(|products| !products.iter().any(|name| name == product))
            }
            RefusalCode::RateLimited => {
                self.trace.count("refused: rate limited");
                self.oracle.paces.get(&(gateway, key)).is_some_and(|pace| pace.full_at == Some(self.time))
            }
            RefusalCode::LedgerUnavailable => {
                // A message failed lately, or the one about this key is still under way. In a calm world none does.
                let worker = &self.workers[&serial];
                let failed = worker.failed_at.max(self.gateways[gateway].thawed_at);
                let slow = worker.flights.values().any(|(_, about)| about.contains(&Some(key)));
                !self.conditions.calm && (slow || failed.is_some_and(|at| at >= since))
            }
            _ => false,
        };
        if is_true { Ok(()) } else { Err(format!("key {key} is refused without a true reason: {refusal:?}")) }
    }

    /// A lease, if there is one, that lay unused all the time that a caller of the same account waited.
    fn idle(&self, gateway: usize, key: usize, price: i64, code: RefusalCode) -> Option<(usize, usize)> {
        let Key { no, team, .. } = *self.model.key(key);
        let account = self.model.keys[key].account;
        let scope = match (code, team) {
            (RefusalCode::KeyBudgetExhausted, _) => Scope::Key(no),
            (RefusalCode::TeamBudgetExhausted, Some(team)) => Scope::Team(team),
            _ => Scope::Account,
        };
        let wait = self.conditions.max_wait_ms + REMEMBERED_MS + 200;
        let before = self.time.saturating_sub(wait * MS);
        let keys = (0..self.model.keys.len()).filter(|other| self.model.keys[*other].account == account);
        let keys = keys.filter(|other| scope.covers(self.model.key(*other)));
        keys.flat_map(|other| (0..self.gateways.len()).map(move |at| (at, other)))
            .filter(|place| *place != (gateway, key))
            .filter(|place| self.oracle.moved.get(place).is_some_and(|moved| *moved < before))
            .find(|(at, other)| {
                let lease = self.record(*at, *other);
                lease.is_some_and(|lease| lease.spendable(self.moment(*at)).micros() >= price)
            })
    }

    /// How long a gateway may go by what is no longer so (ms).
    pub fn within_ms(&self) -> u64 {
        if self.conditions.calm { CLOSED_WITHIN_MS } else { self.conditions.ttl_ms * 11 / 10 }
    }

    /// A key that was revoked, or whose account is suspended, is not served from a lease for long.
    pub fn check_stopped(&self, gateway: usize, key: usize) -> Result<(), String> {
        let revoked = self.oracle.revoked.get(&key).copied();
        let suspended = self.oracle.suspended[self.model.keys[key].account].0;
        let unpaid = |it: Option<&Entitlement>| it.is_some_and(|it| it.status == SubscriptionStatus::Unpaid);
        let unpaid = self.oracle.since(self.model.keys[key].account, unpaid);
        let Some(stopped) = revoked.into_iter().chain(suspended).chain(unpaid).min() else {
            return Ok(());
        };
        let within = self.within_ms();
        let passed = (self.time - stopped) / MS;
        if passed > within {
            return Err(format!("gateway {gateway} still serves key {key}, stopped {passed} ms ago"));
        }
        Ok(())
    }
}

/// Whether a entitlement includes a product.
pub fn includes(entitlement: Option<&Entitlement>, product: &str) -> bool {
    let products = entitlement.filter(|it| it.is_in_force()).and_then(|it| it.products.as_ref());
    products.is_none_or(|products| products.iter().any(|included| included.name == product))
}

/// Under which words a refusal is counted.
const fn counted(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::QuotaExhausted => "refused: quota exhausted",
        RefusalCode::SubscriptionExpired => "refused: subscription expired",
        RefusalCode::KeyBudgetExhausted => "refused: key budget exhausted",
        RefusalCode::TeamBudgetExhausted => "refused: team budget exhausted",
        RefusalCode::AccountBudgetExhausted => "refused: account budget exhausted",
        _ => "refused: insufficient funds",
    }
}
