//! What became of a subscription, and what is to come, in order.

use crate::api::{Event, EventKind, Subscription};
use crate::http::pages::show::{Html, Zone};
use jiff::Timestamp;

/// A moment of it.
#[derive(Debug)]
pub struct Moment {
    /// When.
    pub at: Html,
    /// What happened, or will.
    pub what: Html,
    /// Whether it lies ahead.
    pub is_to_come: bool,
}

/// What an event says of a subscription; nothing where it only announces what is to come, or is about something else.
fn happened(kind: &str) -> Option<&'static str> {
    let said = [
        (EventKind::SubscriptionRenewed, "renewed"),
        (EventKind::SubscriptionPastDue, "a payment is missing"),
        (EventKind::SubscriptionUnpaid, "not paid: it may not be used"),
        (EventKind::SubscriptionEnded, "ended"),
    ];
    said.iter().find(|(known, _)| known.as_str() == kind).map(|(_, what)| *what)
}

/// The moments, the earliest first. Events are kept for 30 days; the beginning is known for ever.
pub fn timeline(subscription: &Subscription, events: &[Event], zone: &Zone) -> Vec<Moment> {
    let mut all: Vec<(Timestamp, Html, bool)> = vec![(subscription.starts_at, Html::text("began"), false)];
    let own = events.iter().filter(|event| event.time >= subscription.created_at);
    all.extend(own.filter_map(|event| Some((event.time, Html::text(happened(&event.kind)?), false))));
    let renews = match &subscription.next_plan {
        Some(next) => Html::text(format!("renews as {next}")),
        None => Html::text("renews"),
    };
    let ahead = [
        (subscription.renews_at, renews),
        (subscription.grace_until, Html::text("the grace for a missing payment ends")),
        (subscription.ends_at.filter(|_| !subscription.state.is_over()), Html::text("ends")),
    ];
    all.extend(ahead.into_iter().filter_map(|(at, what)| Some((at?, what, true))));
    all.sort_by_key(|(at, _, _)| *at);
    let moments =
        all.into_iter().map(|(at, what, is_to_come)| Moment { at: zone.when(at), what, is_to_come });
    moments.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_comes_before_what_is_to_come() {
        let subscription: Subscription = serde_json::from_value(json!({
            "id": "sub_1", "account": "acme", "plan": "pro", "version": 1, "next_plan": "team", "state": "active",
            "status": "good", "starts_at": "2026-10-01T00:00:00Z", "period_started_at": null, "period_ends_at": null,
            "renews_at": "2026-12-01T00:00:00Z", "grace_until": null, "ends_at": null, "overdraft_used": null,
            "overdraft_used_before": null, "created_at": "2026-10-01T00:00:00Z"
        }))
        .unwrap();
        let event = |kind: EventKind, time: &str| Event {
            id: "event_1".into(),
            kind: kind.as_str().to_owned(),
            account: Some("acme".into()),
            sequence: 1,
            time: time.parse().unwrap(),
            data: json!({}),
        };
        let events = [
            event(EventKind::SubscriptionRenewsSoon, "2026-11-24T00:00:00Z"),
            event(EventKind::SubscriptionRenewed, "2026-11-01T00:00:00Z"),
            event(EventKind::SubscriptionEnded, "2026-09-01T00:00:00Z"),
        ];
        let found = timeline(&subscription, &events, &Zone::default());
        let said: Vec<_> = found.iter().map(|moment| (moment.what.to_string(), moment.is_to_come)).collect();
        let text = |text: &str| Html::text(text).to_string();
        assert_eq!(said, [(text("began"), false), (text("renewed"), false), (text("renews as team"), true)]);
    }
}
