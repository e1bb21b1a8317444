//! What is in each image, and its annotations.

use crate::ImageAnnotations;
use crate::layer::{self, Item, Items};
use crate::layout::{Config, Defaults, Image, Platform};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where the sources are.
const SOURCE: &str = env!("CARGO_PKG_REPOSITORY");
/// The user and group that run the ledger: by custom those of images without a root, and of no user on any machine.
const LEDGER_USER: u64 = 65532;
/// How a program for the Linux of x86_64 begins: 64 bits, little-endian; and the machine's number at byte 18.
const ELF: &[u8] = b"\x7fELF\x02\x01";
const X86_64: &[u8] = &[62, 0];

/// The filter: `plugin.wasm` in one layer, which is what the agents of meshes look for.
pub fn filter(wasm: Vec<u8>, about: &ImageAnnotations) -> Result<Image> {
    ensure!(wasm.starts_with(b"\0asm\x01"), "--wasm names something else than a WebAssembly module");
    let items = Items::from([("plugin.wasm", Item::File(wasm))]);
    // No agent looks at the platform. It says what is in the image, in the words of the Go language, as the
    // specification wants it.
    let platform = Platform { architecture: "wasm", os: "wasip1" };
    image("faregate-filter", "The gate: a proxy-wasm filter for Envoy", &items, platform, None, about)
}

/// The ledger: one program, the certificates of public authorities, and a folder for its data.
pub fn ledger(binary: Vec<u8>, about: &ImageAnnotations) -> Result<Image> {
    let is_program = binary.starts_with(ELF) && binary.get(18..20) == Some(X86_64);
    ensure!(is_program, "--binary names something else than a program for Linux on x86_64");
    let items = Items::from([
        ("data/", Item::Folder(0o700, LEDGER_USER)),
        ("etc/ssl/certs/ca-certificates.crt", Item::File(public_authorities().into_bytes())),
        ("tmp/", Item::Folder(0o1777, 0)),
        ("usr/bin/faregate", Item::Program(binary)),
        ("usr/share/doc/faregate/LICENSE", Item::File(include_bytes!("../../LICENSE").to_vec())),
    ]);
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let defaults = Defaults {
        user: format!("{LEDGER_USER}:{LEDGER_USER}"),
        exposed_ports: set(&["7401/tcp", "7402/tcp"]),
        env: words(&["PATH=/usr/bin"]),
        entrypoint: words(&["faregate"]),
        // From within a container only the container itself can be reached on loopback.
        cmd: words(&[
            "serve",
            "--data",
            "/data",
            "--gateway-listen",
            "0.0.0.0:7401",
            "--admin-listen",
            "0.0.0.0:7402",
        ]),
        volumes: set(&["/data"]),
        working_dir: "/data".to_owned(),
    };
    let platform = Platform { architecture: "amd64", os: "linux" };
    image("faregate-ledger", "The ledger, and the faregate command", &items, platform, Some(defaults), about)
}

fn image(
    title: &str,
    description: &str,
    items: &Items,
    platform: Platform,
    defaults: Option<Defaults>,
    about: &ImageAnnotations,
) -> Result<Image> {
    let created = jiff::Timestamp::from_second(about.created).context("--created is no time")?.to_string();
    let annotations = [
        ("created", created.as_str()),
        ("description", description),
        ("licenses", env!("CARGO_PKG_LICENSE")),
        ("revision", &about.revision),
        ("source", SOURCE),
        ("title", title),
        ("version", &about.version),
    ];
    let annotations = annotations
        .map(|(name, value)| (format!("org.opencontainers.image.{name}"), value.to_owned()))
        .into_iter()
        .collect();
    let config = Config { created, platform, defaults };
    Ok(Image { layer: layer::pack(items)?, config, annotations, tag: about.version.clone() })
}

/// What Mozilla trusts, as of the release that `Cargo.lock` names.
fn public_authorities() -> String {
    let certificates = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    let pem: Vec<pem::Pem> =
        certificates.iter().map(|certificate| pem::Pem::new("CERTIFICATE", certificate.as_ref())).collect();
    pem::encode_many_config(&pem, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

fn set(names: &[&str]) -> BTreeMap<String, Value> {
    names.iter().map(|&name| (name.to_owned(), json!({}))).collect()
}
