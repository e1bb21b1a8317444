//! Clients that others generate from `docs/openapi.json`, as docs/admin-api.md says: each is used for a whole life of an account, from
//! its first grant to the trail of what was done.

use crate::docs::{blocks, page};
use harness::{ADMIN_TOKEN, Clients, World};
use serde_json::{Value, json};

/// The page's blocks of a kind, below the heading about clients.
fn page_blocks(kind: &str) -> Vec<String> {
    let page = page("docs/admin-api.md");
    blocks(page.split_once("\n## Generate a client\n").expect("a heading").1, kind)
}

/// Runs the commands by which the page generates a client with this tool.
fn generate(world: &World, clients: &Clients, tool: &str) {
    let blocks = page_blocks("shell");
    let lines = blocks.iter().flat_map(|block| block.lines());
    // What they install is there.
    let lines =
        lines.filter(|line| !line.contains(" install ") && (line.contains(tool) || line.contains("curl")));
    let script = lines.map(|line| line.replace("npx ", "")).collect::<Vec<_>>().join("\n");
    assert!(script.contains(tool), "the page generates nothing with {tool}");
    let url = format!("http://127.0.0.1:{}", world.ledger.admin_port);
    let (done, said) = clients.program("sh", &["-euc", &script], &[("URL", &url)]);
    assert!(done, "{script}: {said}");
    assert!(!said.to_lowercase().contains("warning"), "the document leaves {tool} in doubt: {said}");
    let described = std::fs::read_to_string(clients.dir().join("openapi.json")).expect("the description");
    assert_eq!(described, page("docs/openapi.json"));
}

/// What a script says that has lived through it.
fn life(world: &World, clients: &Clients, command: &[&str]) -> Value {
    let admin = format!("http://127.0.0.1:{}", world.ledger.admin_port);
    let gate = world.gate().url("/");
    let [program, arguments @ ..] = command else { panic!("no program") };
    let environment = [("GATE", gate.as_str()), ("ADMIN", &admin), ("TOKEN", ADMIN_TOKEN), ("KEY", "")];
    let (done, said) = clients.program(program, arguments, &environment);
    assert!(done, "{command:?}: {said}");
    serde_json::from_str(&said).unwrap_or_else(|why| panic!("{command:?} says {said}: {why}"))
}

/// What it must have said.
fn expected(account: &str) -> Value {
    json!({
        "account": account, "again": "account_exists", "expires": 2099, "budget": "5", "spent": "2", "available": "8",
        "lines": [[true, "2"]], "voided": "8", "correction": "void",
        "commands": ["void_grant", "set_budget", "make_key", "give_grant", "open_account"], "after": account
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_python_client_lives_an_accounts_life() {
    let Some(clients) = Clients::installed() else { return };
    let world = World::one().await;
    generate(&world, &clients, "openapi-python-client");
    let package = clients.dir().join("faregate-admin-api-client/faregate_admin_api_client");
    std::fs::rename(package, clients.dir().join("faregate_admin_api_client")).expect("a package");
    let said = life(&world, &clients, &["python3", "generated_admin.py"]);
    assert_eq!(said, expected("by-python"));

    world.ledger.account("acme", "1").await;
    let [example] = &page_blocks("python")[..] else { panic!("one example") };
    let url = format!("http://127.0.0.1:{}", world.ledger.admin_port);
    let example = format!("url, token = {url:?}, {ADMIN_TOKEN:?}\n{example}");
    let (done, said) = clients.program("python3", &["-c", &example], &[]);
    assert!(done, "{said}");
    world.ledger.balance_becomes("acme", "granted", "101").await;
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_typescript_client_type_checks_and_lives_an_accounts_life() {
    let Some(clients) = Clients::installed() else { return };
    let world = World::one().await;
    generate(&world, &clients, "openapi-typescript");
    world.ledger.account("acme", "1").await;
    let [example] = &page_blocks("typescript")[..] else { panic!("one example") };
    let url = format!("http://127.0.0.1:{}", world.ledger.admin_port);
    let example = format!("const url = {url:?}, token = {ADMIN_TOKEN:?};\n{example}");
    clients.write("example.mts", &example);

    let strict = ["--strict", "--noUncheckedIndexedAccess", "--module", "nodenext", "--target", "es2022"];
    let emit = ["--lib", "es2022,dom", "--noEmitOnError", "--outDir", "built"];
    let arguments = [&strict[..], &emit, &["generated_admin.mts", "example.mts"]].concat();
    let (done, said) = clients.program("tsc", &arguments, &[]);
    assert!(done, "{said}");
    let said = life(&world, &clients, &["node", "built/generated_admin.mjs"]);
    assert_eq!(said, expected("by-typescript"));
    let (done, said) = clients.program("node", &["built/example.mjs"], &[]);
    assert!(done, "{said}");
    world.ledger.balance_becomes("acme", "granted", "101").await;
    world.ledger.audit().await;
}
