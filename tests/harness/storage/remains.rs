//! What is left of a directory when the power fails: all that was synced, and of what came after any part.
//!
//! The model is stricter than most file systems: each sector of 512 bytes may be found as it was after the last
//! sync or after any later write to it, whatever became of its neighbours; a file may be missing as long as
//! its directory wasn't synced, and a removed one may be back.

use super::diary::Act;
use crate::random::Random;
use std::collections::BTreeMap;
use std::path::Path;

const SECTOR: usize = 512;

/// What becomes of that which was not synced.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// All of it is lost.
    All,
    /// Nothing is lost, as when only the process dies.
    Nothing,
    /// Each file keeps what was written up to some point; the write at that point is torn.
    Tail,
    /// Each sector has a history of its own.
    Sectors,
}

impl Loss {
    /// Each of them.
    pub const EACH: [Self; 4] = [Self::All, Self::Nothing, Self::Tail, Self::Sectors];
}

#[derive(Clone, Default)]
struct File {
    synced: Vec<u8>,
    pending: Vec<Act>,
    /// Whether it has a name now, and whether it has one for certain.
    named: bool,
    surely: bool,
}

/// The files up to one point of the diary.
#[derive(Clone, Default)]
pub struct DiskState {
    files: BTreeMap<String, File>,
}

impl DiskState {
    /// Takes the next act of the diary in.
    pub fn take(&mut self, name: &str, act: &Act) {
        match act {
            Act::SyncDirectory => {
                for file in self.files.values_mut() {
                    file.surely = file.named;
                }
                self.files.retain(|_, file| file.named);
            }
            Act::Unlink => {
                if let Some(file) = self.files.get_mut(name) {
                    file.named = false;
                }
            }
            Act::Sync => {
                if let Some(file) = self.files.get_mut(name) {
                    for act in std::mem::take(&mut file.pending) {
                        apply(&mut file.synced, &act);
                    }
                }
            }
            Act::Write { .. } | Act::Truncate(_) => {
                let file = self.files.entry(name.to_owned()).or_default();
                if !file.named {
                    *file = File { named: true, ..File::default() };
                }
                file.pending.push(act.clone());
            }
        }
    }

    /// How much was written and not synced.
    pub fn unsynced(&self) -> usize {
        self.files.values().map(|file| file.pending.len()).sum()
    }

    /// Puts into `dir` what is left after a power failure now.
    pub fn leave(&self, dir: &Path, loss: Loss, random: &mut Random) {
        std::fs::create_dir_all(dir).expect("a folder");
        for (name, file) in &self.files {
            let there = match loss {
                Loss::All => file.surely,
                Loss::Nothing => file.named,
                Loss::Tail | Loss::Sectors if file.named == file.surely => file.named,
                Loss::Tail | Loss::Sectors => random.chance(500),
            };
            if there {
                std::fs::write(dir.join(name), file.after(loss, random)).expect("a file");
            }
        }
    }
}

impl File {
    fn after(&self, loss: Loss, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        match loss {
            Loss::All => {}
            Loss::Nothing => self.pending.iter().for_each(|act| apply(&mut bytes, act)),
            Loss::Tail => {
                let kept = random.below(self.pending.len() + 1);
                self.pending.iter().take(kept).for_each(|act| apply(&mut bytes, act));
                if let Some(Act::Write { at, data }) = self.pending.get(kept) {
                    let whole = SECTOR - at % SECTOR + SECTOR * random.below(data.len() / SECTOR + 1);
                    let torn = data[..whole.min(data.len())].to_vec();
                    apply(&mut bytes, &Act::Write { at: *at, data: torn });
                }
            }
            Loss::Sectors => {
                // How many of the pending acts each sector has seen.
                let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
                for (number, act) in self.pending.iter().enumerate() {
                    match act {
                        Act::Write { at, data } => {
                            for (at, piece) in sectors(*at, data) {
                                let until = seen
                                    .entry(at / SECTOR)
                                    .or_insert_with(|| random.below(self.pending.len() + 1));
                                if number < *until {
                                    apply(&mut bytes, &Act::Write { at, data: piece.to_vec() });
                                }
                            }
                        }
                        other if random.chance(500) => apply(&mut bytes, other),
                        _ => {}
                    }
                }
            }
        }
        bytes
    }
}

/// The pieces of a write, one per sector.
fn sectors(mut at: usize, mut data: &[u8]) -> Vec<(usize, &[u8])> {
    let mut pieces = Vec::new();
    while !data.is_empty() {
        let (piece, rest) = data.split_at((SECTOR - at % SECTOR).min(data.len()));
        pieces.push((at, piece));
        at += piece.len();
        data = rest;
    }
    pieces
}

fn apply(bytes: &mut Vec<u8>, act: &Act) {
    match act {
        Act::Write { at, data } => {
            let end = at + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(data);
        }
        Act::Truncate(length) => bytes.resize(*length, 0),
        Act::Unlink | Act::Sync | Act::SyncDirectory => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(at: usize, byte: u8, length: usize) -> Act {
        Act::Write { at, data: vec![byte; length] }
    }

    fn left(remains: &DiskState, loss: Loss) -> Option<Vec<u8>> {
        let dir = tempfile::tempdir().expect("a folder");
        remains.leave(dir.path(), loss, &mut Random::new(1));
        std::fs::read(dir.path().join("file")).ok()
    }

    #[test]
    fn synced_data_survives_and_other_data_may_be_lost() {
        let mut remains = DiskState::default();
        remains.take("file", &write(0, 1, 1_000));
        remains.take("file", &Act::Sync);
        assert_eq!(left(&remains, Loss::All), None, "its name was not synced");
        remains.take(".", &Act::SyncDirectory);
        remains.take("file", &write(0, 2, 2_000));
        assert_eq!(left(&remains, Loss::All), Some(vec![1; 1_000]));
        assert_eq!(left(&remains, Loss::Nothing), Some(vec![2; 2_000]));
        remains.take("file", &Act::Unlink);
        assert_eq!(left(&remains, Loss::All), Some(vec![1; 1_000]), "a removal can be undone");
        assert_eq!(left(&remains, Loss::Nothing), None);
    }

    #[test]
    fn a_write_is_torn_at_sector_boundaries() {
        let pieces: Vec<(usize, usize)> =
            sectors(500, &[0; 1_000]).iter().map(|(at, piece)| (*at, piece.len())).collect();
        assert_eq!(pieces, [(500, 12), (512, 512), (1_024, 476)]);
    }
}
