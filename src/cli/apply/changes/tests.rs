//! What is listed for which file.

use super::super::file;
use super::super::present::PresentPrices;
use super::*;
use faregate_ledger::api::{self, SubscriptionState};
use std::collections::BTreeMap;

const FILE: &str = r#"
[[plans]]
name = "pro"
quota = "200"
period = "month"
products = [{ name = "chat" }]

[[accounts]]
id = "acme"

[[subscriptions]]
account = "acme"
plan = "pro"

[[budgets]]
account = "acme"
credits = "50"
period = "day"
"#;

fn read(text: &str) -> File {
    file::read("plans.toml", text).unwrap()
}

fn lines(text: &str, present: &CurrentState) -> Vec<String> {
    let plan = between(&read(text), present, false, Timestamp::UNIX_EPOCH).unwrap();
    plan.changes.into_iter().map(|change| change.line).collect()
}

/// What a ledger has that was given the file.
fn filled() -> CurrentState {
    let plan = read(FILE).plans.remove(0).into_inner();
    let (_, terms) = plan_words::read(plan).unwrap();
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    let budget = json!({
        "account": "acme", "scope": "account", "target": null, "credits": "50", "period": "day", "every": 1,
        "time_zone": "UTC", "spent": "0", "held": "0", "left": "50", "period_started_at": now,
        "resets_at": now, "created_at": now,
    });
    let subscription = json!({
        "id": "sub_1", "account": "acme", "plan": "pro", "version": 1, "next_plan": null, "state": "active",
        "status": "good", "starts_at": now, "period_started_at": now, "period_ends_at": now,
        "renews_at": now, "grace_until": null, "ends_at": null, "overdraft_used": null,
        "overdraft_used_before": null, "created_at": now,
    });
    let account = json!({ "id": "acme", "name": "Acme", "state": "active", "created_at": now });
    let held = Held {
        account: serde_json::from_value(account).unwrap(),
        subscription: Some(serde_json::from_value(subscription).unwrap()),
        teams: Vec::new(),
        keys: Vec::new(),
        alerts: None,
        budgets: vec![serde_json::from_value::<api::Budget>(budget).unwrap()],
    };
    CurrentState {
        prices: BTreeMap::new(),
        plans: [("pro".to_owned(), plan_words::shown("pro".into(), 1, &terms, now))].into(),
        accounts: [("acme".to_owned(), held)].into(),
        ..CurrentState::default()
    }
}

#[test]
fn missing_objects_are_created_in_dependency_order() {
    assert_eq!(
        lines(FILE, &CurrentState::default()),
        [
            "+ plan pro",
            "+ account acme",
            "+ subscription of acme: pro",
            "+ budget of acme: 50 per 1 day (UTC)"
        ]
    );
}

#[test]
fn prices_are_set_where_they_differ() {
    let text = "[[prices]]\nmodel = \"gpt-5\"\nprices = { input = \"1\", above = [{ input_tokens = 200000, input = \"2\" }] }\n
        [[prices]]\nmodel = \"gpt-5\"\nvalid_from = \"2099-01-01T00:00:00Z\"\nprices = { input = \"3\" }\n";
    let file = read(text);
    let mut present = CurrentState::default();
    let set = ["+ prices of gpt-5", "+ prices of gpt-5 from 2099-01-01T00:00:00Z on"];
    assert_eq!(lines(text, &present), set);
    for price in &file.prices {
        let NewPriceListEntry { model, valid_from, prices, cost } = price.get_ref().clone();
        present.prices.insert((model, valid_from), PresentPrices { prices, cost });
    }
    assert_eq!(lines(text, &present), [""; 0]);
    let costs =
        text.replace("prices = { input = \"3\" }", "prices = { input = \"3\" }\ncost = { input = \"2\" }");
    assert_eq!(lines(&costs, &present), ["~ prices of gpt-5 from 2099-01-01T00:00:00Z on"]);
    for known in present.prices.values_mut() {
        known.cost = read(&costs).prices[1].get_ref().cost.clone();
    }
    assert_eq!(lines(&costs, &present), [""; 0]);
    assert_eq!(lines(text, &present), [""; 0], "what the file doesn't say stays");
    assert_eq!(lines(&text.replace("\"1\"", "\"4\""), &present), ["~ prices of gpt-5"]);
}

