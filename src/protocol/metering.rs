//! What a metered request used: a quantity for each class that has a price of its own.
//!
//! What must hold: classes are disjoint. A token that was read from a cache is counted as `cache_read` and not as `input`, a
//! token of reasoning as `reasoning` and not as `output`, so a cost is a plain sum over all classes.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;

/// What is counted and priced separately. The names are those of prices files, the admin API and the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageClass {
    /// Input tokens that no other class counts.
    Input,
    /// Input tokens read from a cache.
    CacheRead,
    /// Input tokens written to a cache for a short time (5 or 30 minutes).
    CacheWrite,
    /// Input tokens written to a cache for an hour.
    #[serde(rename = "cache_write_1h")]
    CacheWrite1h,
    /// Input tokens written to a cache for 12 hours.
    #[serde(rename = "cache_write_12h")]
    CacheWrite12h,
    /// Output tokens that no other class counts.
    Output,
    /// Output tokens of reasoning that the caller doesn't see.
    Reasoning,
    /// Input tokens of audio, not cached.
    AudioInput,
    /// Input tokens of audio, read from a cache.
    AudioCacheRead,
    /// Output tokens of audio.
    AudioOutput,
    /// Input tokens of images.
    ImageInput,
    /// Output tokens of images.
    ImageOutput,
    /// Searches, or calls of another tool that the provider runs.
    Search,
    /// Seconds, of audio or of time.
    Second,
    /// Pages.
    Page,
}

impl UsageClass {
    /// All classes, in the order of their declaration.
    pub const ALL: [Self; 15] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::CacheWrite12h,
        Self::Output,
        Self::Reasoning,
        Self::AudioInput,
        Self::AudioCacheRead,
        Self::AudioOutput,
        Self::ImageInput,
        Self::ImageOutput,
        Self::Search,
        Self::Second,
        Self::Page,
    ];

    /// Its name, as on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::CacheWrite12h => "cache_write_12h",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::AudioInput => "audio_input",
            Self::AudioCacheRead => "audio_cache_read",
            Self::AudioOutput => "audio_output",
            Self::ImageInput => "image_input",
            Self::ImageOutput => "image_output",
            Self::Search => "search",
            Self::Second => "second",
            Self::Page => "page",
        }
    }

    /// The class of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Whether it counts tokens: these are priced per million, the others each.
    pub const fn is_tokens(self) -> bool {
        !matches!(self, Self::Search | Self::Second | Self::Page)
    }

    /// Whether it is part of the input, by which context tiers go.
    pub const fn is_input(self) -> bool {
        matches!(
            self,
            Self::Input
                | Self::CacheRead
                | Self::CacheWrite
                | Self::CacheWrite1h
                | Self::CacheWrite12h
                | Self::AudioInput
                | Self::AudioCacheRead
                | Self::ImageInput
        )
    }

    /// The class whose price it takes where it has none of its own; `None`: it costs nothing then.
    pub const fn like(self) -> Option<Self> {
        match self {
            Self::CacheRead | Self::CacheWrite | Self::AudioInput | Self::ImageInput => Some(Self::Input),
            Self::CacheWrite1h | Self::CacheWrite12h => Some(Self::CacheWrite),
            Self::AudioCacheRead => Some(Self::CacheRead),
            Self::Reasoning | Self::AudioOutput | Self::ImageOutput => Some(Self::Output),
            Self::Input | Self::Output | Self::Search | Self::Second | Self::Page => None,
        }
    }
}

/// The most of one class in one request; more counts as this much.
pub const MAX_QUANTITY: u64 = 1_000_000_000_000;

/// A quantity per class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantities([u64; UsageClass::ALL.len()]);

impl Quantities {
    /// How much of a class.
    pub fn get(&self, class: UsageClass) -> u64 {
        self.0.get(class as usize).copied().unwrap_or(0)
    }

    /// Sets how much of a class, at most [`MAX_QUANTITY`].
    pub fn set(&mut self, class: UsageClass, quantity: u64) {
        if let Some(place) = self.0.get_mut(class as usize) {
            *place = quantity.min(MAX_QUANTITY);
        }
    }

    /// Adds to a class, up to [`MAX_QUANTITY`].
    pub fn add(&mut self, class: UsageClass, quantity: u64) {
        self.set(class, self.get(class).saturating_add(quantity));
    }

    /// Whether there is nothing of any class.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The classes of which there is any, with how much.
    pub fn iter(&self) -> impl Iterator<Item = (UsageClass, u64)> + '_ {
        UsageClass::ALL
            .into_iter()
            .map(|class| (class, self.get(class)))
            .filter(|(_, quantity)| *quantity > 0)
    }

    /// All of the input, by which context tiers go.
    pub fn input(&self) -> u64 {
        self.iter().filter(|(class, _)| class.is_input()).fold(0, |sum, (_, n)| sum.saturating_add(n))
    }
}

/// As an object: the names of classes with their quantities.
impl Serialize for Quantities {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter().map(|(class, quantity)| (class.name(), quantity)))
    }
}

impl<'de> Deserialize<'de> for Quantities {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ByClass)
    }
}

struct ByClass;

impl<'de> Visitor<'de> for ByClass {
    type Value = Quantities;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of quantities by class")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Quantities, M::Error> {
        let mut quantities = Quantities::default();
        while let Some((class, quantity)) = members.next_entry::<UsageClass, u64>()? {
            if quantity > MAX_QUANTITY {
                return Err(M::Error::custom("more than 1000000000000 of one class"));
            }
            quantities.set(class, quantity);
        }
        Ok(quantities)
    }
}
