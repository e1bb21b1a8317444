//! A ledger is lost, and put back from a backup, while its gateways live on and know more than it does.
//! The backup was made under load, from a ledger that knew nothing of it.

use harness::{Postgres, Setup, World, binary, eventually, flood, get, out_of, patient};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// It takes one or two heartbeats, of a second each. Without the news it would take until the lease ends, after 20 s.
const SHORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the ledger's data is.
enum Data {
    Directory,
    Server(Postgres),
}

impl Data {
    fn environment(&self) -> Vec<(String, String)> {
        match self {
            Self::Directory => Vec::new(),
            Self::Server(server) => server.environment(),
        }
    }

    /// Runs `faregate backup` or `restore`.
    fn run(&self, what: &str, file: &Path, dir: &Path) -> (bool, String) {
        let mut command = Command::new(binary());
        command.args(["--json", what]).arg(file).envs(self.environment());
        if matches!(self, Self::Directory) {
            command.arg("--data").arg(dir.join("ledger"));
        }
        out_of(&mut command)
    }

    fn lose(&self, dir: &Path) {
        match self {
            Self::Directory => std::fs::remove_dir_all(dir.join("ledger")).expect("the data"),
            Self::Server(server) => server.empty(),
        }
    }
}

async fn whole(world: &World, member: &str) -> u64 {
    let balance = world.ledger.get("/admin/v1/accounts/acme/balance").await;
    let whole = balance[member].as_str().and_then(|credits| credits.parse().ok());
    whole.unwrap_or_else(|| panic!("{member} are no whole credits: {balance}"))
}

