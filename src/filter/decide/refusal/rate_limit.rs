//! Quotas and limits in headers: `RateLimit-Policy` and `RateLimit` are structured fields (RFC 9651) as
//! draft-ietf-httpapi-ratelimit-headers-10 has them.
//!
//! What must hold: they parse, whatever the numbers are; no decision depends on them.

use crate::decide::base::moment::Moment;
use crate::decide::lease::CachedStatus;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Limits, Rate};

/// The largest number that a structured field may hold.
const MOST: u64 = 999_999_999_999_999;

/// A header and its value.
pub type Header = (&'static str, String);

/// A quota, and how much of it is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name: lower-case letters and hyphens.
    pub name: &'static str,
    /// How much there is per window, in whole units.
    pub size: u64,
    /// How long a window is, in seconds; zero where there is none.
    pub window_s: u64,
    /// The unit, if it isn't requests.
    pub unit: Option<&'static str>,
    /// How much is left, and in how many seconds there is more, if known.
    pub left: Option<(u64, Option<u64>)>,
}

impl Policy {
    /// A quota in credits, rounded down to whole ones.
    pub fn credits(name: &'static str, size: Credits, window_s: u64, left: Credits, in_s: u64) -> Self {
        let left = left.min(size).whole();
        Self { name, size: size.whole(), window_s, unit: Some("credits"), left: Some((left, Some(in_s))) }
    }

    /// The limits of a plan. The one that a request hit has nothing left, for `wait_s` seconds if that is known.
    pub fn of_limits(limits: Limits, crowded: bool, wait_s: Option<u64>) -> [Option<Self>; 2] {
        let rate = limits.rate.map(|Rate { milli_per_s, .. }| {
            // Less than one per second is one in several seconds.
            let (size, window_s) = match milli_per_s {
                0..1_000 => (1, 1_000_u32.div_ceil(milli_per_s.max(1))),
                many => (many / 1_000, 1),
            };
            let left = wait_s.filter(|_| !crowded).map(|wait_s| (0, Some(wait_s)));
            Self { name: "rate", size: size.into(), window_s: window_s.into(), unit: None, left }
        });
        let concurrency = limits.concurrent.map(|size| {
            let left = wait_s.filter(|_| crowded).map(|_| (0, None));
            Self {
                name: "concurrency",
                size: size.into(),
                window_s: 0,
                unit: Some("concurrent-requests"),
                left,
            }
        });
        [rate, concurrency]
    }
}

