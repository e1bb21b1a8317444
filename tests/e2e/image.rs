//! The images, from the folder in which they are written to a mesh that runs what it has pulled.

use harness::{Registry, Setup, World, binary, filter, get, image_tool, out_of};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
const CREATED: [&str; 2] = ["--created", "1795000000"];

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_pulls_the_filter_and_charges_with_it() {
    let Some(registry) = Registry::start().await else { return };
    let dir = folder();
    let layout = dir.path().join("faregate-filter");
    let digest = write_filter(&layout, &filter());

    let (done, said) = registry.push("/team", &[&layout]);
    assert!(done, "{said}");
    let address = &registry.address;
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(said.trim(), format!("{address}/team/faregate-filter:{version}@{digest}"));

    // A mesh's agent pulls by digest, and takes `plugin.wasm` out of the last layer.
    let pulled = dir.path().join("pulled");
    let (done, said) = registry.pull(&format!("team/faregate-filter@{digest}"), &pulled);
    assert!(done, "{said}");
    let manifest = manifest(&pulled);
    assert_eq!(manifest["annotations"]["org.opencontainers.image.revision"], REVISION);
    assert_eq!(manifest["annotations"]["org.opencontainers.image.version"], version);
    assert_eq!(manifest["annotations"]["org.opencontainers.image.created"], "2026-11-18T11:06:40Z");
    let layer = last_layer(&manifest);
    assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    let unpacked = unpack(&pulled, layer);
    let wasm = unpacked.path().join("plugin.wasm");
    assert_eq!(fs::read(&wasm).expect("the plugin"), fs::read(filter()).expect("the filter"));

    let world = World::start(Setup { filter: Some(wasm), ..Setup::default() }).await;
    let key = world.ledger.account("acme", "1").await;
    let headers = [("x-api-key", key.as_str())];
    assert_eq!(get(world.gate(), "/", &headers).await.status, 200);
    let refused = get(world.gate(), "/", &headers).await;
    assert_eq!((refused.status, refused.body["code"].as_str()), (402, Some("insufficient_funds")));
    assert_eq!(world.upstream.served(), 1);
    world.ledger.balance_becomes("acme", "spent", "1").await;

    // Filter and ledger say which builds they are, and that they speak the same protocol.
    let (_, ledger) = out_of(Command::new(binary()).args(["version", "--json"]));
    let ledger: Value = serde_json::from_str(&ledger).expect("JSON");
    assert_eq!(ledger["version"], version);
    let log = world.gate().process.output();
    let line = log.lines().find(|line| line.contains(" configured: gateway ")).expect("a word at the start");
    assert!(line.contains(&format!("faregate {version} (commit ")), "{line}");
    assert!(line.contains(&format!(", protocol {}) ", ledger["protocol"])), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_was_never_pushed_cannot_be_pulled() {
    let Some(registry) = Registry::start().await else { return };
    let dir = folder();
    let layout = dir.path().join("faregate-filter");
    write_filter(&layout, &filter());
    let (done, said) = registry.push("", &[&layout]);
    assert!(done, "{said}");

    let other = format!("faregate-filter@sha256:{}", "0".repeat(64));
    let (done, said) = registry.pull(&other, &dir.path().join("pulled"));

    assert!(!done && said.contains("manifest unknown"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_with_a_wrong_sha256_is_never_pushed() {
    let Some(registry) = Registry::start().await else { return };
    let dir = folder();
    let (good, bad) = (dir.path().join("faregate-filter"), dir.path().join("faregate-bad"));
    write_filter(&good, &filter());
    write_filter(&bad, &filter());
    let manifest = manifest(&bad);
    let digest = last_layer(&manifest)["digest"].as_str().expect("a digest").to_owned();
    let blob = blob(&bad, &digest);
    let mut bytes = fs::read(&blob).expect("the layer");
    bytes[1000] ^= 1;
    fs::write(&blob, bytes).expect("a damaged layer");

    let (done, said) = out_of(image_tool().arg("verify").arg(&bad));
    assert!(!done && said.contains(&format!("expected {} bytes with {digest}", size(&manifest))), "{said}");

    let (done, said) = registry.push("", &[&good, &bad]);
    assert!(!done && said.contains("is damaged: found "), "{said}");
    let url = format!("http://{}/v2/_catalog", registry.address);
    let stored = reqwest::get(url).await.expect("the registry").text().await.expect("a list");
    assert_eq!(stored.trim(), r#"{"repositories":[]}"#, "not even the good one");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_registry_is_reported() {
    let Some(mut registry) = Registry::start().await else { return };
    let dir = folder();
    let layout = dir.path().join("faregate-filter");
    write_filter(&layout, &filter());
    registry.process.kill();

    let (done, said) = registry.push("", &[&layout]);

    assert!(!done, "{said}");
    let what = format!("{}/faregate-filter:{} is not pushed", registry.address, env!("CARGO_PKG_VERSION"));
    assert!(said.contains(&what) && said.contains("connection refused; is the registry's address"), "{said}");
}

#[test]
fn the_same_bytes_give_the_same_digest_wherever_they_are_packed() {
    let (here, there) = (folder(), folder());
    let first = write_filter(&here.path().join("faregate-filter"), &filter());

    // Other folders, names, modes and times of the same bytes; and packed over what was there.
    let moved = there.path().join("another.wasm");
    fs::copy(filter(), &moved).expect("a copy");
    fs::set_permissions(&moved, Permissions::from_mode(0o600)).expect("another mode");
    let layout = there.path().join("below/faregate-filter");
    assert_eq!(write_filter(&layout, &moved), first);
    assert_eq!(write_filter(&layout, &moved), first);
    let (done, said) = out_of(image_tool().arg("verify").arg(&layout));
    assert!(done && said.trim() == format!("faregate-filter {first}"), "{said}");

    let mut other = fs::read(filter()).expect("the filter");
    other.extend([0, 1, 0]);
    fs::write(&moved, other).expect("a module that has one more section");
    assert_ne!(write_filter(&layout, &moved), first);
}

#[test]
fn the_ledgers_image_contains_only_what_a_ledger_needs() {
    let dir = folder();
    let layout = dir.path().join("faregate-ledger");
    write(&layout, "ledger", "--binary", &binary());

    let manifest = manifest(&layout);
    let config = json_in(&blob(&layout, manifest["config"]["digest"].as_str().expect("a digest")));
    assert_eq!((&config["os"], &config["architecture"]), (&json!("linux"), &json!("amd64")));
    let run = &config["config"];
    assert_eq!((&run["User"], &run["Volumes"]), (&json!("65532:65532"), &json!({"/data": {}})));
    assert_eq!((&run["Entrypoint"], &run["Env"]), (&json!(["faregate"]), &json!(["PATH=/usr/bin"])));

    let unpacked = unpack(&layout, last_layer(&manifest));
    let listed = list(&layout, last_layer(&manifest));
    let data = listed.lines().find(|line| line.ends_with(" data/")).expect("a folder for data");
    assert!(data.starts_with("drwx------ 65532/65532 "), "{data}");
    assert_eq!(listed.lines().count(), 5, "{listed}");
    let program = unpacked.path().join("usr/bin/faregate");
    let asked = |program: &Path| out_of(Command::new(program).arg("version"));
    assert_eq!(asked(&program), asked(&binary()));
    let authorities = fs::read_to_string(unpacked.path().join("etc/ssl/certs/ca-certificates.crt"));
    let count = authorities.expect("certificates").matches("-----BEGIN CERTIFICATE-----\n").count();
    assert!(count > 100, "{count} authorities");

    // What the image starts is a command line that this program takes, up to the tokens that it must be given.
    let words = run["Cmd"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let (done, said) = out_of(Command::new(&program).args(words).env_clear());
    assert!(!done && said.contains("FAREGATE_GATEWAY_TOKEN"), "{said}");
}

#[test]
fn an_invalid_filter_or_image_is_reported() {
    let dir = folder();
    let about = ["--revision", REVISION, "--to"];
    let to = dir.path().join("faregate-filter");
    let mut wrong = image_tool();
    wrong.arg("filter").args(CREATED).arg("--wasm").arg(binary()).args(about).arg(&to);
    let (done, said) = out_of(&mut wrong);
    assert!(!done && said.contains("--wasm names something else than a WebAssembly module"), "{said}");

    // A folder that somebody else has filled stays.
    let full = dir.path().join("full");
    fs::create_dir(&full).expect("a folder");
    fs::write(full.join("thesis"), "irreplaceable").expect("a file");
    let mut over = image_tool();
    over.arg("filter").args(CREATED).arg("--wasm").arg(filter()).args(about).arg(&full);
    let (done, said) = out_of(&mut over);
    assert!(!done && said.contains("something else than an image"), "{said}");
    assert!(full.join("thesis").exists());

    let (done, said) = out_of(image_tool().arg("verify").arg(&full));
    assert!(!done && said.contains("is no image: `make image` writes them"), "{said}");
}

fn folder() -> TempDir {
    TempDir::with_prefix("faregate-image-").expect("a temporary folder")
}

fn write_filter(to: &Path, wasm: &Path) -> String {
    write(to, "filter", "--wasm", wasm)
}

/// Writes an image, and gives its digest.
fn write(to: &Path, image: &str, what: &str, file: &Path) -> String {
    let mut tool = image_tool();
    tool.arg(image).args(CREATED).args(["--revision", REVISION]).arg(what).arg(file).arg("--to").arg(to);
    let (done, said) = out_of(&mut tool);
    assert!(done, "{said}");
    let (name, digest) = said.trim().split_once(' ').expect("a name and a digest");
    assert_eq!(name, to.file_name().expect("a name").to_string_lossy());
    digest.to_owned()
}

fn json_in(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON")
}

fn manifest(layout: &Path) -> Value {
    let index = json_in(&layout.join("index.json"));
    json_in(&blob(layout, index["manifests"][0]["digest"].as_str().expect("a digest")))
}

fn last_layer(manifest: &Value) -> &Value {
    manifest["layers"].as_array().and_then(|layers| layers.last()).expect("a layer")
}

fn size(manifest: &Value) -> &Value {
    &last_layer(manifest)["size"]
}

fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs/sha256").join(digest.strip_prefix("sha256:").expect("a SHA-256"))
}

/// A layer's files in a folder of their own.
fn unpack(layout: &Path, layer: &Value) -> TempDir {
    let dir = folder();
    let archive = blob(layout, layer["digest"].as_str().expect("a digest"));
    let (done, said) = out_of(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(dir.path()));
    assert!(done, "{said}");
    dir
}

/// What `tar` shows of a layer.
fn list(layout: &Path, layer: &Value) -> String {
    let archive = blob(layout, layer["digest"].as_str().expect("a digest"));
    let (done, said) = out_of(Command::new("tar").args(["--numeric-owner", "-tvzf"]).arg(archive));
    assert!(done, "{said}");
    said
}
