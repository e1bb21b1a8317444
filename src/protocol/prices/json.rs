//! Prices as JSON, in one shape with two ways to write an amount: a number of micro-credits on the wire, which is what
//! [`ModelPrices`] itself reads and writes, and the decimal string in configurations and public APIs ([`decimal`]):
//!
//! ```json
//! {"input": "5", "cache_read": "0.5", "output": "25", "search": "0.01",
//!  "above": [{"input_tokens": 200000, "input": "10"}],
//!  "service": {"priority": {"input": "10", "output": "50"}}}
//! ```
//!
//! What must hold: what is read keeps all limits, whichever way it came, and an unknown field is an error. Tiers may be
//! written in any order.

use super::{MAX_SERVICES, MAX_TIERS, ModelPrices, Rates, ServicePrices, Tier};
use crate::Credits;
use crate::metering::UsageClass;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How amounts are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Amounts {
    /// As the number of micro-credits.
    Micros,
    /// As the decimal string.
    Decimal,
}

/// What an object holds beside the prices of classes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// `above` and `service`.
    Model,
    /// `above`.
    Service,
    /// `input_tokens`.
    Tier,
}

impl Serialize for ModelPrices {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Writing::model(self, Amounts::Micros).serialize(to)
    }
}

impl<'de> Deserialize<'de> for ModelPrices {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        read(Amounts::Micros, from)
    }
}

/// For `#[serde(with = "prices::decimal")]`: prices as configurations and public APIs have them.
pub mod decimal {
    use super::{Amounts, Deserializer, ModelPrices, Serialize, Serializer, Writing, read};

    /// Writes amounts as decimal strings.
    pub fn serialize<S: Serializer>(prices: &ModelPrices, to: S) -> Result<S::Ok, S::Error> {
        Writing::model(prices, Amounts::Decimal).serialize(to)
    }

    /// Reads decimal strings; a JSON number is refused, because it may have been a float on the way.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ModelPrices, D::Error> {
        read(Amounts::Decimal, from)
    }
}

fn read<'de, D: Deserializer<'de>>(amounts: Amounts, from: D) -> Result<ModelPrices, D::Error> {
    let Prices { rates, tiers, services, .. } = Reading { amounts, level: Level::Model }.deserialize(from)?;
    let prices = ModelPrices { base: rates, tiers, services };
    prices.check().map_err(D::Error::custom)?;
    Ok(prices)
}

/// What an object of any level may hold.
#[derive(Default)]
struct Prices {
    rates: Rates,
    input_tokens: u64,
    tiers: Vec<Tier>,
    services: Vec<(String, ServicePrices)>,
}

/// Reads an object, or a list of tiers.
#[derive(Clone, Copy)]
struct Reading {
    amounts: Amounts,
    level: Level,
}

impl<'de> DeserializeSeed<'de> for Reading {
    type Value = Prices;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Prices, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Prices;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of prices, such as {\"input\": …, \"output\": …}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Prices, A::Error> {
        let Self { amounts, level } = self;
        let mut read = Prices::default();
        while let Some(name) = map.next_key::<String>()? {
            let again = match (name.as_str(), level) {
                ("above", Level::Model | Level::Service) => {
                    let tiers = map.next_value_seed(Tiers(amounts))?;
                    !std::mem::replace(&mut read.tiers, tiers).is_empty()
                }
                ("service", Level::Model) => {
                    let services = map.next_value_seed(Services(amounts))?;
                    !std::mem::replace(&mut read.services, services).is_empty()
                }
                ("input_tokens", Level::Tier) => {
                    std::mem::replace(&mut read.input_tokens, map.next_value()?) > 0
                }
                _ => {
                    let class = UsageClass::named(&name).ok_or_else(|| unknown(&name, level))?;
                    let price = map.next_value_seed(Amount { amounts, class })?;
                    let again = read.rates.get(class).is_some();
                    read.rates.set(class, price);
                    again
                }
            };
            if again {
                return Err(A::Error::custom(format_args!("{name:?} is there twice; remove one")));
            }
        }
        if level == Level::Tier && read.input_tokens == 0 {
            return Err(A::Error::custom(
                "a tier has no \"input_tokens\"; set the number of tokens above which it is for",
            ));
        }
        Ok(read)
    }
}

fn unknown<E: Error>(name: &str, level: Level) -> E {
    let others = match level {
        Level::Model => ", above or service",
        Level::Service => " or above",
        Level::Tier => " or input_tokens",
    };
    let classes: Vec<_> = UsageClass::ALL.iter().map(|class| class.name()).collect();
    E::custom(format_args!("{name:?} is no price; use {}{others}", classes.join(", ")))
}

/// Reads the list of tiers.
struct Tiers(Amounts);

