use super::samples::{Sample, all};
use super::*;
use crate::decide::meter::calls::CallReader;
use crate::decide::meter::number::NumberReader;
use proptest::prelude::*;

pub(super) const FRAMINGS: [Framing; 7] = [
    Framing::Sse,
    Framing::Lines,
    Framing::Json,
    Framing::EventStream,
    Framing::WebSocket,
    Framing::Text,
    Framing::Opaque,
];

#[test]
fn every_split_in_two_gives_the_same_report() {
    for Sample { name, dialect, framing, body, .. } in all() {
        let whole = read(dialect, framing, &body);
        for at in 0..=body.len() {
            let (one, two) = body.split_at(at);
            assert_eq!(in_pieces(dialect, framing, [one, two]), whole, "{name} at {at}");
        }
    }
}

#[test]
fn byte_by_byte_gives_the_same_report() {
    for Sample { name, dialect, framing, body, .. } in all() {
        for dialect in [dialect, Dialect::Auto] {
            let whole = read(dialect, framing, &body);
            assert_eq!(in_pieces(dialect, framing, body.chunks(1)), whole, "{name}");
        }
    }
}

#[test]
fn a_body_that_is_cut_anywhere_never_reports_more_than_the_whole() {
    for Sample { name, dialect, framing, body, .. } in all() {
        let whole = read(dialect, framing, &body);
        for at in 0..body.len() {
            let cut = read(dialect, framing, &body[..at]);
            assert!(cut.output_bytes <= whole.output_bytes + 9, "{name} at {at}");
            let total = |report: &Report| {
                report.quantities.map_or(0, |used| used.iter().map(|(_, quantity)| quantity).sum::<u64>())
            };
            assert!(total(&cut) <= total(&whole), "{name} at {at}");
        }
    }
}

#[test]
fn readers_are_small() {
    assert!(size_of::<Reader>() <= 1_024, "{}", size_of::<Reader>());
    assert!(size_of::<CallReader>() <= 448, "{}", size_of::<CallReader>());
    assert!(size_of::<NumberReader>() <= 320, "{}", size_of::<NumberReader>());
}

/// The pieces of a body that is cut at these places.
pub(super) fn pieces<'a>(body: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
    places.extend([0, body.len()]);
    places.sort_unstable();
    places.windows(2).map(|ends| &body[ends[0]..ends[1]]).collect()
}

/// Bytes that look like something.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\\u00",
            "\n",
            "\r",
            "\r\n",
            "\n\n",
            "data: ",
            "event: ",
            "data",
            "[DONE]",
            "\"usage\":",
            "\"usageMetadata\":{",
            "\"prompt_tokens\":",
            "\"choices\":[{",
            "\"delta\":",
            "\"type\":",
            "\"iterations\":[{",
            "\"error\"",
            "\"response.done\"",
            "12",
            "-1",
            "1.5",
            "null",
            "true",
            "\u{FEFF}",
            "é",
            "\"model\":\"x\"",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_chunking_gives_the_same_report(which in 0usize..64, cuts in prop::collection::vec(any::<usize>(), 0..40)) {
        let samples = all();
        let Sample { name, dialect, framing, body, .. } = &samples[which % samples.len()];
        let whole = read(*dialect, *framing, body);
        prop_assert_eq!(in_pieces(*dialect, *framing, pieces(body, &cuts)), whole, "{}", name);
    }

    #[test]
    fn no_bytes_make_it_panic_and_any_chunking_of_them_is_the_same(
        body in any_body(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
        dialect in prop::sample::select(Dialect::EVERY.to_vec()),
    ) {
        for framing in FRAMINGS {
            let whole = read(dialect, framing, &body);
            prop_assert_eq!(in_pieces(dialect, framing, pieces(&body, &cuts)), whole.clone(), "{:?}", framing);
            prop_assert_eq!(in_pieces(dialect, framing, body.chunks(1)), whole, "{:?}", framing);
        }
    }

    #[test]
    fn a_changed_byte_makes_nothing_panic(which in 0usize..64, at in any::<usize>(), byte in any::<u8>()) {
        let samples = all();
        let Sample { dialect, framing, body, .. } = &samples[which % samples.len()];
        let mut body = body.clone();
        let place = at % body.len();
        body[place] = byte;
        let whole = read(*dialect, *framing, &body);
        prop_assert_eq!(in_pieces(*dialect, *framing, body.chunks(1)), whole);
    }
}
