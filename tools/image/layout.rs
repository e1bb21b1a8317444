//! An image as a folder, after the OCI image layout specification: blobs by their digests, and an index that names the
//! manifest.
//!
//! What is written is declared as structs, so that its members come in this order in every build.

use crate::layer::Layer;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::Path;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The index's annotation that tags a manifest.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// An image that isn't written yet.
pub struct Image {
    pub layer: Layer,
    pub config: Config,
    pub annotations: BTreeMap<String, String>,
    pub tag: String,
}

/// What an image says of itself.
pub struct Config {
    pub created: String,
    pub platform: Platform,
    /// How its program is run, if it has one.
    pub defaults: Option<Defaults>,
}

/// Where an image runs.
#[derive(Clone, Copy, Serialize)]
pub struct Platform {
    pub architecture: &'static str,
    pub os: &'static str,
}

/// How a container of an image runs. A set is an object whose members are empty objects.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Defaults {
    pub user: String,
    pub exposed_ports: BTreeMap<String, Value>,
    pub env: Vec<String>,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub volumes: BTreeMap<String, Value>,
    pub working_dir: String,
}

#[derive(Serialize)]
struct ConfigFile<'a> {
    created: &'a str,
    #[serde(flatten)]
    platform: Platform,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a Defaults>,
    rootfs: RootFs,
}

#[derive(Serialize)]
struct RootFs {
    r#type: &'static str,
    diff_ids: [Digest; 1],
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u8,
    media_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: String,
    manifests: Vec<Descriptor>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// `sha256:` and 64 digits.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest(String);

impl Digest {
    fn of(bytes: &[u8]) -> Self {
        let mut text = "sha256:".to_owned();
        for byte in Sha256::digest(bytes) {
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The digits. What comes from a file may be anything, and becomes part of a path.
    fn digits(&self) -> Result<&str> {
        let digits = self.0.strip_prefix("sha256:");
        let is_good =
            |digits: &&str| digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.filter(is_good).with_context(|| format!("{:?} is no SHA-256", self.0))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Writes an image, and gives its manifest's digest. A folder that holds something else than an image is left alone.
pub fn write(image: &Image, to: &Path) -> Result<Digest> {
    name(to)?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let stage = tempfile::Builder::new().prefix(".image-").tempdir_in(parent)?;
    let root = stage.path().join("layout");
    fs::create_dir_all(root.join("blobs/sha256"))?;
    let put = |media_type: &str, bytes: &[u8]| -> Result<Descriptor> {
        let digest = Digest::of(bytes);
        fs::write(blob(&root, &digest)?, bytes)?;
        let size = bytes.len() as u64;
        Ok(Descriptor { media_type: media_type.to_owned(), digest, size, annotations: BTreeMap::new() })
    };

    let config = ConfigFile {
        created: &image.config.created,
        platform: image.config.platform,
        config: image.config.defaults.as_ref(),
        rootfs: RootFs { r#type: "layers", diff_ids: [Digest::of(&image.layer.tar)] },
    };
    let manifest = Manifest {
        schema_version: 2,
        media_type: MANIFEST.to_owned(),
        config: put(CONFIG, &serde_json::to_vec(&config)?)?,
        layers: vec![put(LAYER, &image.layer.gzip)?],
        annotations: image.annotations.clone(),
    };
    let mut manifest = put(MANIFEST, &serde_json::to_vec(&manifest)?)?;
    let digest = manifest.digest.clone();
    manifest.annotations.insert(REF_NAME.to_owned(), image.tag.clone());
    let index = Index { schema_version: 2, media_type: INDEX.to_owned(), manifests: vec![manifest] };
    fs::write(root.join("index.json"), serde_json::to_vec(&index)?)?;
    fs::write(root.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;

    if to.exists() {
        ensure!(to.join("oci-layout").is_file(), "there is something else than an image already");
        fs::remove_dir_all(to)?;
    }
    fs::rename(&root, to)?;
    Ok(digest)
}

/// Checks every blob against its digest and size; gives the manifest's digest.
pub fn verify(root: &Path) -> Result<Digest> {
    let index = root.join("index.json");
    let no_layout = || format!("{} is no image: `make image` writes them", root.display());
    let index: Index = serde_json::from_slice(&crate::read(&index).with_context(no_layout)?)
        .with_context(|| format!("{} can't be understood", index.display()))?;
    let [manifest] = index.manifests.as_slice() else {
        bail!("{} has {} images in it; one is expected", root.display(), index.manifests.len());
    };
    let read: Manifest = serde_json::from_slice(&checked(root, manifest)?)
        .with_context(|| format!("{} has a manifest that can't be understood", root.display()))?;
    for part in std::iter::once(&read.config).chain(&read.layers) {
        checked(root, part)?;
    }
    Ok(manifest.digest.clone())
}

/// A blob that is what its digest says.
fn checked(root: &Path, expected: &Descriptor) -> Result<Vec<u8>> {
    let path = blob(root, &expected.digest)?;
    let bytes = crate::read(&path)?;
    let found = Digest::of(&bytes);
    ensure!(
        found == expected.digest && bytes.len() as u64 == expected.size,
        "{} is damaged: found {} bytes with {found}, expected {} bytes with {}; build the image again",
        path.display(),
        bytes.len(),
        expected.size,
        expected.digest
    );
    Ok(bytes)
}

fn blob(root: &Path, digest: &Digest) -> Result<std::path::PathBuf> {
    Ok(root.join("blobs/sha256").join(digest.digits()?))
}

/// The last part of an image's folder, which is its name.
pub fn name(folder: &Path) -> Result<&str> {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.with_context(|| format!("{} has no name that an image could have", folder.display()))
}
