//! What is done to a backup before a ledger continues from it. Gateways keep running: they know of later
//! leases, larger counters and newer changes than the ledger that comes back.
//!
//! - Leases are taken back. Their gateways report absolute counters, so whatever they have sold since is
//!   booked as soon as they report it; and they may open the next lease at once, whatever its number.
//! - The number of the newest change leaps ahead of all that any gateway can have seen, so that each has its
//!   leases read at its next heartbeat, and misses nothing of what changes from then on.
//! - Sessions in the console and in the portal end, and links to the portal: some may have been signed out or used since.
//! - The count of the price list's changes leaps for the same reason: each gateway asks for its models' prices again.

use super::error::{CopyError, agree};
use super::stage::Stage;
use crate::store::sqlite::copy as sqlite;
use jiff::Timestamp;

/// The minimum by which the change counter jumps.
const LEAP: i64 = 1 << 40;

/// The minimum by which the count of the price list's changes jumps. Gateways hear it times 65536, so this is beyond what
/// people change, and small enough for JSON.
const PRICE_LEAP: i64 = 1 << 20;

/// Prepares a copy so that a ledger can continue from it.
pub fn prepare(stage: &Stage, now: Timestamp) -> Result<(), CopyError> {
    sqlite::take_leases_back(stage.open()?, now)?;
    let conn = stage.open()?;
    sqlite::set_newest(&conn, leap(sqlite::newest(&conn)?, now))?;
    sqlite::end_sessions(&conn)?;
    sqlite::leap_prices(&conn, PRICE_LEAP, now.as_second())?;
    agree(&sqlite::audit(&conn)?, "the copy")
}

/// A number beyond every one that a gateway can have seen. The same backup may be restored twice, and used each
/// time, so the number comes from the time: no ledger makes a million changes per second.
fn leap(newest: i64, now: Timestamp) -> i64 {
    newest.saturating_add(LEAP).max(now.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_restore_jumps_past_the_numbers_of_the_previous_one() {
        let first = leap(7, Timestamp::from_second(1_800_000_000).unwrap());
        let second = leap(7, Timestamp::from_second(1_800_000_001).unwrap());
        assert!(first > 7 + 1_000_000_000 && second > first + 100_000, "{first} {second}");
        assert!(second < 1 << 53, "a number that JSON can hold everywhere");
        assert!(leap(first, Timestamp::UNIX_EPOCH) > first, "a clock that has stopped");
    }
}
