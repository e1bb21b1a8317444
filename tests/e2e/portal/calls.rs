//! Single calls in the portal: those of the session's account and of no other.

use super::browser::Browser;
use super::{Portal, SOON, link};
use harness::{LedgerProcess, Setup, World, eventually, free_port, get, patient};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn rules() -> Value {
    let mut rules = json!({
        "record": "all",
        "rules": [
            {"name": "render", "match": {"path": {"prefix": "/cost"}},
             "meter": {"header": "x-cost", "unit": "0.01", "hold": "1"}},
            {"name": "trial", "match": {"path": {"prefix": "/trial"}}, "price": "1000000", "shadow": true},
            {"name": "search", "match": {"path": {"prefix": "/search"}}, "price": "2.5"},
        ],
        "default": {"price": "1"}
    });
    // Machines that are busy with other tests take longer to answer.
    for (member, value) in patient().as_object().into_iter().flatten() {
        rules[member] = value.clone();
    }
    rules
}

/// What the API says.
async fn reads(browser: &Browser, query: &str) -> Value {
    let page = browser.get(&format!("/portal/v1/calls?{query}")).await;
    assert_eq!(page.status, StatusCode::OK, "{query}: {}", page.body);
    serde_json::from_str(&page.body).expect("JSON")
}

/// The calls that a query finds, once there are so many.
async fn found(browser: &Browser, query: &str, count: usize) -> Vec<Value> {
    let calls = async || reads(browser, query).await["calls"].as_array().expect("a list").clone();
    eventually(&format!("{count} calls of {query:?}"), SOON, async || calls().await.len() >= count).await;
    let calls = calls().await;
    assert_eq!(calls.len(), count, "{query}: {calls:#?}");
    calls
}

