//! What customers and callers name themselves is shown, and never acts on the terminal of who looks: every command, in every form.

use harness::{ADMIN_TOKEN, LedgerProcess, binary, free_port, out_of};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Output, Stdio};

/// Sets the title, clears the screen, begins a line of its own, and turns the direction of what follows.
const HOSTILE: &str =
    "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\r\nok: all is well\u{202e}\u{2066}\u{200b}\u{e0041}";
/// The same for places that take no control characters.
const TURNED: &str = "a\u{202e}b\u{2066}c\u{e0041}d";

/// Commands that show nothing of what a ledger holds, or only what was typed; and those that run until they are stopped.
const WITHOUT_DATA: [&str; 13] = [
    "faregate audit",
    "faregate mail texts",
    "faregate backup",
    "faregate restore",
    "faregate migrate",
    "faregate completions",
    "faregate man",
    "faregate version",
    "faregate help",
    "faregate demo",
    "faregate up",
    "faregate serve",
    "faregate recall",
];

fn acts(c: char) -> bool {
    (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{2066}' | '\u{200b}' | '\u{e0041}')
}

struct Shown<'a>(&'a LedgerProcess, BTreeSet<String>);

impl Shown<'_> {
    /// Runs a command as text and as JSON: neither may act on a terminal, and the JSON is whole. Gives the text.
    fn safely(&mut self, words: &[&str]) -> String {
        let name: Vec<&str> = words.iter().take_while(|word| !word.starts_with('-')).copied().collect();
        self.1.extend((1..=name.len()).map(|length| format!("faregate {}", name[..length].join(" "))));
        let run = |more: &[&str]| {
            let url = format!("http://127.0.0.1:{}", self.0.admin_port);
            let mut command = Command::new(binary());
            command.args(more).args(words).stdin(Stdio::null());
            command
                .env("FAREGATE_ADMIN_URL", url)
                .env("FAREGATE_ADMIN_TOKEN", ADMIN_TOKEN)
                .output()
                .expect("an answer")
        };
        let (text, json) = (run(&[]), run(&["--json"]));
        for Output { stdout, stderr, .. } in [&text, &json] {
            for stream in [stdout, stderr] {
                let stream = String::from_utf8(stream.clone()).expect("UTF-8");
                assert!(!stream.chars().any(acts), "{words:?}: {stream:?}");
                assert!(
                    !stream.lines().any(|line| line.starts_with("ok: all is well")),
                    "{words:?}: {stream}"
                );
            }
        }
        for stream in [&json.stdout, &json.stderr] {
            if !stream.is_empty() {
                serde_json::from_slice::<Value>(stream).unwrap_or_else(|why| panic!("{words:?}: {why}"));
            }
        }
        String::from_utf8([text.stdout, text.stderr].concat()).expect("UTF-8")
    }
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::too_many_lines, reason = "a line per command")]
async fn names_from_outside_never_act_on_the_terminal() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    ledger.post("/admin/v1/accounts", json!({"id": "acme", "name": HOSTILE})).await;
    ledger.post("/admin/v1/accounts/acme/teams", json!({"id": "a", "name": HOSTILE})).await;
    ledger
        .post("/admin/v1/accounts/acme/grants", json!({"amount": "9", "note": HOSTILE, "source": HOSTILE}))
        .await;
    ledger.post("/admin/v1/accounts/acme/keys", json!({"note": HOSTILE})).await;
    let key = ledger.post("/admin/v1/accounts/acme/keys", json!({"subject": TURNED, "note": HOSTILE})).await;
    let budget = json!({"scope": "account", "credits": "5", "period": "day"});
    ledger.post("/admin/v1/accounts/acme/budgets", budget).await;
    let prices = json!({"entries": [{"model": TURNED, "prices": {"input": "1", "service": {TURNED: {"input": "2"}}}}]});
    ledger.post("/admin/v1/prices", prices).await;
    let payer = &key["id"];
    let line =
        json!({"payer": payer, "rule": HOSTILE, "requests": 1, "credits": 1, "refunds": 0, "item": HOSTILE});
    let shadow = json!([{"payer": payer, "rule": HOSTILE, "code": "missing_key", "requests": 1}]);
    let lease = json!({
        "payer": {"id": payer}, "lease": {"epoch": 1, "spent": 0, "returned": 0, "held": 0},
        "ask": {"least": 1, "need": 2, "want": 3},
    });
    let usage = json!({"broker": HOSTILE, "seq": 1, "lines": [line], "shadow": shadow});
    let message = json!({"protocol": 2, "gateway": TURNED, "entries": [lease], "usage": usage});
    let (status, answer) = ledger.exchange(&message).await.expect("an answer");
    assert!(status == 200 && answer["usage_seq"] == 1, "{answer}");

    let mut shown = Shown(&ledger, BTreeSet::new());
    let all = [
        "account list",
        "account show acme",
        "key list acme",
        "team list acme",
        "budget list acme",
        "balance acme",
        "usage acme",
        "usage --group model",
        "usage --by day --group account,rule",
        "usage --group rule --csv",
        "why acme",
        "key list --prefix fg_live_",
        "grants acme",
        "account rename acme again",
        "account reopen acme",
        "plan archive none",
        "plan unarchive none",
        "corrections acme",
        "operator create alice --scope read",
        "operator token alice",
        "operator list",
        "operator revoke alice",
        "gateway-token create eu",
        "gateway-token list",
        "gateway-token revoke eu",
        "trail",
        "trail --full",
        "shadow",
        "events",
        "alert show acme",
        "webhook list",
        "mail list",
        "leases",
        "prices list",
        "export",
        "account suspend acme",
        "account resume acme",
        "plan list",
        "explain",
        "explain missing_key",
    ];
    for line in all {
        let text = shown.safely(&line.split(' ').collect::<Vec<_>>());
        if ["account list", "key list acme", "team list acme", "shadow", "usage acme", "export"]
            .contains(&line)
        {
            assert!(
                text.contains("\\u{202e}") || text.contains("\\U0000202E"),
                "{line} shows it escaped: {text}"
            );
        }
    }
    shown.safely(&["prices", "show", TURNED]);
    shown.safely(&["prices", "set", TURNED, "--input", "3"]);
    shown.safely(&["prices", "remove", TURNED]);
    shown.safely(&["key", "create", "acme", "--note", HOSTILE]);
    shown.safely(&["team", "create", "acme", "b", "--name", HOSTILE]);
    shown.safely(&["grant", "acme", "1", "--note", HOSTILE]);
    shown.safely(&["account", "create", "other", "--name", HOSTILE]);
    shown.safely(&["budget", "set", "acme", "--credits", "5", "--per", "day"]);
    shown.safely(&["budget", "clear", "acme"]);
    let id = key["id"].as_str().expect("an id");
    shown.safely(&["key", "show", id]);
    shown.safely(&["key", "rotate", id, "--overlap", "0s"]);
    shown.safely(&["key", "revoke", id, "--yes"]);
    shown.safely(&["grant", "change", "grant_none", "--note", HOSTILE]);
    shown.safely(&["grant", "void", "grant_none", "--note", HOSTILE, "--yes"]);
    shown.safely(&["adjust", "acme", "1", "--note", HOSTILE]);
    shown.safely(&["events", "--kind", "grant.given"]);
    shown.safely(&["webhook", "create", "https://receiver.invalid/", "--events", "key.revoked"]);
    shown.safely(&["mail", "add", "ops@receiver.invalid", "--events", "key.revoked"]);
    shown.safely(&["account", "close", "other", "--yes"]);
    // What an error quotes: of the ledger's, of clap's, of a file's.
    for words in [
        &["account", "show", HOSTILE][..],
        &["account", "create", HOSTILE],
        &["balance", HOSTILE],
        &["plan", "show", HOSTILE],
        &["plan", "change", HOSTILE, "--quota", "1"],
        &["plan", "create", HOSTILE, "--quota", "1", "--period", "day"],
        &["plan", "create", "a", "--quota", "1", "--period", HOSTILE],
        &["subscribe", "acme", HOSTILE],
        &["subscription", "show", HOSTILE],
        &["subscription", "activate", HOSTILE],
        &["subscription", "past-due", HOSTILE, "--grace", HOSTILE],
        &["subscription", "pause", HOSTILE],
        &["subscription", "resume", HOSTILE],
        &["subscription", "cancel", HOSTILE],
        &["subscription", "change", HOSTILE, "--plan", HOSTILE],
        &["grant", "acme", HOSTILE],
        &["usage", "acme", "--since", HOSTILE],
        &["leases", "--gateway", HOSTILE],
        &["leases", "--zone", HOSTILE],
        &["explain", HOSTILE],
        &["check", HOSTILE],
        &["apply", HOSTILE],
        &["prices", "import", HOSTILE, "--from", "litellm"],
        &["events", "--account", HOSTILE, "--kind", HOSTILE],
        &["alert", "set", HOSTILE, "--balance-below", HOSTILE],
        &["alert", "clear", HOSTILE],
        &["webhook", "create", HOSTILE, "--account", HOSTILE],
        &["webhook", "show", HOSTILE],
        &["webhook", "rotate-secret", HOSTILE],
        &["webhook", "pause", HOSTILE],
        &["webhook", "resume", HOSTILE],
        &["webhook", "delete", HOSTILE],
        &["webhook", "deliveries", HOSTILE],
        &["webhook", "replay", HOSTILE, "--since", "1h"],
        &["webhook", "test", HOSTILE],
        &["webhook", "replay", HOSTILE, "--event", HOSTILE],
        &["mail", "add", HOSTILE, "--account", HOSTILE],
        &["mail", "show", HOSTILE],
        &["mail", "delete", HOSTILE],
        &["mail", "deliveries", HOSTILE],
        &["mail", "test", HOSTILE],
        &["calls", HOSTILE, "--rule", HOSTILE],
        &["portal", "link", HOSTILE],
        &["portal", "link-subject", HOSTILE, HOSTILE, "--issuer", HOSTILE],
        &["portal", "unlink-subject", HOSTILE, HOSTILE, "--issuer", HOSTILE],
        &["portal", "subjects", HOSTILE, "--subject", HOSTILE],
        &["operator", "sign-out", HOSTILE],
        &[HOSTILE],
    ] {
        shown.safely(words);
    }
    let file = dir.path().join("hostile.toml");
    for (name, text) in [
        (
            "hostile.toml",
            format!("[[accounts]]\nid = \"a\"\nname = {}\n{} = 1\n", json!(TURNED), json!(TURNED)),
        ),
        (
            "hostile.yaml",
            format!(
                "ledger: {{cluster: a}}\nrules: [{{name: {}, price: {}}}]\n",
                json!(TURNED),
                json!(HOSTILE)
            ),
        ),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        let command = if name.ends_with("toml") { "apply" } else { "check" };
        shown.safely(&[command, path.to_str().expect("a path")]);
    }
    std::fs::write(&file, format!("[[accounts]]\nid = \"third\"\nname = {}\n", json!(TURNED)))
        .expect("a file");
    shown.safely(&["apply", "--dry-run", file.to_str().expect("a path")]);

    let seen = shown.1;
    let without = |name: &String| WITHOUT_DATA.iter().any(|known| name == known);
    let missing: Vec<String> =
        every_command("faregate").into_iter().filter(|name| !seen.contains(name) && !without(name)).collect();
    assert_eq!(missing, [""; 0], "these commands need a line in this scenario, or in WITHOUT_DATA");
}

