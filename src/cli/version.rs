//! `faregate version`: which build this is.

use faregate_client::{Failure, Screen};
use faregate_protocol::exchange::VERSION as PROTOCOL;
use serde_json::json;
use std::sync::LazyLock;

/// The version, and of what it is one.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// See `tools/commit.rs`.
const COMMIT: &str = env!("FAREGATE_COMMIT");

/// What `--version` says behind the name.
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| format!("{VERSION} (commit {COMMIT}, protocol {PROTOCOL})"));
    &TEXT
}

/// Prints it.
pub fn run(screen: &mut Screen<'_>) -> Result<(), Failure> {
    let build = json!({"version": VERSION, "commit": COMMIT, "protocol": PROTOCOL});
    screen.show(&build, |screen, _| screen.line(format_args!("faregate {}", text())))
}
