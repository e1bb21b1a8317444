//! The quickstart, typed as its README says, with the Envoy configuration as it lies there: nothing but the
//! ports is changed.

use harness::{binary, envoy, filter, free_port, out_of, project};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// What a person does by being slow: after a line with this in it, the next waits until that answers.
const WAITS: [(&str, &str); 4] = [
    ("http.server", "curl -sf http://127.0.0.1:3000/"),
    ("faregate serve", "curl -sf http://127.0.0.1:7402/readyz"),
    ("envoy --config-path", "curl -sf http://127.0.0.1:9901/ready"),
    ("for i in", "faregate balance acme --json | grep '\"spent\":\"3\"'"),
];

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

/// Every block of shell in the README, and at the end the one line from its prose.
fn script(readme: &str) -> String {
    let mut script = String::from("set -euo pipefail; trap 'kill $(jobs -p); wait' EXIT\n");
    let blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    for line in blocks.flat_map(str::lines) {
        // Only where it listens differs.
        let line = line.replace(
            "faregate serve",
            "faregate serve --gateway-listen 127.0.0.1:7401 --admin-listen 127.0.0.1:7402",
        );
        script.push_str(&line);
        script.push('\n');
        for (_, answers) in WAITS.iter().filter(|(after, _)| line.contains(after)) {
            script.push_str(&format!("until {answers} >/dev/null 2>&1; do sleep 0.05; done\n"));
        }
    }
    assert!(readme.contains("`kill $(jobs -p)`"), "the README says how to end it");
    script
}
