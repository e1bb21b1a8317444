//! Reading the ledger's answer from JSON.
//!
//! The protocol's types could derive this, but the filter parses untyped JSON for its configuration anyway,
//! and a derived reader besides would make it a fifth larger. What must hold, and is tested: whatever the
//! ledger writes is read back as it was, and no amount or name that is outside of the protocol's limits is
//! believed, because the gate's next message would repeat it.

use crate::decide::base::json::{self, Json};
use crate::decide::base::text::joined;
use crate::decide::settings::prices;
use faregate_protocol::exchange::{
    Change, EntryAnswer, ExchangeResponse, Facts, Granted, Holds, Limits, MAX_AMOUNT, MAX_MODELS,
    MAX_NAME_BYTES, MAX_PRODUCTS, ModelAnswer, PayerStatus, Pricing, Product, Quota, Rate, Refused, Reset,
    UNSUPPORTED,
};
use faregate_protocol::{Credits, RefusalCode};

/// The answer in these bytes, or `None` when they hold none.
pub fn read(text: &[u8]) -> Option<ExchangeResponse> {
    let value = json::parse(text).ok()?;
    Some(ExchangeResponse {
        protocol: small(value.get("protocol")?)?,
        seen: value.get("seen").and_then(Json::as_u64),
        heartbeat_ms: small(value.get("heartbeat_ms")?)?,
        entries: value.get("entries")?.as_array()?.iter().map(entry).collect::<Option<_>>()?,
        changes: match value.get("changes") {
            Some(changes) => changes.as_array()?.iter().map(change).collect::<Option<_>>()?,
            None => Vec::new(),
        },
        usage_seq: value.get("usage_seq").and_then(Json::as_u64),
        models: optional(&value, "models", models)?.unwrap_or_default(),
        prices: optional(&value, "prices", Json::as_u64)?,
    })
}

/// What the ledger says beside an answer, or in place of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseHints {
    /// The newest version that it speaks.
    pub newest: u32,
    /// It doesn't speak the version of the message.
    pub unsupported: bool,
    /// When it wants the next report at the earliest (ms).
    pub retry_after_ms: Option<u32>,
}

/// An error answer in words, as far as there is one, and what else it says.
pub fn read_error(text: &[u8], aside: &mut ResponseHints) -> Option<String> {
    let value = json::parse(text).ok()?;
    let text = |name| value.get(name).and_then(Json::as_str);
    let code = text("code")?;
    aside.unsupported = code == UNSUPPORTED;
    aside.retry_after_ms = value.get("retry_after_ms").and_then(small);
    Some(joined(&[code, ": ", text("detail")?]))
}

#[inline(never)]
fn entry(value: &Json) -> Option<EntryAnswer> {
    Some(EntryAnswer {
        facts: optional(value, "facts", facts)?,
        lease: optional(value, "lease", granted)?,
        refused: optional(value, "refused", refused)?,
        ended: optional(value, "ended", small)?,
        on_credit: optional(value, "on_credit", credits)?.unwrap_or_default(),
        holds: optional(value, "holds", holds)?.unwrap_or_default(),
        status: value.get("status").and_then(status),
    })
}

fn holds(value: &Json) -> Option<Holds> {
    let amount = |name| Some(optional(value, name, credits)?.unwrap_or_default());
    Some(Holds { carried: amount("carried")?, kept: amount("kept")?, released: amount("released")? })
}

#[inline(never)]
fn facts(value: &Json) -> Option<Facts> {
    Some(Facts {
        key: text(value.get("key")?)?,
        account: text(value.get("account")?)?,
        plan: optional(value, "plan", text)?,
        products: optional(value, "products", |list| many(list, product))?,
        key_products: optional(value, "key_products", |list| many(list, text))?,
    })
}

fn many<T>(value: &Json, read: impl Fn(&Json) -> Option<T>) -> Option<Vec<T>> {
    value.as_array().filter(|list| list.len() <= MAX_PRODUCTS)?.iter().map(read).collect()
}

