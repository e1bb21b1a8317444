//! Ports for programs under test. The ledger's own tests use this file, too.
//!
//! A port that the kernel picks may be gone before its program listens on it, or while that is down for a restart: to
//! another test, or to any connection that goes out. So these are below the range that Linux picks from, and a
//! process of tests reserves a block of them for as long as it lives, by listening on the block's first port.

use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};

/// The first port of the first block.
const FIRST: u16 = 10_000;
/// How many ports a block has, the one that reserves it among them.
const BLOCK: u16 = 20;
/// How many blocks there are; the last ends at port 31,999.
const BLOCKS: u16 = 1_100;

struct Reserved {
    /// What holds the blocks.
    held: Vec<TcpListener>,
    /// What is left of the newest one.
    next: u16,
    end: u16,
}

static RESERVED: Mutex<Reserved> = Mutex::new(Reserved { held: Vec::new(), next: 0, end: 0 });

/// A free loopback port that no other test gets.
pub fn free_port() -> u16 {
    let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if reserved.next == reserved.end {
            reserved.reserve();
        }
        let port = reserved.next;
        reserved.next += 1;
        if listen(port).is_some() {
            return port;
        }
    }
}

impl Reserved {
    /// Reserves another block. Processes begin at different ones, so that a port isn't used again at once.
    fn reserve(&mut self) {
        let own = std::process::id() % u32::from(BLOCKS);
        let own = u16::try_from(own).unwrap_or_default();
        let mut starts = (0..BLOCKS).map(|number| FIRST + (own + number) % BLOCKS * BLOCK);
        let (start, held) = starts
            .find_map(|start| Some((start, listen(start)?)))
            .unwrap_or_else(|| panic!("no block of {BLOCK} ports from {FIRST} on is free"));
        self.held.push(held);
        (self.next, self.end) = (start + 1, start + BLOCK);
    }
}

fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).ok()
}
