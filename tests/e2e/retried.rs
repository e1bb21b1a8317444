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
fn a_test_that_needed_a_second_try_is_named_whatever_came_of_it() {
    let said = retried(REPORT);
    let passed = "retried: faregate-tests::e2e crash::slow (passed on try 2)\n";
    let failed = "retried: faregate-tests::e2e crash::broken (failed on all 2 tries)\n";
    assert_eq!(said, [passed, failed].concat());
}

#[test]
fn without_one_that_is_said_too_and_a_report_that_is_missing_is_no_good_news() {
    let said = retried(r#"<testsuites><testsuite name="a"><testcase name="good"/></testsuite></testsuites>"#);
    assert_eq!(said, "no test was retried\n");
    let said = retried("");
    assert!(said.starts_with("which tests were retried is unknown: "), "{said}");
}
