//! What one version of a plan says, and how another comes of it.
//!
//! What must hold: terms that contradict themselves never become a version ([`Terms::checked`]).

use super::AccountId;
use super::period::{Anchor, Rhythm, Unit};
use super::policy::{OveragePolicy, Remainder};
pub use crate::api::Edit;
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Limits, MAX_AMOUNT, MAX_LIMIT, MAX_PRODUCTS, Pricing, Product, Rate};
use jiff::tz::TimeZone;

/// What one version of a plan says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Credits per period; above zero.
    pub quota: Credits,
    /// Its periods.
    pub rhythm: Rhythm,
    /// The most that is taken over into the next period.
    pub rollover: Credits,
    /// What pays when the quota is used up.
    pub overage: OveragePolicy,
    /// The most that may be overdrawn per period; zero unless that is what pays.
    pub overdraft: Credits,
    /// What the whole account may do, all gateways together.
    pub limits: Limits,
    /// Which products are included; all when absent.
    pub products: Option<Vec<Product>>,
    /// Whose is what a gateway that died had not reported.
    pub remainder: Remainder,
    /// Below how much callers are to be warned; above zero.
    pub warn_below: Option<Credits>,
    /// A balance below this is announced as low; zero for never. The default, when absent.
    pub alert_below: Option<Credits>,
}

/// What is to be different; the rest stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Credits per period.
    pub quota: Option<Credits>,
    /// What periods are counted in.
    pub unit: Option<Unit>,
    /// So many of these make a period.
    pub every: Option<u16>,
    /// Where periods begin.
    pub anchor: Option<Anchor>,
    /// In which time zone.
    pub zone: Option<TimeZone>,
    /// The most that is taken over.
    pub rollover: Option<Credits>,
    /// What pays when the quota is used up.
    pub overage: Option<OveragePolicy>,
    /// The most that may be overdrawn.
    pub overdraft: Option<Credits>,
    /// Thousandths of a request per second.
    pub rate: Edit<u32>,
    /// How many requests at once after a pause; without one it follows the rate.
    pub burst: Edit<u32>,
    /// How many requests at the same time.
    pub concurrent: Edit<u32>,
    /// Which products are included.
    pub products: Edit<Vec<Product>>,
    /// Whose is what a gateway that died had not reported.
    pub remainder: Option<Remainder>,
    /// Below how much callers are to be warned.
    pub warn_below: Edit<Credits>,
    /// Below how much a balance is announced as low.
    pub alert_below: Edit<Credits>,
}

/// Why terms can't be: the field, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct InvalidField {
    /// Its name.
    pub field: &'static str,
    /// What is wrong, and what to do.
    pub why: String,
}

impl InvalidField {
    pub(super) fn new(field: &'static str, why: impl Into<String>) -> Self {
        Self { field, why: why.into() }
    }
}

impl Terms {
    /// Only a quota per period.
    pub fn plain(quota: Credits, rhythm: Rhythm) -> Self {
        Self {
            quota,
            rhythm,
            rollover: Credits::ZERO,
            overage: OveragePolicy::Bought,
            overdraft: Credits::ZERO,
            limits: Limits::default(),
            products: None,
            remainder: Remainder::Customer,
            warn_below: None,
            alert_below: None,
        }
    }

    /// The same with some changes.
    pub fn changed(&self, changes: &Changes) -> Result<Self, InvalidField> {
        let Rhythm { unit, every, anchor, zone } = &self.rhythm;
        let overage = changes.overage.unwrap_or(self.overage);
        let kept = if overage == OveragePolicy::Overdraft { self.overdraft } else { Credits::ZERO };
        let terms = Self {
            quota: changes.quota.unwrap_or(self.quota),
            rhythm: Rhythm {
                unit: changes.unit.unwrap_or(*unit),
                every: changes.every.unwrap_or(*every),
                anchor: changes.anchor.unwrap_or(*anchor),
                zone: changes.zone.as_ref().unwrap_or(zone).clone(),
            },
            rollover: changes.rollover.unwrap_or(self.rollover),
            overage,
            overdraft: changes.overdraft.unwrap_or(kept),
            limits: Limits {
                rate: self.rate(changes)?,
                concurrent: changes.concurrent.of(self.limits.concurrent.as_ref()),
            },
            products: changes.products.of(self.products.as_ref()),
            remainder: changes.remainder.unwrap_or(self.remainder),
            warn_below: changes.warn_below.of(self.warn_below.as_ref()),
            alert_below: changes.alert_below.of(self.alert_below.as_ref()),
        };
        terms.checked()
    }

