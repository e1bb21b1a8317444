//! Brokers' usage reports: each is booked once, whichever ledger it reaches, however often, in the minute in which its requests
//! came.

use super::refusals;
use crate::domain::price_list::PriceList;
use crate::domain::{AccountNo, GatewayNo, KeyNo, cost};
use crate::store::draft::{Draft, Stop};
use crate::store::record::stored_text;
use crate::store::rows::{
    BrokerRow, KeyRow, RefusalRow, ShadowRow, UsageItemRow, UsageQuantityRow, UsageRow,
};
use faregate_protocol::exchange::{Basis, RefusalLine, UsageLine, UsageReport};
use faregate_protocol::{Credits, RefusalCode};
use jiff::Timestamp;

/// Older usage is booked as of this long ago (ms): it must not come into minutes that are being summed up
/// ([`super::roll_up`]).
pub const MAX_AGO_MS: u64 = 5 * 24 * 60 * 60 * 1_000;

/// What was booked of a usage report; nothing where that was done before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Booked {
    /// Usage lines that named no known key.
    pub unknown_lines: u64,
    /// What rules in shadow mode would have refused.
    pub shadow: Vec<(RefusalCode, u64)>,
}

/// The minute, counted from 1970, in which a report's requests came.
fn minute(report: &UsageReport, now: Timestamp) -> i64 {
    let ago_s = i64::try_from(report.ago_ms.min(MAX_AGO_MS) / 1_000).unwrap_or(0);
    now.as_second().saturating_sub(ago_s).div_euclid(60)
}

/// The key with this identifier, and its account.
fn key_by_id(draft: &mut Draft, id: &str) -> Result<Option<(KeyNo, AccountNo)>, Stop> {
    let Some((key, account)) = draft.key_by_id(&stored_text(id))? else { return Ok(None) };
    // Its row says whether the guess was right.
    draft.get::<KeyRow>(&(key,))?;
    Ok(Some((key, account)))
}

/// Finds what a report is about.
pub(super) fn look(
    draft: &mut Draft,
    gateway: GatewayNo,
    report: &UsageReport,
    now: Timestamp,
) -> Result<(), Stop> {
    let mut missing = last(draft, gateway, report).is_err();
    for id in report.lines.iter().map(|line| line.payer.as_str()) {
        missing |= key_by_id(draft, id).is_err();
    }
    for id in report.shadow.iter().filter_map(|line| line.payer.as_deref()) {
        missing |= key_by_id(draft, id).is_err();
    }
    for line in &report.refused {
        let Some(id) = line.payer.as_deref() else { continue };
        // The account is locked together with those that entries are about.
        if let Ok(Some((_, account))) = draft.key_by_id(&stored_text(id)) {
            missing |= refusals::look(draft, account, line.code, now).is_err();
        }
        missing |= key_by_id(draft, id).is_err();
    }
    if missing { Err(Stop::Missing) } else { Ok(()) }
}

/// The number of the broker's last report.
fn last(draft: &mut Draft, gateway: GatewayNo, report: &UsageReport) -> Result<u64, Stop> {
    let place = (gateway, stored_text(&report.broker).into_owned());
    Ok(draft.get::<BrokerRow>(&place)?.map_or(0, |row| row.seq))
}

/// Books a report, unless that was done before, with what its requests cost the seller by the price list. Gives the
/// number of the broker's last report that is booked, and what was booked.
pub(super) fn take(
    draft: &mut Draft,
    gateway: GatewayNo,
    report: &UsageReport,
    prices: &PriceList,
    now: Timestamp,
) -> Result<(u64, Booked), Stop> {
    let last = last(draft, gateway, report)?;
    if report.seq <= last {
        return Ok((last, Booked::default()));
    }
    let minute = minute(report, now);
    let mut unknown_lines = 0;
    for line in &report.lines {
        let Some((key, account)) = key_by_id(draft, &line.payer)? else {
            unknown_lines += 1;
            continue;
        };
        draft.add(UsageRow {
            place: (account, minute, key, stored_text(&line.rule).into_owned()),
            requests: count(line.requests),
            credits: line.credits,
            refunds: count(line.refunds),
            product: line.product.as_deref().map(|name| stored_text(name).into_owned()),
        });
        draft.note_use(key, minute);
        book_item(draft, line, cost::of_line(prices, line, now), (account, minute, key));
    }
    for line in &report.shadow {
        let place = refused(draft, line, minute)?;
        draft.add(ShadowRow { place, requests: count(line.requests) });
    }
    for line in &report.refused {
        let place = refused(draft, line, minute.div_euclid(60))?;
        refusals::report(draft, place.0, line, now)?;
        draft.add(RefusalRow { place, requests: count(line.requests) });
    }
    let broker = stored_text(&report.broker).into_owned();
    draft.put(BrokerRow { gateway, broker, seq: report.seq, heard_at: now });
    let shadow = report.shadow.iter().map(|line| (line.code, line.requests)).collect();
    Ok((report.seq, Booked { unknown_lines, shadow }))
}

/// Where a line of refusals is booked. A key that isn't known counts with the callers who have none.
fn refused(
    draft: &mut Draft,
    line: &RefusalLine,
    time: i64,
) -> Result<(AccountNo, i64, KeyNo, String, String), Stop> {
    let payer = line.payer.as_deref().map(|id| key_by_id(draft, id)).transpose()?.flatten();
    let (key, account) = payer.unwrap_or_default();
    Ok((account, time, key, stored_text(&line.rule).into_owned(), line.code.as_str().to_owned()))
}

/// Books what a line of a metered rule was for.
fn book_item(
    draft: &mut Draft,
    line: &UsageLine,
    cost: Option<Credits>,
    (account, minute, key): (AccountNo, i64, KeyNo),
) {
    if line.item.is_none() && line.basis.is_none() && line.used.is_none() {
        return;
    }
    let rule = stored_text(&line.rule).into_owned();
    let item = stored_text(line.item.as_deref().unwrap_or_default()).into_owned();
    for (class, quantity) in line.used.iter() {
        let place = (account, minute, key, rule.clone(), item.clone(), class.name().to_owned());
        draft.add(UsageQuantityRow { place, quantity: count(quantity) });
    }
    let basis = line.basis.map_or("", Basis::as_str).to_owned();
    let place = (account, minute, key, rule, item, basis);
    let (requests, credits) = (count(line.requests), line.credits);
    let (costed_requests, costed_credits) =
        if cost.is_some() { (requests, credits) } else { (0, Credits::ZERO) };
    let cost = cost.unwrap_or_default();
    draft.add(UsageItemRow { place, requests, credits, costed_requests, costed_credits, cost });
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
