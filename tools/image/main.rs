//! `faregate-image`: writes the two OCI images, checks them, and pushes them. `make image` and `make push` run it.
//!
//! - [`images`]: what is in each image.
//! - [`layer`]: files as the one layer of an image.
//! - [`layout`]: an image as a folder, after the OCI image layout specification, and the check of such a folder.
//! - [`push`]: a folder's way into a registry, by skopeo.
//!
//! What must hold: the same input gives the same digest, wherever, whenever and by whomever it is packed. So nothing is
//! taken from the file system but bytes, all is written in a fixed order, and time is an argument.

mod images;
mod layer;
mod layout;
mod push;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The largest file that is packed or checked.
const MOST_BYTES: u64 = 256 << 20;

/// Writes, checks and pushes the OCI images of Faregate, without a container engine.
#[derive(Parser)]
#[command(name = "faregate-image", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the filter's image into a folder
    Filter {
        /// The filter, built
        #[arg(long, value_name = "FILE")]
        wasm: PathBuf,
        #[command(flatten)]
        about: ImageAnnotations,
    },
    /// Write the ledger's image into a folder
    Ledger {
        /// The faregate program: static, for Linux on x86_64
        #[arg(long, value_name = "FILE")]
        binary: PathBuf,
        #[command(flatten)]
        about: ImageAnnotations,
    },
    /// Check that a folder holds an image of which every byte is as its digest says; prints that digest
    Verify {
        #[arg(required = true)]
        layouts: Vec<PathBuf>,
    },
    /// Push images to a registry; each gets its folder's name
    Push(push::Push),
}

/// The annotations of an image.
#[derive(Args)]
struct ImageAnnotations {
    /// The folder that is written; what was there goes
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// The release
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    version: String,
    /// The commit that was built
    #[arg(long)]
    revision: String,
    /// When that was made, in seconds since 1970
    #[arg(long, value_name = "SECONDS")]
    created: i64,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("faregate-image: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Filter { wasm, about } => write(&images::filter(read(&wasm)?, &about)?, &about.to),
        Command::Ledger { binary, about } => write(&images::ledger(read(&binary)?, &about)?, &about.to),
        Command::Verify { layouts } => {
            layouts.iter().try_for_each(|folder| say(folder, &layout::verify(folder)?))
        }
        Command::Push(push) => push.run(),
    }
}

fn write(image: &layout::Image, to: &Path) -> Result<()> {
    let written = layout::write(image, to).with_context(|| format!("{} can't be written", to.display()))?;
    say(to, &written)
}

fn say(folder: &Path, digest: &layout::Digest) -> Result<()> {
    println!("{} {digest}", layout::name(folder)?);
    Ok(())
}

/// A whole file.
fn read(path: &Path) -> Result<Vec<u8>> {
    let unread = || format!("{} can't be read", path.display());
    let size = fs::metadata(path).with_context(unread)?.len();
    anyhow::ensure!(
        size <= MOST_BYTES,
        "{} has {size} bytes; at most {MOST_BYTES} are taken",
        path.display()
    );
    fs::read(path).with_context(unread)
}