    fn rate(&self, changes: &Changes) -> Result<Option<Rate>, InvalidField> {
        let old = self.limits.rate;
        let Some(milli_per_s) = changes.rate.of(old.map(|rate| rate.milli_per_s).as_ref()) else {
            return match changes.burst {
                Edit::Set(_) => {
                    Err(InvalidField::new("burst", "is nothing without a rate; give rate_per_second, too"))
                }
                _ => Ok(None),
            };
        };
        // A burst that was never set follows the rate.
        let set = old.filter(|rate| rate.burst != usual_burst(rate.milli_per_s)).map(|rate| rate.burst);
        let burst = changes.burst.of(set.as_ref()).unwrap_or_else(|| usual_burst(milli_per_s));
        Ok(Some(Rate { milli_per_s, burst }))
    }

    /// The same, when nothing contradicts itself.
    pub fn checked(self) -> Result<Self, InvalidField> {
        self.check_overdraft()?;
        self.check_limits()?;
        if let Some(products) = &self.products {
            check_products(products)?;
        }
        self.check_warning()?;
        Ok(self)
    }

    fn check_overdraft(&self) -> Result<(), InvalidField> {
        let wrong = |why: String| Err(InvalidField::new("overdraft", why));
        match (self.overage, self.overdraft) {
            (OveragePolicy::Overdraft, most) if !most.is_positive() => {
                wrong("is missing or zero; say the most that may be overdrawn per period".into())
            }
            (_, most) if most > MAX_AMOUNT => wrong(format!("is {most}; the most is {MAX_AMOUNT}")),
            (OveragePolicy::Overdraft, _) => Ok(()),
            (_, most) if most.is_zero() => Ok(()),
            _ => wrong(
                "is only for a plan beyond whose quota there is one; set beyond to \"overdraft\"".into(),
            ),
        }
    }

    fn check_warning(&self) -> Result<(), InvalidField> {
        match self.warn_below {
            Some(least) if !least.is_positive() || least > MAX_AMOUNT => {
                let why = format!(
                    "is {least}; it must be above zero, and at most {MAX_AMOUNT}; leave it out for no warning"
                );
                return Err(InvalidField::new("warn_below", why));
            }
            _ => {}
        }
        match self.alert_below {
            Some(below) if below > MAX_AMOUNT => {
                Err(InvalidField::new("alert_below", format!("is {below}; the most is {MAX_AMOUNT}")))
            }
            _ => Ok(()),
        }
    }

    fn check_limits(&self) -> Result<(), InvalidField> {
        let within = |field, number: Option<u32>| match number {
            None | Some(1..=MAX_LIMIT) => Ok(()),
            Some(found) => Err(InvalidField::new(field, format!("is {found}; it must be 1 to {MAX_LIMIT}"))),
        };
        if let Some(Rate { milli_per_s, .. }) = self.limits.rate
            && !(1..=MAX_LIMIT.saturating_mul(1_000)).contains(&milli_per_s)
        {
            let why = format!("must be 0.001 to {MAX_LIMIT}; leave it out for no limit");
            return Err(InvalidField::new("rate_per_second", why));
        }
        within("burst", self.limits.rate.map(|rate| rate.burst))?;
        within("concurrent", self.limits.concurrent)
    }
}

/// The default burst, in requests: what a second brings.
pub fn usual_burst(milli_per_s: u32) -> u32 {
    milli_per_s.div_ceil(1_000).max(1)
}

