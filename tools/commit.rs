//! The build script of the filter and of the command: it says which commit they are built from.
//!
//! `FAREGATE_COMMIT` comes first: a build from an archive can set it. Without it, git is asked;
//! where there is no git, the commit is `unknown`. Only what ships asks git, which is what carries no debug
//! information: all else would be rebuilt with each commit, tests included.

use std::env::var;
use std::path::Path;
use std::process::Command;

/// The longest commit that is believed, in bytes. A SHA-256 has 64 digits, and `-dirty` may follow.
const LONGEST: usize = 80;

fn main() {
    println!("cargo::rerun-if-changed=../../tools/commit.rs");
    println!("cargo::rerun-if-env-changed=FAREGATE_COMMIT");
    let given = var("FAREGATE_COMMIT").ok().filter(|commit| !commit.is_empty());
    if let Some(given) = &given
        && !is_plain(given)
    {
        println!(
            "cargo::error=FAREGATE_COMMIT: found {given:?}; allowed are letters, digits, '-' and '.', at most {LONGEST}"
        );
    }
    let commit = given.or_else(|| ships().then(ask_git).flatten()).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=FAREGATE_COMMIT={commit}");
}

/// Whether what is built is what people run. The filter runs as wasm only.
fn ships() -> bool {
    let is = |name: &str, value: &str| var(name).is_ok_and(|found| found == value);
    is("DEBUG", "false") && (is("CARGO_CFG_TARGET_ARCH", "wasm32") || is("CARGO_PKG_NAME", "faregate-cli"))
}

/// The commit of this project's own repository; `None` where there is none.
fn ask_git() -> Option<String> {
    // An archive may lie in a folder of somebody else's repository.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = Path::new("../..").canonicalize().ok()?;
    if Path::new(&top).canonicalize().ok()? != here {
        return None;
    }
    // What a commit or a checkout changes. A file that isn't there would make cargo ask each time.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let path = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists());
        if let Some(path) = path {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "HEAD"]).filter(|commit| is_plain(commit))
}

fn git(arguments: &[&str]) -> Option<String> {
    let said = Command::new("git").args(arguments).output().ok().filter(|said| said.status.success())?;
    Some(String::from_utf8(said.stdout).ok()?.trim().to_owned())
}

fn is_plain(commit: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    commit.len() <= LONGEST && commit.bytes().all(plain)
}
