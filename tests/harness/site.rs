//! A copy of the project's `envoy/` folder, to run as its READMEs say. Nothing in it differs but ports.

use crate::gateway::{Gateway, Run};
use crate::ledger_process::GATEWAY_TOKEN;
use crate::ports::free_port;
use crate::process::{binary, envoy, filter, out_of, project};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The ports that the configurations name.
const USUAL: [u16; 7] = [3000, 7401, 7402, 7411, 8000, 8080, 9901];

/// The copy.
pub struct Site {
    dir: PathBuf,
    ports: BTreeMap<u16, u16>,
}

impl Site {
    /// Copies one of the folders in `envoy/`. The ports that are given stand in the place of the usual ones, free ports
    /// in that of all others.
    pub fn copy(dir: &Path, folder: &str, known: &[(u16, u16)]) -> Self {
        let mut ports: BTreeMap<u16, u16> = USUAL.iter().map(|usual| (*usual, free_port())).collect();
        ports.extend(known.iter().copied());
        let site = Self { dir: dir.to_owned(), ports };
        for (place, what) in [
            ("target/release/faregate", binary()),
            ("target/wasm32-wasip1/wasm/faregate.wasm", filter()),
            (".tools/envoy/envoy/_bin/envoy", envoy()),
        ] {
            let place = dir.join(place);
            fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
            symlink(what.canonicalize().expect("a path"), place).expect("a link");
        }
        let (from, to) = (project().join("envoy").join(folder), dir.join("envoy").join(folder));
        fs::create_dir_all(&to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder of envoy/").filter_map(Result::ok) {
            let text = fs::read_to_string(entry.path()).expect("a text");
            fs::write(to.join(entry.file_name()), site.with_ports(&text)).expect("a copy");
        }
        site
    }

    /// The port in place of this one.
    pub fn port(&self, usual: u16) -> u16 {
        self.ports[&usual]
    }

    /// A text with this site's ports.
    pub fn with_ports(&self, text: &str) -> String {
        let mark = |port: u16| port.to_string().chars().map(|digit| format!("<{digit}>")).collect::<String>();
        // In two steps, because a free port may contain a usual one.
        let marked = self
            .ports
            .keys()
            .fold(text.to_owned(), |text, port| text.replace(&port.to_string(), &mark(*port)));
        self.ports.iter().fold(marked, |text, (usual, free)| text.replace(&mark(*usual), &free.to_string()))
    }

    /// The blocks of shell in a folder's README.
    pub fn blocks(&self, folder: &str) -> Vec<String> {
        let readme =
            fs::read_to_string(self.dir.join("envoy").join(folder).join("README.md")).expect("a README");
        let blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
        blocks.map(str::to_owned).collect()
    }

    /// Runs a script in this folder; it must succeed. Returns what it prints.
    pub fn run(&self, script: &str) -> String {
        let mut command = self.command("timeout");
        let (done, said) = out_of(command.args(["60", "bash", "-euo", "pipefail", "-c", script]));
        assert!(done, "{script}\n{said}");
        said
    }

    /// Whether Envoy takes a configuration, and what it says.
    pub fn validate(&self, config: &str) -> (bool, String) {
        out_of(self.command("envoy").args(["--mode", "validate", "-c", config]))
    }

    fn command(&self, program: &str) -> Command {
        let own = [self.dir.join("target/release"), self.dir.join(".tools/envoy/envoy/_bin")];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path))).expect("a PATH");
        let program = if program == "envoy" { envoy() } else { program.into() };
        let mut command = Command::new(program);
        command.current_dir(&self.dir).env("PATH", path).env("FAREGATE_GATEWAY_TOKEN", GATEWAY_TOKEN);
        // Envoy takes no configuration with a secret that isn't there.
        command.envs(
            ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"].map(|name| (name, "a provider's key")),
        );
        command
    }

    /// Starts Envoy on a configuration, and waits for nothing.
    pub fn envoy(&self, config: &str) -> Gateway {
        let run = Run {
            dir: self.dir.clone(),
            name: "envoy".to_owned(),
            config: config.into(),
            arguments: [
                "--disable-hot-restart",
                "--component-log-level",
                "wasm:info,config:debug,connection:debug",
            ]
            .map(str::to_owned)
            .to_vec(),
            environment: Vec::new(),
        };
        Gateway::launch(run, (self.port(8080), self.port(9901)))
    }

    /// Puts a text in the place of a file, in one instant.
    pub fn replace(&self, file: &str, text: &str) {
        let path = self.dir.join(file);
        // Beside the folder, so that no reader sees half of it.
        let fresh = self.dir.join("fresh");
        fs::write(&fresh, text).expect("a file");
        fs::rename(fresh, path).expect("the file");
    }

    /// What is in a file.
    pub fn text(&self, file: &str) -> String {
        fs::read_to_string(self.dir.join(file)).expect("a file")
    }
}
