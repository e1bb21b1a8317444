//! A registry of a story's own, and the programs that write, push and pull images.

use crate::ports::free_port;
use crate::process::{Process, binary, out_of, project};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// A running registry; it ends, and its files go, when this is dropped.
pub struct Registry {
    /// The program; a story may kill it.
    pub process: Process,
    /// Its address: host and port.
    pub address: String,
    skopeo: PathBuf,
    _dir: TempDir,
}

impl Registry {
    /// Starts one. `None`, with a word about it, where the programs are not installed; it is an error there when
    /// FAREGATE_NEED_REGISTRY is set.
    pub async fn start() -> Option<Self> {
        let (registry, skopeo) = (program("docker-registry")?, program("skopeo")?);
        let dir = TempDir::with_prefix("faregate-registry-").expect("a temporary folder");
        let address = format!("127.0.0.1:{}", free_port());
        let text = format!(
            "version: 0.1\nlog: {{level: warn}}\nhttp: {{addr: '{address}'}}\n\
             storage: {{filesystem: {{rootdirectory: '{}'}}}}\n",
            dir.path().join("data").display()
        );
        let config = dir.path().join("config.yml");
        std::fs::write(&config, text).expect("a configuration file");
        let mut command = Command::new(registry);
        let process =
            Process::start("the registry", command.arg("serve").arg(&config), &dir.path().join("log"));
        let mut registry = Self { process, address, skopeo, _dir: dir };
        registry.is_ready().await;
        Some(registry)
    }

    async fn is_ready(&mut self) {
        let url = format!("http://{}/v2/", self.address);
        for _ in 0..1_500 {
            assert!(!self.process.has_ended(), "the registry has ended: {}", self.process.output());
            if reqwest::get(&url).await.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the registry doesn't get ready: {}", self.process.output());
    }

    /// Pushes images, as `make push` does: whether that was possible, and what was said.
    pub fn push(&self, path: &str, layouts: &[&Path]) -> (bool, String) {
        let mut tool = image_tool();
        tool.args(["push", "--registry", &format!("{}{path}", self.address), "--skopeo"]).arg(&self.skopeo);
        out_of(with_libraries(tool.args(layouts)))
    }

    /// Pulls what `name` names, such as `faregate-filter@sha256:…`, into a folder as an OCI layout: whether that was
    /// possible, and what was said.
    pub fn pull(&self, name: &str, to: &Path) -> (bool, String) {
        let mut skopeo = Command::new(&self.skopeo);
        skopeo.args(["copy", "--insecure-policy", "--src-tls-verify=false"]);
        skopeo.arg(format!("docker://{}/{name}", self.address)).arg(format!("oci:{}", to.display()));
        out_of(with_libraries(&mut skopeo))
    }
}

/// The program that writes, checks and pushes images.
pub fn image_tool() -> Command {
    let tool = binary().with_file_name("faregate-image");
    assert!(tool.exists(), "{} is missing: `make test` builds it", tool.display());
    Command::new(tool)
}

/// A program on PATH, or else the one that `make setup` has fetched.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([fetched().join("bin")]);
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("FAREGATE_NEED_REGISTRY").is_none(),
            "{name} is neither on PATH nor in .tools/oci: `make setup` fetches it on Debian"
        );
        eprintln!("SKIPPED: {name} is not installed (Debian: `make setup` fetches it)");
    }
    found
}

/// What was fetched brings its own libraries.
fn with_libraries(command: &mut Command) -> &mut Command {
    command.env("LD_LIBRARY_PATH", fetched().join("lib/x86_64-linux-gnu"))
}

fn fetched() -> PathBuf {
    project().join(".tools/oci/usr")
}
