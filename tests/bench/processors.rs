//! Which processors run what: where there are several, the last one is Envoy's alone, and all else (the load, the API, the
//! ledger, this program) shares the others. So none evicts the others' code and data from a processor's caches, and
//! no Envoy waits for its turn.

use std::ffi::OsString;
use std::process::Command;

/// Which processors are whose.
#[derive(Clone, Debug, Default)]
pub struct Processors {
    envoy: Option<usize>,
}

impl Processors {
    /// Leaves the last processor to Envoy: whatever this program starts from now on runs on the others. Where there is but
    /// one, or no `taskset`, everything runs wherever it likes, and that is said.
    pub fn share() -> Self {
        let last = std::thread::available_parallelism().map_or(0, usize::from).saturating_sub(1);
        let id = std::process::id().to_string();
        let others = format!("0-{}", last.saturating_sub(1));
        // All threads that are there already, and so those that they start.
        let done = last > 0
            && Command::new("taskset")
                .args(["--all-tasks", "--cpu-list", "--pid", &others, &id])
                .output()
                .is_ok_and(|output| output.status.success());
        if !done {
            eprintln!("Envoy has no processor of its own: that takes two of them, and taskset (util-linux)");
        }
        Self { envoy: done.then_some(last) }
    }

    /// The command before Envoy's own.
    pub fn of_envoy(&self) -> Vec<OsString> {
        let Some(processor) = self.envoy else {
            return Vec::new();
        };
        ["taskset", "--cpu-list", &processor.to_string()].map(OsString::from).to_vec()
    }
}
