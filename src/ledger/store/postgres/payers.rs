//! Who pays: finds the keys that a batch names, all kinds of credentials at once.
//!
//! What is found here says only which accounts to lock. Whether a key is still good is read again
//! under the lock.

use super::exchange::Message;
use super::trouble::{Trouble, together};
use crate::domain::{AccountNo, KeyNo, key};
use deadpool_postgres::Client;
use faregate_protocol::exchange::Payer;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use tokio_postgres::types::{FromSqlOwned, ToSql};

/// The keys that were found, by what they are known by.
#[derive(Debug, Default)]
pub struct Known {
    ids: HashMap<String, (KeyNo, AccountNo)>,
    hashes: HashMap<Vec<u8>, (KeyNo, AccountNo)>,
    subjects: HashMap<String, (KeyNo, AccountNo)>,
}

impl Known {
    /// The key that a gateway names, and its account.
    pub fn payer(&self, payer: &Payer) -> Option<(KeyNo, AccountNo)> {
        match payer {
            Payer::Id(id) => self.id(id),
            Payer::Key(key) => self.hashes.get(key::hash(key).as_slice()).copied(),
            Payer::Subject(subject) => self.subjects.get(subject).copied(),
        }
    }

    /// The key with this identifier, and its account.
    pub fn id(&self, id: &str) -> Option<(KeyNo, AccountNo)> {
        self.ids.get(id).copied()
    }
}

/// Finds all keys that these messages name.
pub async fn find(conn: &Client, messages: &[Message]) -> Result<Known, Trouble> {
    let mut ids = BTreeSet::new();
    let mut hashes = BTreeSet::new();
    let mut subjects = BTreeSet::new();
    for message in messages {
        for entry in &message.request.entries {
            match &entry.payer {
                Payer::Id(id) => drop(ids.insert(id.as_str())),
                Payer::Key(key) => drop(hashes.insert(key::hash(key).to_vec())),
                Payer::Subject(subject) => drop(subjects.insert(subject.as_str())),
            }
        }
        if let Some(report) = &message.request.usage {
            ids.extend(report.lines.iter().map(|line| line.payer.as_str()));
            ids.extend(report.shadow.iter().filter_map(|line| line.payer.as_deref()));
        }
    }
    let (ids, hashes, subjects) = together!(
        ids = by(conn, "SELECT id, no, account FROM keys WHERE id = ANY($1)", texts(ids)),
        hashes =
            by(conn, "SELECT hash, no, account FROM keys WHERE hash = ANY($1)", hashes.into_iter().collect()),
        // Of a subject only the credential that is not revoked counts: it may have been given anew.
        subjects = by(
            conn,
            "SELECT subject, no, account FROM keys WHERE subject = ANY($1) AND NOT revoked",
            texts(subjects)
        ),
    )?;
    Ok(Known { ids, hashes, subjects })
}

/// No text in the database has a zero byte, and none may be looked for.
fn texts(names: BTreeSet<&str>) -> Vec<String> {
    names.into_iter().filter(|name| !name.contains('\0')).map(str::to_owned).collect()
}

async fn by<T>(conn: &Client, sql: &str, names: Vec<T>) -> Result<HashMap<T, (KeyNo, AccountNo)>, Trouble>
where
    T: ToSql + FromSqlOwned + Eq + Hash + Sync,
{
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let find = conn.prepare_cached(sql).await?;
    let mut found = HashMap::with_capacity(names.len());
    for row in conn.query(&find, &[&names]).await? {
        found.insert(row.try_get(0)?, (KeyNo(row.try_get(1)?), AccountNo(row.try_get(2)?)));
    }
    Ok(found)
}
