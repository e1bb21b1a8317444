//! Brokers' usage reports: each is booked once, whichever ledger it reaches, however often.

use super::exchange::Batch;
use super::named;
use super::payers::Known;
use super::trouble::Trouble;
use crate::domain::{AccountNo, GatewayNo, KeyNo};
use crate::store::{Booked, minute};
use deadpool_postgres::Client;
use faregate_protocol::exchange::{ShadowLine, UsageLine, UsageReport};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A gateway's broker.
type Broker = (i64, String);
/// By what usage is added up: account, minute, key, rule.
type Row = (i64, i64, i64, String);
/// By what refusals in shadow are added up: account, minute, key, rule, code.
type ShadowRow = (i64, i64, i64, String, &'static str);

/// What is stored of the brokers of a batch, and what comes on top.
#[derive(Debug, Default)]
pub struct Reports {
    last: BTreeMap<Broker, u64>,
    heard: BTreeMap<Broker, (u64, i64)>,
    lines: BTreeMap<Row, [i64; 3]>,
    shadow: BTreeMap<ShadowRow, i64>,
}

/// Locks the rows of the brokers that report, in order, and reads the numbers of their last reports.
pub async fn lock(conn: &Client, batch: &Batch<'_>) -> Result<Reports, Trouble> {
    let mut brokers: Vec<Broker> = Vec::new();
    for message in batch.messages {
        if let Some(report) = &message.request.usage {
            brokers.push((batch.gateway(message).0, named(&report.broker).into_owned()));
        }
    }
    brokers.sort_unstable();
    brokers.dedup();
    if brokers.is_empty() {
        return Ok(Reports::default());
    }
    let (gateways, names): (Vec<i64>, Vec<String>) = brokers.into_iter().unzip();
    // A row that is there already is locked by an update that changes nothing.
    let sql = "INSERT INTO brokers (gateway, broker, seq, heard_ms)
        SELECT gateway, broker, 0, 0 FROM unnest($1::bigint[], $2::text[]) AS b (gateway, broker) ORDER BY 1, 2
        ON CONFLICT (gateway, broker) DO UPDATE SET seq = brokers.seq RETURNING gateway, broker, seq";
    let lock = conn.prepare_cached(sql).await?;
    let mut reports = Reports::default();
    for row in conn.query(&lock, &[&gateways, &names]).await? {
        let seq = u64::try_from(row.try_get::<_, i64>(2)?).unwrap_or(0);
        reports.last.insert((row.try_get(0)?, row.try_get(1)?), seq);
    }
    Ok(reports)
}

impl Reports {
    /// Takes in a report, unless that was done before. Tells the number of the broker's last one that
    /// is stored, and what was booked.
    pub fn take(
        &mut self,
        gateway: GatewayNo,
        report: &UsageReport,
        known: &Known,
        now: Timestamp,
    ) -> (u64, Booked) {
        let broker = (gateway.0, named(&report.broker).into_owned());
        let last = self.last.entry(broker.clone()).or_default();
        if report.seq <= *last {
            return (*last, Booked::default());
        }
        *last = report.seq;
        self.heard.insert(broker, (report.seq, now.as_millisecond()));
        let mut unknown = 0;
        for line in &report.lines {
            if !self.line(line, known, now) {
                unknown += 1;
            }
        }
        for line in &report.shadow {
            self.shadow_line(line, known, now);
        }
        (report.seq, Booked::of(report, unknown))
    }

    fn line(&mut self, line: &UsageLine, known: &Known, now: Timestamp) -> bool {
        let Some((key, account)) = known.id(&line.payer) else { return false };
        let row = (account.0, minute(now), key.0, named(&line.rule).into_owned());
        let sums = self.lines.entry(row).or_default();
        let more = [as_stored(line.requests), line.credits.micros(), as_stored(line.refunds)];
        for (sum, more) in sums.iter_mut().zip(more) {
            *sum = sum.saturating_add(more);
        }
        true
    }

    /// A key that isn't known counts with the callers who have none.
    fn shadow_line(&mut self, line: &ShadowLine, known: &Known, now: Timestamp) {
        let payer = line.payer.as_deref().and_then(|id| known.id(id));
        let (key, account) = payer.unwrap_or((KeyNo(0), AccountNo(0)));
        let row = (account.0, minute(now), key.0, named(&line.rule).into_owned(), line.code.as_str());
        let sum = self.shadow.entry(row).or_default();
        *sum = sum.saturating_add(as_stored(line.requests));
    }
}

/// Writes what the reports add.
pub async fn keep(conn: &Client, reports: &Reports) -> Result<(), Trouble> {
    if reports.heard.is_empty() {
        return Ok(());
    }
    let (brokers, heard): (Vec<&Broker>, Vec<(u64, i64)>) =
        reports.heard.iter().map(|(b, h)| (b, *h)).unzip();
    let (gateways, names): (Vec<i64>, Vec<&str>) = brokers.iter().map(|(g, b)| (*g, b.as_str())).unzip();
    let (seqs, times): (Vec<i64>, Vec<i64>) = heard.iter().map(|(seq, ms)| (as_stored(*seq), *ms)).unzip();
    let sql = "UPDATE brokers b SET seq = n.seq, heard_ms = n.heard_ms
        FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) AS n (gateway, broker, seq, heard_ms)
        WHERE b.gateway = n.gateway AND b.broker = n.broker";
    let statement = conn.prepare_cached(sql).await?;
    conn.execute(&statement, &[&gateways, &names, &seqs, &times]).await?;
    lines(conn, &reports.lines).await?;
    shadow(conn, &reports.shadow).await
}

