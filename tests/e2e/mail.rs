//! Mail about events: through a mail server of others, once, in order, whatever the server does.

use super::docs::{blocks, page};
use harness::{Authority, Clients, LedgerProcess, Postgres, Process, eventually, free_port};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Far more than the half second in which a ledger looks for mails, and the waits between attempts.
const SOON: Duration = Duration::from_secs(120);
const PASSWORD: &str = "pass word";

/// A mail server of aiosmtpd's.
struct Sink {
    clients: Clients,
    port: u16,
    _process: Process,
}

impl Sink {
    /// One that speaks without TLS.
    async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    async fn start_with(more: &[(&str, &str)]) -> Option<Self> {
        let clients = Clients::installed()?;
        let port = free_port();
        let text = port.to_string();
        let files = ["mails", "behaviour"].map(|name| clients.dir().join(name).display().to_string());
        let [mails, behaviour] = &files;
        let own = [("PORT", text.as_str()), ("MAILS", mails.as_str()), ("BEHAVIOUR", behaviour.as_str())];
        let process = clients.start("smtp_sink.py", &[own.as_slice(), more].concat());
        eventually("the mail server listens", SOON, async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        Some(Self { clients, port, _process: process })
    }

    /// Has it behave in this way from now on.
    fn behaves(&self, how: &str) {
        self.clients.write("behaviour", how);
    }

    /// The mails that it took, oldest first.
    fn mails(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.clients.dir().join("mails")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn subjects(&self) -> Vec<String> {
        let subject = |mail: &Value| mail["headers"]["subject"].as_str().unwrap_or_default().to_owned();
        self.mails().iter().map(subject).collect()
    }

    fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// A ledger that sends by it, without TLS.
    async fn ledger(&self, more: &[&str]) -> (LedgerProcess, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let url = self.url();
        let arguments = ["--smtp-url", &url, "--smtp-plain", "--mail-from", "gate@example.com"];
        let ledger = LedgerProcess::start(dir.path(), &[arguments.as_slice(), more].concat(), &[]).await;
        (ledger, dir)
    }
}

/// Adds an address; its identifier.
fn add(ledger: &LedgerProcess, arguments: &[&str]) -> String {
    let made = ledger.run(&[["--json", "mail", "add"].as_slice(), arguments].concat());
    let made: Value = serde_json::from_str(&made).expect("JSON");
    made["id"].as_str().unwrap_or_else(|| panic!("no id in {made}")).to_owned()
}

async fn show(ledger: &LedgerProcess, id: &str) -> Value {
    ledger.get(&format!("/admin/v1/mail/{id}")).await
}

async fn deliveries(ledger: &LedgerProcess, id: &str) -> Vec<Value> {
    let mut page = ledger.get(&format!("/admin/v1/mail/{id}/deliveries?limit=1000")).await;
    let mut all: Vec<Value> = page["deliveries"].as_array_mut().expect("a list").drain(..).collect();
    all.reverse();
    all
}

/// A folder with a certificate of 127.0.0.1 and its key; and a file of the authority that has signed it.
fn certified(dir: &tempfile::TempDir) -> (String, String, PathBuf) {
    let authority = Authority::new();
    let trusted = authority.write(dir.path(), "authority.pem");
    authority.issue(dir.path(), "mail", "127.0.0.1");
    let file = |name: &str| dir.path().join(name).display().to_string();
    (file("mail.pem"), file("mail.key"), trusted)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_mailed_once_over_tls_with_a_user_and_a_password() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (certificate, key, trusted) = certified(&dir);
    for (scheme, implicit) in [("smtp", false), ("smtps", true)] {
        let tls = [("CERT", certificate.as_str()), ("KEY", key.as_str()), ("PASSWORD", PASSWORD)];
        let more = if implicit { vec![("IMPLICIT", "1")] } else { Vec::new() };
        let Some(sink) = Sink::start_with(&[tls.as_slice(), more.as_slice()].concat()).await else { return };
        let secret = dir.path().join("password");
        std::fs::write(&secret, format!("{PASSWORD}\n")).expect("a file");
        let environment = [
            ("SSL_CERT_FILE".to_owned(), trusted.display().to_string()),
            ("FAREGATE_SMTP_PASSWORD_FILE".to_owned(), secret.display().to_string()),
        ];
        let url = format!("{scheme}://gate@example.com@127.0.0.1:{}", sink.port);
        let folder = dir.path().join(scheme);
        std::fs::create_dir(&folder).expect("a folder");
        let arguments = ["--smtp-url", url.as_str(), "--mail-from", "gate@example.com"];
        let ledger = LedgerProcess::start(&folder, &arguments, &environment).await;
        ledger.post("/admin/v1/accounts", json!({"id": "acme"})).await;
        ledger.post("/admin/v1/accounts", json!({"id": "bolt"})).await;
        let id = add(&ledger, &["billing@customer.example", "--account", "acme", "--events", "grant.given"]);
        add(&ledger, &["ops@example.com"]);
        let grant = json!({"amount": "5", "note": "invoice 7"});
        ledger.post("/admin/v1/accounts/acme/grants", grant).await;
        ledger.grant("bolt", "3").await;
        eventually("three mails", SOON, async || sink.mails().len() == 3).await;
        let mails = sink.mails();
        let to = |mail: &Value| mail["to"][0].as_str().unwrap_or_default().to_owned();
        let customer: Vec<&Value> =
            mails.iter().filter(|mail| to(mail) == "billing@customer.example").collect();
        assert_eq!(customer.len(), 1, "{mails:?}");
        let mail = customer[0];
        assert_eq!(
            (&mail["tls"], &mail["user"], &mail["from"]),
            (&json!(true), &json!("gate@example.com"), &json!("gate@example.com"))
        );
        let headers = &mail["headers"];
        assert_eq!(headers["subject"], "acme: top-up of 5");
        assert_eq!(
            (&headers["to"], &headers["auto-submitted"], &headers["x-faregate-event"]),
            (&json!("billing@customer.example"), &json!("auto-generated"), &json!("grant.given"))
        );
        let body = mail["body"].as_str().expect("text");
        assert!(body.contains("Note: invoice 7") && body.contains("Expires: –"), "{body}");
        let event = ledger.get("/admin/v1/events?account=acme").await["events"][0]["id"].clone();
        let event = event.as_str().expect("an identifier");
        assert_eq!(headers["message-id"], format!("<{event}.{id}@example.com>"));
        assert_eq!(mail["defects"], json!([]));
        assert!(!ledger.run(&["--json", "trail", "--full"]).contains(PASSWORD));
        let listed = ledger.run(&["mail", "deliveries", &id]);
        assert!(listed.contains("delivered") && listed.contains("grant.given"), "{listed}");
        let said = ledger.run(&["mail", "test", "me@example.com"]);
        assert!(said.contains("250"), "{said}");
        assert_eq!(sink.subjects().last().map(String::as_str), Some("A test of Faregate"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tls_nothing_is_sent_unless_that_was_asked_for() {
    let Some(sink) = Sink::start().await else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let arguments = ["--smtp-url", &sink.url(), "--mail-from", "gate@example.com"];
    let ledger = LedgerProcess::start(dir.path(), &arguments, &[]).await;
    let (sent, said) = ledger.try_run(&["mail", "test", "me@example.com"]);
    assert!(!sent && said.contains("STARTTLS") && said.contains("--smtp-plain"), "{said}");
    assert_eq!(sink.mails().len(), 0);

    // A certificate that the system doesn't trust.
    let (certificate, key, _) = certified(&dir);
    let Some(sink) = Sink::start_with(&[("CERT", certificate.as_str()), ("KEY", key.as_str())]).await else {
        return;
    };
    let folder = dir.path().join("other");
    std::fs::create_dir(&folder).expect("a folder");
    let arguments = ["--smtp-url", &sink.url(), "--mail-from", "gate@example.com"];
    let ledger = LedgerProcess::start(&folder, &arguments, &[]).await;
    let (sent, said) = ledger.try_run(&["mail", "test", "me@example.com"]);
    assert!(!sent && said.contains("certificate") && sink.mails().is_empty(), "{said}");
}

/// A mail server that behaves badly, in a way that is noted, and then well.
async fn recovers(how: &str, why: &str) {
    let Some(sink) = Sink::start().await else { return };
    let (ledger, _dir) = sink.ledger(&[]).await;
    sink.behaves(how);
    ledger.post("/admin/v1/accounts", json!({"id": "acme"})).await;
    let id = add(&ledger, &["a@customer.example", "--account", "acme"]);
    for amount in ["1", "2", "3"] {
        ledger.grant("acme", amount).await;
    }
    eventually(&format!("{how} is noted"), SOON, async || {
        let first = deliveries(&ledger, &id).await.remove(0);
        let error = first["error"].as_str().unwrap_or_default().to_owned();
        first["state"] == "waiting" && error.starts_with("the mail server") && error.contains(why)
    })
    .await;
    assert!(sink.mails().is_empty(), "{how}");
    assert_eq!(show(&ledger, &id).await["waiting"], 3, "{how}");
    sink.behaves("");
    let all: Vec<String> = ["1", "2", "3"].map(|n| format!("acme: top-up of {n}")).to_vec();
    eventually(&format!("all after {how}"), SOON, async || sink.subjects() == all).await;
    eventually("nothing waits", SOON, async || show(&ledger, &id).await["waiting"] == 0).await;
    assert_eq!(show(&ledger, &id).await["given_up"], 0);
    assert!(ledger.process.memory_kb() < 250_000, "{how}: {} kB", ledger.process.memory_kb());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_is_down_slow_busy_or_hostile_loses_nothing() {
    tokio::join!(
        recovers("down", ""),
        recovers("slow", "didn't answer within 20 s"),
        recovers("busy", "451"),
        recovers("sender", "refuses mail from this address"),
        recovers("hostile", "more than 262144 bytes"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_refused_is_given_up_and_the_others_get_their_mail() {
    let Some(sink) = Sink::start().await else { return };
    let (ledger, _dir) = sink.ledger(&[]).await;
    ledger.post("/admin/v1/accounts", json!({"id": "acme"})).await;
    let gone = add(&ledger, &["gone@customer.example", "--account", "acme"]);
    let there = add(&ledger, &["there@customer.example", "--account", "acme"]);
    for amount in ["1", "2"] {
        ledger.grant("acme", amount).await;
    }
    eventually("both are given up", SOON, async || show(&ledger, &gone).await["given_up"] == 2).await;
    eventually("the other has both", SOON, async || sink.mails().len() == 2).await;
    let listed = ledger.run(&["mail", "deliveries", &gone, "--state", "given_up"]);
    assert!(listed.contains("550") && listed.contains("no such user"), "{listed}");
    let first = deliveries(&ledger, &gone).await.remove(0);
    assert_eq!((&first["attempts"], &first["status"]), (&json!(1), &json!(550)), "{first}");
    assert_eq!((&first["next_attempt_at"], &first["delivered_at"]), (&Value::Null, &Value::Null), "{first}");
    eventually("nothing waits", SOON, async || show(&ledger, &there).await["waiting"] == 0).await;
    assert_eq!(ledger.metric("faregate_waiting_mails").await, 0.0);
    assert!(ledger.metric("faregate_mails_total").await >= 4.0);

    ledger.run(&["mail", "delete", &gone]);
    ledger.grant("acme", "3").await;
    eventually("the third", SOON, async || sink.mails().len() == 3).await;
    let (found, said) = ledger.try_run(&["mail", "show", &gone]);
    assert!(!found && said.contains("mail list"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_say_what_the_operators_texts_say_and_no_value_becomes_a_header() {
    let Some(sink) = Sink::start().await else { return };
    let texts = tempfile::tempdir().expect("a temporary folder");
    let folder = texts.path().display().to_string();
    let own = "Schlüssel {key} von {account}: {note}\n\nNotiz: {note}\nBetreff: {subject}\n.\n.. Ende\n";
    std::fs::write(texts.path().join("key.revoked.txt"), own).expect("a file");
    let (ledger, _dir) = sink.ledger(&["--mail-templates", &folder]).await;
    ledger.post("/admin/v1/accounts", json!({"id": "acme"})).await;
    add(&ledger, &["a@customer.example", "--account", "acme"]);
    let note = "x\u{202e}y <b>😀</b>\r\nBcc: all@example.com\r\n\r\n.\r\nQUIT\r\n=2+2";
    let made = ledger.post("/admin/v1/accounts/acme/keys", json!({"note": note})).await;
    let key = made["id"].as_str().expect("a key");
    ledger.run(&["key", "revoke", key, "--yes"]);
    eventually("the mail", SOON, async || sink.mails().len() == 1).await;
    let mail = sink.mails().remove(0);
    let plain = "xy <b>😀</b>  Bcc: all@example.com    .  QUIT  =2+2";
    assert_eq!(mail["headers"]["subject"], format!("Schlüssel {key} von acme: {plain}"), "{mail}");
    let lines: Vec<&str> = mail["body"].as_str().expect("text").trim_end().lines().collect();
    let [note, subject] = [format!("Notiz: {plain}"), "Betreff: –".to_owned()];
    assert_eq!(lines, [note.as_str(), subject.as_str(), ".", ".. Ende"]);
    assert_eq!(mail["to"], json!(["a@customer.example"]));
    let names: Vec<_> = mail["names"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
    assert!(!names.contains(&"bcc") && names.iter().filter(|name| **name == "to").count() == 1, "{names:?}");

    // What is wrong about a text is said when the ledger starts.
    for (file, text, wanted) in [
        (
            "balance.low.txt",
            "Low\n\n{left} {plan}\n",
            "balance.low.txt:3: {plan} is nothing that balance.low has",
        ),
        ("balance.lo.txt", "Low\n", "balance.lo.txt:1: is the name of no kind of event"),
        ("key.rotated.txt", "\nx\n", "key.rotated.txt:1: the first line is the subject"),
    ] {
        let texts = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(texts.path().join(file), text).expect("a file");
        let folder = texts.path().display().to_string();
        let url = sink.url();
        let data = tempfile::tempdir().expect("a temporary folder");
        let arguments =
            ["--smtp-url", &url, "--smtp-plain", "--mail-from", "g@example.com", "--mail-templates", &folder];
        let said = match LedgerProcess::try_start(data.path(), &arguments, &[]).await {
            Ok(_) => panic!("it starts with {file}"),
            Err(said) => said,
        };
        assert!(said.contains(wanted), "{said}");
    }
    let out = texts.path().join("new");
    let said = ledger.run(&["mail", "texts", &out.display().to_string()]);
    assert!(said.contains("22 texts"), "{said}");
    let (ledger, _dir) = sink.ledger(&["--mail-templates", &out.display().to_string()]).await;
    assert!(ledger.run(&["mail", "list"]).contains("(none)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_gets_at_most_20_mails_an_hour_about_an_account() {
    let Some(sink) = Sink::start().await else { return };
    let (ledger, _dir) = sink.ledger(&[]).await;
    for account in ["acme", "bolt"] {
        ledger.post("/admin/v1/accounts", json!({"id": account})).await;
    }
    let id = add(&ledger, &["ops@example.com"]);
    for _ in 0..23 {
        ledger.grant("acme", "1").await;
    }
    ledger.grant("bolt", "7").await;
    eventually("three are given up", SOON, async || show(&ledger, &id).await["given_up"] == 3).await;
    eventually("the other account's is sent", SOON, async || {
        sink.subjects().contains(&"bolt: top-up of 7".to_owned())
    })
    .await;
    assert_eq!(sink.mails().len(), 21);
    let listed = ledger.run(&["mail", "deliveries", &id, "--state", "given_up"]);
    assert!(listed.contains("20 mails about the account went to this address within an hour"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_mail_is_limited_and_checked() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.post("/admin/v1/accounts", json!({"id": "acme"})).await;
    for bad in ["me", "A <a@x.example>", "a@x.example\nBcc: b@x.example", "ä@x.example"] {
        let (added, said) = ledger.try_run(&["mail", "add", bad]);
        assert!(!added && said.contains("billing@example.com"), "{said}");
    }
    let (_, said) = ledger.try_run(&["mail", "add", "a@x.example", "--events", "balance.lo"]);
    assert!(said.contains("balance.low"), "{said}");
    let (_, said) =
        ledger.try_run(&["mail", "add", "a@x.example", "--account", "acme", "--events", "ledger.fault"]);
    assert!(said.contains("about the ledger"), "{said}");
    for number in 0..5 {
        add(&ledger, &[&format!("a{number}@x.example"), "--account", "acme"]);
    }
    let (_, said) = ledger.try_run(&["mail", "add", "A1@x.example", "--account", "acme"]);
    assert!(said.contains("gets this mail already"), "{said}");
    let (_, said) = ledger.try_run(&["mail", "add", "b@x.example", "--account", "acme"]);
    assert!(said.contains("5 mail addresses"), "{said}");
    for number in 0..20 {
        add(&ledger, &[&format!("a{number}@x.example")]);
    }
    let (_, said) = ledger.try_run(&["mail", "add", "b@x.example"]);
    assert!(said.contains("20 mail addresses"), "{said}");
    let listed = ledger.run(&["--json", "mail", "list", "--account", "acme"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed["addresses"].as_array().map(Vec::len), Some(5));
    let (sent, said) = ledger.try_run(&["mail", "test", "a@x.example"]);
    assert!(!sent && said.contains("--smtp-url"), "{said}");
    // What is wrong about the server is said when the ledger starts.
    for (arguments, wanted) in [
        (
            vec!["--smtp-url", "mail.example.com", "--mail-from", "g@x.example"],
            "smtp://user@mail.example.com:587",
        ),
        (vec!["--smtp-url", "smtp://u:secret@m", "--mail-from", "g@x.example"], "FAREGATE_SMTP_PASSWORD"),
        (vec!["--smtp-url", "smtp://u@m", "--mail-from", "g@x.example"], "FAREGATE_SMTP_PASSWORD is not set"),
        (vec!["--smtp-url", "smtp://m"], "--mail-from"),
        (vec!["--smtp-url", "smtp://m", "--mail-from", "gate"], "which is no address"),
        (vec!["--mail-from", "g@x.example"], "--smtp-url"),
    ] {
        let data = tempfile::tempdir().expect("a temporary folder");
        let said = match LedgerProcess::try_start(data.path(), &arguments, &[]).await {
            Ok(_) => panic!("it starts with {arguments:?}"),
            Err(said) => said,
        };
        assert!(said.contains(wanted) && !said.contains("secret"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_commands_and_its_text_work() {
    let Some(sink) = Sink::start().await else { return };
    let page = page("docs/mail.md");
    let text = page.split("```\n").find(|block| block.starts_with("Guthaben")).expect("a text");
    let texts = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(texts.path().join("balance.low.txt"), text).expect("a file");
    let folder = texts.path().display().to_string();
    let (ledger, dir) = sink.ledger(&["--mail-templates", &folder]).await;
    ledger.account("acme", "20").await;
    let script = blocks(&page, "bash")[0].replace("faregate ", &format!("{} ", harness::binary().display()));
    let mut shell = std::process::Command::new("bash");
    shell
        .current_dir(dir.path())
        .env("FAREGATE_ADMIN_URL", format!("http://127.0.0.1:{}", ledger.admin_port));
    let (done, said) =
        harness::out_of(shell.env("FAREGATE_ADMIN_TOKEN", harness::ADMIN_TOKEN).args(["-euc", &script]));
    assert!(done && said.contains("billing@customer.example") && said.contains("22 texts"), "{said}");
    ledger.run(&["alert", "set", "acme", "--balance-below", "10"]);
    ledger.run(&["adjust", "acme", "--yes", "--", "-12"]);
    eventually("the mail", SOON, async || sink.subjects() == ["Guthaben von acme: 8"]).await;
    let body = sink.mails()[0]["body"].as_str().expect("text").trim_end().to_owned();
    assert_eq!(body, "Das Guthaben von acme beträgt 8 und ist damit unter 10.");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ledgers_on_one_database_send_each_mail_once() {
    let Some(server) = Postgres::start().await else { return };
    let Some(sink) = Sink::start().await else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let url = sink.url();
    let arguments = ["--smtp-url", &url, "--smtp-plain", "--mail-from", "gate@example.com"];
    let mut ledgers = Vec::new();
    for _ in 0..2 {
        ledgers.push(LedgerProcess::start(dir.path(), &arguments, &server.environment()).await);
    }
    let ops = add(&ledgers[0], &["ops@example.com"]);
    let accounts = ["acme", "bolt", "core", "dash"];
    for account in accounts {
        ledgers[0].post("/admin/v1/accounts", json!({"id": account})).await;
        add(&ledgers[1], &["owner@customer.example", "--account", account]);
    }
    for round in 1..=10_usize {
        for (number, account) in accounts.iter().enumerate() {
            ledgers[(round + number) % 2].grant(account, &round.to_string()).await;
        }
    }
    eventually("nothing waits", SOON, async || {
        show(&ledgers[0], &ops).await["waiting"] == 0 && sink.mails().len() >= 80
    })
    .await;
    eventually("each is noted", SOON, async || ledgers[0].metric("faregate_waiting_mails").await == 0.0)
        .await;
    assert_eq!(sink.mails().len(), 80, "each was sent once");
    let mut by_queue = BTreeMap::<(String, String), Vec<String>>::new();
    for mail in sink.mails() {
        let subject = mail["headers"]["subject"].as_str().expect("a subject").to_owned();
        let (account, rest) = subject.split_once(": ").expect("an account");
        let to = mail["to"][0].as_str().expect("an address").to_owned();
        by_queue.entry((to, account.to_owned())).or_default().push(rest.to_owned());
    }
    assert_eq!(by_queue.len(), 8);
    let all: Vec<String> = (1..=10).map(|amount| format!("top-up of {amount}")).collect();
    for (queue, subjects) in by_queue {
        assert_eq!(subjects, all, "{queue:?} in order");
    }
}
