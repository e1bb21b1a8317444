//! How much to hold for a request: the most that it may use, as far as its body can tell.
//!
//! What must hold: nothing wraps around. With one byte per token it is a bound for all text, because a token of a byte-level
//! tokenizer is at least one byte; with more it is an estimate. Where [`Asked::opaque`] is set it is no bound.

use super::reading::Asked;
use super::shape::RequestShape;
use faregate_protocol::metering::{Quantities, UsageClass};

/// How many documents one search may rank.
const DOCUMENTS_PER_SEARCH: u64 = 100;
/// A longer document counts as several. Cohere splits at 500 tokens together with the query; a token is at least a byte.
const BYTES_PER_DOCUMENT: u64 = 250;

/// How many bytes a second of audio has at least: 16 kbit/s, as the voice of a telephone or a messenger has it.
const BYTES_PER_SECOND: u64 = 2_000;
/// How many tokens a second of audio is.
const TOKENS_PER_SECOND: u64 = 10;

/// What the operator assumes about a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assumptions {
    /// How many bytes of a request make a token; 0 counts as 1.
    pub bytes_per_token: u64,
    /// How many tokens an image is.
    pub tokens_per_image: u64,
    /// The most output tokens of a request that has no limit.
    pub default_cap: u64,
}

/// The quantities to hold. Audio has both seconds and tokens, of which an API bills only one.
pub fn estimate(shape: RequestShape, asked: &Asked, assumed: &Assumptions) -> Quantities {
    let mut most = Quantities::default();
    let text = asked.text_bytes.div_ceil(assumed.bytes_per_token.max(1));
    let images = asked.images.saturating_mul(assumed.tokens_per_image);
    most.set(UsageClass::Input, text.saturating_add(images));
    let cap = asked.cap.unwrap_or(assumed.default_cap).saturating_mul(asked.choices.max(1));
    match shape {
        RequestShape::Embeddings | RequestShape::CohereEmbed => {}
        RequestShape::Rerank => {
            let parts = (asked.text_bytes / BYTES_PER_DOCUMENT).saturating_add(asked.documents);
            most.set(UsageClass::Search, parts.div_ceil(DOCUMENTS_PER_SEARCH).max(1));
        }
        RequestShape::Audio => {
            let seconds = asked.image_bytes.div_ceil(BYTES_PER_SECOND);
            most.set(UsageClass::Second, seconds);
            most.set(UsageClass::AudioInput, seconds.saturating_mul(TOKENS_PER_SECOND));
            most.set(UsageClass::Output, cap);
        }
        RequestShape::Images => most.set(UsageClass::ImageOutput, cap),
        _ => most.set(UsageClass::Output, cap),
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(shape: RequestShape, asked: &Asked, bytes_per_token: u64) -> Vec<(UsageClass, u64)> {
        let assumed = Assumptions { bytes_per_token, tokens_per_image: 1_000, default_cap: 4_096 };
        estimate(shape, asked, &assumed).iter().collect()
    }

    #[test]
    fn input_is_by_bytes_and_images_and_output_by_the_limit() {
        let asked = Asked { text_bytes: 9, images: 2, cap: Some(100), choices: 3, ..Asked::default() };
        let input = |n| (UsageClass::Input, n);
        assert_eq!(of(RequestShape::Chat, &asked, 4), [input(2_003), (UsageClass::Output, 300)]);
        assert_eq!(of(RequestShape::Chat, &asked, 1), [input(2_009), (UsageClass::Output, 300)]);
        assert_eq!(of(RequestShape::Chat, &asked, 0), [input(2_009), (UsageClass::Output, 300)]);
        let endless = Asked { cap: None, choices: 2, images: 0, ..asked.clone() };
        assert_eq!(of(RequestShape::Bedrock, &endless, 4), [input(3), (UsageClass::Output, 8_192)]);
        assert_eq!(of(RequestShape::Images, &endless, 4), [input(3), (UsageClass::ImageOutput, 8_192)]);
        assert_eq!(of(RequestShape::Embeddings, &endless, 4), [input(3)]);
    }

    #[test]
    fn audio_has_seconds_and_tokens_by_its_size() {
        let asked = Asked { text_bytes: 9, image_bytes: 2_001, choices: 1, ..Asked::default() };
        let (input, output) = ((UsageClass::Input, 3), (UsageClass::Output, 4_096));
        let audio = [(UsageClass::AudioInput, 20), (UsageClass::Second, 2)];
        assert_eq!(of(RequestShape::Audio, &asked, 4), [input, output, audio[0], audio[1]]);
    }

    #[test]
    fn a_long_document_counts_as_several() {
        let asked = |documents, text_bytes| Asked { text_bytes, documents, ..Asked::default() };
        for (documents, text_bytes, searches) in [(0, 0, 1), (100, 200, 1), (101, 200, 2), (1, 250 * 100, 2)]
        {
            let found = of(RequestShape::Rerank, &asked(documents, text_bytes), 1);
            assert_eq!(found.last(), Some(&(UsageClass::Search, searches)), "{documents} {text_bytes}");
        }
    }

    proptest! {
        #[test]
        fn nothing_wraps_around(text_bytes in any::<u64>(), images in any::<u64>(), cap in any::<Option<u64>>(), choices in any::<u64>(), each in any::<u64>()) {
            let asked = Asked { text_bytes, images, cap, choices, documents: images, ..Asked::default() };
            let assumed = Assumptions { bytes_per_token: each % 5, tokens_per_image: each, default_cap: each };
            for shape in [RequestShape::Chat, RequestShape::Rerank, RequestShape::Images] {
                let most = estimate(shape, &asked, &assumed);
                prop_assert!(most.get(UsageClass::Input) >= text_bytes.div_ceil(5).min(faregate_protocol::metering::MAX_QUANTITY));
            }
        }
    }
}
