//! What a plan allows at a gateway: which product, at what price, how fast, how many at the same time, and out of
//! whose money.

use crate::clock::MS;
use crate::refusals::includes;
use crate::world::World;
use faregate::decide::base::moment::Moment;
use faregate::decide::lease::Throttle;
use faregate::decide::outcome::Charge;
use faregate_ledger::domain::entitlement::Entitlement;
use faregate_ledger::domain::policy::SubscriptionStatus;
use faregate_protocol::Credits;
use std::collections::VecDeque;

/// How long a worker may sell from a slice (ms), with room: so long after limits come, some pass beside them.
const SLICES_MS: u64 = 600;
/// What requests may give back that were under way when their lease was recalled; it is sold again.
const GIVEN_BACK_MICROS: i64 = 10_000_000;
/// A nanosecond in thousandths of requests per second.
const NANOS: u64 = 1_000_000_000_000;

/// How fast a key's requests came through at one gateway.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// Since when there are limits.
    since: Option<Moment>,
    /// When requests passed lately, and what their rate and burst were then.
    passed: VecDeque<(Moment, u64, u64)>,
    /// Some are under way that were admitted under limits which were lifted since.
    loose: bool,
    /// When no more could pass.
    pub full_at: Option<u64>,
}

fn is_full(throttle: &Throttle, now: Moment) -> bool {
    let crowded = throttle.limits.concurrent.is_some_and(|most| throttle.under_way >= most);
    let fast = throttle.limits.rate.is_some_and(|rate| {
        let each = NANOS / u64::from(rate.milli_per_s.max(1));
        now.nanos() < throttle.busy_until.nanos().saturating_sub(each * u64::from(rate.burst.max(1) - 1))
    });
    crowded || fast
}

impl World {
    fn is_limited(&self) -> bool {
        self.conditions.planned.as_ref().is_some_and(|planned| planned.limits)
    }

    /// Notes how much of its limits a key has used at a gateway.
    pub fn note_throttle(&mut self, gateway: usize, key: usize) {
        if !self.is_limited() {
            return;
        }
        let throttle = self.record(gateway, key).and_then(|lease| lease.throttle);
        let (now, open) = (self.moment(gateway), self.under_way(gateway, key));
        let pace = self.oracle.paces.entry((gateway, key)).or_default();
        let Some(throttle) = throttle else {
            *pace = Pace { loose: open > 0, ..Pace::default() };
            return;
        };
        pace.since = pace.since.or(Some(now));
        pace.loose &= open > 0;
        if is_full(&throttle, now) {
            pace.full_at = Some(self.time);
        }
        if throttle.limits.rate.is_none() {
            pace.passed.clear();
        }
    }

    /// How many counted requests of a key are under way at a gateway.
    fn under_way(&self, gateway: usize, key: usize) -> u32 {
        let workers = self.gateways[gateway].workers.iter().filter_map(|serial| self.workers.get(serial));
        let id = self.model.key(key).id.as_str();
        let open = workers.flat_map(|worker| worker.open.values());
        open.filter(|charge| charge.counted && charge.holder.key() == id).count() as u32
    }

    /// A gateway's count of requests in flight is exact.
    pub fn check_under_way(&mut self, gateway: usize, key: usize) -> Result<(), String> {
        if !self.is_limited() || self.gateways[gateway].mutated {
            return Ok(());
        }
        self.note_throttle(gateway, key);
        let throttle = self.record(gateway, key).and_then(|lease| lease.throttle);
        let open = self.under_way(gateway, key);
        match throttle {
            Some(throttle) if throttle.under_way != open && !self.oracle.paces[&(gateway, key)].loose => {
                Err(format!(
                    "gateway {gateway} counts {} requests of key {key} under way, and there are {open}",
                    throttle.under_way
                ))
            }
            _ => Ok(()),
        }
    }

