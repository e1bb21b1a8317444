//! Programs that a story runs: where they are, how they start, stop and are killed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A child process whose output goes to a file; killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program. What it prints goes to `log`, behind what is there.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let file = std::fs::File::options().create(true).append(true).open(log).expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|why| panic!("{name} can't be started: {why}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by name, such as `STOP`, `CONT` or `TERM`.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(done.is_ok_and(|status| status.success()), "kill -{name} {}", self.name);
        // Threads that wait for a processor go on until one of them gets it: on a busy machine that is a while.
        for _ in 0..2_000 {
            if name != "STOP" || self.is_stopped() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} does not stand still", self.name);
    }

    /// Whether every thread is stopped; true where that can't be seen.
    fn is_stopped(&self) -> bool {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", self.id())) else {
            return true;
        };
        let stat = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("stat"));
        // The state is what follows the name, which is in brackets.
        tasks.flatten().filter_map(|task| stat(task).ok()).all(|stat| {
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T') || rest.starts_with('Z'))
        })
    }

    /// Asks it to stop and waits; returns the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.wait(Duration::from_secs(20))
    }

    /// Waits for its end; returns the exit code.
    pub fn wait(&mut self, most: Duration) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < most {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} has not ended within {most:?}", self.name);
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its resident memory in kilobytes.
    pub fn memory_kb(&self) -> u64 {
        self.status_kb("VmRSS:")
    }

    /// What of that is its own in kilobytes: without the pages of its program, which others may share and the system may
    /// drop at any time.
    pub fn private_kb(&self) -> u64 {
        self.status_kb("RssAnon:")
    }

    fn status_kb(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
    }

    /// The CPU time that its threads have used (ns).
    pub fn cpu_nanos(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id()));
        let of = |path: PathBuf| {
            let text = std::fs::read_to_string(path.join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        tasks.into_iter().flatten().flatten().filter_map(|task| of(task.path())).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let output = self.output();
            let tail: Vec<&str> = output.lines().rev().take(60).collect();
            let mut err = std::io::stderr().lock();
            let _ = writeln!(err, "----- the last lines of {} -----", self.name);
            for line in tail.iter().rev() {
                let _ = writeln!(err, "{line}");
            }
        }
    }
}

/// What a program prints when it is run to its end, and whether it succeeded.
pub fn out_of(command: &mut Command) -> (bool, String) {
    let output = command.stdin(Stdio::null()).output().expect("a program that can be run");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// The project's folder.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are in a folder of the project")
        .to_owned()
}

/// The `faregate` program.
pub fn binary() -> PathBuf {
    built("FAREGATE_BIN", "debug/faregate")
}

/// The filter.
pub fn filter() -> PathBuf {
    built("FAREGATE_WASM", "wasm32-wasip1/wasm/faregate.wasm")
}

fn built(variable: &str, path: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(|| project().join("target").join(path), PathBuf::from);
    assert!(path.exists(), "{} is missing: `make test` builds it", path.display());
    path
}

/// The Envoy program.
pub fn envoy() -> PathBuf {
    let own = project().join(".tools/envoy/envoy/_bin/envoy");
    let path = std::env::var_os("ENVOY").map_or(own, PathBuf::from);
    assert!(path.exists(), "{} is missing: `make setup` fetches it", path.display());
    path
}
