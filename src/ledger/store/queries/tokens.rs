//! Tokens of operators and of fleets of gateways.

use super::{Reader, columns, most};
use crate::api;
use crate::command::tokens::shown;
use crate::domain::access::{MAX_TOKENS, TokenKind};
use crate::store::record::Record;
use crate::store::rows::TokenRow;
use crate::store::{Page, StoreError};
use jiff::Timestamp;

/// A page of the tokens of a kind, oldest first.
pub async fn page(
    reader: &impl Reader,
    kind: TokenKind,
    page: &Page,
    now: Timestamp,
) -> Result<api::Tokens, StoreError> {
    let sql = format!(
        "SELECT {} FROM tokens t WHERE t.kind = ?1
           AND t.no > coalesce((SELECT no FROM tokens WHERE id = ?2), 0) ORDER BY t.no LIMIT ?3",
        columns(TokenRow::TABLE, "t")
    );
    let given = [kind.as_str().into(), page.after.as_deref().into(), page.rows().into()];
    let mut tokens = reader.rows(&sql, &given, move |row| Ok(shown(&TokenRow::read(row)?, now))).await?;
    let next = page.cut(&mut tokens).map(|last| last.id.clone());
    Ok(api::Tokens { tokens, next })
}

/// All tokens, those that are no longer valid included.
pub async fn all(reader: &impl Reader) -> Result<Vec<TokenRow>, StoreError> {
    let sql = format!("SELECT {} FROM tokens t ORDER BY t.no DESC LIMIT ?1", columns(TokenRow::TABLE, "t"));
    let limit = usize::try_from(MAX_TOKENS).unwrap_or(usize::MAX);
    reader.rows(&sql, &[most(limit)], |row| TokenRow::read(row)).await
}
