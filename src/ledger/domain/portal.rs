//! What customers see of an account in the portal: why they aren't let in, and what they can do about a refusal.
//!
//! Pure: words and limits.

use crate::api::Finding;
use faregate_protocol::RefusalCode;
use jiff::SignedDuration;

/// What the trail calls a customer. No operator may have this name.
pub const CUSTOMER: &str = "customer";
/// How long a link may be used when nothing else is said.
pub const LINK_LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// The shortest time.
pub const MIN_LINK_LIFETIME: SignedDuration = SignedDuration::from_secs(30);
/// The longest time.
pub const MAX_LINK_LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// Why a customer isn't let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortalRefusal {
    /// There is no such link, or its time is over.
    UnknownLink,
    /// The link was used before.
    UsedLink,
    /// The account is closed.
    Closed,
    /// The subject belongs to no account, or not to this one any more.
    UnknownSubject,
}

/// What is the matter with requests that are refused with this code, for people.
pub fn title(code: &str) -> &'static str {
    RefusalCode::named(code).map_or("Refused", RefusalCode::title)
}

/// What a customer can do about them, the best first.
pub fn cures(code: &str) -> Vec<&'static str> {
    let remedies =
        RefusalCode::named(code).map_or([("contact_operator", "")].as_slice(), RefusalCode::remedies);
    remedies.iter().map(|(action, _)| in_words(action)).collect()
}

/// Whether more credits, or another plan, may help.
pub fn helps(code: &str, action: &str) -> bool {
    RefusalCode::named(code).is_some_and(|code| code.remedies().iter().any(|(known, _)| *known == action))
}

fn in_words(action: &str) -> &'static str {
    match action {
        "send_key" => "Send one of your keys that works.",
        "top_up" => "Top up.",
        "pay_invoice" => "Pay the open invoice.",
        "wait" => "Wait for the next period.",
        "upgrade_plan" => "Change to a larger plan.",
        "raise_budget" => "Ask for a larger budget.",
        "reduce_cost" => "Send cheaper requests.",
        "retry" => "Send fewer requests at a time, and repeat those that were refused.",
        "use_successor" => "Use what has taken its place.",
        "change_request" => "Change the request: the refusal says what is wrong with it.",
        "choose_model" => "Choose a model of the price list.",
        _ => "Ask support.",
    }
}

/// What is wrong with an account, as its customer reads it: nothing of how the ledger keeps credits.
pub fn what(finding: &Finding) -> String {
    finding
        .what
        .replace("in leases of gateways", "set aside for requests")
        .replace("in leases", "set aside for requests")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_remedy_has_words_of_its_own_and_no_command() {
        for code in RefusalCode::ALL {
            let cures = cures(code.as_str());
            assert_eq!(cures.len(), code.remedies().len());
            for ((action, _), words) in code.remedies().iter().zip(cures) {
                assert!(!words.contains("faregate"), "{words}");
                assert_eq!(words == "Ask support.", *action == "contact_operator", "{action}");
            }
        }
        assert_eq!(cures("of another version"), ["Ask support."]);
        assert!(helps("quota_exhausted", "upgrade_plan") && !helps("quota_exhausted", "send_key"));
    }

    #[test]
    fn customers_read_nothing_of_leases() {
        let finding = |what: &str| Finding {
            code: "insufficient_funds".into(),
            what: what.into(),
            cure: String::new(),
        };
        let shown = what(&finding("1 credits can be spent; 3 are in leases of gateways"));
        assert_eq!(shown, "1 credits can be spent; 3 are set aside for requests");
        let shown = what(&finding("0 of the team's budget of 5 credits are left; 4 are spent, 1 in leases"));
        assert!(shown.ends_with("1 set aside for requests"), "{shown}");
    }
}
