//! The operator's brand, addresses and rules.

use super::Portal;
use harness::{LedgerProcess, free_port};
use reqwest::StatusCode;
use std::path::Path;

const SETTINGS: &str = r##"
name: Acme <b>APIs</b>
accent: "#a0126f"
logo: logo.svg
url: https://portal.example.com/
home_url: https://example.com
support_url: mailto:help@example.com
top_up_url: https://example.com/top-up?account={account}
upgrade_url: https://example.com/plans/{account}
texts:
  sign_in: Sign in from your account page.
  home: "Welcome.\nPrices change in May."
  footer: Acme Ltd, 1 Example Road
  receipt: VAT GB123
key_sign_in: false
"##;

fn written(dir: &Path, text: &str) -> Vec<String> {
    std::fs::write(dir.join("portal.yaml"), text).expect("a file");
    std::fs::write(dir.join("logo.svg"), "<svg xmlns='http://www.w3.org/2000/svg'/>").expect("a file");
    vec!["--portal-settings".to_owned(), dir.join("portal.yaml").display().to_string()]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portal_has_the_operators_brand_and_leads_to_the_operators_pages() {
    let portal = Portal::with(&[], |dir| written(dir, SETTINGS)).await;
    assert!(portal.dir.path().join("portal.yaml").exists());
    let key = portal.ledger.account("a.b", "5").await;
    let made = portal.ledger.post("/admin/v1/accounts/a.b/portal-links", serde_json::json!({})).await;
    let url = made["url"].as_str().expect("an address");
    assert!(url.starts_with("https://portal.example.com/portal/enter?link=fg_link_"), "{url}");
    let mut browser = portal.browser();
    browser.enter(url.strip_prefix("https://portal.example.com").expect("a path")).await;
    let home = browser.get("/portal").await.body;
    for part in [
        "Acme &lt;b&gt;APIs&lt;/b&gt;",
        "href=\"https://example.com/top-up?account=a%2Eb\"",
        "href=\"https://example.com/plans/a%2Eb\"",
        "href=\"https://example.com\"",
        "href=\"mailto:help@example.com\"",
        "<bdi>Welcome.</bdi><br><bdi>Prices change in May.</bdi>",
        "Acme Ltd, 1 Example Road",
        "src=\"/portal/logo?",
    ] {
        assert!(home.contains(part), "{part}: {home}");
    }
    let logo = browser.get("/portal/logo").await;
    assert_eq!(logo.header("content-type"), "image/svg+xml");
    assert!(logo.header("content-security-policy").contains("sandbox"), "an image does nothing");
    let style = browser.get("/portal/style.css").await.body;
    assert!(style.contains("--accent: #a0126f"), "the color is readable, and stays");
    let id = portal.ledger.get("/admin/v1/accounts/a.b/grants").await["grants"][0]["id"].clone();
    let receipt = browser.get(&format!("/portal/receipts/{}", id.as_str().expect("an id"))).await.body;
    assert!(receipt.contains("VAT GB123") && receipt.contains("5</span> credits"), "{receipt}");

    let form = portal.browser().get("/portal/sign-in").await.body;
    assert!(form.contains("Sign in from your account page.") && !form.contains("name=\"key\""), "{form}");
    assert_eq!(portal.browser().sign_in(&key).await.status, StatusCode::UNAUTHORIZED, "keys don't sign in");
    let (bearer, stranger) = (format!("Bearer {key}"), portal.browser());
    let headers = [("authorization", bearer.as_str())];
    let shown = stranger.ask(reqwest::Method::GET, "/portal/v1/me", &[], &headers).await;
    assert_eq!(shown.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_wrong_are_named_at_the_start() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let listen = format!("127.0.0.1:{}", free_port());
    std::fs::write(dir.path().join("page.svg"), "<html/>").expect("a file");
    for (text, says) in [
        ("nam: Acme", "nam: unknown field"),
        ("accent: red", "accent: \"red\" is no color"),
        ("logo: page.svg", "logo: is neither a PNG nor an SVG"),
        ("logo: gone.svg", "logo: can't read"),
        ("top_up_url: javascript:alert(1)", "top_up_url: "),
        ("keys: {most: 0}", "keys.most: is 0"),
    ] {
        let settings = written(dir.path(), text);
        let arguments = ["--portal-listen", &listen, &settings[0], &settings[1]];
        let why = LedgerProcess::try_start(dir.path(), &arguments, &[]).await;
        let why = why.err().unwrap_or_else(|| panic!("{text} is accepted"));
        assert!(why.contains(says), "{text}: {why}");
    }
    let why = LedgerProcess::try_start(dir.path(), &["--portal-tls"], &[]).await.err();
    assert!(why.is_some_and(|why| why.contains("--portal-tls without --tls-cert")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_settings_are_accepted_and_listed() {
    let page = std::fs::read_to_string(harness::project().join("docs/portal.md")).expect("a text");
    let example = page.split_once("```yaml\n").expect("an example").1.split_once("```").expect("its end").0;
    let portal = Portal::with(&[], |dir| written(dir, example)).await;
    assert!(
        portal
            .browser()
            .get("/portal/sign-in")
            .await
            .body
            .contains("Open the portal from your account page.")
    );
    let mut fields: Vec<&str> = example
        .lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| Some(line.split_once(':')?.0))
        .collect();
    let table =
        page.split_once("| field | default |").expect("a table").1.split_once("\n\n").expect("its end").0;
    let mut listed: Vec<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    fields.sort_unstable();
    listed.sort_unstable();
    assert_eq!(fields, listed);
}
