//! Lines of metered requests: what is counted together, what a line and a report may hold, and that nothing is lost.

use super::super::lines::{MAX_ITEM_LINES, METERED_WEIGHT};
use super::*;
use faregate_protocol::exchange::{Basis, MAX_BODY_BYTES, MAX_ITEM_BYTES, MAX_NAME_BYTES, UsageLine};
use faregate_protocol::metering::{MAX_QUANTITY, Quantities, UsageClass};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::rc::Rc;

const KEPT: ChargeOutcome = ChargeOutcome::Kept(Credits::from_micros(7));

/// Two rules and a default.
fn settings() -> Settings {
    let config = json!({
        "ledger": {"cluster": "l", "token": {"env": "T"}}, "identities": [{"bearer": true}],
        "rules": [
            {"name": "chat", "match": {"path": {"exact": "/chat"}}, "price": "1"},
            {"name": "images", "match": {"path": {"exact": "/images"}}, "price": "1"},
        ],
        "default": {"price": "1"},
    });
    Settings::from_value(&config).unwrap()
}

fn buffer() -> UsageBuffer {
    UsageBuffer::new("b".into())
}

fn of(item: &str, basis: Basis, used: &[(UsageClass, u64)]) -> Metered {
    let mut quantities = Quantities::default();
    for (class, quantity) in used {
        quantities.set(*class, *quantity);
    }
    Metered { item: Some(Rc::from(item)), basis, used: quantities }
}

/// All that waits, in as many reports as it takes.
fn reports(buffer: &mut UsageBuffer) -> Vec<UsageReport> {
    buffer.leave(Moment::ZERO, &settings())
}

fn lines(buffer: &mut UsageBuffer) -> Vec<UsageLine> {
    reports(buffer).into_iter().flat_map(|report| report.lines).collect()
}

#[test]
fn a_key_has_a_line_per_rule_model_and_basis_and_quantities_add_up() {
    use Basis::{Held, Reported};
    use UsageClass::{Input, Output};
    let mut buffer = buffer();
    assert!(buffer.count(Moment::ZERO, "key_1", 0, KEPT));
    for (rule, metered) in [
        (0, of("gpt-5", Reported, &[(Input, 900), (Output, 10)])),
        (0, of("gpt-5", Held, &[])),
        (1, of("gpt-5", Reported, &[(Input, 1)])),
        (0, of("haiku", Reported, &[(Input, 2)])),
        (0, of("gpt-5", Reported, &[(Input, 100), (UsageClass::Search, 3)])),
        (0, Metered { item: None, ..of("", Reported, &[(UsageClass::Second, 5)]) }),
        (0, of("", Reported, &[(UsageClass::Second, 6)])),
    ] {
        assert!(buffer.count_metered(Moment::ZERO, "key_1", rule, KEPT, &metered), "{metered:?}");
    }
    let line = |rule: &str, requests, item: Option<&str>, basis, used: &[(UsageClass, u64)]| UsageLine {
        payer: "key_1".into(),
        rule: rule.into(),
        requests,
        credits: Credits::from_micros(7 * i64::try_from(requests).unwrap()),
        refunds: 0,
        item: item.map(str::to_owned),
        basis,
        used: of("", Held, used).used,
        product: None,
    };
    let (gpt, reported) = (Some("gpt-5"), Some(Reported));
    assert_eq!(
        lines(&mut buffer),
        [
            line("chat", 1, None, None, &[]),
            line("chat", 2, gpt, reported, &[(Input, 1_000), (Output, 10), (UsageClass::Search, 3)]),
            line("chat", 1, gpt, Some(Held), &[]),
            line("images", 1, gpt, reported, &[(Input, 1)]),
            line("chat", 1, Some("haiku"), reported, &[(Input, 2)]),
            line("chat", 2, None, reported, &[(UsageClass::Second, 11)]),
        ]
    );
    assert!(buffer.is_empty());
}

#[test]
fn released_and_shadow_requests_have_no_model() {
    let (mut buffer, metered) = (buffer(), of("gpt-5", Basis::Reported, &[(UsageClass::Input, 1)]));
    for outcome in [ChargeOutcome::Released, ChargeOutcome::Shadow(RefusalCode::RateLimited)] {
        assert!(buffer.count_metered(Moment::ZERO, "key_1", 0, outcome, &metered));
    }
    let report = reports(&mut buffer).remove(0);
    assert_eq!((report.lines.len(), report.shadow.len()), (1, 1));
    let line = &report.lines[0];
    assert_eq!((line.refunds, &line.item, line.basis, line.used.is_none()), (1, &None, None, true));
}

