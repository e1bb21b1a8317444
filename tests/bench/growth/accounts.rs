//! Accounts in the ledger: what its start, its memory, an exchange, and the first request of a caller cost.

use super::Fixture;
use crate::client::Client;
use crate::figures::percentile_ms;
use crate::population::key;
use crate::speaker::Speaker;
use crate::table::{Case, Figures, table};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SIZES: [u32; 4] = [1, 1_000, 100_000, 1_000_000];
/// How many accounts are exchanged about, and how many callers come for the first time.
const SAMPLE: u32 = 1_000;

const NOTE: &str = "one exchange at a time, of one entry; first: the first request of a caller that the gateway doesn't \
know (one at a time, its exchange included), known: the next one.
Grows with accounts: the database's file, and the time of an audit. An exchange reads a few rows by index, which the \
file's pages in memory bound; the ledger keeps nothing per account.";

pub fn measure(ground: &mut Fixture, most: u32) -> Value {
    let sizes = SIZES.into_iter().filter(|size| *size < most).chain([most]);
    let cases: Vec<Case> =
        sizes.map(|size| Case::once(format!("{size} accounts"), one(ground, size))).collect();
    table("Accounts in the ledger", NOTE, &cases)
}

#[expect(clippy::cast_precision_loss, reason = "files are far below 2^53")]
fn one(ground: &mut Fixture, size: u32) -> Figures {
    eprintln!("{size} accounts");
    let start = ground.services.block_on(ground.ledger.grow(size));
    let file = std::fs::metadata(ground.dir().join("ledger/ledger.db")).expect("the ledger's file").len();
    let at_first = ground.ledger.memory_mb();

    // Accounts from all over the file.
    let sample = size.min(SAMPLE);
    let chosen: Vec<u32> = (0..sample).map(|number| number * (size / sample)).collect();
    let gateway = format!("speaker-{size}");
    let mut speaker = Speaker::new(ground.ledger.ledger.gateway_port, gateway, chosen.iter().copied(), 1);
    speaker.meet_all();
    let end = Instant::now() + Duration::from_secs(u64::from(ground.seconds));
    let mut exchanges = speaker.speak_until(end);

    let gate = ground.gate(&format!("accounts-{size}"), 1, &json!({}));
    let mut client = Client::connect(gate.port);
    let keys: Vec<String> = chosen.into_iter().map(|number| key(number).secret).collect();
    let mut ask = |key: &String| {
        let answer = client.get(key);
        assert_eq!(answer.status, 200);
        answer.took
    };
    let (mut first, mut known) = (Vec::new(), Vec::new());
    for few in keys.chunks(50) {
        first.extend(few.iter().map(&mut ask));
        known.extend(few.iter().map(&mut ask));
    }
    let audit = ground.ledger.audit();
    vec![
        ("start s", start.as_secs_f64()),
        ("file MB", file as f64 / f64::from(1 << 20)),
        ("ledger MB", at_first),
        ("MB after", ground.ledger.memory_mb()),
        ("exchange p50 ms", percentile_ms(&mut exchanges, 50)),
        ("p99 ms", percentile_ms(&mut exchanges, 99)),
        ("first p50 ms", percentile_ms(&mut first, 50)),
        ("p99 ms", percentile_ms(&mut first, 99)),
        ("known p50 ms", percentile_ms(&mut known, 50)),
        ("audit s", audit.as_secs_f64()),
    ]
}
