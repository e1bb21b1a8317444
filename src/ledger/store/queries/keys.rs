//! Keys.

use super::{Reader, accounts, first, get, missing};
use crate::api;
use crate::domain::time::of_minute;
use crate::store::record::{BadRow, Columns};
use crate::store::value::Value;
use crate::store::{Page, Refusal, StoreError};
use jiff::Timestamp;

const KEY: &str =
    "SELECT k.id, a.id, k.prefix, k.subject, t.id, k.products, k.revoked, k.expires_ms, k.note, k.created_ms,
      u.minute, n.id
    FROM keys k JOIN accounts a ON a.no = k.account LEFT JOIN teams t ON t.no = k.team
      LEFT JOIN key_uses u ON u.key = k.no LEFT JOIN keys n ON n.no = k.replaced_by ";

fn read(row: &dyn Columns, now: Timestamp) -> Result<api::Key, BadRow> {
    let expires_at: Option<Timestamp> = get(row, 7)?;
    let state = if get(row, 6)? {
        api::KeyState::Revoked
    } else if expires_at.is_some_and(|at| at <= now) {
        api::KeyState::Expired
    } else {
        api::KeyState::Active
    };
    Ok(api::Key {
        id: get(row, 0)?,
        account: get(row, 1)?,
        key: None,
        prefix: get(row, 2)?,
        subject: get(row, 3)?,
        team: get(row, 4)?,
        products: get(row, 5)?,
        state,
        expires_at,
        note: get(row, 8)?,
        created_at: get(row, 9)?,
        last_used_at: get::<Option<i64>>(row, 10)?.map(of_minute),
        replaced_by: get(row, 11)?,
    })
}

/// A key by its identifier.
pub async fn one(reader: &impl Reader, id: &str, now: Timestamp) -> Result<api::Key, StoreError> {
    let sql = [KEY, "WHERE k.id = ?1"].concat();
    let found = first(reader, &sql, &[id.into()], move |row| read(row, now)).await?;
    found.ok_or_else(|| missing("key", id))
}

/// A page of an account's keys, oldest first.
pub async fn page(
    reader: &impl Reader,
    account: &str,
    page: &Page,
    now: Timestamp,
) -> Result<api::Keys, StoreError> {
    let owner = accounts::number(reader, account).await?;
    let sql = [
        KEY,
        "WHERE k.account = ?1 AND k.no > coalesce((SELECT no FROM keys WHERE id = ?2), 0) ORDER BY k.no LIMIT ?3",
    ]
    .concat();
    let given = [owner.0.into(), page.after.as_deref().into(), page.rows().into()];
    let mut keys = reader.rows(&sql, &given, move |row| read(row, now)).await?;
    let next = page.cut(&mut keys).map(|last| last.id.clone());
    Ok(api::Keys { keys, next })
}

/// A page of all accounts' keys that begin with this text, which is ASCII; in the order of how they begin. The index
/// `keys_prefix` has exactly these, in this order.
pub async fn beginning(
    reader: &impl Reader,
    text: &str,
    page: &Page,
    now: Timestamp,
) -> Result<api::Keys, StoreError> {
    let after: (String, i64) = match page.after.as_deref() {
        None => (text.to_owned(), 0),
        Some(id) => {
            let sql = "SELECT prefix, no FROM keys WHERE id = ?1 AND prefix IS NOT NULL";
            let found = first(reader, sql, &[id.into()], |row| Ok((get(row, 0)?, get(row, 1)?))).await?;
            found.ok_or_else(|| Refusal::Field {
                field: "after",
                why: "is no key in this list; pass what `next` of an answer said".into(),
            })?
        }
    };
    let sql = [
        KEY,
        "WHERE k.prefix IS NOT NULL AND (k.prefix, k.no) > (?1, ?2) AND k.prefix < ?3 ORDER BY k.prefix, k.no LIMIT ?4",
    ]
    .concat();
    // What begins with the text is below the text with a character behind it that no key has.
    let end = format!("{text}\u{7f}");
    let given: [Value; 4] =
        [after.0.as_str().into(), after.1.into(), end.as_str().into(), page.rows().into()];
    let mut keys = reader.rows(&sql, &given, move |row| read(row, now)).await?;
    let next = page.cut(&mut keys).map(|last| last.id.clone());
    Ok(api::Keys { keys, next })
}
