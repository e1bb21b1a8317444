//! Usage summed up by periods, and within them by account, team, key, rule, product, or model and tool.

use super::{BILLION, Reader, accounts, count, credits, exactly, first, get, most, saturated, sum};
use crate::api;
use crate::domain::time::{at, minute};
use crate::store::record::{BadRow, Columns};
use crate::store::value::Value;
use crate::store::{Refusal, StoreError, UsageGroup, UsageSumsQuery};
use faregate_protocol::Credits;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// How a group is found: its column, and the tables it is in beside usage, which is `u`.
const fn column(group: UsageGroup) -> &'static str {
    match group {
        UsageGroup::Account => "a.id",
        UsageGroup::Team => "coalesce(t.id, '')",
        UsageGroup::Key => "k.id",
        UsageGroup::Rule => "u.rule",
        UsageGroup::Product => "coalesce(u.product, '')",
        UsageGroup::Item => "u.item",
    }
}

/// The statements that sum up one period, and all of them together. `?1` and `?2` are the time; `?3`, and in that of one period `?5`, is
/// the account; `?3` and `?4` of that of one period are the limit and the offset.
struct Text {
    lines: String,
    total: String,
}

fn text(query: &UsageSumsQuery) -> Text {
    let groups = &query.groups;
    let by_item = by_item(query);
    let mut from = if by_item { "usage_items u" } else { "usage u" }.to_owned();
    if groups.contains(&UsageGroup::Account) {
        from.push_str(" JOIN accounts a ON a.no = u.account");
    }
    if groups.contains(&UsageGroup::Key) || groups.contains(&UsageGroup::Team) {
        from.push_str(" JOIN keys k ON k.no = u.key");
    }
    if groups.contains(&UsageGroup::Team) {
        from.push_str(" LEFT JOIN teams t ON t.no = k.team");
    }
    let columns: &[&str] = if by_item {
        &["u.requests", "u.credits", "0", "u.costed_requests", "u.costed_credits", "u.cost"]
    } else {
        &["u.requests", "u.credits", "u.refunds"]
    };
    let sums = columns.iter().map(|column| sum(column)).collect::<Vec<_>>().join(", ");
    // Of one account by the primary key, of all by the index on the minute: a condition that allows for both would be
    // found by the index on the minute alone.
    let within = |account: &str| {
        let of = if query.account.is_some() { format!(" AND u.account = {account}") } else { String::new() };
        format!("FROM {from} WHERE u.minute >= ?1 AND u.minute < ?2{of}")
    };
    let total = format!("SELECT {sums} {}", within("?3"));
    let within = within("?5");
    let columns: Vec<_> = groups.iter().copied().map(column).collect();
    let by = columns.join(", ");
    let lines = if columns.is_empty() {
        format!("SELECT {sums} {within} HAVING count(*) > 0 LIMIT ?3 OFFSET ?4")
    } else {
        format!(
            "SELECT {sums}, {by} {within} GROUP BY {by}
             ORDER BY sum(u.credits / {BILLION}) DESC, sum(u.credits % {BILLION}) DESC, {by} LIMIT ?3 OFFSET ?4"
        )
    };
    Text { lines, total }
}

fn by_item(query: &UsageSumsQuery) -> bool {
    query.groups.contains(&UsageGroup::Item)
}

/// What the seller's cost was, and what is left of what was charged; nothing where no cost is known.
fn margin(row: &dyn Columns) -> Result<(Option<Credits>, Option<Credits>), BadRow> {
    let (charged, cost) = (exactly(row, 8)?, exactly(row, 10)?);
    let known = |micros: i128| Some(Credits::from_micros(saturated(micros)));
    Ok(if count(row, 6)? > 0 { (known(cost), known(charged.saturating_sub(cost))) } else { (None, None) })
}

