//! Envoy's shared data and shared queue as the core's [`SharedMemory`].

use crate::decide::lease::shared::{Names, SharedMemory};
use proxy_wasm::hostcalls;

/// A stamp that no entry ever has: a swap with it succeeds only where there is no entry yet.
const ABSENT: u32 = u32::MAX;

/// The memory that the workers of this process share.
pub(super) struct HostMemory {
    dirty_queue: Option<u32>,
}

impl HostMemory {
    /// Opens the queue of changed leases; every worker that does so shares it.
    pub(super) fn open(names: &Names) -> Self {
        Self { dirty_queue: hostcalls::register_shared_queue(&names.dirty_queue()).ok() }
    }
}

impl SharedMemory for HostMemory {
    fn get(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        match hostcalls::get_shared_data(name) {
            Ok((Some(bytes), Some(stamp))) => Some((bytes, stamp)),
            _ => None,
        }
    }

    fn swap(&self, name: &str, value: &[u8], stamp: Option<u32>) -> bool {
        hostcalls::set_shared_data(name, Some(value), Some(stamp.unwrap_or(ABSENT))).is_ok()
    }

    fn push_dirty(&self, payer: &str) {
        if let Some(queue) = self.dirty_queue {
            let _ = hostcalls::enqueue_shared_queue(queue, Some(payer.as_bytes()));
        }
    }

    fn pop_dirty(&self) -> Option<String> {
        let bytes = hostcalls::dequeue_shared_queue(self.dirty_queue?).ok()??;
        String::from_utf8(bytes).ok()
    }
}
