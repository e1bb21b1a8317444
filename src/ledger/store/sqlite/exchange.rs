//! One message from a gateway: all its entries and its usage, together or not at all. An entry that can't be booked
//! is decided before anything of it is written, so it leaves no trace and the others are booked.

use super::{Work, accounts, budgets, leases, minute, money};
use crate::domain::answer::needs_demand;
use crate::domain::exchange::{ask_again, beat_ms, needs_grants, unknown};
use crate::domain::unbooked::Unbooked;
use crate::domain::{GatewayNo, LeaseState, Payer, Purse};
use crate::store::{Booked, Exchanged, RETRY_MS, StoreError};
use faregate_protocol::exchange::{
    Entry, EntryAnswer, ExchangeRequest, ExchangeResponse, ShadowLine, UsageLine, UsageReport, VERSION,
};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};

/// Takes in a message.
pub fn exchange(
    work: &Work<'_>,
    request: &ExchangeRequest,
    now: Timestamp,
    ttl_ms: u64,
) -> Result<Exchanged, StoreError> {
    let gateway = leases::gateway(work.conn, &request.gateway)?;
    let mut entries = Vec::with_capacity(request.entries.len());
    let mut brisk = false;
    let mut unbooked = Vec::new();
    for entry in &request.entries {
        let (answer, tight) = one(work, gateway, entry, (now, ttl_ms), &mut unbooked)?;
        brisk |= tight;
        entries.push(answer);
    }
    let mut booked = Booked::default();
    let mut usage_seq = None;
    if let Some(report) = &request.usage {
        let (seq, new) = usage(work, gateway, report, now)?;
        usage_seq = Some(seq);
        booked = new;
    }
    let beat_ms = beat_ms(brisk);
    let response =
        ExchangeResponse { protocol: VERSION, seen: None, beat_ms, entries, changes: Vec::new(), usage_seq };
    Ok(Exchanged { response, booked, unbooked })
}

fn one(
    work: &Work<'_>,
    gateway: GatewayNo,
    entry: &Entry,
    (now, ttl_ms): (Timestamp, u64),
    unbooked: &mut Vec<Unbooked>,
) -> Result<(EntryAnswer, bool), StoreError> {
    let Some((key, account)) = accounts::payer(work.conn, &entry.payer)? else {
        return Ok((unknown(entry), false));
    };
    let lease = leases::load(work.conn, gateway, key.no, account.no)?;
    let grants = if needs_grants(&account, &lease, entry) {
        money::grants(work.conn, account.no, Some(&lease))?
    } else {
        Vec::new()
    };
    let demand = if needs_demand(account.contract.as_ref()) { leases::demand(work.conn, &lease)? } else { 0 };
    let budgets = budgets::of_key(work.conn, &account, &key)?;
    let purse = Purse::new(account, grants).with_budgets(budgets);
    let payer = Payer { purse, key, lease, demand };
    let before = money::Before::of_payer(&payer);
    let (payer, mut verdict) = payer.exchange(entry, now, ttl_ms);
    if let Some(what) = verdict.unbooked {
        money::note_unbooked(work.conn, &what, now)?;
        unbooked.push(what);
    }
    let touched = verdict.touched && payer.lease.state == LeaseState::Open;
    money::keep_payer(work, &before, &payer, touched, now)?;
    let contested = match verdict.short {
        Some(scope) => leases::recall_others(work.conn, &payer.lease, scope, now)?,
        None => false,
    };
    if contested {
        ask_again(&mut verdict.answer, RETRY_MS);
    }
    Ok((verdict.answer, contested || payer.purse.account.tight))
}

/// Books a broker's report, unless it was booked before. Tells the number of its last one that is.
fn usage(
    work: &Work<'_>,
    gateway: GatewayNo,
    report: &UsageReport,
    now: Timestamp,
) -> Result<(u64, Booked), StoreError> {
    let mut find = work.conn.prepare_cached("SELECT seq FROM brokers WHERE gateway = ?1 AND broker = ?2")?;
    let last = find.query_row(params![gateway.0, report.broker], |row| row.get::<_, i64>(0)).optional()?;
    let last = last.and_then(|seq| u64::try_from(seq).ok()).unwrap_or(0);
    if report.seq <= last {
        return Ok((last, Booked::default()));
    }
    let mut unknown = 0;
    for line in &report.lines {
        if !usage_line(work, line, now)? {
            unknown += 1;
        }
    }
    for line in &report.shadow {
        shadow_line(work, line, now)?;
    }
    work.conn
        .prepare_cached(
            "INSERT INTO brokers (gateway, broker, seq, heard_ms) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET seq = ?3, heard_ms = ?4",
        )?
        .execute(params![gateway.0, report.broker, as_stored(report.seq), now.as_millisecond()])?;
    Ok((report.seq, Booked::of(report, unknown)))
}

// A sum that would leave the range of an integer stays at its end: a number that SQLite can't keep would fail the
// whole message, and every one after it.

fn usage_line(work: &Work<'_>, line: &UsageLine, now: Timestamp) -> Result<bool, StoreError> {
    let booked = work
        .conn
        .prepare_cached(
            "INSERT INTO usage (account, minute, key, rule, requests, credits, refunds)
             SELECT account, ?2, no, ?3, ?4, ?5, ?6 FROM keys WHERE id = ?1
             ON CONFLICT (account, minute, key, rule) DO UPDATE SET
               requests = min(requests + excluded.requests, 9223372036854775807),
               credits = min(credits + excluded.credits, 9223372036854775807),
               refunds = min(refunds + excluded.refunds, 9223372036854775807)",
        )?
        .execute(params![
            line.payer,
            minute(now),
            line.rule,
            as_stored(line.requests),
            line.credits.micros(),
            as_stored(line.refunds),
        ])?;
    Ok(booked > 0)
}

/// A key that isn't known counts with the callers who have none.
fn shadow_line(work: &Work<'_>, line: &ShadowLine, now: Timestamp) -> Result<(), StoreError> {
    let mut find = work.conn.prepare_cached("SELECT account, no FROM keys WHERE id = ?1")?;
    let known = find.query_row([&line.payer], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (account, key): (i64, i64) = known.unwrap_or_default();
    work.conn
        .prepare_cached(
            "INSERT INTO shadow (account, minute, key, rule, code, requests) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (account, minute, key, rule, code) DO UPDATE SET
               requests = min(requests + excluded.requests, 9223372036854775807)",
        )?
        .execute(params![
            account,
            minute(now),
            key,
            line.rule,
            line.code.as_str(),
            as_stored(line.requests)
        ])?;
    Ok(())
}

fn as_stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
