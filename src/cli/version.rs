//! `faregate version`: which build this is.

use faregate_client::{Failure, Screen};
use faregate_demo::fit::SUPPORTED;
use faregate_protocol::exchange::VERSION as PROTOCOL;
use serde_json::json;
use std::sync::LazyLock;

/// The version, and of what it is one.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// See `tools/commit.rs`.
const COMMIT: &str = env!("FAREGATE_COMMIT");

/// What `--version` says behind the name.
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let [oldest, newest] = SUPPORTED;
        format!("{VERSION} (commit {COMMIT}, protocol {PROTOCOL}, Envoy {oldest} to {newest})")
    });
    &TEXT
}

/// Prints it.
pub fn run(screen: &mut Screen<'_>) -> Result<(), Failure> {
    let [oldest, newest] = SUPPORTED.map(|release| release.to_string());
    let envoy = json!({"oldest": oldest, "newest": newest});
    let build = json!({"version": VERSION, "commit": COMMIT, "protocol": PROTOCOL, "envoy": envoy});
    screen.show(&build, |screen, _| screen.line(format_args!("faregate {}", text())))
}
