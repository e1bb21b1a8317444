//! The command line as people and scripts meet it: times, zones, errors in terms of what was typed, exit codes, completions, man pages.

use harness::{ADMIN_TOKEN, LedgerProcess, binary, out_of, project};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

struct Scene {
    ledger: LedgerProcess,
    dir: TempDir,
}

impl Scene {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
        Self { ledger, dir }
    }

    /// Runs a command in this zone.
    fn output(&self, zone: &str, line: &str) -> Output {
        let url = format!("http://127.0.0.1:{}", self.ledger.admin_port);
        let mut command = Command::new(binary());
        command.args(line.split(' ')).env("TZ", zone).env("FAREGATE_ADMIN_URL", url);
        command.env("FAREGATE_ADMIN_TOKEN", ADMIN_TOKEN).output().expect("a program")
    }

    fn run(&self, zone: &str, line: &str) -> String {
        let output = self.output(zone, line);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
        assert!(output.status.success(), "{line}: {text}");
        text
    }

    /// The exit code, and what is said.
    fn fails(&self, line: &str) -> (i32, String) {
        let output = self.output("", line);
        (output.status.code().unwrap_or(-1), String::from_utf8(output.stderr).expect("UTF-8"))
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_begin_and_times_are_shown_in_the_chosen_zone() {
    let scene = Scene::start().await;
    scene.run("", "account create acme");
    let until =
        |said: &str| said.split(" until ").nth(1).and_then(|rest| rest.split(' ').next()).map(str::to_owned);
    let granted = scene.run("Europe/Berlin", "grant acme 5 --expires 2099-02-01");
    assert_eq!(until(&granted).as_deref(), Some("2099-02-01T00:00:00+01:00[Europe/Berlin]"), "{granted}");
    let granted = scene.run("Europe/Berlin", "grant acme 5 --expires 2099-02-01 --zone America/New_York");
    assert_eq!(until(&granted).as_deref(), Some("2099-02-01T00:00:00-05:00[America/New_York]"), "{granted}");
    let granted = scene.run("", "grant acme 5 --expires 2099-02-01T08:30");
    assert_eq!(until(&granted).as_deref(), Some("2099-02-01T08:30:00Z"), "{granted}");
    // What is shown can be typed, and programs read UTC.
    let json =
        scene.run("Europe/Berlin", "--json grant acme 5 --expires 2099-02-01T00:00:00+01:00[Europe/Berlin]");
    assert_eq!(serde_json::from_str::<Value>(&json).expect("JSON")["expires_at"], "2099-01-31T23:00:00Z");
    let list = scene.run("Asia/Tokyo", "grants acme");
    assert!(list.lines().next().is_some_and(|title| title.contains("(Asia/Tokyo)")), "{list}");
    assert!(list.lines().nth(1).is_some_and(|line| line.contains("+09:00")), "{list}");
    let show = scene.run("Asia/Tokyo", "account show acme");
    assert!(show.trim_end().ends_with("+09:00[Asia/Tokyo]"), "{show}");
    assert!(scene.run("", "account show acme").trim_end().ends_with('Z'));
    for line in
        ["usage acme --since 2026-01-01", "shadow --since 2026-01-01", "key create acme --expires 2099-01-31"]
    {
        scene.run("Europe/Berlin", line);
    }
    let (code, said) = scene.fails("account list --zone Berlin");
    assert!(code == 2 && said.contains("Berlin") && said.contains("Europe/Berlin"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_name_what_was_typed_and_what_is_expected() {
    let scene = Scene::start().await;
    scene.run("", "account create acme");
    scene.run("", "plan create pro --quota 5 --period month");
    for (line, code, expected) in [
        (
            "plan create a --quota 1 --period monthly",
            2,
            "--period monthly: expected hour, day, week, month or year",
        ),
        (
            "budget set acme --credits 5 --per monthly",
            2,
            "--per monthly: expected hour, day, week, month or year",
        ),
        (
            "plan create a --quota 1 --period day --overage no",
            2,
            "--overage no: expected bought, refuse or overdraft",
        ),
        (
            "adjust acme -- -5 --note refund",
            2,
            "--note comes behind `--`, where nothing is an option\n  put --note before `--`",
        ),
        ("prices import x --from csv", 2, "--from csv: expected genai-prices, litellm or models.dev"),
        (
            "key create acme --expires 31.1.2099",
            2,
            "--expires: \"31.1.2099\" is no point in time; give a date such as 2027-01-31",
        ),
        ("key create acme --expires 2001-01-31", 1, "--expires: "),
        ("grant acme five", 1, "AMOUNT: "),
        ("plan create a --quota five --period day", 1, "--quota: "),
        ("plan create a --quota 1 --period day --rate x", 1, "--rate: "),
        ("account create Acme", 1, "ID: "),
        ("subscribe acme pro --trial 2001-01-31", 1, "--trial: "),
    ] {
        let (found, said) = scene.fails(line);
        assert!(found == code && said.starts_with(&format!("error: {expected}")), "{line}: {found}: {said}");
        assert!(!said.contains(" at line "), "{line}: {said}");
    }
    // Advice is about what is missing, and there is none where nothing fits.
    for (line, fits) in [
        ("account show nobody", "`faregate account list` shows"),
        ("plan show none", "`faregate plan list` shows"),
        ("subscription show acme", "`faregate subscribe ACCOUNT PLAN` makes one"),
        ("key revoke key_1 --yes", "`faregate key list ACCOUNT` shows"),
        ("prices show none", "`faregate prices list` shows"),
    ] {
        let (code, said) = scene.fails(line);
        assert!(code == 1 && said.contains(fits) && said.matches("faregate").count() == 1, "{line}: {said}");
    }
    // The same words from the admin API, about its own fields.
    let plan = json!({"name": "a", "quota": "1", "period": "monthly"});
    let (_, answer) = scene.ledger.call(reqwest::Method::POST, "/admin/v1/plans", Some(plan)).await;
    assert_eq!(answer["detail"], "period: found \"monthly\"; expected hour, day, week, month or year");
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_are_as_documented() {
    let scene = Scene::start().await;
    scene.run("", "account create acme");
    let same = scene.file("same.toml", "[[accounts]]\nid = \"acme\"\n");
    let other = scene.file("other.toml", "[[accounts]]\nid = \"acme\"\n\n[[accounts]]\nid = \"new\"\n");
    let odd = scene.file("odd.yaml", "ledger: {cluster: 5}\nrules: []\n");
    let unreachable = "account list --server http://127.0.0.1:1".to_owned();
    let mut seen: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for (line, code, name) in [
        ("--help".to_owned(), 0, ""),
        ("--version".to_owned(), 0, ""),
        ("account list".to_owned(), 0, ""),
        (format!("apply --check {same}"), 0, ""),
        (format!("apply --dry-run {other}"), 0, ""),
        ("account show nobody".to_owned(), 1, "not_found"),
        (unreachable, 1, "unreachable"),
        (format!("check {odd}"), 1, "invalid_configuration"),
        ("apply nowhere.toml".to_owned(), 1, "io"),
        ("account shwo acme".to_owned(), 2, "usage"),
        ("grant acme".to_owned(), 2, "usage"),
        ("account list --zone Nowhere".to_owned(), 2, "usage"),
        ("key create acme --expires soon".to_owned(), 2, "usage"),
        (format!("apply --check {other}"), 2, "drift"),
    ] {
        let output = scene.output("", &format!("--json {line}"));
        assert_eq!(output.status.code(), Some(code), "{line}: {output:?}");
        let error: Value = serde_json::from_slice(&output.stderr).unwrap_or_default();
        assert_eq!(error["code"].as_str().unwrap_or_default(), name, "{line}: {error}");
        assert_eq!(scene.output("", &line).status.code(), Some(code), "{line}, without --json");
        seen.entry(code).or_default().push(line);
    }
    let page = std::fs::read_to_string(project().join("docs/command-line.md")).expect("the page");
    let section = page
        .split("\n## Exit codes\n")
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next())
        .expect("a section");
    let documented: Vec<i32> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next()?.parse().ok())
        .collect();
    assert_eq!(documented, seen.into_keys().collect::<Vec<_>>());
    assert!(
        scene.fails("account show new").1.contains("no account"),
        "neither --check nor --dry-run made it"
    );
}

#[test]
fn help_has_groups_and_true_defaults() {
    let help = |line: &str| out_of(Command::new(binary()).args(line.split(' '))).1;
    let top = help("--help");
    for group in ["Customers:\n  account ", "Plans and prices:\n  plan ", "The ledger:\n  serve "] {
        assert!(top.contains(group), "{group}: {top}");
    }
    let grant = help("grant --help");
    for part in ["\nWhich ledger:\n", "\nOutput:\n", "[default: 100]", "[default: http://127.0.0.1:7402]"] {
        assert!(grant.contains(part), "{part}: {grant}");
    }
    let plan = help("plan create --help");
    assert!(
        plan.contains("[possible values: hour, day, week, month, year]") && plan.contains("\nTerms:\n"),
        "{plan}"
    );
}

#[test]
fn shells_complete_commands_and_manuals_describe_them() {
    let completions = |shell: &str| out_of(Command::new(binary()).args(["completions", shell]));
    for shell in ["bash", "zsh", "fish"] {
        let (done, script) = completions(shell);
        assert!(done && script.contains("subscription") && script.contains("past-due"), "{shell}: {script}");
    }
    let (_, script) = completions("bash");
    let asked =
        "COMP_WORDS=(faregate aud); COMP_CWORD=1; _faregate faregate aud faregate; echo \"${COMPREPLY[*]}\"";
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("completions.bash");
    std::fs::write(&file, format!("{script}\n{asked}\n")).expect("a file");
    let (done, said) = out_of(Command::new("bash").arg(&file));
    assert!(done && said.trim() == "audit", "{said}");

    let (done, said) = out_of(Command::new(binary()).arg("man").arg(dir.path().join("man")));
    assert!(done, "{said}");
    let page = |name: &str| {
        std::fs::read_to_string(dir.path().join("man").join(name))
            .unwrap_or_else(|why| panic!("{name}: {why}"))
    };
    assert!(page("faregate.1").contains(".TH faregate 1") && page("faregate-grant.1").contains("expires"));
    assert!(page("faregate-subscription-past-due.1").contains("grace"));
    let number = std::fs::read_dir(dir.path().join("man")).expect("a folder").count();
    assert!(said.starts_with(&format!("{number} pages in ")), "{said}");
}

#[test]
fn the_archive_for_shells_is_the_same_each_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let pack = |name: &str| {
        let archive = dir.path().join(name);
        let mut command = Command::new(project().join("tools/shell-files"));
        let (done, said) = out_of(command.arg(binary()).arg("1700000000").arg(&archive));
        assert!(done, "{said}");
        archive
    };
    let read = |path: &Path| std::fs::read(path).expect("an archive");
    let (first, second) = (pack("a.tar.gz"), pack("b.tar.gz"));
    assert_eq!(read(&first), read(&second));
    let (_, listed) = out_of(Command::new("tar").arg("-tzf").arg(&first));
    for name in
        ["completions/_faregate", "completions/faregate.bash", "completions/faregate.fish", "man/faregate.1"]
    {
        assert!(listed.lines().any(|line| line == name), "{name}: {listed}");
    }
}
