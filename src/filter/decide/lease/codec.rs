//! A lease as bytes in shared memory: fixed little-endian fields, then the payer's names.

use super::{Lease, OnCredit};
use crate::decide::moment::Moment;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Ended, Facts};

/// The layout's version; other bytes are no lease.
const LAYOUT: u8 = 1;

impl Lease {
    /// The record's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(192);
        out.push(LAYOUT);
        out.push(u8::from(self.listed) | u8::from(self.stopped) << 1);
        out.extend(self.fence.to_le_bytes());
        let ended = self.ended.unwrap_or(Ended { fence: 0, spent: Credits::ZERO });
        out.extend(ended.fence.to_le_bytes());
        let credit = self.on_credit;
        for credits in [
            ended.spent,
            self.granted,
            self.spent,
            self.returned,
            self.held,
            credit.spent,
            credit.held,
            credit.booked,
            self.low,
            self.cushion,
            self.marked.1,
        ] {
            out.extend(credits.micros().to_le_bytes());
        }
        for moment in [self.deadline, self.refill_at, self.marked.0] {
            out.extend(moment.nanos().to_le_bytes());
        }
        for name in [&self.facts.key, &self.facts.account, self.facts.plan.as_ref().unwrap_or(&String::new())]
        {
            let len = u16::try_from(name.len()).unwrap_or(0);
            out.extend(len.to_le_bytes());
            out.extend(name.bytes().take(usize::from(len)));
        }
        out
    }

    /// Reads a record; `None` when the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        if rest.array::<1>()? != [LAYOUT] {
            return None;
        }
        let [flags] = rest.array()?;
        let fence = u32::from_le_bytes(rest.array()?);
        let ended_fence = u32::from_le_bytes(rest.array()?);
        let ended_spent = rest.credits()?;
        let lease = Self {
            listed: flags & 1 == 1,
            stopped: flags & 2 == 2,
            fence,
            ended: (ended_fence > 0).then_some(Ended { fence: ended_fence, spent: ended_spent }),
            granted: rest.credits()?,
            spent: rest.credits()?,
            returned: rest.credits()?,
            held: rest.credits()?,
            on_credit: OnCredit { spent: rest.credits()?, held: rest.credits()?, booked: rest.credits()? },
            low: rest.credits()?,
            cushion: rest.credits()?,
            marked: (Moment::ZERO, rest.credits()?),
            deadline: rest.moment()?,
            refill_at: rest.moment()?,
            facts: Facts::default(),
        };
        let marked = (rest.moment()?, lease.marked.1);
        let facts = Facts {
            key: rest.text()?,
            account: rest.text()?,
            plan: rest.text().filter(|plan| !plan.is_empty()),
        };
        Some(Self { facts, marked, ..lease })
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    /// No amount in a lease is ever below zero.
    fn credits(&mut self) -> Option<Credits> {
        self.array()
            .map(i64::from_le_bytes)
            .map(Credits::from_micros)
            .filter(|amount| *amount >= Credits::ZERO)
    }

    fn moment(&mut self) -> Option<Moment> {
        self.array().map(u64::from_le_bytes).map(Moment::from_nanos)
    }

    fn text(&mut self) -> Option<String> {
        let len = usize::from(u16::from_le_bytes(self.array()?));
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(str::to_owned)
    }
}
