//! The machine's wall clock jumps by an hour, forwards and back: no lease lives longer, none is lost.
//!
//! A small library that is loaded before libc moves the wall clock of the programs under test, and leaves their
//! monotonic clock alone, as a step of the machine's clock would.

use harness::{Setup, World, eventually, flood, get, out_of};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long offset(void) {
    char text[32] = {0};
    int file = open(getenv("WALL_CLOCK_OFFSET"), O_RDONLY);
    if (file < 0) return 0;
    if (read(file, text, sizeof text - 1) < 0) text[0] = 0;
    close(file);
    return atol(text);
}
int clock_gettime(clockid_t clock, struct timespec *time) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) time->tv_sec += offset();
    return result;
}
int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    int (*real)(struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(time, zone);
    time->tv_sec += offset();
    return result;
}
time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}
"#;

/// A library that moves the wall clock of the program that loads it, by the number of seconds in a file.
pub fn build_shim(dir: &Path) -> String {
    let (source, library) = (dir.join("clock.c"), dir.join("clock.so"));
    std::fs::write(&source, SHIM).expect("a source file");
    let (built, said) =
        out_of(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl"));
    assert!(built, "{said}");
    library.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wall_clock_jump_does_not_affect_leases() {
    let tools = tempfile::tempdir().expect("a temporary folder");
    let offset = tools.path().join("offset");
    let step = |seconds: i64| std::fs::write(&offset, seconds.to_string()).expect("the offset");
    step(0);
    let environment = vec![
        ("LD_PRELOAD".to_owned(), build_shim(tools.path())),
        ("WALL_CLOCK_OFFSET".to_owned(), offset.display().to_string()),
    ];
    let serve = &["--lease-ttl", "3s", "--lease-grace", "2s"];
    let mut world = World::start(Setup { environment, serve, ..Setup::default() }).await;
    let key = world.ledger.account("acme", "10000").await;
    assert_eq!(flood(&world.gateways, &key, 200, 4).await.get(&200), Some(&200));

    for seconds in [3_600, -3_600, 0] {
        step(seconds);
        let dates = get(world.gate(), "/", &[("x-api-key", &key)]).await;
        assert_eq!(dates.status, 200, "{seconds}");
        assert_eq!(flood(&world.gateways, &key, 200, 4).await.get(&200), Some(&200), "{seconds}");
        assert_eq!(
            world.ledger.metric("faregate_reclaims_total").await,
            0.0,
            "no lease is lost at {seconds}"
        );
    }

    // A lease expires on time although the wall clock is set back.
    assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, 200);
    world.ledger.process.kill();
    step(-3_600);
    eventually("the lease ends", Duration::from_secs(30), async || {
        get(world.gate(), "/", &[("x-api-key", &key)]).await.status == 503
    })
    .await;
    step(3_600);
    assert_eq!(get(world.gate(), "/", &[("x-api-key", &key)]).await.status, 503, "and stays so");
    world.ledger.restart().await;
    world.ledger.nothing_is_held().await;
    let spent: u64 = world.ledger.balance("acme", "spent").await.parse().expect("whole credits");
    assert_eq!(spent, world.upstream.served());
    world.ledger.audit().await;
}