fn check_products(products: &[Product]) -> Result<(), InvalidField> {
    let wrong = |why: String| Err(InvalidField::new("products", why));
    if products.is_empty() {
        return wrong("is empty; name those that are included, or leave it out for all".into());
    }
    if products.len() > MAX_PRODUCTS {
        return wrong(format!("has {} entries; the most is {MAX_PRODUCTS}", products.len()));
    }
    for (at, Product { name, pricing }) in products.iter().enumerate() {
        if AccountId::parse(name).is_err() {
            let name: String = name.chars().take(80).collect();
            return wrong(format!(
                "{name:?} is no product's name; use 1 to 64 of a-z, 0-9, _, . and -, beginning with a letter or digit"
            ));
        }
        if products.iter().take(at).any(|other| other.name == *name) {
            return wrong(format!("{name} is there twice; name it once"));
        }
        let (Pricing::Times(number) | Pricing::Fixed(number)) = *pricing else { continue };
        if !number.is_positive() || number > MAX_AMOUNT {
            let what = if matches!(pricing, Pricing::Fixed(_)) { "price" } else { "times" };
            return wrong(format!(
                "{name}: {what} is {number}; it must be above zero, and at most {MAX_AMOUNT}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::period;

    fn plain() -> Terms {
        let zone = period::zone("UTC").unwrap();
        let rhythm = Rhythm { unit: Unit::Month, every: 1, anchor: Anchor::Start, zone };
        Terms::plain(Credits::from_micros(1), rhythm)
    }

    fn product(name: &str, pricing: Pricing) -> Product {
        Product { name: name.into(), pricing }
    }

    #[test]
    fn an_unset_burst_follows_the_rate() {
        let slow = plain().changed(&Changes { rate: Edit::Set(1_500), ..Changes::default() }).unwrap();
        assert_eq!(slow.limits.rate, Some(Rate { milli_per_s: 1_500, burst: 2 }));
        let fast = slow.changed(&Changes { rate: Edit::Set(20_000), ..Changes::default() }).unwrap();
        assert_eq!(fast.limits.rate, Some(Rate { milli_per_s: 20_000, burst: 20 }));
        let set = fast.changed(&Changes { burst: Edit::Set(50), ..Changes::default() }).unwrap();
        let other = set.changed(&Changes { rate: Edit::Set(100), ..Changes::default() }).unwrap();
        assert_eq!(other.limits.rate, Some(Rate { milli_per_s: 100, burst: 50 }));
        let unset = other.changed(&Changes { burst: Edit::Remove, ..Changes::default() }).unwrap();
        assert_eq!(unset.limits.rate, Some(Rate { milli_per_s: 100, burst: 1 }));
        let none = unset.changed(&Changes { rate: Edit::Remove, ..Changes::default() }).unwrap();
        assert!(none.limits.is_none());
    }

    #[test]
    fn the_overdraft_is_cleared_with_its_overage_policy() {
        let most = Some(Credits::from_micros(5));
        let open = Changes { overage: Some(OveragePolicy::Overdraft), overdraft: most, ..Changes::default() };
        let open = plain().changed(&open).unwrap();
        assert_eq!(open.overdraft, Credits::from_micros(5));
        let shut =
            open.changed(&Changes { overage: Some(OveragePolicy::Refuse), ..Changes::default() }).unwrap();
        assert_eq!(shut.overdraft, Credits::ZERO);
    }

    #[test]
    fn contradictory_terms_are_rejected_by_field() {
        let set = |products| Changes { products: Edit::Set(products), ..Changes::default() };
        let cases = [
            ("burst", Changes { burst: Edit::Set(5), ..Changes::default() }),
            ("burst", Changes { rate: Edit::Set(1), burst: Edit::Set(0), ..Changes::default() }),
            ("rate_per_second", Changes { rate: Edit::Set(0), ..Changes::default() }),
            ("rate_per_second", Changes { rate: Edit::Set(1_000_000_001), ..Changes::default() }),
            ("concurrent", Changes { concurrent: Edit::Set(0), ..Changes::default() }),
            ("overdraft", Changes { overage: Some(OveragePolicy::Overdraft), ..Changes::default() }),
            ("overdraft", Changes { overdraft: Some(Credits::from_micros(1)), ..Changes::default() }),
            ("warn_below", Changes { warn_below: Edit::Set(Credits::ZERO), ..Changes::default() }),
            ("products", set(Vec::new())),
            ("products", set(vec![product("No Name", Pricing::List)])),
            ("products", set(vec![product("a", Pricing::List), product("a", Pricing::List)])),
            ("products", set(vec![product("a", Pricing::Times(Credits::ZERO))])),
            ("products", set(vec![product("a", Pricing::Fixed(Credits::ZERO))])),
            ("products", set((0..33).map(|n| product(&format!("p{n}"), Pricing::List)).collect())),
        ];
        for (field, changes) in cases {
            assert_eq!(plain().changed(&changes).unwrap_err().field, field, "{changes:?}");
        }
    }
}