/// The sums, the earliest period first; within one, those that cost the most.
pub async fn list(reader: &impl Reader, query: &UsageSumsQuery) -> Result<api::UsageSums, StoreError> {
    let account = match &query.account {
        Some(id) => Some(accounts::number(reader, id).await?),
        None => None,
    };
    let owner: Vec<Value> = account.iter().map(|number| number.0.into()).collect();
    let text = text(query);
    // Behind the sums: of which each has two columns.
    let names_at = if by_item(query) { 12 } else { 6 };
    let (from_period, mut offset) = query.after.unwrap_or_default();
    let mut answer = api::UsageSums { lines: Vec::new(), total: api::UsageTotal::default(), next: None };
    for (number, (begin, end)) in query.periods.iter().enumerate().skip(from_period) {
        let room = query.limit.saturating_sub(answer.lines.len());
        // Rows have whole minutes.
        let (from, until) = (minute(*begin), end.as_second().saturating_add(59).div_euclid(60));
        let place = [from.into(), until.into(), most(room.saturating_add(1)), most(offset)];
        let mut found = reader
            .rows(&text.lines, &[place.as_slice(), &owner].concat(), |row| {
                let (cost, margin) = if by_item(query) { margin(row)? } else { (None, None) };
                let mut line = api::UsageSum {
                    from: Some(at(from.saturating_mul(60_000))).filter(|_| query.by_period),
                    until: Some(*end).filter(|_| query.by_period),
                    requests: count(row, 0)?,
                    credits: credits(row, 2)?,
                    refunds: count(row, 4)?,
                    cost,
                    margin,
                    ..api::UsageSum::default()
                };
                for (nth, group) in query.groups.iter().enumerate() {
                    let name = Some(get::<String>(row, nth.saturating_add(names_at))?);
                    match group {
                        UsageGroup::Account => line.account = name,
                        UsageGroup::Team => line.team = name,
                        UsageGroup::Key => line.key = name,
                        UsageGroup::Rule => line.rule = name,
                        UsageGroup::Product => line.product = name,
                        UsageGroup::Item => line.item = name,
                    }
                }
                Ok(line)
            })
            .await?;
        let more = found.len() > room;
        found.truncate(room);
        let shown = found.len();
        answer.lines.extend(found);
        if more {
            answer.next = Some(format!("{number}:{}", offset.saturating_add(shown)));
            break;
        }
        offset = 0;
    }
    answer.total = if query.after.is_none() && answer.next.is_none() {
        // All of it is there already.
        answer.lines.iter().fold(api::UsageTotal::default(), |total, line| api::UsageTotal {
            requests: total.requests.saturating_add(line.requests),
            credits: total.credits.saturating_add(line.credits),
            refunds: total.refunds.saturating_add(line.refunds),
        })
    } else {
        total(reader, &text, &query.periods, &owner).await?
    };
    Ok(answer)
}

async fn total(
    reader: &impl Reader,
    text: &Text,
    periods: &[(Timestamp, Timestamp)],
    owner: &[Value],
) -> Result<api::UsageTotal, StoreError> {
    let (Some((begin, _)), Some((_, end))) = (periods.first(), periods.last()) else {
        return Ok(api::UsageTotal::default());
    };
    let until = end.as_second().saturating_add(59).div_euclid(60);
    let given = [[minute(*begin).into(), until.into()].as_slice(), owner].concat();
    let total = first(reader, &text.total, &given, |row| {
        Ok(api::UsageTotal { requests: count(row, 0)?, credits: credits(row, 2)?, refunds: count(row, 4)? })
    });
    Ok(total.await?.unwrap_or_default())
}

/// The groups of a list such as `account,rule`, each once.
pub fn groups(text: &str) -> Result<Vec<UsageGroup>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut groups = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let group = UsageGroup::ALL.into_iter().find(|group| group.as_str() == name).ok_or_else(|| {
            let why = format!("{name:?} is none of account, team, key, rule, product and item");
            Refusal::Field { field: "group", why }
        })?;
        if seen.insert(group) {
            groups.push(group);
        }
    }
    Ok(groups)
}
