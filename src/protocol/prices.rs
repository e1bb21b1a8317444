//! What a model costs per class of usage, and what a request comes to: the same code in the filter and in the ledger.
//!
//! What must hold: the context tier is chosen by the whole input, and the whole request takes its prices. A request's cost is
//! one exact sum, rounded up once, so it depends on nothing but the quantities and the prices. No service and no tier makes
//! a class free that has a price somewhere: what they don't name is taken from the prices that they refine.

mod json;
mod many;
#[cfg(test)]
mod tests;

pub use json::decimal;

use crate::Credits;
use crate::credits::MAX_AMOUNT;
use crate::metering::{Quantities, UsageClass};
use std::fmt;

/// The most context tiers of one model, or of one service.
pub const MAX_TIERS: usize = 8;
/// The most services of one model.
pub const MAX_SERVICES: usize = 8;
/// The longest service's name in bytes.
pub const MAX_SERVICE_BYTES: usize = 64;
/// The most tokens that [`ModelPrices::hold`] reckons with in one direction: 10^13; more counts as this much.
pub const MAX_ESTIMATE: u64 = 10_000_000_000_000;
/// The tokens that one price of a token class is for.
const MILLION: u64 = 1_000_000;
/// In [`Rates`]: the class has no price of its own. No price is below zero.
const NONE: i64 = i64::MIN;

/// A price per class: of a class of tokens in micro-credits per million, of another one in micro-credits each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rates([i64; UsageClass::ALL.len()]);

/// The prices of requests whose input is larger than a threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The input tokens, cached and written ones included, above which these prices are for.
    pub above: u64,
    /// A class without a price takes that of the prices that the tier belongs to.
    pub rates: Rates,
}

/// The prices of a model in one service, such as `priority` or `batch`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServicePrices {
    /// The prices below all tiers. A class without a price takes the model's.
    pub base: Rates,
    /// By rising threshold, at most [`MAX_TIERS`].
    pub tiers: Vec<Tier>,
}

/// All prices of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelPrices {
    /// The prices below all tiers, of a request in no service that is listed.
    pub base: Rates,
    /// By rising threshold, at most [`MAX_TIERS`].
    pub tiers: Vec<Tier>,
    /// By name, each once, at most [`MAX_SERVICES`].
    pub services: Vec<(String, ServicePrices)>,
}

/// What is wrong with prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidPrices {
    /// No class has a price.
    Empty,
    /// A price is below zero or above [`MAX_AMOUNT`].
    Rate(UsageClass),
    /// There are more tiers than [`MAX_TIERS`].
    Tiers,
    /// A tier's threshold isn't above the one before, or is zero.
    Order(u64),
    /// There are more services than [`MAX_SERVICES`].
    Services,
    /// A service's name is empty, too long or has a control character in it.
    Name(String),
    /// Two services have this name.
    Twice(String),
}

impl fmt::Display for InvalidPrices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                f.write_str("no class has a price; set \"input\" and \"output\", or \"0\" for what is free")
            }
            Self::Rate(class) => {
                write!(f, "\"{}\" is out of range; set 0 to 1000000000000 credits", class.name())
            }
            Self::Tiers => write!(f, "\"above\" has too many tiers; leave at most {MAX_TIERS}"),
            Self::Order(above) => write!(
                f,
                "\"above\" has {above} \"input_tokens\" out of order; set numbers above 0, each one once, by rising size"
            ),
            Self::Services => write!(f, "\"service\" has too many entries; leave at most {MAX_SERVICES}"),
            Self::Name(name) => write!(
                f,
                "\"service\" has the name {name:?}; use 1 to {MAX_SERVICE_BYTES} bytes without control characters"
            ),
            Self::Twice(name) => write!(f, "\"service\" has {name:?} twice; remove one"),
        }
    }
}

impl std::error::Error for InvalidPrices {}

