//! What the console's actions ask for, each once: its fields, its words, and the call of the admin API that does it.
//!
//! Pure: what a form says becomes the call's body here; whether that is right, the admin API decides.

use super::visit::Fields;
use crate::http::pages::show::Zone;
use serde_json::{Map, Value, json};

/// What an action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An account.
    Account,
    /// A key.
    Key,
    /// A grant.
    Grant,
}

/// What a field of a form holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// An amount of credits.
    Amount,
    /// A time in the zone of the page.
    Time,
    /// A plan's name, of those that there are.
    Plan,
    /// One of these: what the API calls it, and what people read.
    Choice(&'static [(&'static str, &'static str)]),
}

/// A field of a form; its name is that of the admin API.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What people read.
    pub label: &'static str,
    /// More about it.
    pub hint: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be given.
    pub is_needed: bool,
}

/// An action.
#[derive(Debug)]
pub struct Action {
    /// The last part of its address.
    pub name: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// The path of the admin API.
    pub route: &'static str,
    /// Its page's title.
    pub title: &'static str,
    /// What it does, in words.
    pub about: &'static str,
    /// The button that does it.
    pub button: &'static str,
    /// Whether it takes something away.
    pub is_danger: bool,
    /// Whether what was entered is shown again before it is done.
    pub is_reviewed: bool,
    /// Its fields.
    pub fields: &'static [Field],
    /// What is said when it is done.
    pub done: &'static str,
}

const NOTE: Field = Field {
    name: "note",
    label: "Note",
    hint: "for people; at most 200 bytes",
    kind: Kind::Text,
    is_needed: false,
};
const EXPIRES: Field = Field {
    name: "expires_at",
    label: "Expires",
    hint: "never, when empty",
    kind: Kind::Time,
    is_needed: false,
};

/// All actions.
pub const ACTIONS: [Action; 9] = [
    Action {
        name: "grant",
        subject: Subject::Account,
        route: "/admin/v1/accounts/{id}/grants",
        title: "Give credits",
        about: "The credits can be spent at once. What is owed is paid first.",
        button: "Give the credits",
        is_danger: false,
        is_reviewed: true,
        fields: &[
            Field {
                name: "amount",
                label: "Credits",
                hint: "such as 500 or 0.25",
                kind: Kind::Amount,
                is_needed: true,
            },
            EXPIRES,
            NOTE,
        ],
        done: "The credits were given.",
    },
    Action {
        name: "suspend",
        subject: Subject::Account,
        route: "/admin/v1/accounts/{id}/suspend",
        title: "Suspend the account",
        about: "All of its requests are refused, within about a second, until it is resumed. Credits and keys stay.",
        button: "Suspend it",
        is_danger: true,
        is_reviewed: false,
        fields: &[],
        done: "The account is suspended.",
    },
    Action {
        name: "resume",
        subject: Subject::Account,
        route: "/admin/v1/accounts/{id}/resume",
        title: "Resume the account",
        about: "Its keys are accepted again.",
        button: "Resume it",
        is_danger: false,
        is_reviewed: false,
        fields: &[],
        done: "The account is active again.",
    },
    Action {
        name: "key",
        subject: Subject::Account,
        route: "/admin/v1/accounts/{id}/keys",
        title: "Make a key",
        about: "Who has the key calls at the cost of this account. It is shown once, on the next page.",
        button: "Make the key",
        is_danger: false,
        is_reviewed: false,
        fields: &[
            NOTE,
            EXPIRES,
            Field {
                name: "team",
                label: "Team",
                hint: "the identifier of a team of the account; it can\u{2019}t be changed later",
                kind: Kind::Text,
                is_needed: false,
            },
        ],
        done: "The key was made.",
    },
    Action {
        name: "subscribe",
        subject: Subject::Account,
        route: "/admin/v1/accounts/{id}/subscription",
        title: "Subscribe to a plan",
        about: "The first period begins now, with the plan\u{2019}s quota.",
        button: "Subscribe",
        is_danger: false,
        is_reviewed: true,
        fields: &[
            Field { name: "plan", label: "Plan", hint: "", kind: Kind::Plan, is_needed: true },
            Field {
                name: "trial_ends_at",
                label: "Trial until",
                hint: "it expires then unless it is activated; no trial, when empty",
                kind: Kind::Time,
                is_needed: false,
            },
        ],
        done: "The account has subscribed.",
    },
    Action {
        name: "cancel",
        subject: Subject::Account,
        route: "/admin/v1/accounts/{id}/subscription/cancel",
        title: "Cancel the subscription",
        about: "What was bought may still be spent.",
        button: "Cancel the subscription",
        is_danger: true,
        is_reviewed: false,
        fields: &[Field {
            name: "at_once",
            label: "When",
            hint: "if it ends now, the rest of the quota is lost",
            kind: Kind::Choice(&[("false", "at the end of the current period"), ("true", "now")]),
            is_needed: true,
        }],
        done: "The subscription is cancelled.",
    },
    Action {
        name: "rotate",
        subject: Subject::Key,
        route: "/admin/v1/keys/{id}/rotate",
        title: "Rotate the key",
        about: "A new key takes its place, with the same team, products, note and budget. It is shown once, on the next page.",
        button: "Rotate the key",
        is_danger: false,
        is_reviewed: false,
        fields: &[Field {
            name: "overlap_seconds",
            label: "The old key works for",
            hint: "until callers have the new one",
            kind: Kind::Choice(&[
                ("86400", "one more day"),
                ("3600", "one more hour"),
                ("604800", "one more week"),
                ("0", "no longer: it ends at once"),
            ]),
            is_needed: true,
        }],
        done: "The key was rotated.",
    },
    Action {
        name: "revoke",
        subject: Subject::Key,
        route: "/admin/v1/keys/{id}/revoke",
        title: "Revoke the key",
        about: "It is refused for good, within about a second. This can\u{2019}t be undone.",
        button: "Revoke it for good",
        is_danger: true,
        is_reviewed: false,
        fields: &[],
        done: "The key is revoked.",
    },
    Action {
        name: "void",
        subject: Subject::Grant,
        route: "/admin/v1/grants/{id}/void",
        title: "Void the grant",
        about: "What is left of it is taken back at once, and what gateways hold as they return it. What is spent stays spent.",
        button: "Take the credits back",
        is_danger: true,
        is_reviewed: true,
        fields: &[
            Field {
                name: "amount",
                label: "Credits",
                hint: "all that can be taken back, when empty",
                kind: Kind::Amount,
                is_needed: false,
            },
            NOTE,
        ],
        done: "The grant was voided.",
    },
];

