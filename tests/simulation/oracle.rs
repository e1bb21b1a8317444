//! What really happened, written down beside the gates and the ledger, and what may never happen.
//!
//! Gateways are known here by their number, keys by theirs; amounts are micro-credits.

use crate::limits::Pace;
use faregate::decide::base::moment::Moment;
use faregate::decide::lease::FundingSource;
use faregate::decide::outcome::Charge;
use faregate_ledger::domain::LeaseState;
use faregate_ledger::domain::entitlement::Entitlement;
use faregate_protocol::RefusalCode;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::conditions::ON_CREDIT_LIMIT_MICROS;
use crate::model::{Found, LeaseRow, ModelLedger};

/// One epoch of one key at one gateway.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epoch {
    /// Sold and not released.
    pub sold: i64,
    /// The largest grant in an answer to the gateway.
    pub granted: i64,
    /// By the gateway's clock: the latest end in an answer, counted from when it had asked.
    pub deadline: Moment,
}

/// The record.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    pub epochs: BTreeMap<(usize, usize, u32), Epoch>,
    /// Sold on credit and not released, by gateway and key.
    pub credit: BTreeMap<(usize, usize), i64>,
    /// Kept at the end of a request, by gateway and key.
    pub kept: BTreeMap<(usize, usize), i64>,
    /// In slices of workers that were lost, at most: charged though perhaps not sold.
    pub lost_slices: BTreeMap<(usize, usize), i64>,
    /// By account: sold, not reported, and given back to the customer by a reclaim.
    pub at_large: Vec<i64>,
    /// By key: when and how the ledger found too little.
    pub short: BTreeMap<usize, VecDeque<(u64, Found)>>,
    /// When a lease last moved.
    pub moved: BTreeMap<(usize, usize), u64>,
    /// By account: since when it is suspended, and until when it last was.
    pub suspended: Vec<(Option<u64>, Option<u64>)>,
    /// The latest that a ledger's wall clock has shown.
    pub latest_wall: jiff::Timestamp,
    /// Charged when a silent gateway's lease was taken, by gateway and key.
    pub forfeited: BTreeMap<(usize, usize), i64>,
    /// By account: its entitlements, each with the time from when on it counted.
    pub entitlements: Vec<Vec<(u64, Option<Entitlement>)>>,
    /// By gateway and key, where plans limit how fast requests may come.
    pub paces: BTreeMap<(usize, usize), Pace>,
    /// The stamp of the transaction after which the accounts' entitlements were last looked at.
    pub settled: i64,
    /// By key: when it was revoked.
    pub revoked: BTreeMap<usize, u64>,
    /// By gateway and key: the epoch that its lease was last seen in, and what it had carried over until then.
    pub seals: BTreeMap<(usize, usize), (u32, i64)>,
    /// Epochs that ended without holds being carried over: what was held then counts as spent.
    pub uncarried: BTreeSet<(usize, usize, u32)>,
}

impl Oracle {
    /// A charge was admitted. `row` is what the ledger has of that lease.
    ///
    /// # Errors
    /// When it must not have been.
    pub fn sold(
        &mut self,
        (gateway, key): (usize, usize),
        charge: &Charge,
        now: Moment,
        row: Option<&LeaseRow>,
    ) -> Result<(), String> {
        let price = charge.price.micros();
        let FundingSource::Lease(number) = charge.funding else {
            let sold = self.credit.entry((gateway, key)).or_default();
            *sold += price;
            let booked = row.map_or(0, |row| row.lease.on_credit.micros());
            if *sold - booked > ON_CREDIT_LIMIT_MICROS {
                return Err(format!("{sold} sold on credit, {booked} booked: above the rule's limit"));
            }
            return Ok(());
        };
        let epoch = self.epochs.entry((gateway, key, number)).or_default();
        epoch.sold += price;
        if epoch.sold > epoch.granted {
            return Err(format!("sold {} of {} granted under epoch {number}", epoch.sold, epoch.granted));
        }
        if now >= epoch.deadline {
            let late = now.millis_since(epoch.deadline);
            return Err(format!("sold {late} ms after the deadline of epoch {number}"));
        }
        let Some(lease) = row.map(|row| &row.lease) else {
            return Err(format!("sold under epoch {number}, which the ledger doesn't know"));
        };
        if lease.epoch != number || lease.state != LeaseState::Open {
            let (epoch, state) = (lease.epoch, lease.state);
            return Err(format!("sold under epoch {number}; the ledger is at epoch {epoch}, {state:?}"));
        }
        let (unreported, escrow) = (epoch.sold - lease.spent.micros(), lease.escrow().micros());
        if unreported > escrow {
            return Err(format!("{unreported} sold and not reported; the ledger sets {escrow} aside"));
        }
        Ok(())
    }