impl Default for Rates {
    fn default() -> Self {
        Self([NONE; UsageClass::ALL.len()])
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Rates {
    /// The price of a class, if it has one of its own.
    pub fn get(&self, class: UsageClass) -> Option<Credits> {
        self.0
            .get(class as usize)
            .filter(|micros| **micros != NONE)
            .map(|micros| Credits::from_micros(*micros))
    }

    /// Sets the price of a class.
    pub fn set(&mut self, class: UsageClass, price: Credits) {
        if let Some(place) = self.0.get_mut(class as usize) {
            *place = price.micros();
        }
    }

    /// The classes that have a price of their own, with it.
    pub fn iter(&self) -> impl Iterator<Item = (UsageClass, Credits)> + '_ {
        UsageClass::ALL.into_iter().filter_map(|class| self.get(class).map(|price| (class, price)))
    }

    /// Whether no class has a price.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|micros| *micros == NONE)
    }

    fn check(&self) -> Result<(), InvalidPrices> {
        let within = |price: Credits| price >= Credits::ZERO && price <= MAX_AMOUNT;
        self.iter()
            .find(|(_, price)| !within(*price))
            .map_or(Ok(()), |(class, _)| Err(InvalidPrices::Rate(class)))
    }
}

/// The prices that hold for a request, the most special ones first.
#[derive(Clone, Copy)]
struct Layers<'a>([Option<&'a Rates>; 4]);

impl Layers<'_> {
    /// The class's own price in the first layer that has one, else that of the class it is like.
    fn price(&self, class: UsageClass) -> Option<Credits> {
        let mut next = Some(class);
        while let Some(class) = next {
            if let Some(price) = self.0.iter().flatten().find_map(|rates| rates.get(class)) {
                return Some(price);
            }
            next = class.like();
        }
        None
    }

    /// The highest price of a class of tokens in one direction.
    fn dearest(&self, input: bool) -> Credits {
        let classes =
            UsageClass::ALL.into_iter().filter(|class| class.is_tokens() && class.is_input() == input);
        classes.filter_map(|class| self.price(class)).max().unwrap_or(Credits::ZERO)
    }
}

/// An exact sum of prices. Whole micro-credits are held at the type's bound; the part stays below one of them.
struct Sum {
    micros: u64,
    millionths: u64,
}

impl Sum {
    fn of(fixed: Credits) -> Self {
        Self { micros: u64::try_from(fixed.micros()).unwrap_or(0), millionths: 0 }
    }

    /// Adds `price × count`, which is exact as long as `price % 10^6 × count` is below 2^64: up to [`MAX_ESTIMATE`].
    fn add(&mut self, price: Credits, count: u64, tokens: bool) {
        let price = u64::try_from(price.micros()).unwrap_or(0);
        if !tokens {
            self.micros = self.micros.saturating_add(price.saturating_mul(count));
            return;
        }
        let part = (price % MILLION).saturating_mul(count).saturating_add(self.millionths);
        let whole = (price / MILLION).saturating_mul(count).saturating_add(part / MILLION);
        self.micros = self.micros.saturating_add(whole);
        self.millionths = part % MILLION;
    }

    fn rounded_up(self) -> Credits {
        let micros = self.micros.saturating_add(u64::from(self.millionths > 0));
        i64::try_from(micros).map_or(MAX_AMOUNT, |micros| Credits::from_micros(micros).min(MAX_AMOUNT))
    }
}

impl ModelPrices {
    /// What a request comes to that used `quantities`, and costs `fixed` besides: rounded up once, at most
    /// [`MAX_AMOUNT`]. A service that isn't listed costs what no service costs.
    pub fn cost(&self, quantities: &Quantities, service: Option<&str>, fixed: Credits) -> Credits {
        let layers = self.layers(service, quantities.input());
        let mut sum = Sum::of(fixed);
        for (class, count) in quantities.iter() {
            sum.add(layers.price(class).unwrap_or(Credits::ZERO), count, class.is_tokens());
        }
        sum.rounded_up()
    }