async fn customer(ledger: &LedgerProcess, port: u16, account: &str) -> Browser {
    let mut browser = Browser::at(port);
    browser.enter(&link(ledger, account).await).await;
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_see_their_own_calls_and_no_others_whatever_they_ask() {
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let serve = ["--portal-listen", listen.as_str()];
    let world = World::start(Setup { config: rules(), serve: &serve, ..Setup::default() }).await;
    let ledger = &world.ledger;
    let (acme, victim) = (ledger.account("acme", "10").await, ledger.account("victim", "100").await);
    let ask = async |path: &str, key: &str| get(world.gate(), path, &[("x-api-key", key)]).await.status;
    assert_eq!(ask("/search", &victim).await, 200);
    let theirs = world.upstream.last()["x-request-id"].clone();
    assert_eq!(ask("/search?card=4242", &acme).await, 200);
    let own = world.upstream.last()["x-request-id"].clone();
    assert_eq!(ask("/cost/25", &acme).await, 200);
    assert_eq!(ask("/trial", &acme).await, 200);
    for _ in 0..2 {
        assert_eq!(ask("/search", &acme).await, 200);
    }
    assert_eq!(ask("/search", &acme).await, 402);
    let browser = customer(ledger, port, "acme").await;
    let calls = found(&browser, "limit=100", 6).await;

    // Each has what is the customer's, and nothing that is the operator's.
    let members = [
        "id",
        "time",
        "duration_ms",
        "key",
        "rule",
        "item",
        "decision",
        "code",
        "title",
        "cures",
        "charge",
        "basis",
        "used",
        "status",
        "request_id",
    ];
    for call in &calls {
        let there: BTreeSet<_> = call.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(there, members.into(), "{call}");
    }
    let paid = &found(&browser, &format!("request_id={own}"), 1).await[0];
    assert_eq!((&paid["charge"], &paid["status"]), (&json!("2.5"), &json!(200)), "{paid}");
    let metered = &calls.iter().find(|call| call["rule"] == "render").expect("a call");
    assert_eq!((&metered["charge"], &metered["basis"]), (&json!("0.25"), &json!("reported")), "{metered}");
    let refused = &found(&browser, "code=insufficient_funds", 1).await[0];
    assert_eq!((&refused["decision"], &refused["status"]), (&json!("refused"), &json!(402)), "{refused}");
    assert_eq!(refused["cures"][0], "Top up.", "{refused}");
    assert!(!refused.to_string().contains("faregate"), "{refused}");
    // That a price is tried out is for the operator: to the customer the call was free.
    let tried = &found(&browser, "decision=free", 1).await[0];
    assert_eq!(
        (&tried["rule"], &tried["code"], &tried["title"]),
        (&json!("trial"), &Value::Null, &Value::Null)
    );
    let gateway = ledger.get("/admin/v1/calls?account=acme").await["calls"][0]["gateway"].clone();
    let gateway = gateway.as_str().expect("a name").to_owned();

    // Whatever is asked for, it is of this account.
    let keys = ledger.get("/admin/v1/accounts/victim/keys").await;
    let their_key = keys["keys"][0]["id"].as_str().expect("an id").to_owned();
    found(&browser, &format!("request_id={theirs}"), 0).await;
    found(&browser, &format!("key={their_key}"), 0).await;
    for (query, field) in [
        ("account=victim", "account"),
        ("gateway=x", "gateway"),
        ("newer_than=1", "newer_than"),
        ("decision=shadow", "decision"),
        ("decision=free&code=insufficient_funds", "decision"),
        ("limit=1001", "limit"),
        ("status=600", "status"),
        ("after=x", "after"),
    ] {
        let page = browser.get(&format!("/portal/v1/calls?{query}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{query}: {}", page.body);
        assert!(page.body.contains(field), "{query}: {}", page.body);
    }
    for query in [
        "".to_owned(),
        "account=victim".to_owned(),
        "account=victim&decision=admitted".to_owned(),
        format!("key={their_key}"),
        format!("request_id={theirs}"),
    ] {
        for path in ["/portal/calls", "/portal/calls.csv"] {
            let page = browser.get(&format!("{path}?{query}")).await;
            assert_eq!(page.status, StatusCode::OK, "{path} {query}: {}", page.body);
            // A page's links and fields repeat its own query.
            let shown = page.body.replace("account=victim", "").replace(&format!("request_id={theirs}"), "");
            let shown = shown.replace(&format!("value=\"{theirs}\""), "");
            assert!(!shown.contains("victim") && !shown.contains(&theirs), "{path} {query}: {shown}");
            assert!(!page.body.contains(&gateway) && !page.body.contains("4242"), "{path}: {}", page.body);
        }
    }

    // The page, and the same as values.
    let page = browser.get("/portal/calls").await.body;
    for part in [
        "<bdi>search</bdi>",
        "<code>insufficient_funds</code>",
        "Top up.",
        &own,
        "aria-current=\"page\">Calls<",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("shadow"), "{page}");
    let csv = browser.get("/portal/calls.csv?decision=refused").await;
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"calls.csv\"");
    assert_eq!(csv.body.lines().count(), 2, "{}", csv.body);
    assert!(csv.body.contains("Top up."), "{}", csv.body);
    let json_link = page.split("href=\"/portal/v1/calls?").nth(1).and_then(|rest| rest.split('"').next());
    let json = reads(&browser, &json_link.expect("a link").replace("&amp;", "&")).await;
    assert_eq!(json["calls"].as_array().map(Vec::len), Some(6));
    let page = browser.get("/portal/calls?code=rate_limited").await.body;
    assert!(page.contains("No call fits."), "{page}");

    // A key looks at the calls, too, and only at its account's.
    let mut reader = Browser::at(port);
    reader.sign_in(&victim).await;
    let theirs_alone = found(&reader, "", 1).await;
    assert_eq!(theirs_alone[0]["request_id"], theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn older_calls_are_a_page_further_and_times_are_in_the_viewers_zone() {
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let serve = ["--portal-listen", listen.as_str()];
    let world = World::start(Setup { config: rules(), serve: &serve, ..Setup::default() }).await;
    let ledger = &world.ledger;
    let key = ledger.account("acme", "1000").await;
    let browser = customer(ledger, port, "acme").await;
    for _ in 0..60 {
        assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, 200);
    }
    let all = found(&browser, "limit=1000", 60).await;
    // By the API in pages that leave nothing out.
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let page = reads(&browser, &format!("limit=25{after}")).await;
        ids.extend(page["calls"].as_array().expect("a list").iter().map(|call| call["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(ids, all.iter().map(|call| call["id"].clone()).collect::<Vec<_>>());
    // By the page.
    let rows = |page: &str| page.matches("<summary>").count();
    let first = browser.get("/portal/calls").await.body;
    assert_eq!(rows(&first), 50);
    let older =
        first.split("href=\"/portal/calls?").find(|part| part.contains("rel=\"next\"")).expect("a link");
    let older = older.split('"').next().unwrap_or_default();
    let second = browser.get(&format!("/portal/calls?{older}")).await.body;
    assert_eq!(rows(&second), 10);
    assert!(second.contains(">Newest<") && !second.contains("rel=\"next\""), "{second}");
    // The zone, for times and for days.
    let time = all[0]["time"].as_str().expect("a time");
    let time: jiff::Timestamp = time.parse().expect("a time");
    let there = time.in_tz("Pacific/Kiritimati").expect("a zone");
    let page = browser.get("/portal/calls?zone=Pacific/Kiritimati").await.body;
    let shown = there.strftime("%Y-%m-%d %H:%M:%S").to_string();
    assert!(page.contains(&shown), "{shown}: {page}");
    let day = there.date().to_string();
    let before = there.date().yesterday().expect("a day").yesterday().expect("a day");
    let page =
        browser.get(&format!("/portal/calls?zone=Pacific/Kiritimati&since={before}&until={day}")).await.body;
    assert_eq!(rows(&page), 50, "the last day is one of them");
    let page = browser.get(&format!("/portal/calls?until={before}")).await.body;
    assert_eq!(rows(&page), 0);
    let wrong = browser.get("/portal/calls?since=soon").await;
    assert!(wrong.status == StatusCode::BAD_REQUEST && wrong.body.contains("2027-01-31"), "{}", wrong.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_records_the_page_explains_and_an_operator_may_leave_it_out() {
    let portal = Portal::start(&[]).await;
    portal.ledger.account("acme", "5").await;
    let browser = portal.customer("acme").await;
    let page = browser.get("/portal/calls").await;
    assert!(
        page.status == StatusCode::OK && page.body.contains("No single call is recorded"),
        "{}",
        page.body
    );

    let settings = |dir: &std::path::Path| {
        std::fs::write(dir.join("portal.yaml"), "calls: false\n").expect("a file");
        vec!["--portal-settings".to_owned(), dir.join("portal.yaml").display().to_string()]
    };
    let portal = Portal::with(&[], settings).await;
    portal.ledger.account("acme", "5").await;
    let browser = portal.customer("acme").await;
    for path in ["/portal/calls", "/portal/calls.csv", "/portal/v1/calls"] {
        assert_eq!(browser.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/portal", "/portal/refusals"] {
        assert!(!browser.get(path).await.body.contains("/portal/calls"), "{path}");
    }
}
