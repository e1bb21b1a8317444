//! The linker of wasm modules, as rustc calls it (the Makefile builds it first, and names it to cargo).
//!
//! The SDK exports a callback for everything that Envoy can tell a filter. The filter has its own, for what it needs to be told
//! (`src/filter/host/callbacks.rs`), under names that begin with `faregate_`, because a library can't define a name twice. So
//! the SDK's callbacks are not exported, the linker drops all that only they used, and the filter's callbacks get the names that
//! Envoy looks for ([`exports`]). What the standard library does when a program fails is replaced, too ([`replaced`]). Then wasm-opt
//! takes out a sixth of the rest.
//!
//! WASM_OPT names wasm-opt, WASM_OPT_LIBS the folder of its libraries where the system has none, WASM_OPT_FLAGS=-g keeps the names of
//! functions, for `make profile`.

mod exports;
mod replaced;

use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// What rust's standard library is compiled with, and what makes the filter smaller. Large functions that are called once stay
/// on their own: what V8 compiles in one piece costs Envoy memory by the megabyte.
const OPTIONS: [&str; 14] = [
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
    "--enable-mutable-globals",
    "--enable-multivalue",
    "--enable-reference-types",
    // The first kilobyte is the stack's last: nothing points there.
    "--low-memory-unused",
    // Functions that differ in constants only.
    "--merge-similar-functions",
    // Branches as if they were written by hand.
    "--flatten",
    "--rereloop",
    "-Oz",
    // What is called most gets the numbers that are written with the fewest bytes.
    "--reorder-functions",
    "-Oz",
    "--one-caller-inline-max-function-size=70",
];

fn main() -> Result<()> {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    // Any other filter, such as the bench's that does nothing, keeps the SDK's callbacks.
    let is_ours = arguments.iter().any(|argument| argument == "faregate_context_create");
    let at = arguments.iter().position(|argument| argument == "-o");
    let linked =
        at.and_then(|at| arguments.get(at + 1)).context("no -o among the linker's arguments")?.clone();
    if is_ours {
        arguments = without_sdk(arguments);
        arguments.extend(replaced::arguments(&arguments, &Path::new(&linked).with_extension("replaced.o"))?);
    }
    // rustc puts the folder of its own linker on PATH.
    run(Command::new("rust-lld").args(&arguments), "rustc's linker")?;
    let linked = Path::new(&linked);
    if is_ours {
        let module = std::fs::read(linked).with_context(|| format!("reading {}", linked.display()))?;
        let module = exports::renamed(&module)?;
        std::fs::write(linked, module).with_context(|| format!("writing {}", linked.display()))?;
    }
    optimize(linked)
}

/// The linker's arguments without the exports of the SDK's callbacks, and of what is for the linker.
fn without_sdk(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut kept: Vec<OsString> = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let is_export = kept.last().is_some_and(|last| last == "--export");
        let is_dropped = |name: &str| name.starts_with(exports::ENVOYS) || replaced::is_replacement(name);
        if is_export && argument.to_str().is_some_and(is_dropped) {
            kept.pop();
        } else {
            kept.push(argument);
        }
    }
    kept
}

fn optimize(linked: &Path) -> Result<()> {
    let said = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let mut command = Command::new(said("WASM_OPT").unwrap_or_else(|| "wasm-opt".into()));
    command.args(OPTIONS).args(said("WASM_OPT_FLAGS")).arg(linked).arg("-o").arg(linked);
    if let Some(libraries) = said("WASM_OPT_LIBS") {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    run(
        &mut command,
        "wasm-opt; `make setup` fetches Debian's, or install binaryen, or say WASM_OPT=/path/to/wasm-opt",
    )
}

fn run(command: &mut Command, what: &str) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} can't be run, which is {what}"))?;
    if !status.success() {
        bail!("{name} failed: {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exports_of_the_sdk_callbacks_are_removed() {
        let given = "-flavor wasm --export proxy_on_log --export faregate_log --export proxy_on_done a.o proxy_on_x.o -o out";
        let kept = without_sdk(given.split(' ').map(OsString::from).collect());
        let kept: Vec<&str> = kept.iter().map(|argument| argument.to_str().unwrap()).collect();
        assert_eq!(kept.join(" "), "-flavor wasm --export faregate_log a.o proxy_on_x.o -o out");
    }
}
