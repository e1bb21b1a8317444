//! Pages: what they show, and what keeps them from harm.

use super::browser::Browser;
use super::{SOON, hostile, ledger, operator};
use harness::{ADMIN_TOKEN, LedgerProcess, eventually};
use reqwest::StatusCode;
use reqwest::header::{LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use std::path::Path;

/// Whether a page has a script that isn't the console's own file.
fn foreign_script(page: &str) -> bool {
    page.split("<script").skip(1).any(|rest| {
        let rest =
            rest.strip_prefix(" src=\"/console/live.js?").and_then(|rest| rest.split_once("\" defer>"));
        !rest.is_some_and(|(_, rest)| rest.starts_with("</script>"))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_keeps_other_sites_out() {
    let (ledger, _dir) = ledger().await;
    let browser = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    for path in [
        "/console",
        "/console/sign-in",
        "/console/nowhere",
        "/console/json/accounts",
        "/console/console.css",
        "/console/live.js",
    ] {
        let page = browser.get(path).await;
        let policy = page.header("content-security-policy");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        let kept = page.header("cache-control");
        assert!(kept == "no-store" || path.ends_with(".css") || path.ends_with(".js"), "{path}: {kept}");
        assert!(!page.body.contains("style=\"") && !foreign_script(&page.body), "{path}");
    }
    let api = browser.get("/admin/v1/accounts").await;
    assert_eq!(api.status, StatusCode::UNAUTHORIZED, "the cookie opens the console alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhooks_page_shows_what_waits_and_why() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &["--webhook-allow-private"], &[]).await;
    let away = format!("http://127.0.0.1:{}/", harness::free_port());
    let made = ledger.post("/admin/v1/webhooks", json!({"url": away, "events": ["grant.given"]})).await;
    let id = made["id"].as_str().expect("an id");
    ledger.account("acme", "5").await;
    let browser = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    let all = browser.get("/console/webhooks").await;
    assert!(
        all.body.contains(id) && all.body.contains(&away) && all.body.contains("grant.given"),
        "{}",
        all.body
    );
    eventually("a delivery fails", SOON, async || {
        let page = browser.get(&format!("/console/webhooks?webhook={id}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let row = page.body.split_once("id=\"deliveries\"").map_or("", |(_, rest)| rest);
        row.contains("waiting") && row.contains("acme") && row.contains("refused")
    })
    .await;
    let reader = Browser::signed_in(&ledger, &operator(&ledger, "rita", "read").await).await;
    assert_eq!(reader.get("/console/webhooks").await.status, StatusCode::FORBIDDEN);
    assert!(!reader.get("/console").await.body.contains("/console/webhooks"), "no link leads there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_written_stays_text_on_every_page() {
    let (ledger, _dir) = ledger().await;
    hostile(&ledger).await;
    let browser = Browser::signed_in(&ledger, ADMIN_TOKEN).await;
    for path in [
        "",
        "/accounts",
        "/accounts?name=%3Cscript%3E%22%27",
        "/accounts/hostile",
        "/accounts/hostile/grant",
        "/accounts/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/trail",
        "/trail?account=%22%3E%3Cscript%3E",
        "/gateways?gateway=%3Cscript%3E",
        "/prices",
        "/shadow",
        "/plans/%22%3E%3Cscript%3E",
        "/sign-in?next=%22%3E%3Cscript%3E",
        "/json/%22%3E%3Cscript%3E",
    ] {
        let page = browser.get(&format!("/console{path}")).await;
        assert!(page.status.as_u16() < 500, "{path}: {}", page.body);
        assert!(!foreign_script(&page.body) || path.starts_with("/json"), "{path}: {}", page.body);
        assert!(!page.body.contains('\u{202e}'), "{path}");
    }
    let page = browser.get("/console/accounts/hostile").await.body;
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\\u{202e}evil"), "{page}");
    assert!(page.contains(&"ä".repeat(100)), "a long name is there in full");
    let csv = browser.get("/console/csv/accounts/formula/keys").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.body.contains("'=HYPERLINK"), "{}", csv.body);
    let json: Value = serde_json::from_str(&browser.get("/console/json/accounts").await.body).expect("JSON");
    assert_eq!(json, ledger.get("/admin/v1/accounts").await, "what the API answers");
    let open = browser.get("/console/zone?zone=Europe/Berlin&back=//evil.test").await;
    assert_eq!(open.header(LOCATION.as_str()), "/console");
    assert!(open.header(SET_COOKIE.as_str()).starts_with("faregate_zone=Europe/Berlin"));
}

#[test]
fn every_command_that_a_page_names_is_one() {
    let folder = harness::project().join("src/ledger/http/console/templates");
    let mut named = 0;
    for file in std::fs::read_dir(folder).expect("templates").map(|file| file.expect("a file").path()) {
        let text = std::fs::read_to_string(&file).expect("a text");
        for command in commands(&text) {
            assert_is_command(&command, &file);
            named += 1;
        }
    }
    assert!(named > 15, "{named}");
}

/// The commands in a template's code.
fn commands(template: &str) -> Vec<String> {
    let code = template.split("<code>").skip(1).filter_map(|rest| rest.split("</code>").next());
    let lines =
        code.flat_map(str::lines).map(|line| line.replace("{{ id }}", "acme").replace("{{ name }}", "pro"));
    lines.filter(|line| line.starts_with("faregate ")).collect()
}

/// The command line reads it; what it would do, it doesn't.
fn assert_is_command(command: &str, file: &Path) {
    let words = command.split_whitespace().skip(1).map(|word| word.trim_matches('"')).collect::<Vec<_>>();
    let words = words.join(" ").replace("Acme Ltd", "Acme");
    let mut run = std::process::Command::new(harness::binary());
    run.args(words.split(' '))
        .env_clear()
        .env("FAREGATE_ADMIN_URL", "http://127.0.0.1:1")
        .env("FAREGATE_ADMIN_TOKEN", "x");
    if words.starts_with("up") || words.starts_with("serve") {
        run.arg("--help");
    }
    let (_, said) = harness::out_of(&mut run);
    for wrong in ["unexpected argument", "unrecognized subcommand", "required arguments", "invalid value"] {
        assert!(!said.contains(wrong), "{}: {command}: {said}", file.display());
    }
}
