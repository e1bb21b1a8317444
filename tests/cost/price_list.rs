//! What it costs to answer `GET /.well-known/faregate` where there are a thousand rules: the list is written once.

use crate::gateway::Gateway;
use crate::ledger::Ledger;
use crate::steps::{Bill, configuration, count, head};

const RULES: usize = 1_000;

/// Two calls without a key, one after the other.
pub fn calls() -> Bill {
    let mut config = configuration(RULES - 2);
    config["publish_prices"] = true.into();
    let mut gateway = Gateway::start(&config);
    gateway.lives(2_000, &mut Ledger::default());
    let mut head = head("/.well-known/faregate", "");
    head.retain(|(name, _)| *name != "x-api-key");
    let mut bill = Bill::new();
    for step in ["a price list is shown", "a price list is shown again"] {
        let (request, goes_on) = count(&mut gateway, &mut bill, step, |gateway| gateway.arrives(&head));
        assert!(!goes_on);
        let ended = gateway.ends(request, 0);
        assert_eq!(ended.note.as_deref(), Some("faregate{decision=shown}"));
    }
    bill
}
