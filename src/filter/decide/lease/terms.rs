//! A payer's products and prices, as bytes in its record, so that a charge reads nothing else.
//!
//! What must hold: a rule without a product is open to everybody, at its own price.

use faregate_protocol::exchange::{Pricing, Product};
use faregate_protocol::{Credits, RefusalCode};

/// A plan's products as bytes.
pub fn encode(products: &[Product]) -> Vec<u8> {
    let mut out = Vec::new();
    for Product { name, pricing } in products {
        let (kind, amount) = match pricing {
            Pricing::List => (0, Credits::ZERO),
            Pricing::Times(factor) => (1, *factor),
            Pricing::Fixed(price) => (2, *price),
        };
        push(&mut out, name);
        out.push(kind);
        out.extend(amount.micros().to_le_bytes());
    }
    out
}

/// The products that a key is limited to, as bytes.
pub fn encode_names(names: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    for name in names {
        push(&mut out, name);
    }
    out
}

/// The products in these bytes.
pub fn decode(bytes: &[u8]) -> Option<Vec<Product>> {
    let product = |entry: Option<(&[u8], Pricing)>| {
        let (name, pricing) = entry?;
        Some(Product { name: String::from_utf8(name.to_vec()).ok()?, pricing })
    };
    Products(bytes).map(product).collect()
}

/// The names in these bytes.
pub fn decode_names(bytes: &[u8]) -> Option<Vec<String>> {
    Names(bytes).map(|name| String::from_utf8(name?.to_vec()).ok()).collect()
}

/// What a request for a product costs this payer if the rule's price is `price`, or why it is refused.
///
/// # Errors
/// The cause of the refusal.
pub fn price(
    product: &str,
    price: Credits,
    of_plan: Option<&[u8]>,
    of_key: Option<&[u8]>,
) -> Result<Credits, RefusalCode> {
    if of_key.is_some_and(|names| !Names(names).flatten().any(|name| name == product.as_bytes())) {
        return Err(RefusalCode::KeyExcludesRoute);
    }
    let Some(products) = of_plan else {
        return Ok(price);
    };
    let found = Products(products).flatten().find(|(name, _)| *name == product.as_bytes());
    found.map(|(_, pricing)| pricing.of(price)).ok_or(RefusalCode::PlanExcludesRoute)
}

fn push(out: &mut Vec<u8>, name: &str) {
    let len = u8::try_from(name.len()).unwrap_or(0);
    out.push(len);
    out.extend(name.bytes().take(usize::from(len)));
}

/// Walks names; `None` means malformed bytes.
struct Names<'a>(&'a [u8]);

impl<'a> Iterator for Names<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let (len, rest) = self.0.split_first()?;
        let parts = rest.split_at_checked(usize::from(*len));
        self.0 = parts.map(|(_, rest)| rest).unwrap_or_default();
        Some(parts.map(|(name, _)| name))
    }
}

/// Walks products; `None` means malformed bytes.
struct Products<'a>(&'a [u8]);

impl<'a> Products<'a> {
    fn read(&mut self) -> Option<(&'a [u8], Pricing)> {
        let mut names = Names(self.0);
        let name = names.next()??;
        let (kind, rest) = names.0.split_first()?;
        let (amount, rest) = rest.split_first_chunk::<8>()?;
        let amount = Credits::from_micros(i64::from_le_bytes(*amount));
        self.0 = rest;
        let pricing = match kind {
            0 => Pricing::List,
            1 if amount.is_positive() => Pricing::Times(amount),
            2 if amount.is_positive() => Pricing::Fixed(amount),
            _ => return None,
        };
        Some((name, pricing))
    }
}

impl<'a> Iterator for Products<'a> {
    type Item = Option<(&'a [u8], Pricing)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_none() {
            self.0 = &[];
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn credits(n: i64) -> Credits {
        Credits::from_micros(n)
    }

    fn product(name: &str, pricing: Pricing) -> Product {
        Product { name: name.into(), pricing }
    }

    #[test]
    fn a_plan_decides_which_products_are_included_and_their_prices() {
        let plan = encode(&[
            product("chat", Pricing::List),
            product("embed", Pricing::Times(credits(500_000))),
            product("image", Pricing::Fixed(credits(40))),
        ]);
        let cost = |name| price(name, credits(7), Some(&plan), None);
        assert_eq!(cost("chat"), Ok(credits(7)));
        assert_eq!(cost("embed"), Ok(credits(4)), "rounded up");
        assert_eq!(cost("image"), Ok(credits(40)));
        assert_eq!(cost("video"), Err(RefusalCode::PlanExcludesRoute));
        assert_eq!(price("video", credits(7), None, None), Ok(credits(7)), "no plan: everything is open");
        assert_eq!(price("chat", credits(7), Some(&[]), None), Err(RefusalCode::PlanExcludesRoute));
    }

    #[test]
    fn a_key_may_narrow_the_products_of_its_plan() {
        let plan = encode(&[product("chat", Pricing::Fixed(credits(2))), product("embed", Pricing::List)]);
        let key = encode_names(&["chat".to_owned(), "video".to_owned()]);
        let cost = |name| price(name, credits(7), Some(&plan), Some(&key));
        assert_eq!(cost("chat"), Ok(credits(2)));
        assert_eq!(cost("embed"), Err(RefusalCode::KeyExcludesRoute));
        assert_eq!(cost("video"), Err(RefusalCode::PlanExcludesRoute), "the plan has the last word");
    }

    #[test]
    fn a_price_that_is_not_positive_is_rejected_and_opens_no_route() {
        for pricing in
            [Pricing::Fixed(Credits::ZERO), Pricing::Times(Credits::ZERO), Pricing::Fixed(credits(-1))]
        {
            let plan = encode(&[product("chat", pricing)]);
            assert_eq!(decode(&plan), None, "{pricing:?}");
            assert!(price("chat", credits(7), Some(&plan), None).is_err(), "{pricing:?}");
        }
    }

    proptest! {
        #[test]
        fn encoded_terms_round_trip(
            products in proptest::collection::vec(("[a-z0-9.]{1,64}", 0..3, 1_i64..i64::MAX), 0..40),
        ) {
            let pricing = |kind, amount| match kind {
                0 => Pricing::List,
                1 => Pricing::Times(credits(amount)),
                _ => Pricing::Fixed(credits(amount)),
            };
            let products: Vec<Product> =
                products.into_iter().map(|(name, kind, amount)| product(&name, pricing(kind, amount))).collect();
            let names: Vec<String> = products.iter().map(|product| product.name.clone()).collect();
            prop_assert_eq!(decode_names(&encode_names(&names)), Some(names));
            prop_assert_eq!(decode(&encode(&products)), Some(products));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = (decode(&bytes), decode_names(&bytes), price("a", Credits::ZERO, Some(&bytes), Some(&bytes)));
        }
    }
}
