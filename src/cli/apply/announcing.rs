//! What to do so that thresholds, webhooks and addresses for mail are as a file says. Pure.
//!
//! What must hold: a webhook or an address that is there isn't made again; what a ledger can't change is an error that says so.

use super::file::{Alert, File, InvalidTransition};
use super::present::CurrentState;
use super::steps::{Changes, Stage};
use faregate_ledger::api::{EventKind, NewMailAddress, NewWebhook};
use serde_json::{Value, json};
use toml::Spanned;

/// Lists what is to be done.
pub fn of_file(file: &File, present: &CurrentState, changes: &mut Changes) -> Result<(), InvalidTransition> {
    for alert in &file.alerts {
        of_alert(alert.get_ref(), present, changes);
    }
    for webhook in &file.webhooks {
        of_webhook(webhook, present, changes)?;
    }
    for address in &file.mail {
        of_mail(address, present, changes)?;
    }
    Ok(())
}

fn of_alert(alert: &Alert, present: &CurrentState, changes: &mut Changes) {
    let Alert { account, balance_below } = alert;
    let old = match account {
        Some(id) => present.accounts.get(id).and_then(|held| held.alerts.as_ref()),
        None => present.default_alerts.as_ref(),
    };
    // Another one than its own holds for an account that has none.
    let old = old.filter(|old| account.is_none() || !old.is_default).and_then(|old| old.balance_below);
    if old == Some(*balance_below) {
        changes.unchanged = changes.unchanged.saturating_add(1);
        return;
    }
    let whose = account.as_deref().unwrap_or("all accounts");
    let line = match old {
        Some(old) => format!("~ alert of {whose}: balance below {old} → {balance_below}"),
        None => format!("+ alert of {whose}: balance below {balance_below}"),
    };
    let path = match account {
        Some(id) => format!("/admin/v1/accounts/{id}/alerts"),
        None => "/admin/v1/alerts".to_owned(),
    };
    changes.add(Stage::Announcing, line, path, json!({"balance_below": balance_below.to_string()}));
}

fn of_webhook(
    webhook: &Spanned<NewWebhook>,
    present: &CurrentState,
    changes: &mut Changes,
) -> Result<(), InvalidTransition> {
    let asked = webhook.get_ref();
    let NewWebhook { url, events, account } = asked;
    let name = with_account(url, account.as_deref());
    let mut same =
        present.webhooks.iter().filter(|old| old.url == *url && old.account == *account).peekable();
    if same.peek().is_none() {
        changes.add(
            Stage::Announcing,
            format!("+ webhook {name}"),
            "/admin/v1/webhooks".into(),
            value(asked),
        );
        return Ok(());
    }
    if same.any(|old| is_same(events.as_deref(), old.events.as_deref())) {
        changes.unchanged = changes.unchanged.saturating_add(1);
        return Ok(());
    }
    let why = format!(
        "webhook {name}: its events can't be changed; delete it first: `faregate webhook list`, `faregate webhook delete WEBHOOK`"
    );
    Err(InvalidTransition { span: webhook.span(), why })
}

fn of_mail(
    address: &Spanned<NewMailAddress>,
    present: &CurrentState,
    changes: &mut Changes,
) -> Result<(), InvalidTransition> {
    let asked = address.get_ref();
    let NewMailAddress { address: to, events, account } = asked;
    let name = with_account(to, account.as_deref());
    let old = present.mail.iter().find(|old| old.address.eq_ignore_ascii_case(to) && old.account == *account);
    let Some(old) = old else {
        changes.add(Stage::Announcing, format!("+ mail to {name}"), "/admin/v1/mail".into(), value(asked));
        return Ok(());
    };
    if is_same(events.as_deref(), old.events.as_deref()) {
        changes.unchanged = changes.unchanged.saturating_add(1);
        return Ok(());
    }
    let why = format!(
        "mail to {name}: its events can't be changed; delete it first: `faregate mail delete {}`",
        old.id
    );
    Err(InvalidTransition { span: address.span(), why })
}

fn with_account(name: &str, account: Option<&str>) -> String {
    account.map_or_else(|| name.to_owned(), |account| format!("{name} about {account}"))
}

/// Whether both are the same kinds, in whatever order.
fn is_same(asked: Option<&[EventKind]>, old: Option<&[String]>) -> bool {
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names.dedup();
        names
    };
    let asked = asked.map(|kinds| sorted(kinds.iter().map(|kind| kind.as_str().to_owned()).collect()));
    asked == old.map(|kinds| sorted(kinds.to_vec()))
}

/// As JSON; what the admin API takes always can be.
fn value(what: &impl serde::Serialize) -> Value {
    serde_json::to_value(what).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::file::read;
    use faregate_ledger::api;

    fn present() -> CurrentState {
        let webhook = json!({"id": "webhook_1", "url": "https://a.example/", "events": ["key.revoked", "balance.low"], "account": null,
            "old_secret_until": null, "state": "active", "note": null, "replaying_since": null, "created_at": "2026-12-01T00:00:00Z"});
        let mail = json!({"id": "mail_1", "address": "ops@example.com", "events": null, "account": "acme", "state": "active",
            "created_at": "2026-12-01T00:00:00Z"});
        CurrentState {
            webhooks: vec![serde_json::from_value(webhook).unwrap()],
            mail: vec![serde_json::from_value(mail).unwrap()],
            default_alerts: Some(api::Alerts {
                account: None,
                balance_below: Some("5".parse().unwrap()),
                is_default: true,
                low: false,
            }),
            ..CurrentState::default()
        }
    }

    fn listed(text: &str) -> Result<(Vec<String>, usize), String> {
        let file = read("x.toml", text).unwrap();
        let mut changes = Changes::default();
        of_file(&file, &present(), &mut changes).map_err(|wrong| wrong.why)?;
        Ok((changes.changes.into_iter().map(|change| change.line).collect(), changes.unchanged))
    }

    #[test]
    fn what_is_there_is_not_made_again() {
        let same = "[[alerts]]\nbalance_below = \"5\"\n\n[[webhooks]]\nurl = \"https://a.example/\"\n\
            events = [\"balance.low\", \"key.revoked\"]\n\n[[mail]]\naddress = \"OPS@example.com\"\naccount = \"acme\"\n";
        assert_eq!(listed(same), Ok((vec![], 3)));
        let new = "[[alerts]]\nbalance_below = \"6\"\n\n[[webhooks]]\nurl = \"https://b.example/\"\n\n\
            [[mail]]\naddress = \"ops@example.com\"\n";
        let lines = listed(new).unwrap().0;
        assert_eq!(
            lines,
            [
                "~ alert of all accounts: balance below 5 → 6",
                "+ webhook https://b.example/",
                "+ mail to ops@example.com"
            ]
        );
        let other = "[[webhooks]]\nurl = \"https://a.example/\"\n";
        assert!(listed(other).unwrap_err().contains("can't be changed"));
        let other =
            "[[mail]]\naddress = \"ops@example.com\"\naccount = \"acme\"\nevents = [\"key.revoked\"]\n";
        assert!(listed(other).unwrap_err().contains("faregate mail delete mail_1"));
    }
}
