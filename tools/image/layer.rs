//! Files as a layer: a tar in which nothing depends on who packs it, compressed without a name or a time.

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use std::collections::BTreeMap;
use std::io::Write as _;

/// What lies at a path of an image.
pub enum Item {
    /// A file that everybody may read.
    File(Vec<u8>),
    /// A file that everybody may run.
    Program(Vec<u8>),
    /// A folder: its mode, and the number of the user and group that own it.
    Folder(u32, u64),
}

/// A layer's files by their paths, which are relative and sorted.
pub type Items = BTreeMap<&'static str, Item>;

/// A layer, packed.
pub struct Layer {
    /// The tar.
    pub tar: Vec<u8>,
    /// The tar, compressed.
    pub gzip: Vec<u8>,
}

/// Packs a layer. All is owned by root and dates from 1970; the operating system is not named.
pub fn pack(items: &Items) -> Result<Layer> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, item) in items {
        let mut header = tar::Header::new_ustar();
        let (kind, mode, owner, bytes): (_, _, _, &[u8]) = match item {
            Item::File(bytes) => (tar::EntryType::Regular, 0o644, 0, bytes),
            Item::Program(bytes) => (tar::EntryType::Regular, 0o755, 0, bytes),
            Item::Folder(mode, owner) => (tar::EntryType::Directory, *mode, *owner, &[]),
        };
        header.set_path(path)?;
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_mtime(0);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append(&header, bytes)?;
    }
    let tar = builder.into_inner()?;
    let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::default());
    gzip.write_all(&tar)?;
    Ok(Layer { gzip: gzip.finish()?, tar })
}