/// Every command that has none below it, as `--help` lists them.
fn every_command(name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split(' ').skip(1).chain(["--help"]).collect();
    let (_, help) = out_of(Command::new(binary()).args(words));
    let listed = help.split("\nOptions:\n").next().unwrap_or_default();
    let has_commands = help.contains("<COMMAND>") || help.contains("[COMMAND]");
    let names = listed.lines().filter(|_| has_commands).filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    let below: Vec<&str> =
        names.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help").collect();
    if below.is_empty() {
        return vec![name.to_owned()];
    }
    below.into_iter().flat_map(|below| every_command(&format!("{name} {below}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_others_can_read_are_named_and_links_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let token = dir.path().join("token");
    std::fs::write(&token, ADMIN_TOKEN).expect("a file");
    let with_token = |mode: u32| {
        std::fs::set_permissions(&token, Permissions::from_mode(mode)).expect("a mode");
        let url = format!("http://127.0.0.1:{}", ledger.admin_port);
        let mut command = Command::new(binary());
        command
            .args(["account", "list"])
            .env("FAREGATE_ADMIN_URL", url)
            .env("FAREGATE_ADMIN_TOKEN_FILE", &token);
        out_of(&mut command)
    };
    assert_eq!(with_token(0o640), (true, "(none)\n".to_owned()), "a group may read it, as on Kubernetes");
    let (done, said) = with_token(0o644);
    assert!(done && said.contains("warning: ") && said.contains("(mode 0644): chmod o= "), "{said}");

    // What `up` made for itself it takes only as it made it.
    let up = |name: &str, prepare: &dyn Fn(&std::path::Path)| {
        let home = dir.path().join(name);
        std::fs::create_dir(&home).expect("a folder");
        let file = home.join("admin-token");
        std::fs::write(&file, ADMIN_TOKEN).expect("a file");
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("a mode");
        prepare(&home);
        let mut command = Command::new(binary());
        let filter = harness::filter();
        let (done, said) = out_of(
            command
                .args(["up", "--listen", &format!("127.0.0.1:{}", free_port()), "--data"])
                .arg(&home)
                .env("FAREGATE_WASM", filter)
                .env("ENVOY", harness::envoy()),
        );
        assert!(!done, "{said}");
        said
    };
    let wide = up("wide", &|home| {
        std::fs::set_permissions(home.join("admin-token"), Permissions::from_mode(0o640)).expect("a mode");
    });
    assert!(wide.contains("admin-token (mode 0640)") && wide.contains("chmod go= "), "{wide}");
    let linked = up("linked", &|home| {
        std::fs::rename(home.join("admin-token"), home.join("elsewhere")).expect("a move");
        symlink(home.join("elsewhere"), home.join("admin-token")).expect("a link");
    });
    assert!(linked.contains("admin-token is a link"), "{linked}");
    let open = up("open", &|home| {
        std::fs::set_permissions(home, Permissions::from_mode(0o777)).expect("a mode");
    });
    assert!(open.contains("others can change") && open.contains("chmod o-w "), "{open}");

    // A ledger on a database that others can read says so, and one on a link doesn't begin.
    let mut ledger = ledger;
    ledger.process.kill();
    let data = dir.path().join("ledger");
    std::fs::set_permissions(data.join("ledger.db"), Permissions::from_mode(0o604)).expect("a mode");
    ledger.restart().await;
    assert!(ledger.process.output().contains("others can read this file"), "{}", ledger.process.output());
    ledger.process.kill();
    std::fs::rename(data.join("ledger.db"), dir.path().join("elsewhere.db")).expect("a move");
    symlink(dir.path().join("elsewhere.db"), data.join("ledger.db")).expect("a link");
    let refused = LedgerProcess::try_start(dir.path(), &[], &[]).await.err().expect("a refusal");
    assert!(refused.contains("ledger.db is a link"), "{refused}");
}