    /// How much to hold for a request of at most `input` and `output` tokens: all of them at the dearest prices of their
    /// direction, in the dearest tier that the input may reach. So no request within both costs more, unless it uses
    /// what isn't counted in tokens, or the answer names a service that is dearer. At most [`MAX_ESTIMATE`] tokens each.
    pub fn hold(&self, input: u64, output: u64, service: Option<&str>, fixed: Credits) -> Credits {
        let (input, output) = (input.min(MAX_ESTIMATE), output.min(MAX_ESTIMATE));
        let tiers = self.tiers.iter().chain(self.service(service).into_iter().flat_map(|one| &one.tiers));
        let reached = tiers.map(|tier| tier.above.saturating_add(1)).filter(|from| *from <= input);
        let holds = reached.chain([0]).map(|from| {
            let layers = self.layers(service, from);
            let mut sum = Sum::of(fixed);
            sum.add(layers.dearest(true), input, true);
            sum.add(layers.dearest(false), output, true);
            sum.rounded_up()
        });
        holds.max().unwrap_or(MAX_AMOUNT)
    }

    /// The classes that were used and have no price at all: they cost nothing, which may be an error of the operator's.
    pub fn unpriced<'a>(
        &'a self,
        quantities: &'a Quantities,
        service: Option<&str>,
    ) -> impl Iterator<Item = UsageClass> + 'a {
        let layers = self.layers(service, quantities.input());
        quantities.iter().map(|(class, _)| class).filter(move |class| layers.price(*class).is_none())
    }

    /// Whether all limits are kept.
    ///
    /// # Errors
    /// Names the field of the JSON form, and the cure.
    pub fn check(&self) -> Result<(), InvalidPrices> {
        check(&self.base, &self.tiers)?;
        if self.base.is_empty() {
            return Err(InvalidPrices::Empty);
        }
        if self.services.len() > MAX_SERVICES {
            return Err(InvalidPrices::Services);
        }
        for (at, (name, service)) in self.services.iter().enumerate() {
            if name.is_empty() || name.len() > MAX_SERVICE_BYTES || name.chars().any(char::is_control) {
                return Err(InvalidPrices::Name(name.clone()));
            }
            if self.services.iter().take(at).any(|(other, _)| other == name) {
                return Err(InvalidPrices::Twice(name.clone()));
            }
            check(&service.base, &service.tiers)?;
        }
        Ok(())
    }

    /// Whether a service of this name has prices of its own.
    pub fn has_service(&self, name: &str) -> bool {
        self.service(Some(name)).is_some()
    }

    fn service(&self, name: Option<&str>) -> Option<&ServicePrices> {
        let name = name?;
        self.services.iter().find(|(listed, _)| listed == name).map(|(_, service)| service)
    }

    fn layers(&self, service: Option<&str>, input: u64) -> Layers<'_> {
        let service = self.service(service);
        Layers([
            service.and_then(|one| tier(&one.tiers, input)),
            service.map(|one| &one.base),
            tier(&self.tiers, input),
            Some(&self.base),
        ])
    }
}

/// The prices of the highest tier that an input of so many tokens reaches.
fn tier(tiers: &[Tier], input: u64) -> Option<&Rates> {
    tiers.iter().filter(|tier| input > tier.above).max_by_key(|tier| tier.above).map(|tier| &tier.rates)
}

fn check(base: &Rates, tiers: &[Tier]) -> Result<(), InvalidPrices> {
    base.check()?;
    if tiers.len() > MAX_TIERS {
        return Err(InvalidPrices::Tiers);
    }
    let mut before = 0;
    for tier in tiers {
        if tier.above <= before {
            return Err(InvalidPrices::Order(tier.above));
        }
        before = tier.above;
        tier.rates.check()?;
    }
    Ok(())
}
