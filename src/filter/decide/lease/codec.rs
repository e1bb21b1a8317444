//! A lease as bytes in shared memory: a head of fixed little-endian fields, then the payer's names.
//!
//! Charging changes the head alone. So a charge reads and writes only the head, in place, and keeps the
//! bytes to look the names up where they are wanted.

use super::{Lease, OnCredit};
use crate::decide::moment::Moment;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Ended, Facts};

/// The layout's version; other bytes are no lease.
const LAYOUT: u8 = 1;
/// How long the head is: two bytes, two fences, twelve amounts, four moments.
const HEAD: usize = 2 + 2 * 4 + 16 * 8;

impl Lease {
    /// The record's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(192);
        out.extend(self.head());
        for name in [&self.facts.key, &self.facts.account, self.facts.plan.as_ref().unwrap_or(&String::new())]
        {
            let len = u16::try_from(name.len()).unwrap_or(0);
            out.extend(len.to_le_bytes());
            out.extend(name.bytes().take(usize::from(len)));
        }
        out
    }

    /// Writes everything but the names over a record of the same payer. Tells whether that changed it.
    pub fn encode_head(&self, record: &mut [u8]) -> bool {
        let head = self.head();
        match record.get_mut(..HEAD) {
            Some(old) if *old != head => {
                old.copy_from_slice(&head);
                true
            }
            _ => false,
        }
    }

    fn head(&self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        let mut rest = Writer(&mut head);
        rest.put([LAYOUT, u8::from(self.listed) | u8::from(self.stopped) << 1]);
        rest.put(self.fence.to_le_bytes());
        let ended = self.ended.unwrap_or(Ended { fence: 0, spent: Credits::ZERO });
        rest.put(ended.fence.to_le_bytes());
        let credit = self.on_credit;
        for credits in [
            ended.spent,
            self.granted,
            self.spent,
            self.returned,
            self.held,
            self.sliced,
            credit.spent,
            credit.held,
            credit.booked,
            self.low,
            self.cushion,
            self.marked.1,
        ] {
            rest.put(credits.micros().to_le_bytes());
        }
        for moment in [self.slices_due, self.deadline, self.refill_at, self.marked.0] {
            rest.put(moment.nanos().to_le_bytes());
        }
        head
    }

    /// Reads a record; `None` when the bytes are none.
    pub fn decode(record: &[u8]) -> Option<Self> {
        let facts = Holder::facts(record)?;
        Some(Self { facts, ..Self::decode_head(record)? })
    }

    /// Reads everything but the names, which must be there all the same.
    #[inline(never)]
    pub fn decode_head(record: &[u8]) -> Option<Self> {
        names(record)?;
        let mut rest = Reader(record.get(..HEAD)?);
        let [layout, flags] = rest.array()?;
        if layout != LAYOUT {
            return None;
        }
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
            sliced: rest.credits()?,
            on_credit: OnCredit { spent: rest.credits()?, held: rest.credits()?, booked: rest.credits()? },
            low: rest.credits()?,
            cushion: rest.credits()?,
            marked: (Moment::ZERO, rest.credits()?),
            slices_due: rest.moment()?,
            deadline: rest.moment()?,
            refill_at: rest.moment()?,
            facts: Facts::default(),
        };
        let marked = (rest.moment()?, lease.marked.1);
        Some(Self { marked, ..lease })
    }
}

/// Whose lease it is: the names in a record, read when they are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    lease: String,
    record: Vec<u8>,
}

impl Holder {
    /// Over the bytes of the lease of this name.
    pub fn of(lease: &str, record: Vec<u8>) -> Self {
        Self { lease: lease.to_owned(), record }
    }

    /// The lease's name in shared memory.
    pub fn lease(&self) -> &str {
        &self.lease
    }

    /// The key's identifier.
    pub fn key(&self) -> &str {
        self.name(0)
    }

    /// The account's identifier.
    pub fn account(&self) -> &str {
        self.name(1)
    }

    /// The plan's name, if there is one.
    pub fn plan(&self) -> Option<&str> {
        Some(self.name(2)).filter(|plan| !plan.is_empty())
    }

    fn name(&self, number: usize) -> &str {
        names(&self.record).and_then(|names| names.into_iter().nth(number)).unwrap_or_default()
    }

    fn facts(record: &[u8]) -> Option<Facts> {
        let [key, account, plan] = names(record)?.map(str::to_owned);
        Some(Facts { key, account, plan: Some(plan).filter(|plan| !plan.is_empty()), ..Facts::default() })
    }
}

fn names(record: &[u8]) -> Option<[&str; 3]> {
    let mut rest = Reader(record.get(HEAD..)?);
    Some([rest.text()?, rest.text()?, rest.text().unwrap_or_default()])
}

struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some((array, rest)) = std::mem::take(&mut self.0).split_first_chunk_mut::<N>() {
            *array = bytes;
            self.0 = rest;
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
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

    fn text(&mut self) -> Option<&'a str> {
        let len = usize::from(u16::from_le_bytes(self.array()?));
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}
