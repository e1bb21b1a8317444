//! What models cost their callers and their seller: the list, and the usage by it.

use super::administration::Ledger;
use faregate_protocol::Credits;
use serde_json::{Value, json};

#[test]
fn prices_are_set_listed_shown_and_removed() {
    let ledger = Ledger::start();
    let set = "prices set openai/gpt-5 --input 1.25 --cache-read 0.125 --output 10 --search 0.01";
    assert_eq!(ledger.run(set).unwrap(), "openai/gpt-5 is set\n");
    assert_eq!(ledger.run(set).unwrap(), "openai/gpt-5 costs that already\n");
    let later = "prices set openai/gpt-5 --input 2 --output 12 --valid-from 2099-01-01T00:00:00Z";
    assert_eq!(ledger.json(later)["changed"], 1);
    let file = ledger.folder.path().join("prices.json");
    let text = r#"{"input": "3", "output": "15", "above": [{"input_tokens": 200000, "input": "6"}], "service": {"batch": {"input": "1"}}}"#;
    std::fs::write(&file, text).unwrap();
    ledger.run(&format!("prices set sonnet --file {}", file.display())).unwrap();

    let table = ledger.run("prices list").unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0].join(" "), "MODEL INPUT CACHE READ CACHE WRITE OUTPUT MORE VALID FROM");
    assert_eq!(rows[1][..6].join(" "), "openai/gpt-5 1.25 0.125 - 10 search");
    assert_eq!(rows[2].join(" "), "openai/gpt-5 2 - - 12 - 2099-01-01T00:00:00Z");
    assert!(table.contains("1 tier, batch"), "{table}");
    let first = ledger.run("prices list --limit 1").unwrap();
    assert!(first.contains("(more: --after ") && first.contains("openai/gpt-5)"), "{first}");
    assert_eq!(ledger.run("prices list --after openai/gpt-5").unwrap().lines().count(), 2);
    let shown = ledger.run("prices show sonnet").unwrap();
    assert!(
        shown.contains("  input  3\n") && shown.contains("  above 200000 input tokens\n    input  6\n"),
        "{shown}"
    );

    let removed = ledger.run("prices remove openai/gpt-5 --from 2098-01-01T00:00:00Z").unwrap();
    assert_eq!(removed, "1 version of the prices of openai/gpt-5 removed\n");
    assert_eq!(ledger.json("prices remove openai/gpt-5")["removed"], 1);
    let gone = ledger.refused("prices show openai/gpt-5");
    assert!(gone.status == Some(404) && gone.cure.as_deref().unwrap().contains("prices list"), "{gone}");
    for (line, why) in [
        ("prices set a --input -1", "input"),
        ("prices set a --input 1e9", "input"),
        ("prices set a", "no class has a price"),
        ("prices set a --input 1 --valid-from tomorrow", "--valid-from"),
        ("prices import nowhere.json --from litellm --margin 0", "--margin"),
        ("prices import nowhere.json --from litellm --credits-per-dollar x", "--credits-per-dollar"),
        ("prices set a --input 1 --margin 1e9", "--margin"),
        ("prices set a --input 1000000000000 --margin 2", "input"),
        ("prices set a --input 1 --cost-file nowhere.json", "nowhere.json"),
        ("prices set a --input 1 --margin 2 --cost-file nowhere.json", "cannot be used with"),
        ("prices import nowhere.json --from litellm", "nowhere.json"),
    ] {
        let refused = ledger.refused(line);
        assert!(refused.detail.contains(why), "{line}: {refused}");
    }
    let odd = ledger.refused(&format!("prices set {} --input 1", "m".repeat(129)));
    assert_eq!((odd.status, odd.field.as_deref()), (Some(400), Some("id")), "{odd}");
}

#[test]
fn a_public_price_list_is_imported_and_what_it_cannot_price_is_shown() {
    let ledger = Ledger::start();
    let lists = concat!(env!("CARGO_MANIFEST_DIR"), "/../ledger/domain/price_import/tests");
    for (name, format, model) in [
        ("genai_prices", "genai-prices", "claude-fable-5"),
        ("litellm", "litellm", "gpt-6-rosalind"),
        ("models_dev", "models.dev", "claude-opus-4-6"),
    ] {
        let import = format!("prices import {lists}/{name}.json --from {format} --margin 1.2");
        let dry = ledger.run(&format!("{import} --dry-run")).unwrap();
        assert!(dry.contains(model) && dry.ends_with("(a dry run: nothing was set)\n"), "{dry}");
        let first = ledger.json(&import);
        let entries = first["entries"].as_u64().unwrap();
        assert!(first["changed"].as_u64().unwrap() > 0, "{first}");
        let again = ledger.json(&import);
        assert_eq!((again["changed"].as_u64(), again["unchanged"].as_u64()), (Some(0), Some(entries)));
        let said = ledger.run(&import).unwrap();
        assert!(said.ends_with(&format!("{entries} entries: 0 changed, {entries} unchanged\n")), "{said}");
        for skipped in first["skipped"].as_array().unwrap() {
            assert!(said.contains(skipped["why"].as_str().unwrap()), "{said}");
        }
    }
    assert_eq!(ledger.json("prices show claude-opus-4-6")["versions"].as_array().unwrap().len(), 1);
    let opus = ledger.json("prices show claude-opus-4-6");
    let of = |what: &str| opus["versions"][0][what]["input"].as_str().unwrap().parse::<Credits>().unwrap();
    let margin = Credits::from_micros(1_200_000);
    assert_eq!(of("prices"), of("cost").scaled(margin), "the list's price is the cost");
    let cents = format!("prices import {lists}/models_dev.json --from models.dev --credits-per-dollar 100");
    ledger.run(&cents).unwrap();
    let dearer = ledger.json("prices show claude-opus-4-6");
    let last = dearer["versions"].as_array().unwrap().last().unwrap();
    assert_eq!(last["prices"], last["cost"], "without a margin it is sold at cost");
    assert_eq!(last["cost"]["input"], of("cost").times(100).to_string());
    let wrong = ledger.refused(&format!("prices import {lists}/litellm.json --from genai-prices"));
    assert!(wrong.detail.contains("litellm.json"), "{wrong}");
}

