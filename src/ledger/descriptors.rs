//! How many files and sockets the process may have open, and so how many connections its listeners may hold.

use crate::http::{MAX_CONNECTIONS, MAX_ENDING};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many files are for all else: the database, the log, certificates, a gateway under `faregate up`.
const OTHER_FILES: u64 = 256;
/// The minimum number of connections per listener, used even if the limit allows fewer.
const FEWEST: usize = 16;

/// Raises the limit of open files to what so many listeners need, as far as the system lets it, and says how many connections each of
/// them may hold.
pub fn connections(listeners: u64) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let allowed = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let enough = needed(MAX_CONNECTIONS, listeners);
    let wanted = enough.min(allowed(limit.maximum));
    let mut files = allowed(limit.current);
    if files < wanted && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }).is_ok() {
        files = wanted;
    }
    let most = most(files, listeners);
    if most < MAX_CONNECTIONS {
        tracing::warn!(
            open_files = files,
            connections = most,
            "the limit of open files is low, so each listener holds fewer connections; allow {enough} (LimitNOFILE, ulimit -n)"
        );
    }
    most
}

/// The number of file descriptors for this many connections per listener.
fn needed(connections: usize, listeners: u64) -> u64 {
    let each = u64::try_from(connections.saturating_add(MAX_ENDING)).unwrap_or(u64::MAX);
    each.saturating_mul(listeners).saturating_add(OTHER_FILES)
}

/// How many connections per listener so many files are enough for.
fn most(files: u64, listeners: u64) -> usize {
    let each = files.saturating_sub(OTHER_FILES).checked_div(listeners).unwrap_or(0);
    let each = usize::try_from(each).unwrap_or(usize::MAX);
    each.saturating_sub(MAX_ENDING).clamp(FEWEST, MAX_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_limit_leaves_file_descriptors_for_other_uses() {
        assert_eq!([2, 3].map(|listeners| needed(MAX_CONNECTIONS, listeners)), [2_432, 3_520]);
        assert_eq!(most(3_520, 3), 1_024);
        for (files, connections) in
            [(u64::MAX, 1_024), (2_432, 1_024), (2_430, 1_023), (1_024, 320), (256, 16), (0, 16)]
        {
            assert_eq!(most(files, 2), connections, "{files}");
        }
    }
}