/// An action by its address.
pub fn find(subject: Subject, name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.subject == subject && action.name == name)
}

/// A field that a form got wrong, and what is wrong.
pub type Wrong = (&'static str, String);

/// The body of the call that a form means.
pub fn body(action: &Action, form: &Fields, zone: &Zone) -> Result<Value, Wrong> {
    let mut body = Map::new();
    for field in action.fields {
        let Some(text) = form.get(field.name) else {
            if field.is_needed {
                return Err((field.name, "is missing; fill it in".to_owned()));
            }
            continue;
        };
        let value = match field.kind {
            Kind::Text | Kind::Plan | Kind::Amount => json!(text),
            Kind::Time => {
                let wrong = || (field.name, format!("{text:?} is no time; an example is 2027-01-31T12:00"));
                json!(zone.read(text).ok_or_else(wrong)?.to_string())
            }
            Kind::Choice(choices) => {
                let known = choices.iter().any(|(name, _)| *name == text);
                let value = known.then(|| serde_json::from_str::<Value>(text).ok()).flatten();
                value.ok_or_else(|| (field.name, format!("{text:?} is none of the choices")))?
            }
        };
        body.insert(field.name.to_owned(), value);
    }
    Ok(Value::Object(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_the_body_of_a_call() {
        let grant = find(Subject::Account, "grant").unwrap();
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let form = Fields::parse("amount=5.5&expires_at=2027-01-31T12:00&note=&evil=1");
        let expected = json!({"amount": "5.5", "expires_at": "2027-01-31T11:00:00Z"});
        assert_eq!(body(grant, &form, &berlin), Ok(expected));
        assert_eq!(body(grant, &Fields::default(), &berlin).unwrap_err().0, "amount");
        assert_eq!(
            body(grant, &Fields::parse("amount=1&expires_at=soon"), &berlin).unwrap_err().0,
            "expires_at"
        );
        let rotate = find(Subject::Key, "rotate").unwrap();
        assert_eq!(
            body(rotate, &Fields::parse("overlap_seconds=0"), &berlin),
            Ok(json!({"overlap_seconds": 0}))
        );
        assert!(body(rotate, &Fields::parse("overlap_seconds=7"), &berlin).is_err());
    }

    #[test]
    fn every_action_is_a_call_of_the_admin_api_that_readers_may_not_make() {
        for action in &ACTIONS {
            let needs = crate::http::admin::needs(&axum::http::Method::POST, action.route);
            assert!(needs > crate::api::AccessScope::Read, "{}", action.name);
            let known = crate::http::admin::is_route("POST", action.route);
            assert!(known, "{} is no route", action.route);
            assert_eq!(ACTIONS.iter().filter(|other| other.name == action.name).count(), 1);
        }
    }
}
