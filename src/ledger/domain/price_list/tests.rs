//! What is found in a price list, and when.

use super::{InvalidListed, Listed, MAX_LISTED, NotPriced, PriceList};
use faregate_protocol::Credits;
use faregate_protocol::metering::UsageClass;
use faregate_protocol::prices::ModelPrices;
use jiff::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn entry(model: &str, input: i64, from: i64) -> Listed {
    let mut prices = ModelPrices::default();
    prices.base.set(UsageClass::Input, Credits::from_micros(input));
    Listed { model: model.to_owned(), prices, cost: None, valid_from: at(from) }
}

fn list(entries: &[(&str, i64, i64)]) -> PriceList {
    let mut list = PriceList::default();
    list.add(entries.iter().map(|(model, input, from)| entry(model, *input, *from))).unwrap();
    list
}

fn input(found: Result<&Listed, NotPriced>) -> Result<i64, NotPriced> {
    found.map(|entry| entry.prices.base.get(UsageClass::Input).unwrap().micros())
}

#[test]
fn a_model_costs_what_its_last_entry_before_that_time_says() {
    let list = list(&[("gpt-5", 2, 200), ("gpt-5", 1, 100), ("gpt-50", 9, 0), ("gpt-4", 8, 0)]);
    let found = |time| input(list.find("gpt-5", None, at(time)));
    assert_eq!([100, 199, 200, 999].map(found), [Ok(1), Ok(1), Ok(2), Ok(2)]);
    assert_eq!(found(99), Err(NotPriced::NotYet { model: "gpt-5".into(), from: at(100) }));
}

#[test]
fn a_name_matches_exactly_or_behind_one_provider_and_is_never_guessed() {
    let list = list(&[
        ("gpt-5", 1, 0),
        ("azure/gpt-5", 2, 0),
        ("groq/llama-4", 3, 0),
        ("cerebras/llama-4", 4, 0),
        ("mistral/small", 5, 0),
        ("mistral/small", 6, 10),
        ("openrouter/z-ai/glm-5", 7, 0),
    ]);
    let unknown = |model: &str| Err(NotPriced::Unknown { model: model.to_owned() });
    for (model, provider, found) in [
        ("gpt-5", None, Ok(1)),
        ("gpt-5", Some("azure"), Ok(2)),
        ("gpt-5", Some("openai"), Ok(1)),
        ("azure/gpt-5", None, Ok(2)),
        ("small", None, Ok(6)),
        ("z-ai/glm-5", None, Ok(7)),
        ("glm-5", None, unknown("glm-5")),
        ("openai/gpt-5", None, unknown("openai/gpt-5")),
        ("gpt-5-2026-11-01", None, unknown("gpt-5-2026-11-01")),
        ("GPT-5", None, unknown("GPT-5")),
        ("llama-4", Some("groq"), Ok(3)),
        (
            "llama-4",
            None,
            Err(NotPriced::Ambiguous {
                model: "llama-4".into(),
                names: vec!["cerebras/llama-4".into(), "groq/llama-4".into()],
            }),
        ),
    ] {
        assert_eq!(input(list.find(model, provider, at(10))), found, "{model} {provider:?}");
    }
}

#[test]
fn the_change_number_rises_when_something_changed_and_only_then() {
    let mut list = list(&[("a", 1, 0), ("b", 1, 0)]);
    assert_eq!(list.change(), 1);
    assert_eq!(list.add([entry("a", 1, 0)]), Ok(0));
    assert_eq!(list.change(), 1);
    assert_eq!(list.add([entry("a", 1, 0), entry("a", 2, 0), entry("c", 1, 5)]), Ok(2));
    assert_eq!(list.change(), 2);
    assert_eq!(input(list.find("a", None, at(0))), Ok(2), "of two for one moment the last counts");
    assert_eq!((list.remove("c", at(6)), list.change()), (0, 2));
    assert_eq!((list.remove("c", at(5)), list.change()), (1, 3));
    assert_eq!(list.entries().len(), 2);
    let stored = PriceList::stored(list.entries().to_vec(), list.change());
    assert_eq!(stored, Ok(list));
}

#[test]
fn an_unusable_entry_changes_nothing_and_is_named() {
    let mut list = list(&[("a", 1, 0)]);
    let before = list.clone();
    for model in ["", "a b", "a\n", &"x".repeat(129)] {
        let wrong = list.add([entry("b", 1, 0), entry(model, 1, 0)]);
        assert_eq!(wrong, Err(InvalidListed::Name { model: model.to_owned() }));
    }
    let said = list.add([entry("b", -1, 0)]).unwrap_err().to_string();
    assert_eq!(said, "b: \"input\" is out of range; set 0 to 1000000000000 credits");
    let many = (0..=MAX_LISTED).map(|n| entry("b", 1, i64::try_from(n).unwrap()));
    assert_eq!(list.add(many), Err(InvalidListed::Full));
    assert_eq!(list, before);
}
