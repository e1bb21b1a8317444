//! Charges a request: from a sublease, from the lease, or on credit while the ledger is unreachable.

use super::Gate;
use crate::decide::base::moment::Moment;
use crate::decide::base::sorted_map::Handle;
use crate::decide::lease::shared::{self, SharedMemory};
use crate::decide::lease::{self, Admission, FundingSource, Lease, LeaseHolder};
use crate::decide::outcome::{Charge, Outcome, Passage, Payment};
use crate::decide::refusal::Refusal;
use crate::decide::request::quote::Quote;
use crate::decide::settings::{OnLedgerError, Rule};
use crate::decide::settlement::Sold;
use faregate_protocol::{Credits, RefusalCode};
use std::rc::Rc;

impl<M: SharedMemory> Gate<M> {
    /// Charges the payer of this lease, from a sublease or from the lease itself.
    pub(super) fn pay(&mut self, now: Moment, lease: &str, rule: usize, list: Credits) -> Payment {
        let handle = self.settlements.find(&self.names, lease);
        match self.sell(handle, now, rule, list) {
            Some(charge) => Payment::Paid(charge),
            None => self.pay_from_lease(now, lease, rule, list),
        }
    }

    /// Charges the sublease at this handle.
    pub(super) fn sell(&mut self, handle: Handle, now: Moment, rule: usize, list: Credits) -> Option<Charge> {
        let product = self.settings.rule(rule).product.as_deref();
        let sold = self.settlements.sell(handle, now, |holder| holder.price(product, list));
        let Sold { holder, epoch, price, left } = sold?;
        self.counters.admitted += 1;
        let funding = FundingSource::Lease(epoch);
        Some(Charge { holder, rule, price, funding, counted: false, left, quote: None })
    }

    /// Charges the lease itself. While it has plenty, it grants a sublease for the next requests.
    #[inline(never)]
    fn pay_from_lease(&mut self, now: Moment, lease: &str, rule: usize, list: Credits) -> Payment {
        let product = self.settings.rule(rule).product.as_deref();
        let pending = self.settlements.take(lease);
        let admit = |lease: &mut Lease, record: &[u8]| {
            pending.flush(lease);
            lease.note();
            let price = match lease::record_price(record, product, list) {
                // A lease that is over may have outdated plan terms.
                Err(RefusalCode::PlanExcludesRoute) if !lease.is_fresh(now) => {
                    return Ok((list, Admission::Short, None));
                }
                price => price?,
            };
            let admission = lease.admit(now, price);
            let paid = matches!(admission, Admission::Paid { .. });
            Ok((price, admission, if paid { lease.sublease(now, price) } else { None }))
        };
        let Some((admitted, record)) = shared::update_counters(&self.memory, lease, admit) else {
            return Payment::Short(list);
        };
        let holder = || LeaseHolder::of(lease, record);
        let (refusal, holder) = match admitted {
            Ok((price, Admission::Paid { epoch, refill, counted }, sublease)) => {
                if refill {
                    self.refills.insert(lease, price);
                    self.wake = true;
                }
                let holder = Rc::new(holder());
                let left = sublease.map_or(Credits::ZERO, |sublease| sublease.left);
                if let Some(sublease) = sublease {
                    self.settlements.cut(&self.names, sublease, &holder);
                }
                self.counters.admitted += 1;
                let funding = FundingSource::Lease(epoch);
                return Payment::Paid(Charge { holder, rule, price, funding, counted, left, quote: None });
            }
            Ok((price, Admission::Short, _)) => return Payment::Short(price),
            Ok((_, Admission::Throttled(wait), _)) => {
                let holder = holder();
                (Refusal::throttled(wait, holder.status()), holder)
            }
            Err(code) => (Refusal::plain(code), holder()),
        };
        Payment::Refused(Refusal { payer: Some(Rc::new(holder.names())), ..refusal })
    }

    /// Decides without the ledger, as the rule's `on_ledger_error` says.
    #[inline(never)]
    pub(super) fn without_ledger(
        &mut self,
        lease: &str,
        number: usize,
        price: Credits,
        quote: Option<Rc<Quote>>,
    ) -> Outcome {
        let Rule { on_ledger_error, product, price: list, .. } = self.settings.rule(number);
        if let OnLedgerError::AllowUpTo(limit) = *on_ledger_error {
            let admit = |lease: &mut Lease, record: &[u8]| {
                let included = lease::record_price(record, product.as_deref(), list.unwrap_or(price)).is_ok();
                included && lease.admit_on_credit(price, limit)
            };
            if let Some((true, record)) = shared::update_counters(&self.memory, lease, admit) {
                self.counters.admitted += 1;
                self.counters.on_credit += 1;
                return Outcome::Pass(Passage::Paid(Charge {
                    holder: Rc::new(LeaseHolder::of(lease, record)),
                    rule: number,
                    price,
                    funding: FundingSource::Credit,
                    counted: false,
                    left: Credits::ZERO,
                    quote,
                }));
            }
        }
        self.refuse(number, Refusal::plain(RefusalCode::LedgerUnavailable))
    }
}
