//! Which language a caller gets.

use super::*;
use crate::decide::refusal::language::{MAX_RANGES, MOST_BYTES, choose};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const TAGS: [&str; 8] = ["*", "de", "DE-at", "en-GB", "en", "fr", "pt-BR", "zh-Hant"];

fn texts(tags: &[&str]) -> Texts {
    let messages = tags.iter().map(|tag| ((*tag).to_owned(), json!({"top_up": "x"})));
    own(&Value::Object(messages.collect()))
}

/// The tag of the language that callers with these headers get.
fn chosen(headers: &[&[u8]], texts: &Texts) -> String {
    texts.tags()[choose(headers.iter().copied(), texts)].clone()
}

#[test]
fn callers_get_their_preferred_available_language() {
    let texts = texts(&["*", "de", "pt-BR", "zh-Hant"]);
    for (header, tag) in [
        ("de", "de"),
        ("DE", "de"),
        ("de-AT", "de"),
        ("de-AT-1996, fr", "de"),
        ("deu", "*"),
        ("fr, de", "de"),
        ("fr;q=0.9, de;q=0.1, pt-BR;q=0.2", "pt-BR"),
        ("pt", "*"),
        ("pt-br;q=1.000", "pt-BR"),
        ("zh-Hant-TW, de", "zh-Hant"),
        ("de;q=0.5, pt-BR;q=0.5", "de"),
        ("de;q=0.001, pt-BR;q=0", "de"),
        ("en", "*"),
        ("en-US,en;q=0.9,de;q=0.8", "*"),
        ("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "de"),
        ("en;q=0, de;q=0.1", "de"),
        ("de;q=0", "*"),
        ("de-AT, de;q=0", "*"),
        ("*", "*"),
        ("*, de;q=0.1", "de"),
        ("*;q=0", "*"),
        ("", "*"),
        (" , ,de", "de"),
        ("\t de \t; q=1 ", "de"),
        ("de;Q=0.3, pt-BR;q=0.2", "de"),
        ("de;q=1.1, pt-BR;q=0.2", "pt-BR"),
        ("de;q=, pt-BR;q=0.2", "pt-BR"),
        ("de;q=-1, pt-BR;q=0.2", "pt-BR"),
        ("de;level=1, pt-BR;q=0.2", "pt-BR"),
        ("de;q, pt-BR;q=0.2", "pt-BR"),
    ] {
        assert_eq!(chosen(&[header.as_bytes()], &texts), tag, "{header:?}");
    }
    assert_eq!(
        chosen(&[b"fr", b"de;q=0.2", b"pt-BR;q=0.3"], &texts),
        "pt-BR",
        "several headers are one list"
    );
    assert_eq!(chosen(&[b"\xff, de"], &texts), "*", "what is no text says nothing");
    assert_eq!(choose([&b"de"[..]].into_iter(), &Texts::default()), 0, "nothing to choose from");
}

#[test]
fn a_more_specific_language_tag_wins() {
    let all = texts(&TAGS);
    for (header, tag) in
        [("de-AT", "DE-at"), ("de-CH", "de"), ("en", "en"), ("en-GB-x-a", "en-GB"), ("en-US", "en")]
    {
        assert_eq!(chosen(&[header.as_bytes()], &all), tag, "{header:?}");
    }
}

#[test]
fn language_ranges_past_the_limits_are_ignored() {
    let texts = texts(&["de"]);
    let many = |before: usize| [vec!["fr"; before], vec!["de"]].concat().join(",");
    assert_eq!(chosen(&[many(MAX_RANGES - 1).as_bytes()], &texts), "de");
    assert_eq!(chosen(&[many(MAX_RANGES).as_bytes()], &texts), "*");
    let long = |before: usize, tag: &str| format!("{},{tag}", "x".repeat(before));
    assert_eq!(chosen(&[long(MOST_BYTES - 4, "de").as_bytes()], &texts), "de");
    assert_eq!(chosen(&[long(MOST_BYTES - 3, "de").as_bytes()], &texts), "*");
    assert_eq!(
        chosen(&[long(MOST_BYTES - 4, "de-AT").as_bytes()], &texts),
        "*",
        "what is cut off says nothing"
    );
    assert_eq!(chosen(&[&[b'x'; MOST_BYTES], b"de"], &texts), "*", "all headers together");
}

/// The same rules, written step by step as in the standards.
fn as_the_standards_say(ranges: &[(&str, u16)], tags: &[&str]) -> String {
    let mut by_weight = ranges.to_vec();
    by_weight.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    for (range, weight) in by_weight {
        let mut tag = Some(range);
        while let Some(known) = tag.filter(|tag| weight > 0 && *tag != "*") {
            let excluded =
                ranges.iter().any(|(range, weight)| *weight == 0 && range.eq_ignore_ascii_case(known));
            match tags.iter().find(|tag| tag.eq_ignore_ascii_case(known)) {
                Some(tag) if !excluded => return (*tag).to_owned(),
                None if !excluded && known.eq_ignore_ascii_case("en") => return "*".to_owned(),
                _ => tag = known.rsplit_once('-').map(|(wider, _)| wider),
            }
        }
    }
    "*".to_owned()
}

proptest! {
    #[test]
    fn language_negotiation_matches_the_standards(
        tags in subsequence(TAGS.to_vec(), 1..=TAGS.len()),
        ranges in vec((select(&["*", "de", "de-at", "DE-AT-1996", "en", "en-US", "en-gb-oed", "fr", "pt", "pt-BR", "zh-hant-tw", "zh"][..]), 0_u16..=10), 0..8),
        split in any::<bool>(),
    ) {
        let written: Vec<String> = ranges.iter().map(|(range, weight)| match weight {
            10 => (*range).to_owned(),
            weight => format!(" {range} ;q=0.{weight}"),
        }).collect();
        let headers = if split { written } else { vec![written.join(",")] };
        let headers: Vec<&[u8]> = headers.iter().map(String::as_bytes).collect();
        prop_assert_eq!(chosen(&headers, &texts(&tags)), as_the_standards_say(&ranges, &tags), "{:?}", ranges);
    }

    #[test]
    fn arbitrary_accept_language_headers_never_panic(headers in vec(vec(prop_oneof![any::<u8>(), select(&b"de-AT,;q=0.1*"[..])], 0..60), 0..4)) {
        let headers: Vec<&[u8]> = headers.iter().map(Vec::as_slice).collect();
        chosen(&headers, &texts(&TAGS));
    }
}