#[test]
fn prices_in_a_file_are_applied_once_and_exported() {
    let ledger = Ledger::start();
    let file = ledger.folder.path().join("prices.toml");
    let text = "[[prices]]\nmodel = \"openai/gpt-5\"\nprices = { input = \"1.25\", above = [{ input_tokens = 9, input = \"2\" }] }\n";
    std::fs::write(&file, text).unwrap();
    let apply = format!("apply {}", file.display());
    assert_eq!(
        ledger.run(&apply).unwrap(),
        "+ prices of openai/gpt-5\n= 1 to create, 0 to change, 0 unchanged\ndone: 1 change\n"
    );
    assert_eq!(ledger.run(&apply).unwrap(), "= 1 unchanged\n");
    let exported = ledger.run("export").unwrap();
    assert!(exported.contains("openai/gpt-5") && exported.contains("valid_from"), "{exported}");
    std::fs::write(&file, exported).unwrap();
    assert_eq!(ledger.run(&apply).unwrap(), "= 1 unchanged\n");

    std::fs::write(&file, format!("{text}cost = {{ input = \"1\" }}\n")).unwrap();
    assert_eq!(
        ledger.run(&apply).unwrap(),
        "~ prices of openai/gpt-5\n= 0 to create, 1 to change, 0 unchanged\ndone: 1 change\n"
    );
    assert_eq!(ledger.run(&apply).unwrap(), "= 1 unchanged\n");
    std::fs::write(&file, text).unwrap();
    assert_eq!(ledger.run(&apply).unwrap(), "= 1 unchanged\n", "a file without a cost leaves it");
    let exported = ledger.run("export").unwrap();
    assert!(exported.contains("cost]\ninput = \"1\""), "{exported}");
}

#[test]
fn usage_is_summed_by_model() {
    let ledger = Ledger::start();
    ledger.run("account create a").unwrap();
    let none = ledger.run("usage a --group model").unwrap();
    assert_eq!(none, "(none)\ntotal: 0 requests, 0 credits\n");
    assert_eq!(ledger.json("usage a --group tool")["items"].as_array().unwrap().len(), 0);
    assert_eq!(ledger.refused("usage missing --group model").status, Some(404));
    assert!(ledger.refused("usage").detail.contains("ACCOUNT"));
}

#[test]
fn a_seller_sees_what_each_model_cost_him_and_his_margin() {
    let ledger = Ledger::start();
    for account in ["acme", "other"] {
        ledger.run(&format!("account create {account}")).unwrap();
    }
    let key = |account: &str| ledger.json(&format!("key create {account}"))["id"].clone();
    let set = "prices set openai/gpt-5 --input 2 --output 10 --margin 1.5";
    assert_eq!(ledger.run(set).unwrap(), "openai/gpt-5 is set\n");
    assert_eq!(ledger.run(set).unwrap(), "openai/gpt-5 costs that already\n");
    let file = ledger.folder.path().join("cost.json");
    std::fs::write(&file, r#"{"input": "1", "output": "4"}"#).unwrap();
    ledger.run(&format!("prices set haiku --input 1 --output 5 --cost-file {}", file.display())).unwrap();
    assert_eq!(ledger.run("prices set haiku --input 1 --output 5").unwrap(), "haiku costs that already\n");
    let shown = ledger.run("prices show openai/gpt-5").unwrap();
    assert!(shown.ends_with("  input  3\n  output  15\n  cost\n    input  2\n    output  10\n"), "{shown}");

    let line = |payer: &Value, item: &str, credits: u64, basis: &str, used: &Value| {
        json!({"payer": payer, "rule": "chat", "requests": 2, "credits": credits, "refunds": 0, "item": item,
            "basis": basis, "used": used})
    };
    let used = json!({"input": 1000, "output": 100});
    let (acme, other) = (key("acme"), key("other"));
    ledger.report(&json!([
        line(&acme, "gpt-5", 4_500, "reported", &used),
        // At a discount of half.
        line(&other, "gpt-5", 2_250, "reported", &used),
        line(&acme, "gpt-5", 9_000, "held", &json!({})),
        line(&acme, "haiku", 1_300, "estimated", &used),
        line(&acme, "grok", 7, "reported", &used),
    ]));
    let table = "\
ITEM   REQUESTS  CHARGED   COST    MARGIN   CHARGED BY          USED
gpt-5  6         0.01575   0.006   0.00075  held 2, reported 4  input 2000, output 200
haiku  2         0.0013    0.0014  -0.0001  estimated 2         input 1000, output 100
grok   2         0.000007  -       -        reported 2          input 1000, output 100
total: 10 requests, 0.017057 credits
cost: 0.0074, margin 0.00065
(the cost of 4 requests isn't known; cost and margin are without them)
";
    assert_eq!(ledger.run("usage --group model").unwrap(), table);
    let found = ledger.json("usage other --group model --since 1h");
    let (gpt, total) = (&found["items"][0], &found["total"]);
    for found in [gpt, total] {
        assert_eq!((&found["cost"], &found["margin"]), (&json!("0.003"), &json!("-0.00075")), "{found}");
        assert_eq!(found["cost_unknown"], 0);
    }
}
