//! Reads prices and other amounts of credits.

use super::reader::Field;
use crate::decide::base::text::visible;
use faregate_protocol::Credits;

const PRICE: &str = "a decimal string such as \"1\" or \"0.5\", or \"free\"";

/// A price, or `None` for `"free"`.
#[inline(never)]
pub(super) fn read_price(field: &Field<'_>) -> Option<Credits> {
    let Some(text) = field.as_str() else {
        field.wrong_value(PRICE);
        return None;
    };
    if text == "free" {
        return None;
    }
    match Credits::parse(text) {
        Ok(Credits::ZERO) => field.wrong("\"0\"", "an amount above zero, or \"free\""),
        Ok(price) => return Some(price),
        Err(why) => field.wrong(&format!("{}, which is {why}", visible(text)), PRICE),
    }
    None
}

/// An amount above zero.
pub(super) fn read_amount(field: &Field<'_>) -> Credits {
    read_price(field).unwrap_or_else(|| {
        field.wrong_value("a decimal string such as \"10\"");
        Credits::ZERO
    })
}
