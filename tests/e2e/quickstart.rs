//! The quickstart, pasted as its README says, with the Envoy configuration as it lies there: nothing but the
//! ports is changed.

use crate::docs::blocks;
use harness::{binary, envoy, filter, free_port, out_of, project};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

#[test]
fn the_quickstart_does_what_its_readme_says() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    lay_out(dir.path());
    let ports = ["3000", "7401", "7402", "8080", "9901"].map(|usual| (usual, free_port().to_string()));
    let with_ports = |text: &str| {
        // In two steps, because a free port may contain a usual one.
        let marked = ports.iter().fold(text.to_owned(), |text, (usual, _)| text.replace(usual, &mark(usual)));
        ports.iter().fold(marked, |text, (usual, free)| text.replace(&mark(usual), free))
    };

    let folder = project().join("envoy/quickstart");
    let config = std::fs::read_to_string(folder.join("envoy.yaml")).expect("the configuration");
    std::fs::write(dir.path().join("envoy/quickstart/envoy.yaml"), with_ports(&config)).expect("a file");
    let readme = std::fs::read_to_string(folder.join("README.md")).expect("the README");
    let script = with_ports(&script(&readme));

    let mut command = Command::new("timeout");
    command.args(["60", "bash", "-c", &script]).current_dir(dir.path());
    let (done, said) = out_of(command.env("FAREGATE_ADMIN_URL", with_ports("http://127.0.0.1:7402")));

    assert!(done, "{said}");
    let statuses: Vec<&str> = said.lines().filter(|line| line.parse::<u16>().is_ok()).collect();
    assert_eq!(statuses, ["200", "200", "200", "402"], "{said}");
    assert!(said.contains("envoy.yaml: ") && said.contains(".configuration: ok"), "check is content: {said}");
    let paid = said.lines().filter(|line| {
        line.contains(" GET / 200 ")
            && line.contains(" decision=admitted account=acme key=key_")
            && line.ends_with(" charge=1 rule=default")
    });
    assert_eq!(paid.count(), 3, "the access log says who paid what: {said}");
    let refused = said.lines().filter(|line| {
        line.contains(" GET / 402 faregate{decision=insufficient_funds,account=acme,key=key_")
    });
    assert_eq!(refused.count(), 1, "{said}");
    assert!(said.lines().any(|line| line.starts_with("spent") && line.contains('3')), "{said}");
}

fn mark(port: &str) -> String {
    port.chars().map(|digit| format!("<{digit}>")).collect()
}

/// The project's folder after `make build`, as far as the quickstart looks at it.
fn lay_out(dir: &Path) {
    for (place, what) in [
        ("target/release/faregate", binary()),
        ("target/wasm32-wasip1/wasm/faregate.wasm", filter()),
        (".tools/envoy/envoy/_bin/envoy", envoy()),
    ] {
        let place = dir.join(place);
        std::fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
        symlink(what.canonicalize().expect("a path"), place).expect("a link");
    }
    std::fs::create_dir_all(dir.join("envoy/quickstart")).expect("a folder");
}

/// The README's one block, and at the end the one line from its prose.
fn script(readme: &str) -> String {
    let blocks = blocks(readme, "sh");
    let [block] = blocks.as_slice() else { panic!("the README has one block: {blocks:?}") };
    // Only where the ledger listens differs.
    let listens = "faregate serve --gateway-listen 127.0.0.1:7401 --admin-listen 127.0.0.1:7402";
    let block = block.replace("faregate serve", listens);
    assert!(readme.contains("`kill $(jobs -p)`"), "the README says how to end it");
    // A busy machine may need longer than the README's two seconds.
    let spent = "until faregate balance acme --json | grep '\"spent\":\"3\"'; do sleep 0.1; done; faregate balance acme";
    format!("set -euo pipefail; trap 'kill $(jobs -p); wait' EXIT\n{block}\n{spent}\n")
}
