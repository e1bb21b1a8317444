//! A disk under a ledger that records what is written and synced, and that fails on request; and what a
//! power failure at any point of that diary could have left behind.
//!
//! [`Disk`] loads `storage.c` into the ledger, [`WriteLog`] reads what it noted, and [`DiskState`] rebuilds the
//! directory. Linux only, and a C compiler is needed (building the ledger needs one, too).

mod diary;
mod power;
mod remains;

pub use diary::{Act, WriteLog};
pub use power::{PowerCuts, a_working_day};
pub use remains::{DiskState, Loss};

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What can go wrong with a disk.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Files may grow by so many more bytes.
    Full(u64),
    /// Writes fail.
    Write,
    /// Syncs fail.
    Sync,
    /// So many writes from now, one is written half and the ledger killed in the middle of it.
    Tear(u64),
    /// Syncs claim to have succeeded, and keep nothing safe.
    Lie,
}

/// A disk for the ledger that is started with [`Disk::environment`] in [`Disk::dir`].
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// A disk without faults.
    pub fn make() -> Self {
        let folder = TempDir::with_prefix("faregate-disk-").expect("a temporary folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/storage/storage.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.path().join("storage.so")).arg(source);
        let compiled = compiler.output().expect("a C compiler, `cc`");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Self { folder }
    }

    /// The folder to start the ledger in.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The ledger's data directory.
    pub fn data(&self) -> PathBuf {
        self.dir().join("ledger")
    }

    /// What has a ledger with its data in this directory sync nothing.
    fn without_syncs(&self, data: &Path) -> Vec<(String, String)> {
        [("LD_PRELOAD", self.dir().join("storage.so")), ("STORAGE_DIR", data.to_owned())]
            .map(|(name, path)| (name.to_owned(), path.to_string_lossy().into_owned()))
            .to_vec()
    }

    /// What puts a ledger on this disk.
    pub fn environment(&self) -> Vec<(String, String)> {
        let at = |name: &str| self.dir().join(name).to_string_lossy().into_owned();
        [
            ("LD_PRELOAD", "storage.so"),
            ("STORAGE_DIR", "ledger"),
            ("STORAGE_JOURNAL", "diary"),
            ("STORAGE_CONTROL", "fault"),
        ]
        .map(|(name, file)| (name.to_owned(), at(file)))
        .to_vec()
    }

    /// From now on this goes wrong.
    pub fn fails(&self, fault: Fault) {
        self.say(&match fault {
            Fault::Full(bytes) => format!("space={bytes}"),
            Fault::Write => "write".to_owned(),
            Fault::Sync => "sync".to_owned(),
            Fault::Tear(writes) => format!("tear={writes}"),
            Fault::Lie => "lie".to_owned(),
        });
    }

    /// From now on all is well.
    pub fn recovers(&self) {
        self.say("");
    }

    fn say(&self, word: &str) {
        let new = self.dir().join("fault.new");
        std::fs::write(&new, word).expect("a file");
        std::fs::rename(new, self.dir().join("fault")).expect("a file that can be renamed");
    }

    /// How long the diary is by now: all that was acknowledged before is in this much of it.
    pub fn now(&self) -> u64 {
        std::fs::metadata(self.dir().join("diary")).map_or(0, |file| file.len())
    }

    /// What was written so far.
    pub fn diary(&self) -> WriteLog {
        WriteLog::read(&self.dir().join("diary"))
    }
}