#[test]
fn a_full_line_gets_a_sibling() {
    let most = of("m", Basis::Reported, &[(UsageClass::Input, MAX_QUANTITY)]);
    let one = of("m", Basis::Reported, &[(UsageClass::Input, 1)]);
    let other = of("m", Basis::Reported, &[(UsageClass::Output, 1)]);
    let costly = ChargeOutcome::Kept(MAX_LINE_CREDITS);
    for (counted, expected) in [
        ([(&most, KEPT), (&one, KEPT)], 2),
        ([(&most, KEPT), (&other, KEPT)], 1),
        ([(&one, KEPT), (&one, KEPT)], 1),
        ([(&one, costly), (&one, KEPT)], 2),
    ] {
        let mut buffer = buffer();
        for (metered, outcome) in counted {
            assert!(buffer.count_metered(Moment::ZERO, "key_1", 0, outcome, metered));
        }
        let lines = lines(&mut buffer);
        assert_eq!(lines.len(), expected, "{lines:?}");
        assert_eq!(lines.iter().map(|line| line.requests).sum::<u64>(), 2);
    }
    let above = ChargeOutcome::Kept(MAX_LINE_CREDITS.saturating_add(Credits::from_micros(1)));
    assert!(!buffer().count_metered(Moment::ZERO, "key_1", 0, above, &one));
}

#[test]
fn a_long_name_is_cut_between_characters() {
    let long = "a".repeat(MAX_ITEM_BYTES - 1);
    for (given, sent) in [
        (format!("{long}b"), format!("{long}b")),
        (format!("{long}bc"), format!("{long}b")),
        (format!("{long}\u{e4}"), long.clone()),
    ] {
        let mut buffer = buffer();
        for _ in 0..2 {
            let metered = of(&given, Basis::Reported, &[]);
            assert!(buffer.count_metered(Moment::ZERO, "key_1", 0, KEPT, &metered));
        }
        let lines = lines(&mut buffer);
        assert_eq!((lines.len(), lines[0].item.as_deref()), (1, Some(sent.as_str())));
    }
}

#[test]
fn models_beyond_the_limit_of_a_key_are_counted_without_their_names() {
    let mut buffer = buffer();
    for model in 0..MAX_ITEM_LINES + 9 {
        let metered = of(&format!("model-{model}"), Basis::Reported, &[(UsageClass::Input, 1)]);
        assert!(buffer.count_metered(Moment::ZERO, "key_1", 0, KEPT, &metered));
    }
    for (key, model) in [("key_1", "model-0"), ("key_2", "m")] {
        assert!(buffer.count_metered(Moment::ZERO, key, 0, KEPT, &of(model, Basis::Reported, &[])));
    }
    let lines = lines(&mut buffer);
    assert_eq!((lines.len(), lines[0].requests), (MAX_ITEM_LINES + 2, 2), "what has its line goes on");
    let rest = &lines[MAX_ITEM_LINES];
    assert_eq!((rest.item.as_deref(), rest.requests, rest.used.input()), (None, 9, 9));
    assert_eq!(lines[MAX_ITEM_LINES + 1].item.as_deref(), Some("m"), "it is another key's");
}

#[test]
fn metered_lines_share_the_limits_of_buffer_and_report() {
    let (mut buffer, metered) = (buffer(), of("m", Basis::Reported, &[]));
    for key in 0..MAX_LINES / 2 {
        assert!(buffer.count(Moment::ZERO, &format!("key_{key}"), 0, KEPT));
        assert!(buffer.count_metered(Moment::ZERO, &format!("key_{key}"), 0, KEPT, &metered));
    }
    assert!(!buffer.count_metered(Moment::ZERO, "key_more", 0, KEPT, &metered), "it is full");
    assert!(!buffer.count_metered(Moment::ZERO, "key_7", 1, KEPT, &metered), "for known keys as well");
    assert!(buffer.count_metered(Moment::ZERO, "key_7", 0, KEPT, &metered), "what has its line goes on");
    let reports = reports(&mut buffer);
    let weight = |line: &UsageLine| if line.basis.is_some() { METERED_WEIGHT } else { 1 };
    for report in &reports {
        assert!(report.lines.iter().map(weight).sum::<usize>() <= MAX_USAGE_LINES);
    }
    let sold: u64 = reports.iter().flat_map(|report| &report.lines).map(|line| line.requests).sum();
    assert_eq!(sold, MAX_LINES as u64 + 1);
    assert!(buffer.is_empty());
    assert!(buffer.count_metered(Moment::ZERO, "key_more", 0, KEPT, &metered), "there is room again");
}

