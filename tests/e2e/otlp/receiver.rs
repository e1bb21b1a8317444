//! What takes OTLP in the scenarios: a receiver made from the published protobuf, which answers as a scenario wants.

use super::SOON;
use harness::{Clients, LedgerProcess, Process, eventually, free_port};
use serde_json::Value;
use std::collections::BTreeSet;

/// A receiver that reads with the published protobuf.
pub struct Receiver {
    pub clients: Clients,
    pub port: u16,
    pub more: Vec<(String, String)>,
    pub process: Option<Process>,
}

impl Receiver {
    pub async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    pub async fn start_with(more: &[(&str, &str)]) -> Option<Self> {
        let mut receiver = Self::away(more)?;
        receiver.comes().await;
        Some(receiver)
    }

    /// One that is down.
    pub fn away(more: &[(&str, &str)]) -> Option<Self> {
        let more = more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some(Self { clients: Clients::installed()?, port: free_port(), more, process: None })
    }

    pub async fn comes(&mut self) {
        let file = |name: &str| self.clients.dir().join(name).display().to_string();
        let mut environment = self.more.clone();
        environment.push(("PORT".to_owned(), self.port.to_string()));
        environment.push(("PYTHONPATH".to_owned(), self.clients.otlp_packages().display().to_string()));
        for name in ["RECORDS", "METRICS", "REQUESTS", "BEHAVIOUR"] {
            environment.push((name.to_owned(), file(name)));
        }
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.process = Some(self.clients.start("otlp_receiver.py", &environment));
        listens(self.port).await;
    }

    pub fn goes(&mut self) {
        self.process = None;
    }

    /// Has it behave in this way from now on.
    pub fn behaves(&self, how: &str) {
        self.clients.write("BEHAVIOUR", how);
    }

    pub fn lines(&self, file: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.clients.dir().join(file)).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub fn records(&self) -> Vec<Value> {
        self.lines("RECORDS")
    }

    pub fn requests(&self) -> Vec<Value> {
        self.lines("REQUESTS")
    }

    /// All records, once there are so many; each is there once.
    pub async fn gets(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} records have arrived"), SOON, async || self.records().len() >= count)
            .await;
        let records = self.records();
        let uids: BTreeSet<_> = records
            .iter()
            .map(|record| record["attributes"]["log.record.uid"].as_str().expect("a uid"))
            .collect();
        assert_eq!((records.len(), uids.len()), (count, count), "each once");
        records
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A ledger that exports to it.
    pub async fn ledger(&self, more: &[&str]) -> (LedgerProcess, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let url = self.url();
        let arguments = [["--otlp-endpoint", &url].as_slice(), more].concat();
        let ledger = LedgerProcess::start(dir.path(), &arguments, &[]).await;
        (ledger, dir)
    }
}

pub async fn listens(port: u16) {
    eventually("the receiver listens", SOON, async || {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await;
}
