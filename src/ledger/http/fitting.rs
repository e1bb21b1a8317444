//! Limits an exchange response to the size that a gateway accepts.
//!
//! A message may name a thousand payers, and each may have a plan with many products. What must hold: no answer is
//! larger than [`MAX_BODY_BYTES`], whatever there is to say; what is left out is as if its answer had been lost, so
//! the next message says and asks it again; and no payer is left out each time.

use faregate_protocol::exchange::{EntryAnswer, ExchangeResponse, MAX_BODY_BYTES};
use serde::Serialize;

/// The answer as JSON. Where it is too large, prices are left out, then what callers may see of how payers stand, and then
/// the answers about some payers but for what acknowledges; `turn` says where to begin.
pub fn body(mut response: ExchangeResponse, turn: usize) -> serde_json::Result<Vec<u8>> {
    let body = serde_json::to_vec(&response)?;
    let mut over = body.len().saturating_sub(MAX_BODY_BYTES);
    if over == 0 {
        return Ok(body);
    }
    if !response.models.is_empty() {
        over = over.saturating_sub(length(&response.models)?);
        response.models.clear();
    }
    let first = turn.checked_rem(response.entries.len()).unwrap_or(0);
    response.entries.rotate_left(first);
    for entry in &mut response.entries {
        leave_out(&mut over, entry, |entry| entry.status = None)?;
    }
    for entry in &mut response.entries {
        leave_out(&mut over, entry, |EntryAnswer { facts, lease, refused, .. }| {
            (*facts, *lease, *refused) = (None, None, None);
        })?;
    }
    response.entries.rotate_right(first);
    serde_json::to_vec(&response)
}

/// Makes an entry shorter, if there are bytes too many.
fn leave_out(
    over: &mut usize,
    entry: &mut EntryAnswer,
    less: impl FnOnce(&mut EntryAnswer),
) -> serde_json::Result<()> {
    if *over > 0 {
        let before = length(entry)?;
        less(entry);
        *over = over.saturating_sub(before.saturating_sub(length(entry)?));
    }
    Ok(())
}

fn length(what: &impl Serialize) -> serde_json::Result<usize> {
    serde_json::to_vec(what).map(|json| json.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_protocol::exchange::{
        Facts, Granted, Holds, Limits, MAX_AMOUNT, MAX_ENTRIES, MAX_LIMIT, MAX_PRODUCT_BYTES, MAX_PRODUCTS,
        PayerStatus, Pricing, Product, Quota, Rate, Refused, Reset, VERSION,
    };
    use faregate_protocol::{Credits, RefusalCode};

    /// The largest possible response for one payer with this many products.
    fn largest(products: usize) -> EntryAnswer {
        let most = MAX_AMOUNT;
        let limits = Limits {
            rate: Some(Rate { milli_per_s: MAX_LIMIT * 1_000, burst: MAX_LIMIT }),
            concurrent: Some(MAX_LIMIT),
        };
        let name = |n: usize| format!("{n:0MAX_PRODUCT_BYTES$}");
        let product = |n| Product { name: name(n), pricing: Pricing::Fixed(most) };
        let at = "2026-12-01T00:00:00Z".to_owned();
        let seconds = 3_155_760_000;
        EntryAnswer {
            facts: Some(Facts {
                key: format!("key_{:034}", 0),
                account: "a".repeat(64),
                plan: Some("p".repeat(64)),
                products: (products > 0).then(|| (0..products).map(product).collect()),
                key_products: (products > 0).then(|| (0..products).map(name).collect()),
            }),
            lease: Some(Granted { epoch: u32::MAX, granted: most, ttl_ms: 60_000, recall: true, limits }),
            refused: Some(Refused {
                code: RefusalCode::AccountBudgetExhausted,
                available: most,
                reset: Some(Reset {
                    at: at.clone(),
                    in_s: seconds,
                    brings: most,
                    size: most,
                    window_s: seconds,
                }),
                top_up: true,
                retry_ms: Some(100),
            }),
            ended: Some(7),
            on_credit: Credits::from_micros(3),
            holds: Holds { carried: MAX_AMOUNT, kept: MAX_AMOUNT, released: MAX_AMOUNT },
            status: Some(PayerStatus {
                available: most,
                quota: Some(Quota { size: most, window_s: seconds, resets_at: at, resets_in_s: seconds }),
                limits,
                warn_below: Some(most),
            }),
        }
    }

    fn response(entries: usize, products: usize) -> ExchangeResponse {
        ExchangeResponse {
            protocol: VERSION,
            seen: Some(9),
            heartbeat_ms: 100,
            entries: vec![largest(products); entries],
            changes: Vec::new(),
            usage_seq: Some(4),
            models: Vec::new(),
            prices: Some(1 << 40),
        }
    }

    fn fitted(response: ExchangeResponse, turn: usize) -> ExchangeResponse {
        let body = body(response, turn).unwrap();
        assert!(body.len() <= MAX_BODY_BYTES, "{} bytes", body.len());
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn a_response_that_fits_is_sent_in_full() {
        for (entries, products) in [(0, 0), (1, MAX_PRODUCTS), (100, MAX_PRODUCTS), (800, 0)] {
            assert_eq!(fitted(response(entries, products), 5), response(entries, products));
        }
    }

    #[test]
    fn payer_status_is_dropped_first_and_no_more_than_needed() {
        let fitted = fitted(response(MAX_ENTRIES, 1), 990);
        let kept: Vec<bool> = fitted.entries.iter().map(|entry| entry.status.is_some()).collect();
        let left_out = kept.iter().filter(|kept| !**kept).count();
        assert!(left_out > 10 && left_out < MAX_ENTRIES, "{left_out} are left out");
        assert!(!kept[990] && !kept[999] && !kept[0] && kept[989], "from the turn on");
        for entry in fitted.entries {
            assert_eq!(EntryAnswer { status: largest(1).status, ..entry }, largest(1), "the rest is there");
        }
    }

    #[test]
    fn an_oversized_response_answers_some_payers_and_the_others_in_turn() {
        let mut heard = vec![false; MAX_ENTRIES];
        for turn in (0..MAX_ENTRIES).step_by(100) {
            let fitted = fitted(response(MAX_ENTRIES, MAX_PRODUCTS), turn);
            assert_eq!((fitted.entries.len(), fitted.usage_seq), (MAX_ENTRIES, Some(4)));
            let full = EntryAnswer { status: None, ..largest(MAX_PRODUCTS) };
            let bare = EntryAnswer { facts: None, lease: None, refused: None, ..full.clone() };
            for (entry, heard) in fitted.entries.iter().zip(&mut heard) {
                assert!(
                    *entry == full || *entry == bare,
                    "all of an answer, or what acknowledges: {entry:?}"
                );
                *heard |= *entry == full;
            }
        }
        assert!(heard.iter().all(|heard| *heard), "everybody has a turn");
    }
}
