//! `tools/retried`, with which `make test` and `make check` end.

use harness::{out_of, project};
use std::process::Command;

/// A report as cargo-nextest writes it.
const REPORT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="3" skipped="0" failures="1" errors="0">
    <testsuite name="faregate-tests::e2e" tests="3" skipped="0" errors="0" failures="1">
        <testcase name="crash::slow" classname="faregate-tests::e2e" time="0.014">
            <flakyFailure time="0.486" message="not within 2s" type="test failure with exit code 101">not within 2s
                <system-err>retried: never &lt;rerunFailure&gt;</system-err>
            </flakyFailure>
        </testcase>
        <testcase name="crash::good" classname="faregate-tests::e2e" time="0.012"/>
        <testcase name="crash::broken" classname="faregate-tests::e2e" time="0.427">
            <failure message="always" type="test failure with exit code 101">always</failure>
            <rerunFailure time="0.301" message="always" type="test failure with exit code 101">always</rerunFailure>
        </testcase>
    </testsuite>
</testsuites>
"#;

fn retried(report: &str) -> String {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("junit.xml");
    std::fs::write(&file, report).expect("a file");
    let (done, said) = out_of(Command::new(project().join("tools/retried")).arg(file));
    assert!(done, "{said}");
    said
}

#[test]
fn every_retried_test_is_listed_with_its_outcome() {
    let said = retried(REPORT);
    let passed = "retried: faregate-tests::e2e crash::slow (passed on try 2)\n";
    let failed = "retried: faregate-tests::e2e crash::broken (failed on all 2 tries)\n";
    assert_eq!(said, [passed, failed].concat());
}

#[test]
fn no_retries_and_a_missing_report_are_reported_differently() {
    let said = retried(r#"<testsuites><testsuite name="a"><testcase name="good"/></testsuite></testsuites>"#);
    assert_eq!(said, "no test was retried\n");
    let said = retried("");
    assert!(said.starts_with("which tests were retried is unknown: "), "{said}");
}
