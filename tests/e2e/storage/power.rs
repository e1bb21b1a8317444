//! Power failures, replayed from a diary of all that the ledger wrote and synced.

use harness::Random;
use harness::storage::{Disk, Fault, a_working_day};

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_writes_survive_a_power_failure() {
    let disk = Disk::make();
    let day = a_working_day(&disk, 4, 20).await;

    let wrong = day.after(&disk, 100, &mut Random::new(7)).await;

    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_lies_about_its_syncs_is_detected() {
    let disk = Disk::make();
    disk.fails(Fault::Lie);
    let day = a_working_day(&disk, 2, 6).await;

    let wrong = day.after(&disk, 8, &mut Random::new(7)).await;

    assert!(!wrong.is_empty(), "the test would find a ledger that doesn't sync");
}
