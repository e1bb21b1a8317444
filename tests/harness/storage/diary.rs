//! Reads the diary that `storage.c` keeps.

use std::path::Path;

/// What was done to a file.
#[derive(Clone, Debug)]
pub enum Act {
    /// These bytes were written at this offset.
    Write {
        /// Where.
        at: usize,
        /// What.
        data: Vec<u8>,
    },
    /// It was cut, or extended with zeros, to this length.
    Truncate(usize),
    /// It was removed.
    Unlink,
    /// It was synced.
    Sync,
    /// The directory was synced.
    SyncDirectory,
}

/// Everything that was done, in order.
pub struct WriteLog {
    /// For each act: the length of the diary behind it, the file, and the act.
    pub acts: Vec<(u64, String, Act)>,
}

/// The bytes before the name.
const HEAD: usize = 14;

impl WriteLog {
    /// Reads it from a file; an entry at the end that is not whole is left out.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("a diary");
        let (mut acts, mut rest, mut behind) = (Vec::new(), bytes.as_slice(), 0);
        while let Some((name, act, length)) = next(rest) {
            rest = &rest[length..];
            behind += length as u64;
            acts.push((behind, name, act));
        }
        Self { acts }
    }
}

fn next(bytes: &[u8]) -> Option<(String, Act, usize)> {
    let head = bytes.get(..HEAD)?;
    let size = u32::from_le_bytes(head[2..6].try_into().ok()?) as usize;
    let at = usize::try_from(u64::from_le_bytes(head[6..14].try_into().ok()?)).ok()?;
    let name = bytes.get(HEAD..HEAD + usize::from(head[1]))?;
    let start = HEAD + name.len();
    let data = bytes.get(start..start + size)?;
    let act = match head[0] {
        b'w' => Act::Write { at, data: data.to_vec() },
        b't' => Act::Truncate(at),
        b'u' => Act::Unlink,
        b's' => Act::Sync,
        b'd' => Act::SyncDirectory,
        other => panic!("the diary has an entry of kind {other}"),
    };
    Some((String::from_utf8_lossy(name).into_owned(), act, start + size))
}
