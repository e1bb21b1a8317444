//! The prices of one model while they are gathered from a list's fields, in any order.
//!
//! What must hold: a tier has every price that a lower tier has, because the lists say from where on a price is for, class by
//! class, and a request takes all prices of one tier.

use faregate_protocol::Credits;
use faregate_protocol::metering::UsageClass;
use faregate_protocol::prices::{ModelPrices, Rates, ServicePrices, Tier};

/// What a price is for, beside its class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// The service; `None`: all that have no price of their own.
    pub service: Option<&'a str>,
    /// The number of input tokens above which it is for; zero: from the first one on.
    pub above: u64,
}

/// The prices gathered so far.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    prices: Vec<Gathered>,
    left_out: Vec<String>,
    lost_input: bool,
    lost_output: bool,
    refused: Option<String>,
}

#[derive(Clone, Debug)]
struct Gathered {
    service: Option<String>,
    above: u64,
    class: UsageClass,
    price: Credits,
}

impl Draft {
    /// Adds a price. Of two for one class and place the dearer counts.
    pub fn put(&mut self, place: Place<'_>, class: UsageClass, price: Credits) {
        match self.at(place, class) {
            Some(there) => there.price = there.price.max(price),
            None => self.prices.push(Gathered {
                service: place.service.map(str::to_owned),
                above: place.above,
                class,
                price,
            }),
        }
    }

    /// Adds the prices of classes that have none in their service yet.
    pub fn add_new(&mut self, other: Self) {
        let is_new = |one: &Gathered| !self.has(one.service.as_deref(), one.class);
        let added: Vec<_> = other.prices.into_iter().filter(is_new).collect();
        self.prices.extend(added);
        self.left_out.extend(other.left_out);
        self.refused = self.refused.take().or(other.refused);
    }

    /// Makes the model one that can't be imported, for a reason: the first one counts.
    pub fn refuse(&mut self, why: String) {
        self.refused.get_or_insert(why);
    }

    /// Whether there is no price yet.
    pub fn is_empty(&self) -> bool {
        self.prices.is_empty()
    }

    /// Whether a class has a price of its own in a service, or with `None` in no service.
    pub fn has(&self, service: Option<&str>, class: UsageClass) -> bool {
        self.prices.iter().any(|one| one.service.as_deref() == service && one.class == class)
    }

    /// Notes a price that has no class. `input` or `output`: that the model's input or output is priced so.
    pub fn leave_out(&mut self, why: String, input: bool, output: bool) {
        self.lost_input |= input;
        self.lost_output |= output;
        self.left_out.push(why);
    }

    /// What to know of the model: that it is free, or what was left out.
    pub fn notes(&self) -> Vec<String> {
        let free = !self.prices.iter().any(|one| one.price.is_positive());
        let free = free.then(|| "all of its prices are zero".to_owned());
        let left_out = self.left_out().into_iter().map(|what| format!("without {what}"));
        free.into_iter().chain(left_out).collect()
    }

    /// What was left out, each once.
    fn left_out(&self) -> Vec<String> {
        let mut left_out = self.left_out.clone();
        left_out.sort();
        left_out.dedup();
        left_out
    }

    /// The prices, and what is wrong with them as a sentence's end. A model whose input or output is priced in a unit that
    /// isn't counted, and not in another one as well, can't be charged for.
    pub fn build(&self) -> Result<ModelPrices, String> {
        if let Some(why) = &self.refused {
            return Err(why.clone());
        }
        if self.prices.is_empty() && self.left_out.is_empty() {
            return Err("it has no price".to_owned());
        }
        if self.prices.is_empty() || self.lost(self.lost_input, true) || self.lost(self.lost_output, false) {
            return Err(format!("it is priced by what isn't counted: {}", self.left_out().join("; ")));
        }
        self.without_repetitions().prices()
    }

    /// The prices without those of a class that repeat the price of the class it is like: where a tier or a service names only
    /// that one, it is for both.
    fn without_repetitions(&self) -> Self {
        let standard = |class| {
            let mut prices = self.prices.iter();
            prices
                .find(|one| one.service.is_none() && one.above == 0 && one.class == class)
                .map(|one| one.price)
        };
        let repeats = |one: &Gathered| {
            let special =
                matches!(one.class, UsageClass::Reasoning | UsageClass::AudioInput | UsageClass::ImageInput);
            special
                && one.service.is_none()
                && one.above == 0
                && one.class.like().and_then(standard) == Some(one.price)
        };
        let prices = self.prices.iter().filter(|one| !repeats(one)).cloned().collect();
        Self { prices, ..Self::default() }
    }

    fn prices(&self) -> Result<ModelPrices, String> {
        let (base, tiers) = self.of(None);
        let mut services: Vec<(String, ServicePrices)> = Vec::new();
        for name in self.prices.iter().filter_map(|one| one.service.as_ref()) {
            if !services.iter().any(|(known, _)| known == name) {
                let (base, tiers) = self.of(Some(name));
                services.push((name.clone(), ServicePrices { base, tiers }));
            }
        }
        let prices = ModelPrices { base, tiers, services };
        prices.check().map(|()| prices).map_err(|why| why.to_string())
    }

    fn at(&mut self, place: Place<'_>, class: UsageClass) -> Option<&mut Gathered> {
        let Place { service, above } = place;
        let same = |one: &&mut Gathered| {
            one.service.as_deref() == service && one.above == above && one.class == class
        };
        self.prices.iter_mut().find(same)
    }

    /// Whether a direction has a price that was left out, and none that is counted.
    fn lost(&self, left_out: bool, input: bool) -> bool {
        let counted = |class: UsageClass| !class.is_tokens() || class.is_input() == input;
        left_out && !self.prices.iter().any(|one| counted(one.class) && one.price.is_positive())
    }

    /// The prices of one service, or of none.
    fn of(&self, service: Option<&str>) -> (Rates, Vec<Tier>) {
        let prices = || self.prices.iter().filter(|one| one.service.as_deref() == service);
        let up_to = |above: u64| {
            let mut within: Vec<_> = prices().filter(|one| one.above <= above).collect();
            within.sort_by_key(|one| one.above);
            let mut rates = Rates::default();
            for one in within {
                rates.set(one.class, one.price);
            }
            // Audio read from a cache is like text read from one; where that has no price, it is like other audio.
            let cached = [UsageClass::CacheRead, UsageClass::AudioCacheRead];
            let priced = |class| self.has(service, class) || self.has(None, class);
            if let Some(price) = rates.get(UsageClass::AudioInput).filter(|_| !cached.into_iter().any(priced))
            {
                rates.set(UsageClass::AudioCacheRead, price);
            }
            rates
        };
        let mut thresholds: Vec<_> = prices().map(|one| one.above).filter(|above| *above > 0).collect();
        thresholds.sort_unstable();
        thresholds.dedup();
        let base = up_to(0);
        let tiers = thresholds.into_iter().map(|above| Tier { above, rates: without(up_to(above), base) });
        (base, tiers.collect())
    }
}

/// The rates without those that are the base's anyway.
fn without(rates: Rates, base: Rates) -> Rates {
    let mut own = Rates::default();
    for (class, price) in rates.iter().filter(|(class, price)| base.get(*class) != Some(*price)) {
        own.set(class, price);
    }
    own
}