    /// A request that was admitted kept to the limits that its gateway knows, and it knows those that there are.
    pub fn check_pace(&mut self, gateway: usize, key: usize, charge: &Charge) -> Result<(), String> {
        if !self.is_limited() {
            return Ok(());
        }
        self.note_throttle(gateway, key);
        let throttle = self.record(gateway, key).and_then(|lease| lease.throttle);
        let account = self.model.keys[key].account;
        let limited =
            |it: Option<&Entitlement>| it.is_some_and(|it| it.is_in_force() && !it.limits.is_none());
        let Some(throttle) = throttle else {
            let since = self.oracle.since(account, limited);
            return match since.filter(|since| (self.time - since) / MS > self.within_ms()) {
                Some(_) => Err(format!("gateway {gateway} knows nothing of the limits of key {key}")),
                None => Ok(()),
            };
        };
        let (now, open) = (self.moment(gateway), self.under_way(gateway, key));
        let pace = self.oracle.paces.entry((gateway, key)).or_default();
        if let Some(most) = throttle.limits.concurrent.filter(|_| charge.counted && !pace.loose)
            && open >= most
        {
            return Err(format!(
                "gateway {gateway} lets {} of key {key} through at a time, not {most}",
                open + 1
            ));
        }
        let Some(rate) = throttle.limits.rate else { return Ok(()) };
        if pace.since.is_none_or(|since| now.millis_since(since) <= SLICES_MS) {
            return Ok(());
        }
        pace.passed.push_back((now, rate.milli_per_s.into(), rate.burst.into()));
        while pace.passed.front().is_some_and(|(at, ..)| now.millis_since(*at) >= 1_000) {
            pace.passed.pop_front();
        }
        let per_s = pace.passed.iter().map(|(_, rate, _)| rate.div_ceil(1_000)).max().unwrap_or(0);
        let burst = pace.passed.iter().map(|(.., burst)| *burst).max().unwrap_or(0);
        if pace.passed.len() as u64 > burst + per_s + 1 {
            let passed = pace.passed.len();
            return Err(format!(
                "gateway {gateway} let {passed} of key {key} through within a second: {throttle:?}"
            ));
        }
        Ok(())
    }

    /// A request cost what the plan says, and its product was included.
    pub fn check_price(&self, key: usize, charge: &Charge) -> Result<(), String> {
        let rule = self.settings.rule(charge.rule);
        let (Some(product), Some(list)) = (rule.product.as_deref(), rule.price) else {
            return Ok(());
        };
        let row = &self.model.keys[key];
        if self
            .model
            .key(key)
            .products
            .as_ref()
            .is_some_and(|products| !products.iter().any(|name| name == product))
        {
            return Err(format!("key {key} is sold {product}, which it is excluded from"));
        }
        let since = self.time.saturating_sub(self.within_ms() * MS);
        let is_so =
            |it: Option<&Entitlement>| includes(it, product) && price(it, product, list) == charge.price;
        if self.oracle.was(row.account, since, is_so) {
            return Ok(());
        }
        Err(format!("key {key} is sold {product} for {}, which its plan has not said for long", charge.price))
    }

    /// What a plan gave is not spent for long after it is over, and what was bought not for long after a plan came
    /// that refuses beyond its quota.
    pub fn check_purse(&self, gateway: usize, key: usize) -> Result<(), String> {
        let account = self.model.keys[key].account;
        let over = |it: Option<&Entitlement>| it.is_some_and(|it| it.status == SubscriptionStatus::Over);
        let refuses = |it: Option<&Entitlement>| it.is_some_and(Entitlement::refuses_overage);
        let Some(row) = self.model.lease(&self.gateways[gateway].name, key) else { return Ok(()) };
        // Where answers are lost, a gateway hands back what it knows of, and the rest may be sold.
        if !self.conditions.calm {
            return Ok(());
        }
        for (since, of_plan) in
            [(self.oracle.since(account, over), true), (self.oracle.since(account, refuses), false)]
        {
            if since.is_none_or(|since| (self.time - since) / MS <= self.within_ms()) {
                continue;
            }
            let wrong = row
                .lease
                .draws
                .iter()
                .filter(|draw| self.model.db.grants[&(draw.grant,)].subscription.is_some() == of_plan);
            let wrong: i64 = wrong.map(|draw| draw.left.micros()).sum();
            let epoch = self.oracle.epochs.get(&(gateway, key, row.lease.epoch));
            let sold = epoch.map_or(0, |epoch| epoch.sold) - row.lease.spent.micros();
            // Nor does a recall bring back the slices that workers have out at that moment.
            let slices = row.lease.granted.micros() / 16;
            if wrong > sold.max(0) + GIVEN_BACK_MICROS + slices {
                return Err(format!(
                    "gateway {gateway} has {wrong} for key {key} that its plan forbids, of which {sold} are sold"
                ));
            }
        }
        Ok(())
    }
}

/// What a request costs whose rule says `list`.
fn price(entitlement: Option<&Entitlement>, product: &str, list: Credits) -> Credits {
    let products = entitlement.filter(|it| it.is_in_force()).and_then(|it| it.products.as_ref());
    let found = products.and_then(|products| products.iter().find(|included| included.name == product));
    found.map_or(list, |included| included.pricing.of(list))
}
