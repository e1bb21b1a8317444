//! PostgreSQL's own programs, as tests run them: where they are, and how they run as an ordinary user,
//! which they insist on. The ledger's own tests use this file, too.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A new cluster of databases that no server runs on yet.
#[derive(Debug)]
pub struct Cluster {
    /// Where the programs are.
    pub programs: PathBuf,
    /// A folder that belongs to the user that runs the server; the cluster is in `data` below it.
    pub dir: PathBuf,
    /// A free port.
    pub port: u16,
}

impl Cluster {
    /// Makes one for a server on this port, whose superuser is `faregate`, without a password. `None`, with a word about it, where
    /// PostgreSQL is not installed; it is an error there when FAREGATE_NEED_POSTGRES is set.
    pub fn make(port: u16) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                std::env::var_os("FAREGATE_NEED_POSTGRES").is_none(),
                "PostgreSQL is not installed: initdb is neither on PATH nor in /usr/lib/postgresql/*/bin"
            );
            eprintln!("SKIPPED: PostgreSQL is not installed (Debian: apt-get install postgresql)");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("faregate-postgres-").tempdir().expect("a folder").keep();
        give(&dir);
        fs::set_permissions(&dir, Permissions::from_mode(0o700)).expect("a private folder");
        let mut init = as_ordinary_user(&programs.join("initdb"));
        init.args([
            "--auth=trust",
            "--username=faregate",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        let made = init.arg(dir.join("data")).output().expect("initdb");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        Some(Self { programs, dir, port })
    }
}

/// Gives a file to the ordinary user that the server runs as.
pub fn give(path: &Path) {
    if is_root() {
        let given = Command::new("chown").arg("nobody").arg(path).status().expect("chown");
        assert!(given.success(), "{} can't be given to nobody", path.display());
    }
}

/// A command that runs as an ordinary user, in a folder that such a user may enter.
pub fn as_ordinary_user(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("\nUid:\t0\t"))
}

/// The folder with `initdb` and `postgres`: where `initdb` on PATH really is, or else Debian's newest.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find_map(|dir| dir.join("initdb").canonicalize().ok());
    let on_path = on_path.and_then(|initdb| initdb.parent().map(Path::to_path_buf));
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian =
        versions.map(|version| version.path().join("bin")).filter(|dir| dir.join("initdb").is_file());
    on_path.or_else(|| debian.max())
}
