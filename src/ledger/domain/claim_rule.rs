//! What a claim of an identity lets its owner do in the console.

use super::access::AccessScope;

/// The most rules of a ledger.
pub const MAX_RULES: usize = 64;
/// The longest name or value of a claim, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// Who has this value in this claim has this scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRule {
    /// The claim's name, such as `groups`.
    pub claim: String,
    /// The value.
    pub value: String,
    /// What it lets do.
    pub scope: AccessScope,
}

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no rule; write CLAIM=VALUE:SCOPE, such as groups=faregate-admins:admin, with the scope read, support, billing or admin"
)]
pub struct InvalidRule(String);

impl ClaimRule {
    /// Reads `CLAIM=VALUE:SCOPE`. The value may have colons, the claim's name none of `=`.
    pub fn parse(text: &str) -> Result<Self, InvalidRule> {
        let invalid = || InvalidRule(text.chars().take(80).collect());
        let (claim, rest) = text.split_once('=').ok_or_else(invalid)?;
        let (value, scope) = rest.rsplit_once(':').ok_or_else(invalid)?;
        let scope = AccessScope::ALL.into_iter().find(|known| known.as_str() == scope).ok_or_else(invalid)?;
        let is_text = |text: &str| {
            !text.trim().is_empty() && text.len() <= MAX_TEXT_BYTES && !text.chars().any(char::is_control)
        };
        if !is_text(claim) || !is_text(value) {
            return Err(invalid());
        }
        Ok(Self { claim: claim.to_owned(), value: value.to_owned(), scope })
    }
}

/// The rule that lets do the most, of those that fit: `values` gives the values of a claim.
pub fn widest<'a, 'v>(
    rules: &'a [ClaimRule],
    values: impl Fn(&str) -> Vec<&'v str>,
) -> Option<&'a ClaimRule> {
    let fitting = rules.iter().filter(|rule| values(&rule.claim).contains(&rule.value.as_str()));
    fitting.max_by_key(|rule| rule.scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_a_claim_a_value_and_a_scope() {
        let rule = ClaimRule::parse("groups=faregate-admins:admin").unwrap();
        assert_eq!((rule.claim.as_str(), rule.value.as_str()), ("groups", "faregate-admins"));
        assert_eq!(rule.scope, AccessScope::Admin);
        let rule = ClaimRule::parse("https://example.com/roles=urn:x=y:read").unwrap();
        assert_eq!((rule.claim.as_str(), rule.value.as_str()), ("https://example.com/roles", "urn:x=y"));
        for wrong in [
            "",
            "groups",
            "groups=a",
            "groups=a:owner",
            "=a:read",
            "groups=:read",
            "groups=a:",
            "g=a\u{7}:read",
        ] {
            assert!(ClaimRule::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_widest_rule_that_fits_counts() {
        let rules: Vec<_> = ["groups=all:read", "groups=money:billing", "role=boss:admin"]
            .iter()
            .map(|rule| ClaimRule::parse(rule).unwrap())
            .collect();
        let of = |groups: &'static [&'static str]| {
            let found = widest(&rules, |claim| if claim == "groups" { groups.to_vec() } else { Vec::new() });
            found.map(|rule| rule.scope)
        };
        assert_eq!(of(&["money", "all"]), Some(AccessScope::Billing));
        assert_eq!(of(&["all"]), Some(AccessScope::Read));
        assert_eq!(of(&["boss", "All", ""]), None);
    }
}