#[test]
fn existing_objects_produce_no_changes() {
    let plan = between(&read(FILE), &filled(), false, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!((plan.changes, plan.unchanged), (Vec::new(), 4));
}

#[test]
fn differences_show_the_old_and_the_new_value() {
    let text = FILE.replace("\"200\"", "\"250\"\nconcurrent = 5").replace("[{ name = \"chat\" }]", "[]");
    let text = text.replace("products = []\n", "").replace("\"50\"", "\"60\"");
    assert_eq!(
        lines(&text, &filled()),
        [
            "~ plan pro: concurrent none → 5, products [{\"name\":\"chat\"}] → none, quota 200 → 250",
            "~ budget of acme: 50 per 1 day (UTC) → 60 per 1 day (UTC)"
        ]
    );
    let mut present = filled();
    let subscription = present.accounts.get_mut("acme").unwrap().subscription.as_mut().unwrap();
    subscription.next_plan = Some("small".into());
    assert_eq!(lines(FILE, &present), ["~ subscription of acme: small → pro"]);
    let subscription = present.accounts.get_mut("acme").unwrap().subscription.as_mut().unwrap();
    subscription.state = SubscriptionState::Cancelled;
    assert_eq!(lines(FILE, &present), ["+ subscription of acme: pro"]);
}

#[test]
fn impossible_changes_are_rejected_with_their_line_before_any_is_applied() {
    let refused = |text: &str| {
        let file = read(text);
        let wrong = between(&file, &filled(), false, Timestamp::UNIX_EPOCH).unwrap_err();
        file::failure("plans.toml", &file.text, &wrong).detail
    };
    let burst = refused("[[plans]]\nname = \"a\"\nquota = \"1\"\nperiod = \"day\"\nburst = 5\n");
    assert!(burst.starts_with("plans.toml:1:1: plan a: burst: "), "{burst}");
    let twice = refused("[[accounts]]\nid = \"a\"\n[[accounts]]\nid = \"a\"\n");
    assert!(twice.starts_with("plans.toml:3:1: account \"a\" is there twice"), "{twice}");
    let nowhere = refused("[[subscriptions]]\naccount = \"acme\"\nplan = \"none\"\n");
    assert!(nowhere.contains("there is no plan \"none\""), "{nowhere}");
    let missing = refused("[[teams]]\naccount = \"missing\"\nid = \"a\"\n");
    assert!(missing.contains("there is no account \"missing\""), "{missing}");
}

#[test]
fn a_file_has_dates_bare_or_in_quotes_and_they_begin_in_utc() {
    let starts = |value: &str| {
        let text = format!("[[subscriptions]]\naccount = \"acme\"\nplan = \"pro\"\nstarts_at = {value}\n");
        let found = file::read("plans.toml", &text).map(|file| file.subscriptions[0].get_ref().starts_at);
        found.map(|at| at.unwrap().to_string()).map_err(|failure| failure.detail)
    };
    for (written, time) in [
        ("2027-01-31", "2027-01-31T00:00:00Z"),
        ("\"2027-01-31\"", "2027-01-31T00:00:00Z"),
        ("2027-01-31T08:00:00+01:00", "2027-01-31T07:00:00Z"),
        ("\"2027-01-31T08:00:00Z\"", "2027-01-31T08:00:00Z"),
    ] {
        assert_eq!(starts(written).as_deref(), Ok(time), "{written}");
    }
    for wrong in ["\"30d\"", "\"soon\"", "5", "08:00:00"] {
        let why = starts(wrong).unwrap_err();
        assert!(
            why.starts_with("plans.toml:") && why.contains("a date such as 2027-01-31"),
            "{wrong}: {why}"
        );
    }
}
