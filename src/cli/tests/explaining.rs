use super::faregate;
use crate::explain::markdown;
use faregate_protocol::RefusalCode;
use serde_json::Value;
use std::path::Path;

/// Where the generated part of the page begins and ends.
const BEGIN: &str = "<!-- Written by `make docs` from what `faregate explain` knows: -->\n\n";
const END: &str = "\n<!-- (until here) -->\n";

#[test]
fn the_refusals_page_matches_the_command_output() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/refusals.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("FAREGATE_WRITE_DOCS").is_some() {
        return std::fs::write(&file, [before, BEGIN, &markdown(), END, after].concat()).unwrap();
    }
    assert_eq!(written, markdown(), "docs/refusals.md is out of date: say `make docs`");
}

#[test]
fn a_code_is_explained_in_plain_text() {
    let printed = faregate(&["explain", "insufficient_funds"]).unwrap();
    for part in [
        "insufficient_funds: Not enough credits\n",
        "status   402\n",
        "top_up: add credits\n",
        "reduce_cost, where something is left: ask for something that costs at most max\n",
        "faregate balance ACCOUNT",
    ] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
    assert_eq!(faregate(&["explain", "Insufficient-Funds"]).unwrap(), printed);
    let limited = faregate(&["explain", "rate_limited"]).unwrap();
    assert!(limited.contains("429, or 402 where the rule's rate_limited_status says so"), "{limited}");
}

#[test]
fn without_a_code_every_code_is_listed_on_its_own_line() {
    let printed = faregate(&["explain"]).unwrap();
    for code in RefusalCode::ALL {
        let lines = printed.lines().filter(|line| line.split_whitespace().next() == Some(code.as_str()));
        assert_eq!(lines.count(), 1, "{code} in {printed}");
    }
}

#[test]
fn explanations_can_be_printed_as_json() {
    let printed: Value =
        serde_json::from_str(&faregate(&["explain", "--json", "route_retired"]).unwrap()).unwrap();
    assert_eq!((&printed["code"], &printed["status"]), (&"route_retired".into(), &410.into()));
    assert_eq!(printed["remedies"][0]["action"], "use_successor");
    let printed: Value = serde_json::from_str(&faregate(&["explain", "--json"]).unwrap()).unwrap();
    assert_eq!(printed["codes"].as_array().unwrap().len(), RefusalCode::ALL.len());
}

#[test]
fn a_misspelled_code_gets_a_suggestion() {
    for (wrong, right) in [
        ("insufficent_funds", "insufficient_funds"),
        ("invalid-keys", "invalid_key"),
        ("retird", "route_retired"),
        ("suspended", "account_suspended"),
    ] {
        let failure = faregate(&["explain", wrong]).unwrap_err();
        assert_eq!(failure.code, "unknown_code");
        assert_eq!(failure.to_string(), format!("there is no refusal {wrong:?}"));
        let cure = failure.cure.unwrap();
        assert!(cure.starts_with(&format!("did you mean {right}?")), "{wrong}: {cure}");
    }
    let failure = faregate(&["explain", "418"]).unwrap_err();
    assert_eq!(failure.cure.unwrap(), "`faregate explain` lists all");
    assert!(faregate(&["explain", &"x".repeat(100_000)]).is_err());
}