// A sum that would leave the range of an integer stays at its end: it would fail the whole message, and every one
// after it.

async fn lines(conn: &Client, lines: &BTreeMap<Row, [i64; 3]>) -> Result<(), Trouble> {
    if lines.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Row) -> i64| lines.keys().map(of).collect::<Vec<i64>>();
    let (accounts, minutes, keys) = (column(|row| row.0), column(|row| row.1), column(|row| row.2));
    let rules: Vec<&str> = lines.keys().map(|row| row.3.as_str()).collect();
    let sum = |of: fn(&[i64; 3]) -> i64| lines.values().map(of).collect::<Vec<i64>>();
    let (requests, credits, refunds) = (sum(|[n, _, _]| *n), sum(|[_, n, _]| *n), sum(|[_, _, n]| *n));
    // In the order of the key, as every batch does it, so that two batches never wait for each other.
    let sql = "INSERT INTO usage (account, minute, key, rule, requests, credits, refunds)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[],
          $7::bigint[]) AS u (account, minute, key, rule, requests, credits, refunds)
        ORDER BY account, minute, key, rule COLLATE \"C\"
        ON CONFLICT (account, minute, key, rule) DO UPDATE SET
          requests = least(usage.requests::numeric + excluded.requests, 9223372036854775807)::bigint,
          credits = least(usage.credits::numeric + excluded.credits, 9223372036854775807)::bigint,
          refunds = least(usage.refunds::numeric + excluded.refunds, 9223372036854775807)::bigint";
    let statement = conn.prepare_cached(sql).await?;
    conn.execute(&statement, &[&accounts, &minutes, &keys, &rules, &requests, &credits, &refunds]).await?;
    Ok(())
}

async fn shadow(conn: &Client, lines: &BTreeMap<ShadowRow, i64>) -> Result<(), Trouble> {
    if lines.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&ShadowRow) -> i64| lines.keys().map(of).collect::<Vec<i64>>();
    let (accounts, minutes, keys) = (column(|row| row.0), column(|row| row.1), column(|row| row.2));
    let rules: Vec<&str> = lines.keys().map(|row| row.3.as_str()).collect();
    let codes: Vec<&str> = lines.keys().map(|row| row.4).collect();
    let requests: Vec<i64> = lines.values().copied().collect();
    // In the order of the key, like usage. Callers without a known key share their rows.
    let sql = "INSERT INTO shadow (account, minute, key, rule, code, requests)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[])
          AS u (account, minute, key, rule, code, requests)
        ORDER BY account, minute, key, rule COLLATE \"C\", code COLLATE \"C\"
        ON CONFLICT (account, minute, key, rule, code) DO UPDATE SET
          requests = least(shadow.requests::numeric + excluded.requests, 9223372036854775807)::bigint";
    let statement = conn.prepare_cached(sql).await?;
    conn.execute(&statement, &[&accounts, &minutes, &keys, &rules, &codes, &requests]).await?;
    Ok(())
}

fn as_stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
