//! Changes of the body of a request that is held back.
//!
//! What must hold: a changed body goes on with a `content-length` of its own, set while the headers are held back; else its rest
//! would be the next request on the connection.

use super::reply;
use crate::decide::meter::asked::edit::{self, apply};
use crate::decide::meter::asked::read;
use crate::decide::request::quote::{Quote, QuoteKind};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};

const CONTENT_LENGTH: &str = "content-length";

/// Lowers the limit of the output in the body of a request that is held back.
pub(super) fn fit(quote: &Quote, most: u32) {
    let QuoteKind::Model(model) = &quote.kind else { return };
    let Some(cap) = model.fitted else { return };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let body = hostcalls::get_buffer(BufferType::HttpRequestBody, 0, most).ok().flatten().unwrap_or_default();
    if let Ok(asked) = read(model.shape, &[], &body) {
        replace(body.len(), &apply(&body, edit::fit(model.shape, &asked, cap)));
    }
}

/// Replaces the body of a held request, which has `size` bytes.
pub(super) fn replace(size: usize, new: &[u8]) {
    reply::set_body(BufferType::HttpRequestBody, size, new);
    let length = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, CONTENT_LENGTH);
    if length.ok().flatten().is_some() {
        let _ = hostcalls::set_map_value(
            MapType::HttpRequestHeaders,
            CONTENT_LENGTH,
            Some(&new.len().to_string()),
        );
    }
}
