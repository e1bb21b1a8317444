//! A payer's status as the ledger last reported it, kept in the payer's record and shown to callers.
//!
//! What must hold: no decision depends on it. It is the last part of a record, so a charge never reads it.

use crate::decide::base::moment::Moment;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Limits, PayerStatus, Rate};

/// How many numbers precede the text.
const NUMBERS: usize = 9;

/// A payer's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedStatus {
    /// When the ledger's answer arrived.
    pub received_at: Moment,
    /// What the payer could still draw then, beyond its leases.
    pub available: Credits,
    /// The quota of its plan, if one is active.
    pub quota: Option<CachedQuota>,
    /// The plan's limits as a whole.
    pub limits: Limits,
    /// The plan warns when less than this is available.
    pub warn_below: Option<Credits>,
}

/// A plan's quota in the current period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedQuota {
    /// In full, per period.
    pub size: Credits,
    /// How long the period is, in seconds.
    pub window_s: u64,
    /// When it ends, as the ledger wrote it; never empty.
    pub resets_at: String,
    /// The same by the gateway's clock.
    pub resets: Moment,
}

impl CachedStatus {
    /// Encodes the ledger's answer of `now` for a record: numbers, then a text. A missing amount is negative, and a
    /// missing limit zero.
    pub(in crate::decide) fn encode(now: Moment, status: &PayerStatus) -> Vec<u8> {
        let none = Credits::from_micros(-1);
        let quota = status.quota.as_ref();
        let (size, window_s, in_s, text) = quota.map_or((none, 0, 0, ""), |quota| {
            (quota.size, quota.window_s, quota.resets_in_s, quota.resets_at.as_str())
        });
        let warn_below = status.warn_below.unwrap_or(none);
        let rate = status.limits.rate.unwrap_or(Rate { milli_per_s: 0, burst: 0 });
        let numbers: [u64; NUMBERS] = [
            now.nanos(),
            now.plus_millis(in_s.saturating_mul(1_000)).nanos(),
            window_s,
            status.available.micros().cast_unsigned(),
            warn_below.micros().cast_unsigned(),
            size.micros().cast_unsigned(),
            rate.milli_per_s.into(),
            rate.burst.into(),
            status.limits.concurrent.unwrap_or(0).into(),
        ];
        let mut out = Vec::new();
        for number in numbers {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(text.as_bytes());
        out
    }

    /// What can be spent in all if this gateway holds `here`.
    pub fn balance(&self, here: Credits) -> Credits {
        self.available.saturating_add(here)
    }

    /// Whether these bytes have a warning threshold.
    pub(super) fn warns(bytes: &[u8]) -> bool {
        Self::decode(bytes).is_some_and(|status| status.warn_below.is_some())
    }

    /// Decodes a status; `None` for malformed bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut numbers = [0; NUMBERS];
        for number in &mut numbers {
            let (bytes, more) = rest.split_first_chunk()?;
            (*number, rest) = (u64::from_le_bytes(*bytes), more);
        }
        let [received_at, resets, window_s, available, warn_below, size, milli_per_s, burst, concurrent] =
            numbers;
        let amount = |number: u64| {
            Some(Credits::from_micros(number.cast_signed())).filter(|amount| *amount >= Credits::ZERO)
        };
        let limit = |number| u32::try_from(number).ok().filter(|limit| *limit > 0);
        let rate = |milli_per_s| Rate { milli_per_s, burst: limit(burst).unwrap_or(0) };
        let resets_at = std::str::from_utf8(rest).ok()?.to_owned();
        let quota = |size| CachedQuota { size, window_s, resets_at, resets: Moment::from_nanos(resets) };
        Some(Self {
            received_at: Moment::from_nanos(received_at),
            available: amount(available)?,
            quota: amount(size).map(quota),
            limits: Limits { rate: limit(milli_per_s).map(rate), concurrent: limit(concurrent) },
            warn_below: amount(warn_below),
        })
    }
}
