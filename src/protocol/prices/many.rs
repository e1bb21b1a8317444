//! What several requests come to together, and prices under a factor. Only the ledger and its command line reckon so.

use super::{ModelPrices, Rates, ServicePrices, Sum, Tier};
use crate::Credits;
use crate::metering::Quantities;

impl ModelPrices {
    /// What so many requests come to in no service that used `quantities` together: rounded up once, at most
    /// [`MAX_AMOUNT`](crate::credits::MAX_AMOUNT). Their mean input chooses the tier. `None` where a class was used that has
    /// no price.
    pub fn cost_of_many(&self, quantities: &Quantities, requests: u64) -> Option<Credits> {
        let layers = self.layers(None, quantities.input().div_ceil(requests.max(1)));
        let mut sum = Sum::of(Credits::ZERO);
        for (class, count) in quantities.iter() {
            sum.add(layers.price(class)?, count, class.is_tokens());
        }
        Some(sum.rounded_up())
    }

    /// Every price times a factor in millionths, rounded up. It may be above what [`ModelPrices::check`] allows.
    #[must_use]
    pub fn scaled(&self, factor: Credits) -> Self {
        let service = |(name, service): &(String, ServicePrices)| {
            let ServicePrices { base, tiers } = service;
            (name.clone(), ServicePrices { base: base.scaled(factor), tiers: scaled(tiers, factor) })
        };
        let services = self.services.iter().map(service).collect();
        Self { base: self.base.scaled(factor), tiers: scaled(&self.tiers, factor), services }
    }
}

impl Rates {
    fn scaled(&self, factor: Credits) -> Self {
        let mut scaled = Self::default();
        for (class, price) in self.iter() {
            scaled.set(class, price.scaled(factor));
        }
        scaled
    }
}

fn scaled(tiers: &[Tier], factor: Credits) -> Vec<Tier> {
    tiers.iter().map(|tier| Tier { above: tier.above, rates: tier.rates.scaled(factor) }).collect()
}
