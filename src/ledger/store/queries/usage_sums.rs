//! Usage summed up by periods, and within them by account, team, key, rule, product, or model and tool.

use super::{BILLION, Reader, accounts, count, credits, first, get, most, sum};
use crate::api;
use crate::domain::time::{at, minute};
use crate::store::{Refusal, StoreError, UsageGroup, UsageSumsQuery};
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

/// The statement that sums up one period, and the tables that it needs.
struct Text {
    /// Of which sums are made.
    from: String,
    sums: String,
    lines: String,
}

fn text(query: &UsageSumsQuery) -> Text {
    let groups = &query.groups;
    let by_item = groups.contains(&UsageGroup::Item);
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
    let refunds = if by_item { "0" } else { "u.refunds" };
    let sums = [sum("u.requests"), sum("u.credits"), sum(refunds)].join(", ");
    // Of one account by the primary key; of all by the index on the minute.
    let time = "WHERE u.minute >= ?1 AND u.minute < ?2 AND (CAST(?3 AS bigint) IS NULL OR u.account = ?3)";
    let from = format!("{from} {time}");
    let columns: Vec<_> = groups.iter().copied().map(column).collect();
    let by = columns.join(", ");
    let lines = if columns.is_empty() {
        format!("SELECT {sums} FROM {from} HAVING count(*) > 0 LIMIT ?4 OFFSET ?5")
    } else {
        format!(
            "SELECT {sums}, {by} FROM {from} GROUP BY {by}
             ORDER BY sum(u.credits / {BILLION}) DESC, sum(u.credits % {BILLION}) DESC, {by} LIMIT ?4 OFFSET ?5"
        )
    };
    Text { from, sums, lines }
}

/// The sums, the earliest period first; within one, those that cost the most.
pub async fn list(reader: &impl Reader, query: &UsageSumsQuery) -> Result<api::UsageSums, StoreError> {
    let account = match &query.account {
        Some(id) => Some(accounts::number(reader, id).await?.0),
        None => None,
    };
    let text = text(query);
    let (from_period, mut offset) = query.after.unwrap_or_default();
    let mut answer = api::UsageSums { lines: Vec::new(), total: api::UsageTotal::default(), next: None };
    for (number, (begin, end)) in query.periods.iter().enumerate().skip(from_period) {
        let room = query.limit.saturating_sub(answer.lines.len());
        // Rows have whole minutes.
        let (from, until) = (minute(*begin), end.as_second().saturating_add(59).div_euclid(60));
        let time = [from.into(), until.into(), account.into()];
        let given = [time.as_slice(), &[most(room.saturating_add(1)), most(offset)]].concat();
        let mut found = reader
            .rows(&text.lines, &given, |row| {
                let mut line = api::UsageSum {
                    from: Some(at(from.saturating_mul(60_000))).filter(|_| query.by_period),
                    until: Some(*end).filter(|_| query.by_period),
                    requests: count(row, 0)?,
                    credits: credits(row, 2)?,
                    refunds: count(row, 4)?,
                    ..api::UsageSum::default()
                };
                for (nth, group) in query.groups.iter().enumerate() {
                    let name = Some(get::<String>(row, nth.saturating_add(6))?);
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
    if let (Some((begin, _)), Some((_, end))) = (query.periods.first(), query.periods.last()) {
        let until = end.as_second().saturating_add(59).div_euclid(60);
        let given = [minute(*begin).into(), until.into(), account.into()];
        let sql = format!("SELECT {} FROM {}", text.sums, text.from);
        let total = first(reader, &sql, &given, |row| {
            Ok(api::UsageTotal {
                requests: count(row, 0)?,
                credits: credits(row, 2)?,
                refunds: count(row, 4)?,
            })
        });
        answer.total = total.await?.unwrap_or_default();
    }
    Ok(answer)
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