#[test]
fn the_largest_report_of_metered_lines_leaves_most_of_a_message_to_its_entries() {
    let all = UsageClass::ALL.map(|class| (class, MAX_QUANTITY));
    let (mut buffer, mut settings) = (buffer(), settings());
    settings.rules[0].name = "r".repeat(MAX_NAME_BYTES);
    for number in 0..MAX_USAGE_LINES {
        let (key, item) = (format!("{number:0>MAX_NAME_BYTES$}"), "\"".repeat(MAX_ITEM_BYTES));
        let most = ChargeOutcome::Kept(MAX_LINE_CREDITS);
        assert!(buffer.count_metered(Moment::ZERO, &key, 0, most, &of(&item, Basis::Estimated, &all)));
    }
    let report = buffer.begin_send(Moment::ZERO, &settings).unwrap();
    assert_eq!(report.lines.len(), MAX_USAGE_LINES / METERED_WEIGHT);
    let bytes = serde_json::to_vec(&report).unwrap().len();
    assert!(bytes < MAX_BODY_BYTES / 5 * 2, "{bytes}");
}

#[test]
fn a_metered_request_makes_an_empty_buffer_due_after_a_while() {
    let (mut buffer, start) = (buffer(), Moment::from_nanos(1));
    assert!(buffer.count_metered(start, "key_1", 0, KEPT, &of("m", Basis::Listed, &[])));
    let due = |ms| buffer.is_due(start.plus_millis(ms));
    assert_eq!((due(MAX_REPORT_AGE_MS - 1), due(MAX_REPORT_AGE_MS)), (false, true));
}

/// What was counted, or found, of one kind: requests, credits, and two classes.
type Sums = BTreeMap<(String, String, Option<String>, Option<Basis>), [i128; 4]>;

fn add(to: &mut Sums, line: UsageLine) {
    let UsageLine { payer, rule, item, basis, used, .. } = line;
    let [input, page] = [UsageClass::Input, UsageClass::Page].map(|class| i128::from(used.get(class)));
    let parts = [line.requests.into(), line.credits.micros().into(), input, page];
    let sums = to.entry((payer, rule, item, basis)).or_insert([0; 4]);
    sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
}

/// A request: its line if it were the only one.
fn request() -> impl Strategy<Value = UsageLine> {
    let quantity = || prop_oneof![0..10_u64, MAX_QUANTITY - 10..=MAX_QUANTITY];
    let price = prop_oneof![0..10_i64, Just(MAX_LINE_CREDITS.micros())].prop_map(Credits::from_micros);
    let metered = (prop::option::of("[ab]"), prop::sample::select(&Basis::ALL[..]), quantity(), quantity());
    ("key_[12]", any::<bool>(), price, prop::option::of(metered)).prop_map(
        |(payer, chat, credits, metered)| {
            let rule = if chat { "chat" } else { "images" }.to_owned();
            let mut used = Quantities::default();
            let (item, basis) = metered.map_or((None, None), |(item, basis, input, page)| {
                used.set(UsageClass::Input, input);
                used.set(UsageClass::Page, page);
                (item, Some(basis))
            });
            UsageLine { payer, rule, requests: 1, credits, refunds: 0, item, basis, used, product: None }
        },
    )
}

proptest! {
    #[test]
    fn what_is_counted_is_reported_once_and_no_line_is_above_its_limits(
        requests in prop::collection::vec(request(), 0..100)
    ) {
        let (mut buffer, mut counted, mut found) = (buffer(), Sums::new(), Sums::new());
        for line in requests {
            let (rule, outcome) = (usize::from(line.rule != "chat"), ChargeOutcome::Kept(line.credits));
            let had_room = match line.basis {
                None => buffer.count(Moment::ZERO, &line.payer, rule, outcome),
                Some(basis) => {
                    let metered = Metered { item: line.item.as_deref().map(Rc::from), basis, used: line.used };
                    buffer.count_metered(Moment::ZERO, &line.payer, rule, outcome, &metered)
                }
            };
            prop_assert!(had_room);
            add(&mut counted, line);
        }
        for line in lines(&mut buffer) {
            prop_assert!(line.credits <= MAX_LINE_CREDITS);
            prop_assert!(line.used.iter().all(|(_, quantity)| quantity <= MAX_QUANTITY));
            add(&mut found, line);
        }
        prop_assert_eq!(found, counted);
        prop_assert!(buffer.is_empty());
    }
}