impl<'de> DeserializeSeed<'de> for Tiers {
    type Value = Vec<Tier>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<Tier>, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Tiers {
    type Value = Vec<Tier>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tiers, such as [{\"input_tokens\": 200000, \"input\": …}]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Tier>, A::Error> {
        let mut tiers = Vec::new();
        while let Some(read) = list.next_element_seed(Reading { amounts: self.0, level: Level::Tier })? {
            if tiers.len() >= MAX_TIERS {
                return Err(A::Error::custom(super::InvalidPrices::Tiers));
            }
            tiers.push(Tier { above: read.input_tokens, rates: read.rates });
        }
        tiers.sort_unstable_by_key(|tier| tier.above);
        Ok(tiers)
    }
}

/// Reads the services by name.
struct Services(Amounts);

impl<'de> DeserializeSeed<'de> for Services {
    type Value = Vec<(String, ServicePrices)>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Services {
    type Value = Vec<(String, ServicePrices)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of services, such as {\"priority\": {\"input\": …, \"output\": …}}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut services = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let read = map.next_value_seed(Reading { amounts: self.0, level: Level::Service })?;
            if services.len() >= MAX_SERVICES {
                return Err(A::Error::custom(super::InvalidPrices::Services));
            }
            services.push((name, ServicePrices { base: read.rates, tiers: read.tiers }));
        }
        Ok(services)
    }
}

/// Reads one price.
struct Amount {
    amounts: Amounts,
    class: UsageClass,
}

impl<'de> DeserializeSeed<'de> for Amount {
    type Value = Credits;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Credits, D::Error> {
        match self.amounts {
            Amounts::Micros => from.deserialize_i64(self),
            Amounts::Decimal => from.deserialize_str(self),
        }
    }
}

impl Visitor<'_> for Amount {
    type Value = Credits;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, what) = (
            self.class.name(),
            match self.amounts {
                Amounts::Micros => "a number of micro-credits",
                Amounts::Decimal => "a decimal string such as \"0.5\"",
            },
        );
        write!(f, "{what} as the price \"{name}\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Credits, E> {
        if self.amounts == Amounts::Micros {
            return Err(E::invalid_type(serde::de::Unexpected::Str(text), &self));
        }
        Credits::parse(text)
            .map_err(|why| E::custom(format_args!("\"{}\": {text:?} is {why}", self.class.name())))
    }

    fn visit_i64<E: Error>(self, micros: i64) -> Result<Credits, E> {
        if self.amounts == Amounts::Decimal || micros < 0 {
            return Err(E::invalid_value(serde::de::Unexpected::Signed(micros), &self));
        }
        Ok(Credits::from_micros(micros))
    }

    fn visit_u64<E: Error>(self, micros: u64) -> Result<Credits, E> {
        self.visit_i64(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

/// Writes an object.
struct Writing<'a> {
    amounts: Amounts,
    input_tokens: Option<u64>,
    rates: &'a Rates,
    tiers: &'a [Tier],
    services: &'a [(String, ServicePrices)],
}

impl<'a> Writing<'a> {
    fn model(prices: &'a ModelPrices, amounts: Amounts) -> Self {
        let ModelPrices { base, tiers, services } = prices;
        Self { amounts, input_tokens: None, rates: base, tiers, services }
    }

    fn service(&self, service: &'a ServicePrices) -> Self {
        let ServicePrices { base, tiers } = service;
        Self { amounts: self.amounts, input_tokens: None, rates: base, tiers, services: &[] }
    }

    fn tier(&self, tier: &'a Tier) -> Self {
        let input_tokens = Some(tier.above);
        Self { amounts: self.amounts, input_tokens, rates: &tier.rates, tiers: &[], services: &[] }
    }
}

impl Serialize for Writing<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        if let Some(tokens) = self.input_tokens {
            map.serialize_entry("input_tokens", &tokens)?;
        }
        for (class, price) in self.rates.iter() {
            match self.amounts {
                Amounts::Micros => map.serialize_entry(class.name(), &price)?,
                Amounts::Decimal => map.serialize_entry(class.name(), &price.to_string())?,
            }
        }
        if !self.tiers.is_empty() {
            let tiers: Vec<_> = self.tiers.iter().map(|tier| self.tier(tier)).collect();
            map.serialize_entry("above", &tiers)?;
        }
        if !self.services.is_empty() {
            map.serialize_entry("service", &ServiceMap(self))?;
        }
        map.end()
    }
}

/// Writes the services by name.
struct ServiceMap<'a>(&'a Writing<'a>);

impl Serialize for ServiceMap<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.services.iter().map(|(name, service)| (name, self.0.service(service))))
    }
}
