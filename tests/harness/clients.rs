//! The programs that others call an API with: SDKs, agents' clients, a browser. `make setup` installs them into
//! `.tools/clients`, from `tools/clients/`; what they do is in `tests/clients/`.

use crate::gateway::Gateway;
use crate::process::{Process, out_of, project};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The installed clients, and a folder to run them in.
pub struct Clients {
    dir: TempDir,
}

impl Clients {
    /// `None`, with a word about it, where they are not installed; it is an error there when FAREGATE_NEED_CLIENTS is set.
    pub fn installed() -> Option<Self> {
        if !installed().join("complete").exists() {
            assert!(
                std::env::var_os("FAREGATE_NEED_CLIENTS").is_none(),
                "the clients are not in .tools/clients: `make setup` installs them"
            );
            eprintln!("SKIPPED: the clients are not installed (`make setup` installs them)");
            return None;
        }
        let dir = TempDir::with_prefix("faregate-clients-").expect("a temporary folder");
        // A script in JavaScript finds its packages beside itself.
        symlink(installed().join("node_modules"), dir.path().join("node_modules")).expect("a link");
        for entry in fs::read_dir(project().join("tests/clients")).expect("scripts").filter_map(Result::ok) {
            fs::copy(entry.path(), dir.path().join(entry.file_name())).expect("a copy");
        }
        Some(Self { dir })
    }

    /// Runs a script of `tests/clients/` against a gate, and returns what it says. It finds the gate in GATE, its key in KEY, and
    /// what else it must know in `more`.
    pub fn run(&self, script: &str, gate: &Gateway, key: &str, more: &[(&str, &str)]) -> Value {
        let mut command = Command::new("timeout");
        command.args(["60", language(script), script]);
        self.prepare(&mut command).env("GATE", gate.url("")).env("KEY", key).envs(more.iter().copied());
        let said = said(&mut command);
        serde_json::from_str(&said).unwrap_or_else(|why| panic!("{script} says {said}: {why}"))
    }

    /// Runs a script of `tests/clients/` that drives the browser, and returns what it says. It finds what it must know in `more`.
    pub fn drive(&self, script: &str, more: &[(&str, &str)]) -> Value {
        let mut command = Command::new("timeout");
        command.args(["300", language(script), script]);
        let (program, browser) = (program(), self.browser());
        let environment = browser.get_envs().filter_map(|(name, value)| Some((name, value?)));
        self.prepare(&mut command).envs(environment).env("CHROMIUM", program).envs(more.iter().copied());
        let said = said(&mut command);
        serde_json::from_str(&said).unwrap_or_else(|why| panic!("{script} says {said}: {why}"))
    }

    /// Runs an installed Python module for up to ten minutes: whether it succeeded, and what it printed.
    pub fn module(&self, name: &str, arguments: &[&str]) -> (bool, String) {
        self.program("python3", &[&["-m", name], arguments].concat(), &[])
    }

    /// Runs a program, perhaps an installed one, for up to ten minutes, beside the scripts: whether it succeeded, and what it printed.
    pub fn program(&self, name: &str, arguments: &[&str], more: &[(&str, &str)]) -> (bool, String) {
        let mut command = Command::new("timeout");
        command.args(["600", name]).args(arguments).envs(more.iter().copied());
        let own = ["python/bin", "node_modules/.bin"].map(|folder| installed().join(folder));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path))).expect("a PATH");
        out_of(self.prepare(&mut command).env("PATH", path))
    }

    /// Where the packages of `tools/clients/otlp.txt` are.
    pub fn otlp_packages(&self) -> PathBuf {
        installed().join("otlp")
    }

    /// Where they run.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A file in the folder in which they run.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).expect("a file");
    }

    /// Starts a script of `tests/clients/` that runs until it is dropped.
    pub fn start(&self, script: &str, more: &[(&str, &str)]) -> Process {
        let mut command = Command::new(language(script));
        self.prepare(command.arg(script)).envs(more.iter().copied());
        Process::start(script, &mut command, &self.dir.path().join(format!("{script}.log")))
    }

    /// Has a command run beside the scripts, with the packages of either language.
    fn prepare<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let command = command.current_dir(self.dir.path());
        command.env("PYTHONPATH", installed().join("python")).env("PYTHONDONTWRITEBYTECODE", "1")
    }

    /// What `curl` gets with these arguments.
    pub fn curl(&self, arguments: &[&str]) -> String {
        said(Command::new("curl").args(["--silent", "--show-error", "--max-time", "20"]).args(arguments))
    }

    /// What a browser shows of an address: the document, and a picture of it in a file.
    pub fn browse(&self, url: &str) -> (String, PathBuf) {
        let picture = self.dir.path().join("page.png");
        let mut browser = self.browser();
        said(browser.arg(format!("--screenshot={}", picture.display())).arg(url));
        (said(self.browser().arg("--dump-dom").arg(url)), picture)
    }

    fn browser(&self) -> Command {
        let own = installed().join("chromium/usr");
        let mut command = Command::new("timeout");
        command.arg("60").arg(program()).current_dir(self.dir.path()).env("HOME", self.dir.path());
        let fonts = own.join("share/fonts");
        if fonts.exists() {
            let here = format!("<fontconfig><dir>{}</dir></fontconfig>", fonts.display());
            let config = self.dir.path().join("fonts.conf");
            fs::write(&config, here).expect("a configuration file");
            command.env("FONTCONFIG_FILE", config);
        }
        let libraries = own.join("lib/x86_64-linux-gnu");
        let libraries = [libraries.join("pulseaudio"), libraries];
        command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).expect("a path"));
        // Tests may run as root and in a container, where the browser's own sandbox can't be set up.
        command.args(["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=900,700"]);
        command
    }
}

/// The browser.
fn program() -> PathBuf {
    let own = installed().join("chromium/usr/lib/chromium/chromium-headless-shell");
    std::env::var_os("CHROMIUM").map_or(own, PathBuf::from)
}

/// Where `make setup` installs them.
fn installed() -> PathBuf {
    project().join(".tools/clients")
}

/// What runs a script.
fn language(script: &str) -> &'static str {
    if script.split('.').next_back() == Some("py") { "python3" } else { "node" }
}

fn said(command: &mut Command) -> String {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().expect("a program that can be run");
    let said = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{command:?}: {status}\n{said}\n{}", String::from_utf8_lossy(&stderr));
    said
}