/// The two header fields for these quotas; none where there are none.
pub fn fields(policies: impl Iterator<Item = Policy>) -> Vec<Header> {
    let (mut all, mut limits) = (String::new(), String::new());
    for policy in policies {
        begin(&mut all, policy.name);
        parameter(&mut all, ";q=", policy.size);
        if policy.window_s > 0 {
            parameter(&mut all, ";w=", policy.window_s);
        }
        if let Some(unit) = policy.unit {
            all.push_str(";qu=\"");
            all.push_str(unit);
            all.push('"');
        }
        if let Some((left, in_s)) = policy.left {
            begin(&mut limits, policy.name);
            parameter(&mut limits, ";r=", left);
            if let Some(in_s) = in_s {
                parameter(&mut limits, ";t=", in_s);
            }
        }
    }
    let headers = [("ratelimit-policy", all), ("ratelimit", limits)];
    headers.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn begin(list: &mut String, name: &str) {
    list.push_str(if list.is_empty() { "\"" } else { ", \"" });
    list.push_str(name);
    list.push('"');
}

fn parameter(list: &mut String, name: &str, number: u64) {
    list.push_str(name);
    list.push_str(&number.min(MOST).to_string());
}

impl CachedStatus {
    /// The quotas of its plan, for a payer that can spend `balance`.
    pub fn policies(&self, now: Moment, balance: Credits) -> impl Iterator<Item = Policy> {
        let quota = self.quota.as_ref().map(|quota| {
            let in_s = quota.resets.millis_since(now).div_ceil(1_000);
            Policy::credits("plan", quota.size, quota.window_s, balance, in_s)
        });
        quota.into_iter().chain(Policy::of_limits(self.limits, false, None).into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sfv::{ListEntry, Parser};

    fn keys(value: &str) -> Vec<(String, Vec<String>)> {
        let list: sfv::List = Parser::new(value).parse().unwrap();
        let item = |entry: &ListEntry| match entry {
            ListEntry::Item(item) => {
                let name = item.bare_item.as_string().unwrap().to_string();
                (name, item.params.keys().map(ToString::to_string).collect())
            }
            ListEntry::InnerList(_) => panic!("an inner list in {value}"),
        };
        list.iter().map(item).collect()
    }

    fn value(headers: &[Header], name: &str) -> String {
        headers.iter().find(|(header, _)| *header == name).unwrap().1.clone()
    }

    fn credits(whole: i64) -> Credits {
        Credits::from_micros(whole * 1_000_000)
    }

    #[test]
    fn quota_and_limits_are_separate_policies() {
        let quota =
            Policy::credits("plan", credits(10_000), 2_592_000, Credits::from_micros(12_999_999), 863_942);
        let limits = Limits { rate: Some(Rate { milli_per_s: 2_500, burst: 9 }), concurrent: Some(4) };
        let headers =
            fields([quota].into_iter().chain(Policy::of_limits(limits, false, None).into_iter().flatten()));
        assert_eq!(
            value(&headers, "ratelimit-policy"),
            r#""plan";q=10000;w=2592000;qu="credits", "rate";q=2;w=1, "concurrency";q=4;qu="concurrent-requests""#
        );
        assert_eq!(value(&headers, "ratelimit"), r#""plan";r=12;t=863942"#);
        assert_eq!(fields([].into_iter()), []);
    }

    #[test]
    fn the_remaining_quota_never_exceeds_its_size() {
        let quota = Policy::credits("plan", credits(10), 60, credits(25), 1);
        assert_eq!(value(&fields([quota].into_iter()), "ratelimit"), r#""plan";r=10;t=1"#);
    }

    #[test]
    fn the_header_names_the_limit_that_was_hit() {
        let limits = Limits { rate: Some(Rate { milli_per_s: 300, burst: 1 }), concurrent: Some(4) };
        let headers = |crowded| fields(Policy::of_limits(limits, crowded, Some(3)).into_iter().flatten());
        assert_eq!(value(&headers(false), "ratelimit"), r#""rate";r=0;t=3"#);
        assert_eq!(value(&headers(true), "ratelimit"), r#""concurrency";r=0"#);
        assert!(
            value(&headers(true), "ratelimit-policy").starts_with(r#""rate";q=1;w=4, "#),
            "one in four seconds"
        );
    }

    proptest! {
        #[test]
        fn an_independent_parser_reads_every_header(
            amounts in proptest::array::uniform2(0..i64::MAX), window_s in any::<u64>(), in_s in any::<u64>(),
            milli_per_s in any::<u32>(), burst in any::<u32>(), concurrent in proptest::option::of(any::<u32>()), crowded in any::<bool>(),
        ) {
            let [size, left] = amounts.map(Credits::from_micros);
            let limits = Limits { rate: Some(Rate { milli_per_s, burst }), concurrent };
            let policies = [Some(Policy::credits("plan", size, window_s, left, in_s))].into_iter();
            let headers = fields(policies.chain(Policy::of_limits(limits, crowded, Some(in_s))).flatten());
            let policy = keys(&value(&headers, "ratelimit-policy"));
            let limit = keys(&value(&headers, "ratelimit"));
            prop_assert_eq!(policy.len(), 2 + usize::from(concurrent.is_some()));
            for (name, parameters) in &policy {
                prop_assert_eq!(parameters.first().map(String::as_str), Some("q"));
                prop_assert!(["plan", "rate", "concurrency"].contains(&name.as_str()));
            }
            for (name, parameters) in &limit {
                prop_assert_eq!(parameters.first().map(String::as_str), Some("r"));
                prop_assert!(policy.iter().any(|(other, _)| name == other));
            }
        }
    }
}