    /// So much of a charge was released. What an epoch held that ended without carrying it over stays spent.
    /// Returns whether it came back.
    pub fn released(&mut self, (gateway, key): (usize, usize), charge: &Charge, amount: i64) -> bool {
        match charge.funding {
            FundingSource::Lease(number) if self.uncarried.contains(&(gateway, key, number)) => return false,
            FundingSource::Lease(number) => {
                self.epochs.entry((gateway, key, number)).or_default().sold -= amount;
            }
            FundingSource::Credit => *self.credit.entry((gateway, key)).or_default() -= amount,
        }
        true
    }

    /// A lease is in this epoch and has carried so much over.
    pub fn note_epoch(&mut self, (gateway, key): (usize, usize), epoch: u32, carried: i64) {
        let (last, before) = self.seals.insert((gateway, key), (epoch, carried)).unwrap_or((epoch, carried));
        if carried == before {
            self.uncarried.extend((last..epoch).map(|ended| (gateway, key, ended)));
        }
    }

    /// The ledger reclaims an epoch whose row is `row`, of which `back` goes to the customer.
    pub fn reclaimed(&mut self, account: usize, place: (usize, usize), row: &LeaseRow, back: i64) {
        let sold = self.epochs.get(&(place.0, place.1, row.lease.epoch)).map_or(0, |epoch| epoch.sold);
        self.at_large[account] += (sold - row.lease.spent.micros()).clamp(0, back);
    }

    /// All that a gateway has sold to a key.
    pub fn total(&self, gateway: usize, key: usize) -> i64 {
        let epochs = self.epochs.range((gateway, key, 0)..=(gateway, key, u32::MAX));
        let leased: i64 = epochs.map(|(_, epoch)| epoch.sold).sum();
        leased + self.credit.get(&(gateway, key)).copied().unwrap_or(0)
    }

    /// The ledger said that there wasn't enough for a key.
    pub fn note_short(&mut self, time: u64, found: Found, forget_before: u64) {
        let notes = self.short.entry(found.key).or_default();
        while notes.front().is_some_and(|(at, _)| *at < forget_before) {
            notes.pop_front();
        }
        notes.push_back((time, found));
    }

    /// Whether the ledger has said since `since`, for this cause, that less than `price` was left.
    pub fn was_short(&self, key: usize, since: u64, code: RefusalCode, price: i64) -> bool {
        let notes = self.short.get(&key).into_iter().flatten();
        notes.rev().take_while(|(at, _)| *at >= since).any(|(_, found)| found.refuses(code, price))
    }

    /// Since when what an account's entitlement is has been so without a break; `None` when it isn't.
    pub fn since(&self, account: usize, so: impl Fn(Option<&Entitlement>) -> bool) -> Option<u64> {
        let history = self.entitlements[account].iter().rev();
        history.take_while(|(_, entitlement)| so(entitlement.as_ref())).last().map(|(from, _)| *from)
    }

    /// Whether what an account's entitlement was at some moment since `since` is so.
    pub fn was(&self, account: usize, since: u64, so: impl Fn(Option<&Entitlement>) -> bool) -> bool {
        let history = &self.entitlements[account];
        let ends = history.iter().skip(1).map(|(from, _)| *from).chain([u64::MAX]);
        history.iter().zip(ends).any(|((_, entitlement), end)| end >= since && so(entitlement.as_ref()))
    }

    /// Whether an account was suspended at some moment since `since`.
    pub fn was_suspended(&self, account: usize, since: u64) -> bool {
        let (from, until) = self.suspended[account];
        from.is_some() || until.is_some_and(|until| until >= since)
    }

    /// What went through on credit, or cost more than its lease had, is booked once.
    ///
    /// # Errors
    /// When more is booked.
    pub fn check_on_credit(&self, model: &ModelLedger, account: usize) -> Result<(), String> {
        use faregate_ledger::domain::Kind;
        let booked = model.moved(account, Kind::OnCredit) + model.moved(account, Kind::OnCreditOwed);
        let of_account = self.credit.iter().filter(|((_, key), _)| model.keys[*key].account == account);
        let sold: i64 = of_account.map(|(_, sold)| sold).sum();
        if booked > sold {
            return Err(format!("{booked} are booked on credit, and {sold} were sold so"));
        }
        Ok(())
    }

    /// Late spending is exactly what a reclaim had given back too early, never more, but for lost slices.
    ///
    /// # Errors
    /// When it is more.
    pub fn check_late(&self, model: &ModelLedger, account: usize) -> Result<(), String> {
        use faregate_ledger::domain::Kind;
        let late = model.moved(account, Kind::LateSpend) + model.moved(account, Kind::LateSpendOwed);
        let of_account = self.lost_slices.iter().filter(|((_, key), _)| model.keys[*key].account == account);
        let known = self.at_large[account] + of_account.map(|(_, lost)| lost).sum::<i64>();
        if late > known {
            return Err(format!("{late} were spent late, but only {known} had been taken back unreported"));
        }
        Ok(())
    }
}