fn product(value: &Json) -> Option<Product> {
    let pricing = |value: &Json| {
        Some(match (value.get("times"), value.get("fixed")) {
            (Some(factor), _) => Pricing::Times(credits(factor)?),
            (_, Some(price)) => Pricing::Fixed(credits(price)?),
            _ => Pricing::List,
        })
    };
    Some(Product {
        name: text(value.get("name")?)?,
        pricing: optional(value, "pricing", pricing)?.unwrap_or_default(),
    })
}

fn limits(value: &Json) -> Option<Limits> {
    let rate = |value: &Json| {
        let milli_per_s = small(value.get("milli_per_s")?).filter(|rate| *rate > 0)?;
        Some(Rate { milli_per_s, burst: small(value.get("burst")?)?.max(1) })
    };
    Some(Limits { rate: optional(value, "rate", rate)?, concurrent: optional(value, "concurrent", small)? })
}

/// No decision depends on it: unreadable parts are left out, and the answer still counts.
#[inline(never)]
fn status(value: &Json) -> Option<PayerStatus> {
    Some(PayerStatus {
        available: credits(value.get("available")?)?,
        quota: value.get("quota").and_then(quota),
        limits: value.get("limits").and_then(limits).unwrap_or_default(),
        warn_below: value.get("warn_below").and_then(credits),
    })
}

fn quota(value: &Json) -> Option<Quota> {
    Some(Quota {
        size: credits(value.get("size")?)?,
        window_s: value.get("window_s")?.as_u64()?,
        resets_at: text(value.get("resets_at")?)?,
        resets_in_s: value.get("resets_in_s")?.as_u64()?,
    })
}

fn reset(value: &Json) -> Option<Reset> {
    Some(Reset {
        at: text(value.get("at")?)?,
        in_s: value.get("in_s")?.as_u64()?,
        brings: credits(value.get("brings")?)?,
        size: optional(value, "size", credits)?.unwrap_or_default(),
        window_s: value.get("window_s").and_then(Json::as_u64).unwrap_or_default(),
    })
}

#[inline(never)]
fn granted(value: &Json) -> Option<Granted> {
    Some(Granted {
        epoch: small(value.get("epoch")?)?,
        granted: credits(value.get("granted")?)?,
        ttl_ms: value.get("ttl_ms")?.as_u64()?,
        recall: optional(value, "recall", Json::as_bool)?.unwrap_or_default(),
        limits: optional(value, "limits", limits)?.unwrap_or_default(),
    })
}

#[inline(never)]
fn refused(value: &Json) -> Option<Refused> {
    Some(Refused {
        code: code(value.get("code")?)?,
        available: optional(value, "available", credits)?.unwrap_or_default(),
        reset: optional(value, "reset", reset)?,
        top_up: optional(value, "top_up", Json::as_bool)?.unwrap_or_default(),
        retry_ms: optional(value, "retry_ms", small)?,
    })
}

fn change(value: &Json) -> Option<Change> {
    Some(Change { payer: text(value.get("payer")?)?, refused: optional(value, "refused", code)? })
}

fn models(value: &Json) -> Option<Vec<ModelAnswer>> {
    let model = |value: &Json| {
        let is_object = matches!(value, Json::Object(_));
        Some(ModelAnswer { prices: optional(value, "prices", prices::answered)? }).filter(|_| is_object)
    };
    value.as_array().filter(|list| list.len() <= MAX_MODELS)?.iter().map(model).collect()
}

/// A member that may be absent or null; `None` when it is there and can't be read.
#[expect(clippy::option_option, reason = "the outer one is for `?`, as everywhere in this file")]
fn optional<T>(value: &Json, name: &str, read: impl Fn(&Json) -> Option<T>) -> Option<Option<T>> {
    match value.get(name) {
        None | Some(Json::Null) => Some(None),
        Some(member) => read(member).map(Some),
    }
}

fn small(value: &Json) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

fn credits(value: &Json) -> Option<Credits> {
    let amount = value.as_i64().map(Credits::from_micros)?;
    (Credits::ZERO..=MAX_AMOUNT).contains(&amount).then_some(amount)
}

