//! A gateway beside the loaded ones, whose callers wait for credits: how long they wait, and how many in vain.

use super::gateway::number;
use super::tally::Tally;
use crate::population::key_id;
use crate::wire::{Connection, NoAnswer, post};
use faregate_protocol::exchange::PATH;
use harness::GATEWAY_TOKEN;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Its payers.
pub const PAYERS: u32 = 1_000;
/// A caller comes so often.
const EVERY: Duration = Duration::from_millis(50);
/// So long it waits.
const PATIENCE: Duration = Duration::from_millis(500);
/// An answer that comes so soon, several times over, is that of an idle ledger.
const IDLE: Duration = Duration::from_millis(50);
const IN_A_ROW: u32 = 5;
/// The usual time between heartbeats.
const HEARTBEAT_MS: u64 = 1_000;
/// The longest that a ledger may take to become idle.
const MOST: Duration = Duration::from_secs(180);
/// What a request costs, micro-credits.
const PRICE: u64 = 1_000_000;

/// It asks for its payers in turn, for one request each.
pub struct Asker {
    connection: Connection,
    first: u32,
    asked: u32,
}

impl Asker {
    /// One whose payers are the accounts from this one on.
    pub fn new(port: u16, first: u32) -> Self {
        Self { connection: Connection::to(port), first, asked: 0 }
    }

    /// Asks until then.
    pub async fn run(&mut self, measure: Instant, end: Instant) -> Tally {
        let mut tally = Tally::default();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while ticks.tick().await < end {
            let mut turn = Tally::default();
            let begun = Instant::now();
            self.ask(&mut turn).await;
            if begun >= measure {
                tally.add(turn);
            }
        }
        tally
    }

    /// Waits until what was offered is worked off, and the ledger asks for the usual heartbeat again.
    pub async fn wait_for_idle(&mut self) {
        let began = Instant::now();
        let mut row = 0;
        while row < IN_A_ROW {
            assert!(began.elapsed() < MOST, "the ledger is still busy {MOST:?} after the load has ended");
            let mut turn = Tally::default();
            self.ask(&mut turn).await;
            let at_once = turn.committed_entries == 1
                && turn.answer_ms(50) < IDLE.as_secs_f64() * 1e3
                && turn.heartbeat_ms <= HEARTBEAT_MS;
            row = if at_once { row + 1 } else { 0 };
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn ask(&mut self, tally: &mut Tally) {
        let payer = key_id(self.first + self.asked % PAYERS);
        let need = u64::from(self.asked / PAYERS + 1) * PRICE;
        self.asked += 1;
        let body = format!(
            r#"{{"protocol":2,"gateway":"bench-asks","entries":[{{"payer":{{"id":"{payer}"}},"lease":{{"epoch":1,"spent":0,"returned":0,"held":0}},"ask":{{"least":{need},"need":{need},"want":{need}}}}}]}}"#
        );
        let message = format!("{}{}\r\n\r\n{body}", post(PATH, GATEWAY_TOKEN, ""), body.len());
        match self.connection.send(message.as_bytes(), PATIENCE).await {
            Ok(reply) if reply.status == 200 => {
                tally.committed(1, reply.took, number(reply.body, "\"heartbeat_ms\":").unwrap_or(0));
            }
            Ok(reply) => {
                assert_eq!(reply.status, 503, "{}", String::from_utf8_lossy(reply.body));
                tally.overloaded(1);
            }
            Err(NoAnswer) => tally.silent(1),
        }
    }
}
