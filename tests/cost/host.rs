//! What the filter's host knows: requests, shared memory, queues, the clock. Plain data without a clock of its own.

use crate::price::Spent;
use std::collections::{BTreeMap, VecDeque};

/// The root context's number.
pub const ROOT: u32 = 1;

/// One Envoy worker's side of the filter.
#[derive(Default)]
pub struct Host {
    /// The filter's configuration, as JSON.
    pub configuration: Vec<u8>,
    /// The machine's monotonic clock, in nanoseconds.
    pub now_ns: u64,
    /// On whose behalf the filter speaks right now.
    pub context: u32,
    /// Requests by their context.
    pub requests: BTreeMap<u32, Request>,
    /// Shared data: values and their stamps.
    pub shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    /// How often shared data was written; the next stamp is one more.
    pub stamp: u32,
    /// Shared queues by name; a queue's number is its place here plus one.
    pub queues: Vec<(Vec<u8>, VecDeque<Vec<u8>>)>,
    /// Queues that were filled and whose owner hasn't been notified.
    pub rung: VecDeque<u32>,
    /// Messages to the ledger, by the number of the call.
    pub messages: VecDeque<(u32, Vec<u8>)>,
    /// How many messages were sent.
    pub sent: u32,
    /// The body of the ledger's answer that is being delivered.
    pub answer: Vec<u8>,
    /// Statistics by name; a statistic's number is its place here plus one.
    pub metrics: Vec<(String, i64)>,
    /// What the filter said.
    pub log: Vec<String>,
    /// What was used since the last look.
    pub spent: Spent,
}

/// One request as Envoy holds it.
#[derive(Default)]
pub struct Request {
    /// Its head as it is now.
    pub head: Vec<(String, Vec<u8>)>,
    /// The status of the answer that the client gets.
    pub status: Option<u16>,
    /// The filter paused it and has let it go on.
    pub resumed: bool,
    /// The filter answered it with this status.
    pub refused: Option<u16>,
    /// What the filter left for the access log.
    pub note: Option<String>,
}

impl Request {
    /// The value of a header of the request.
    pub fn header(&self, name: &str) -> Option<String> {
        let value = self.head.iter().find(|(own, _)| own == name).map(|(_, value)| value)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

impl Host {
    /// The request that the filter speaks about.
    pub fn current(&mut self) -> Option<&mut Request> {
        self.requests.get_mut(&self.context)
    }
}