fn text(value: &Json) -> Option<String> {
    value.as_str().filter(|text| (1..=MAX_NAME_BYTES).contains(&text.len())).map(str::to_owned)
}

/// An unknown refusal code comes from a newer ledger and is treated as a payment problem.
fn code(value: &Json) -> Option<RefusalCode> {
    Some(RefusalCode::named(value.as_str()?).unwrap_or(RefusalCode::InsufficientFunds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::settings::prices::tests::any_prices;
    use proptest::prelude::*;

    const MAX_MICROS: i64 = MAX_AMOUNT.micros();

    fn any_reset((brings, size, window_s): (i64, i64, u64)) -> Reset {
        let [brings, size] = [brings, size].map(Credits::from_micros);
        Reset { at: "2026-12-01T00:00:00Z".into(), in_s: window_s, brings, size, window_s }
    }

    prop_compose! {
        fn any_status()(
            available in 0..=MAX_MICROS, warn_below in proptest::option::of(0..=MAX_MICROS),
            quota in proptest::option::of((0..=MAX_MICROS, any::<[u64; 2]>(), ".{1,9}")), limits in any::<[Option<u32>; 2]>(),
        ) -> PayerStatus {
            let [rate, concurrent] = limits;
            let rate = rate.map(|rate| Rate { milli_per_s: rate.max(1), burst: rate.max(1) });
            let quota = quota.map(|(size, [window_s, resets_in_s], resets_at)| {
                Quota { size: Credits::from_micros(size), window_s, resets_at, resets_in_s }
            });
            let [available, warn_below] = [Some(available), warn_below].map(|amount| amount.map(Credits::from_micros));
            PayerStatus { available: available.unwrap_or_default(), quota, limits: Limits { rate, concurrent }, warn_below }
        }
    }

    fn any_holds(amounts: [i64; 3]) -> Holds {
        let [carried, kept, released] = amounts.map(Credits::from_micros);
        Holds { carried, kept, released }
    }

    prop_compose! {
        fn any_entry()(
            facts in proptest::option::of(("k[0-9]{0,3}", ".{1,5}", proptest::option::of("[a-z]{1,5}"))),
            lease in proptest::option::of((any::<u32>(), 0..=MAX_MICROS, any::<u64>(), any::<bool>())),
            refused in proptest::option::of((0..RefusalCode::ALL.len(), 0..=MAX_MICROS, any::<Option<u32>>())),
            ended in any::<Option<u32>>(), on_credit in 0..=MAX_MICROS, holds in [0..=MAX_MICROS, 0..=MAX_MICROS, 0..=MAX_MICROS], status in proptest::option::of(any_status()),
            reset in proptest::option::of((0..=MAX_MICROS, 0..=MAX_MICROS, any::<u64>())),
        ) -> EntryAnswer {
            EntryAnswer {
                facts: facts.map(|(key, account, plan)| Facts { key, account, plan, ..Facts::default() }),
                lease: lease.map(|(epoch, granted, ttl_ms, recall)| {
                    Granted { epoch, granted: Credits::from_micros(granted), ttl_ms, recall, limits: Limits::default() }
                }),
                refused: refused.map(|(at, available, retry_ms)| {
                    Refused { code: RefusalCode::ALL[at], available: Credits::from_micros(available), reset: reset.map(any_reset), top_up: false, retry_ms }
                }),
                ended,
                on_credit: Credits::from_micros(on_credit),
                holds: any_holds(holds),
                status,
            }
        }
    }

    proptest! {
        #[test]
        fn a_ledger_response_round_trips(
            numbers in any::<(u32, Option<u64>, u32, Option<u64>)>(),
            entries in proptest::collection::vec(any_entry(), 0..4),
            changes in proptest::collection::vec((".{1,5}", proptest::option::of(0..RefusalCode::ALL.len())), 0..3),
            models in proptest::collection::vec(proptest::option::of(any_prices()), 0..3), prices in any::<Option<u64>>(),
        ) {
            let (protocol, seen, heartbeat_ms, usage_seq) = numbers;
            let change = |(payer, at): (String, Option<usize>)| Change { payer, refused: at.map(|at| RefusalCode::ALL[at]) };
            let changes = changes.into_iter().map(change).collect();
            let models = models.into_iter().map(|prices| ModelAnswer { prices }).collect();
            let answer = ExchangeResponse { protocol, seen, heartbeat_ms, entries, changes, usage_seq, models, prices };
            prop_assert_eq!(read(&serde_json::to_vec(&answer).unwrap()), Some(answer));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (read(&bytes), read_error(&bytes, &mut ResponseHints::default()));
        }
    }

    #[test]
    fn unreadable_payer_status_is_dropped_and_the_response_is_kept() {
        let only =
            |micros| Some(PayerStatus { available: Credits::from_micros(micros), ..PayerStatus::default() });
        for (status, read_as) in [
            ("7", None),
            ("{}", None),
            (r#"{"available":-1}"#, None),
            (r#"{"available":1000000000000000001}"#, None),
            (r#"{"available":1,"quota":{"size":1}}"#, only(1)),
            (r#"{"available":2,"quota":{"size":1,"window_s":1,"resets_at":"","resets_in_s":1}}"#, only(2)),
            (r#"{"available":3,"warn_below":1.5,"limits":{"rate":{}}}"#, only(3)),
        ] {
            let text =
                format!(r#"{{"protocol":2,"heartbeat_ms":1,"entries":[{{"ended":3,"status":{status}}}]}}"#);
            let entry = read(text.as_bytes()).unwrap().entries.pop().unwrap();
            assert_eq!((entry.ended, entry.status), (Some(3), read_as), "{status}");
        }
    }

    #[test]
    fn invalid_responses_are_rejected() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"protocol":2,"heartbeat_ms":1}"#,
            r#"{"protocol":2,"heartbeat_ms":1,"entries":[{"lease":{}}]}"#,
            r#"{"protocol":2,"heartbeat_ms":1,"entries":[{"on_credit":-1}]}"#,
            r#"{"protocol":2,"heartbeat_ms":1,"entries":[{"on_credit":1000000000000000001}]}"#,
            r#"{"protocol":2,"heartbeat_ms":1,"entries":[{"facts":{"key":"","account":"acme"}}]}"#,
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        let error = |text: &[u8]| {
            let mut aside = ResponseHints::default();
            let why = read_error(text, &mut aside);
            (why.unwrap_or_default(), aside.unsupported, aside.retry_after_ms)
        };
        let (plain, other) = ("a: b".to_owned(), "unsupported_protocol: b".to_owned());
        assert_eq!(error(br#"{"code":"a","detail":"b","cause":[]}"#), (plain.clone(), false, None));
        assert_eq!(
            error(br#"{"code":"a","detail":"b","retry_after_ms":7}"#),
            (plain.clone(), false, Some(7))
        );
        assert_eq!(error(br#"{"code":"a","detail":"b","retry_after_ms":-7}"#), (plain, false, None));
        assert_eq!(error(br#"{"code":"unsupported_protocol","detail":"b"}"#), (other, true, None));
    }

    #[test]
    fn unknown_fields_are_ignored_and_malformed_known_fields_are_rejected() {
        let with = |new: &str| {
            let text = format!(
                r#"{{"protocol":2,{new}"heartbeat_ms":1,"entries":[{{{new}"ended":3,"lease":{{{new}"epoch":4,"granted":5,"ttl_ms":6}},
                "facts":{{{new}"key":"k","account":"a"}},"status":{{{new}"available":7}}}}],"changes":[{{{new}"payer":"k"}}]}}"#
            );
            read(text.as_bytes()).unwrap()
        };
        assert_eq!(with(r#""new":{"deep":[1]},"#), with(""));
        // A field that is known is never left out because it can't be read.
        for entry in [r#""lease":{"epoch":1,"granted":"5","ttl_ms":1}"#, r#""ended":"3""#] {
            let text = format!(r#"{{"protocol":2,"heartbeat_ms":1,"entries":[{{{entry}}}]}}"#);
            assert_eq!(read(text.as_bytes()), None, "{entry}");
        }
    }

    #[test]
    fn a_payer_in_another_cell_is_refused_with_wrong_cell() {
        let text = br#"{"protocol":2,"heartbeat_ms":1,"entries":[{"cell":"7x","ended":3,"refused":{"code":"wrong_cell"}}]}"#;
        let entry = read(text).unwrap().entries.pop().unwrap();
        assert_eq!(entry.refused.map(|refused| refused.code), Some(RefusalCode::WrongCell));
        assert_eq!(entry.ended, Some(3), "what was final is final");
    }

    #[test]
    fn plan_products_and_lease_limits_round_trip() {
        let product = |name: &str, pricing| Product { name: name.into(), pricing };
        let facts = Facts {
            key: "k".into(),
            account: "acme".into(),
            products: Some(vec![
                product("chat", Pricing::List),
                product("embed", Pricing::Times(Credits::from_micros(500_000))),
                product("image", Pricing::Fixed(Credits::from_micros(7))),
            ]),
            key_products: Some(vec!["chat".into(), "image".into()]),
            ..Facts::default()
        };
        let rate = Some(Rate { milli_per_s: 1, burst: 2 });
        let limits = Limits { rate, concurrent: Some(3) };
        let lease = Granted { epoch: 1, granted: Credits::from_micros(5), ttl_ms: 9, recall: true, limits };
        let entry = EntryAnswer { facts: Some(facts), lease: Some(lease), ..EntryAnswer::default() };
        let entries = vec![entry];
        let answer = ExchangeResponse {
            protocol: 1,
            seen: None,
            heartbeat_ms: 1,
            entries,
            changes: vec![],
            usage_seq: None,
            models: vec![],
            prices: None,
        };
        assert_eq!(read(&serde_json::to_vec(&answer).unwrap()), Some(answer));
    }

    #[test]
    fn malformed_prices_invalidate_a_response() {
        let with = |what: &str| {
            read(format!(r#"{{"protocol":2,"heartbeat_ms":1,"entries":[],{what}}}"#).as_bytes())
                .map(|answer| (answer.models.len(), answer.prices))
        };
        for (what, read_as) in [
            (r#""prices":65536"#, Some((0, Some(65_536)))),
            (r#""prices":null,"models":null"#, Some((0, None))),
            (r#""models":[{"prices":{"input":1}},{"prices":null},{}]"#, Some((3, None))),
            (r#""prices":"65536""#, None),
            (r#""models":{}"#, None),
            (r#""models":[7]"#, None),
            (r#""models":[{"prices":{}}]"#, None),
            (r#""models":[{"prices":{"input":"1"}}]"#, None),
            (r#""models":[{"prices":{"input":-1}}]"#, None),
            (r#""models":[{"prices":{"input":1000000000000000001}}]"#, None),
            (r#""models":[{"prices":{"input":1,"newer":1}}]"#, None),
            (r#""models":[{"prices":{"input":1,"above":[{"input":1}]}}]"#, None),
        ] {
            assert_eq!(with(what), read_as, "{what}");
        }
        let many = |count: usize| format!(r#""models":[{}]"#, vec!["{}"; count].join(","));
        assert_eq!([MAX_MODELS, MAX_MODELS + 1].map(|count| with(&many(count)).is_some()), [true, false]);
    }

    #[test]
    fn too_many_products_or_a_zero_rate_invalidate_a_response() {
        let with = |facts: &str, limits: &str| {
            let text = format!(
                r#"{{"protocol":2,"heartbeat_ms":1,"entries":[{{"facts":{{"key":"k","account":"a"{facts}}},
                "lease":{{"epoch":1,"granted":1,"ttl_ms":1,"limits":{{{limits}}}}}}}]}}"#
            );
            read(text.as_bytes()).is_some()
        };
        let names = |count: usize| format!(r#","key_products":{:?}"#, vec!["p"; count]);
        assert_eq!([MAX_PRODUCTS, MAX_PRODUCTS + 1].map(|count| with(&names(count), "")), [true, false]);
        let rate = |milli: u32| format!(r#""rate":{{"milli_per_s":{milli},"burst":1}}"#);
        assert_eq!([1, 0].map(|milli| with("", &rate(milli))), [true, false]);
    }
}