async fn a_lost_ledger_comes_back(data: Data) {
    let environment = data.environment();
    let mut world =
        World::start(Setup { gateways: 2, config: patient(), environment, ..Setup::default() }).await;
    let dir = world.dir().to_owned();
    let file = dir.join("backup.db");
    let key = world.ledger.account("acme", "10000").await;
    let (id, doomed) = world.ledger.key("acme").await;
    assert_eq!(flood(&world.gateways, &doomed, 20, 2).await.get(&200), Some(&20));

    // A backup in the middle of traffic.
    let before = whole(&world, "spent").await;
    let backup = async {
        let (data, file, dir) = (&data, &file, &dir);
        tokio::task::block_in_place(|| data.run("backup", file, dir))
    };
    let (status_counts, (done, said)) = tokio::join!(flood(&world.gateways, &key, 500, 4), backup);
    assert!(done, "{said}");
    assert_eq!(status_counts.get(&200), Some(&500), "no caller notices: {status_counts:?}");
    let holdings: Value = serde_json::from_str(said.trim()).expect("JSON");
    assert_eq!((&holdings["accounts"], &holdings["keys"]), (&json!(1), &json!(2)));
    let (again, said) = data.run("backup", &file, &dir);
    assert!(!again && said.contains("exists already"), "{said}");
    let (done, said) = data.run("restore", &file, &dir);
    assert!(!done && (said.contains("not empty") || said.contains("running")), "{said}");

    // What comes now will be lost.
    world.ledger.grant("acme", "777").await;
    assert_eq!(flood(&world.gateways, &key, 300, 4).await.get(&200), Some(&300));
    assert_eq!(flood(&world.gateways, &doomed, 20, 2).await.get(&200), Some(&20));
    world.ledger.process.kill();
    data.lose(&dir);
    let (done, said) = data.run("restore", &file, &dir);
    assert!(done, "{said}");
    world.ledger.restart().await;

    let served = world.upstream.served();
    for gate in &world.gateways {
        for key in [&key, &doomed] {
            eventually("the gate answers 200", Duration::from_secs(30), async || {
                get(gate, "/", &[("x-api-key", key)]).await.status == 200
            })
            .await;
        }
    }
    // A worker whose last message failed asks nothing for half a second.
    eventually("all are served", Duration::from_secs(30), async || {
        flood(&world.gateways, &key, 200, 4).await.get(&200) == Some(&200)
    })
    .await;
    assert!(world.upstream.served() >= served + 204);

    world.ledger.post(&format!("/admin/v1/keys/{id}/revoke"), json!({})).await;
    for gate in &world.gateways {
        eventually("the key is refused", SHORT_TIMEOUT, async || {
            get(gate, "/", &[("x-api-key", &doomed)]).await.status == 401
        })
        .await;
        eventually("the other key goes on", SHORT_TIMEOUT, async || {
            get(gate, "/", &[("x-api-key", &key)]).await.status == 200
        })
        .await;
    }

    // Leases of the time before are over for the ledger, and still have to be reported.
    eventually("the gateways have reported what they sold", Duration::from_secs(60), async || {
        whole(&world, "spent").await >= before + 200
    })
    .await;
    world.ledger.nothing_is_held().await;
    let balance = world.ledger.get("/admin/v1/accounts/acme/balance").await;
    let whole =
        |member: &str| balance[member].as_str().and_then(|n| n.parse::<u64>().ok()).expect("whole credits");
    assert!(whole("spent") <= world.upstream.served(), "{balance}");
    assert_eq!(whole("granted"), 10_000, "what was granted since is lost");
    assert_eq!(whole("available") + whole("held") + whole("spent"), 10_000, "{balance}");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_directory_is_restored_while_gateways_keep_running() {
    a_lost_ledger_comes_back(Data::Directory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_server_is_restored_while_gateways_keep_running() {
    let Some(server) = Postgres::start().await else { return };
    a_lost_ledger_comes_back(Data::Server(server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_backup_leaves_no_partial_file() {
    let world = World::start(Setup { gateways: 0, ..Setup::default() }).await;
    for n in 0..50 {
        world.ledger.account(&format!("account{n}"), "5").await;
    }
    let folder = world.dir().join("backups");
    std::fs::create_dir(&folder).expect("a folder");
    for delay_ms in [0, 2, 4, 8, 12, 16, 24, 32] {
        let mut command = Command::new(binary());
        command.arg("backup").arg(folder.join("killed.db")).arg("--data").arg(world.dir().join("ledger"));
        let mut child = command.spawn().expect("a program that runs");
        // There is no condition to wait for: it is to die at any moment.
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        let _ = child.kill();
        let ended = child.wait().expect("its end");
        assert!(ended.success() || !folder.join("killed.db").exists() || is_whole(&folder.join("killed.db")));
        let _ = std::fs::remove_file(folder.join("killed.db"));
    }
    let last = folder.join("last.db");
    let (done, said) = Data::Directory.run("backup", &last, world.dir());
    assert!(done, "{said}");
    let left: Vec<_> =
        std::fs::read_dir(&folder).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["last.db"], "what killed programs left is gone");
    world.ledger.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_no_partial_backup_or_restore() {
    let world = World::start(Setup { gateways: 0, ..Setup::default() }).await;
    world.ledger.account("acme", "5").await;
    let folder = world.dir().join("full");
    std::fs::create_dir(&folder).expect("a folder");
    let (file, whole, data) =
        (folder.join("backup.db"), world.dir().join("whole.db"), world.dir().join("ledger"));
    let (done, said) = Data::Directory.run("backup", &whole, world.dir());
    assert!(done, "{said}");
    let lost = folder.join("restored");
    for (what, file, data) in [("backup", &file, &data), ("restore", &whole, &lost)] {
        // No file may become larger than 40 KiB, so that writing fails in the middle.
        let mut shell = Command::new("bash");
        shell.args(["-c", "trap '' XFSZ; ulimit -f 40; exec \"$0\" \"$1\" \"$2\" --data \"$3\""]);
        let (done, said) = out_of(shell.arg(binary()).arg(what).arg(file).arg(data));
        assert!(!done && said.starts_with("error: "), "{said}");
        assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 0, "{what}: {said}");
    }
}

/// A file with this name is a backup: all of it can be restored.
fn is_whole(file: &Path) -> bool {
    let dir = tempfile::tempdir().expect("a temporary folder");
    Data::Directory.run("restore", file, dir.path()).0
}
