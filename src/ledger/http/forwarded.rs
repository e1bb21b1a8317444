//! From which address an operator's request comes: the connection's, or the one that a trusted proxy in front of the ledger names.
//!
//! What must hold: only addresses that a trusted proxy has added are believed. What the client itself has sent is further left in
//! `x-forwarded-for`, and is not read.

use axum::http::HeaderMap;
use std::net::IpAddr;

/// Where proxies name the addresses that requests came from.
pub const HEADER: &str = "x-forwarded-for";
/// Addresses further left than this are not looked for.
pub const MAX_PROXIES: u8 = 16;

/// The client's address, `proxies` proxies before the ledger; empty when it isn't known.
pub fn client(headers: &HeaderMap, peer: Option<IpAddr>, proxies: u8) -> String {
    let named = proxies.checked_sub(1).and_then(|behind| forwarded(headers, usize::from(behind)));
    named.or(peer).map(|address| address.to_canonical().to_string()).unwrap_or_default()
}

fn forwarded(headers: &HeaderMap, behind: usize) -> Option<IpAddr> {
    let values: Vec<&str> = headers.get_all(HEADER).iter().filter_map(|value| value.to_str().ok()).collect();
    values.iter().rev().flat_map(|value| value.rsplit(',')).nth(behind)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_addresses_that_trusted_proxies_added_are_believed() {
        let peer: IpAddr = "::ffff:10.0.0.9".parse().unwrap();
        let of = |values: &[&'static str], proxies| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(HEADER, HeaderValue::from_static(value));
            }
            client(&headers, Some(peer), proxies)
        };
        assert_eq!(of(&["192.0.2.1"], 0), "10.0.0.9", "no proxy is trusted");
        assert_eq!(of(&["6.6.6.6, 192.0.2.1"], 1), "192.0.2.1");
        assert_eq!(of(&["6.6.6.6, 192.0.2.1", "10.0.0.1"], 2), "192.0.2.1");
        assert_eq!(of(&["\"evil\""], 1), "10.0.0.9", "no address");
        assert_eq!(of(&[], 1), "10.0.0.9");
        assert_eq!(of(&["2001:db8::1"], 1), "2001:db8::1");
    }
}
