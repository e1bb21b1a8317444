//! Who is let in, as which operator, and until when.

use super::*;
use harness::Postgres;

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_asks_the_provider_with_everything_that_binds_its_answer() {
    let Some(clients) = Clients::installed() else { return };
    let odd = Odd::start(&clients).await;
    let console = Console::start(&odd.issuer, &["--oidc-scope", "groups"]).await;
    let ledger = &console.ledger;
    let page = Browser::new(ledger).get("/console/sign-in?next=%2Fconsole%2Fplans").await;
    assert!(page.body.contains("href=\"/console/sign-in/oidc?next=%2Fconsole%2Fplans\""), "{}", page.body);
    let begun = Begun::at(ledger).await;
    assert_eq!(begun.asked("response_type"), "code");
    assert_eq!(begun.asked("client_id"), CLIENT);
    assert_eq!(begun.asked("redirect_uri"), format!("{}/oidc", console.url));
    assert_eq!(begun.asked("scope"), "openid email profile groups");
    assert_eq!(begun.asked("code_challenge_method"), "S256");
    let other = Begun::at(ledger).await;
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(begun.asked(name).len(), 43);
        assert_ne!(begun.asked(name), other.asked(name), "each sign-in has its own");
        assert!(!begun.browser.cookie.contains(begun.asked(name)), "what is sent is not what is remembered");
    }

    ledger
        .post("/admin/v1/operators", json!({"name": "odd", "scope": "read", "oidc_subject": ODD_SUBJECT}))
        .await;
    odd.plan_for(begun.asked("nonce"), json!({})).await;
    let entered = begun.returns().await;
    assert_eq!(entered.status, StatusCode::OK, "{}", entered.body);
    assert!(entered.body.contains("content=\"0; url=/console/plans\""), "{}", entered.body);
    let session = begun.session(ledger, &entered);
    assert!(session.get("/console/plans").await.body.contains("<bdi>odd</bdi> <small>read</small>"));
    let calls = odd.calls().await;
    let sent =
        reqwest::Url::parse(&format!("http://x/?{}", calls["token"]["body"].as_str().expect("a form")));
    let sent: std::collections::BTreeMap<_, _> = sent
        .expect("a form")
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    assert_eq!((sent["code"].as_str(), sent["grant_type"].as_str()), ("a-code", "authorization_code"));
    assert_eq!(sent["redirect_uri"], format!("{}/oidc", console.url));
    assert_eq!(sent["code_verifier"].len(), 43);
    // The identifier and the secret are encoded before they are put together (RFC 6749, section 2.3.1).
    let basic = calls["token"]["authorization"].as_str().expect("a header");
    let expected = "Basic ZmFyZWdhdGUtY29uc29sZTphLWNsaWVudHMtc2VjcmV0JTJGd2l0aCUyQnNpZ25zJTNB";
    assert_eq!(basic, expected);
    assert_eq!(calls["discovery"]["count"], 2, "once here, once by the ledger: {calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linked_operator_has_its_scope_until_it_is_revoked_and_the_trail_says_who() {
    let Some(clients) = Clients::installed() else { return };
    let odd = Odd::start(&clients).await;
    let claim = ["--oidc-claim", "groups=ops:admin"];
    let Console { mut ledger, _dir, .. } = Console::start(&odd.issuer, &claim).await;
    ledger.account("acme", "5").await;
    let link = |name| json!({"name": name, "scope": "support", "oidc_subject": ODD_SUBJECT});
    let made = ledger.post("/admin/v1/operators", link("lou")).await;
    assert_eq!((&made["oidc_subject"], &made["token"]), (&json!(ODD_SUBJECT), &Value::Null), "{made}");
    assert_eq!(made["oidc_issuer"], odd.issuer.as_str());
    let (status, why) = ledger.call(reqwest::Method::POST, "/admin/v1/operators", Some(link("mia"))).await;
    assert_eq!((status, &why["code"]), (StatusCode::CONFLICT, &json!("subject_taken")), "{why}");

    let sign_in = async |ledger: &LedgerProcess| {
        let begun = Begun::at(ledger).await;
        odd.plan_for(begun.asked("nonce"), json!({"claims": {"groups": ["ops"]}})).await;
        let page = begun.returns().await;
        (begun, page)
    };
    let (begun, page) = sign_in(&ledger).await;
    let lou = begun.session(&ledger, &page);
    let account = lou.get("/console/accounts/acme").await;
    assert!(
        account.body.contains("<bdi>lou</bdi> <small>support</small>"),
        "the claim adds nothing to a link"
    );
    let form = [("form_token", account.field("form_token")), ("step", "do".into())];
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let done = lou.post("/console/accounts/acme/suspend", &form).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    let refused =
        lou.post("/console/accounts/acme/grant", &[form.as_slice(), &[("amount", "7")]].concat()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let entries = trail(&ledger, "lou").await;
    assert_eq!((&entries[0]["command"], &entries[0]["token"]), (&json!("suspend_account"), &made["id"]));
    ledger.restart().await;
    assert!(lou.is_in().await, "sessions outlive a restart");

    let listed = ledger.run(&["operator", "list"]);
    assert!(listed.contains(ODD_SUBJECT), "{listed}");
    let admin = Browser::signed_in(&ledger, harness::ADMIN_TOKEN).await;
    assert!(admin.get("/console/operators").await.body.contains("OpenID subject odd-1"));
    ledger.run(&["operator", "revoke", "lou"]);
    assert!(!lou.is_in().await, "at once");
    let (_, page) = sign_in(&ledger).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
    assert!(
        said(&page).contains("Your access was revoked"),
        "also where a claim would let in: {}",
        said(&page)
    );
    // Somebody else may have the subject then, with another scope.
    ledger.run(&["operator", "create", "mia", "--scope", "read", "--oidc-subject", ODD_SUBJECT]);
    let (begun, page) = sign_in(&ledger).await;
    let mia = begun.session(&ledger, &page);
    assert!(mia.get("/console/accounts").await.body.contains("<bdi>mia</bdi> <small>read</small>"));
    assert!(ledger.run(&["operator", "sign-out", "mia"]).contains("ended 1 session of mia"));
    assert!(!mia.is_in().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_lets_in_until_its_rule_or_the_provider_is_another() {
    let Some(clients) = Clients::installed() else { return };
    let odd = Odd::start(&clients).await;
    let dir = tempfile::tempdir().expect("a temporary folder");
    let url = "http://127.0.0.1:9/console";
    let secret = [("FAREGATE_OIDC_CLIENT_SECRET".to_owned(), SECRET.to_owned())];
    let ours = arguments(&odd.issuer, url);
    let rules = ["--oidc-claim", "groups=ops:support", "--oidc-claim", "email=boss@example.com:admin"];
    let with = |rules: &[&'static str]| [ours.as_slice(), rules].concat();
    let mut ledger = LedgerProcess::start(dir.path(), &with(&rules), &secret).await;
    let enters = async |ledger: &LedgerProcess, plan: Value| {
        let begun = Begun::at(ledger).await;
        odd.plan_for(begun.asked("nonce"), plan).await;
        let page = begun.returns().await;
        (begun, page)
    };
    let who = async |browser: &Browser| {
        let page = browser.get("/console/plans").await.body;
        page.split_once("<span><bdi>")
            .and_then(|(_, rest)| rest.split_once("</small>"))
            .map(|(who, _)| who.to_owned())
    };
    // Claims may be in the ID token or come from the userinfo endpoint.
    let mail = |verified| json!({"email": "boss@example.com", "email_verified": verified, "groups": ["ops"]});
    let (begun, page) = enters(&ledger, json!({"claims": mail(json!(true))})).await;
    let boss = begun.session(&ledger, &page);
    assert_eq!(who(&boss).await.as_deref(), Some("boss@example.com</bdi> <small>admin"));
    // Two people may have one name: the trail has the subject beside it.
    let page = boss.get("/console/trail").await.body;
    assert!(page.contains("<bdi>boss@example.com</bdi> <small><bdi>oidc:odd-1</bdi></small>"), "{page}");
    let (begun, page) = enters(&ledger, json!({"info": mail(json!("true"))})).await;
    let unverified = begun.session(&ledger, &page);
    assert_eq!(who(&unverified).await.as_deref(), Some("oidc:odd-1</bdi> <small>support"));
    for plan in [
        json!({"claims": {"groups": ["OPS", "ops "], "email": "boss@example.com"}}),
        json!({"claims": {"groups": {"ops": true}}}),
        json!({}),
    ] {
        let (_, page) = enters(&ledger, plan.clone()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{plan}");
        assert!(said(&page).contains("You have no access yet"), "{}", said(&page));
        assert!(
            !page
                .headers
                .get_all(SET_COOKIE)
                .iter()
                .any(|value| value.as_bytes().starts_with(b"faregate_console"))
        );
    }
    let (_, page) = enters(&ledger, json!({"info": {"sub": "other", "groups": ["ops"]}})).await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY, "the claims of another subject");

    assert!(ledger.run(&["operator", "sign-out", "boss@example.com"]).contains("ended 1 session"));
    assert_eq!(who(&boss).await, None);
    // The same rule with another scope is another rule.
    ledger = ledger.restart_with(&with(&["--oidc-claim", "groups=ops:read"]), &secret).await;
    assert_eq!(who(&unverified).await, None);
    let (begun, page) = enters(&ledger, json!({"claims": {"groups": "ops"}})).await;
    let reader = begun.session(&ledger, &page);
    assert_eq!(who(&reader).await.as_deref(), Some("oidc:odd-1</bdi> <small>read"));
    ledger.run(&["operator", "create", "lou", "--scope", "read", "--oidc-subject", "odd-2"]);
    let (begun, page) = enters(&ledger, json!({"claims": {"sub": "odd-2"}, "info": {"sub": "odd-2"}})).await;
    let linked = begun.session(&ledger, &page);
    assert_eq!(who(&linked).await.as_deref(), Some("lou</bdi> <small>read"));
    let elsewhere =
        [&arguments("https://login.test", url), ["--oidc-claim", "groups=ops:read"].as_slice()].concat();
    ledger = ledger.restart_with(&elsewhere, &secret).await;
    assert_eq!((who(&reader).await, who(&linked).await), (None, None), "another provider's people");
    drop(ledger);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_one_ledger_begins_the_other_finishes() {
    let Some(clients) = Clients::installed() else { return };
    let Some(server) = Postgres::start().await else { return };
    let odd = Odd::start(&clients).await;
    let secret = ("FAREGATE_OIDC_CLIENT_SECRET".to_owned(), SECRET.to_owned());
    let environment = [server.environment().as_slice(), &[secret]].concat();
    let arguments = arguments(&odd.issuer, "http://127.0.0.1:9/console");
    let dirs = [0; 2].map(|_| tempfile::tempdir().expect("a temporary folder"));
    let one = LedgerProcess::start(dirs[0].path(), &arguments, &environment).await;
    let two = LedgerProcess::start(dirs[1].path(), &arguments, &environment).await;
    one.run(&["operator", "create", "lou", "--scope", "support", "--oidc-subject", ODD_SUBJECT]);
    let taken = ["operator", "create", "mia", "--scope", "admin", "--oidc-subject", ODD_SUBJECT];
    let (done, why) = two.try_run(&taken);
    assert!(!done && why.contains("lou"), "{why}");

    let begun = Begun::at(&one).await;
    let begun =
        Begun { browser: Browser { cookie: begun.browser.cookie, ..Browser::new(&two) }, asked: begun.asked };
    odd.plan_for(begun.asked("nonce"), json!({})).await;
    // What was made after the link is known after it.
    let later = one.post("/admin/v1/operators", json!({"name": "later", "scope": "read"})).await;
    let token = later["token"].as_str().expect("a token");
    let there = format!("http://127.0.0.1:{}/admin/v1/accounts", two.admin_port);
    let client = reqwest::Client::new();
    harness::eventually("operators are known on the other ledger", SOON, async || {
        let answer = client.get(&there).bearer_auth(token).send().await;
        answer.expect("an answer").status() == StatusCode::OK
    })
    .await;
    let page = begun.returns().await;
    let lou = begun.session(&two, &page);
    let there = Browser { cookie: lou.cookie.clone(), ..Browser::new(&one) };
    assert!(lou.is_in().await && there.is_in().await);
    two.run(&["operator", "revoke", "lou"]);
    assert!(!lou.is_in().await, "at once where it was revoked");
    harness::eventually("it is revoked everywhere", SOON, async || !there.is_in().await).await;
    one.audit().await;
}
