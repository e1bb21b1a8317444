//! The rows of gateways, made on first contact and remembered: a name never changes its row.
//!
//! They are made in transactions of their own, so that nobody who holds an account's lock waits for one.

use super::named;
use super::pool::{Pool, Task};
use super::trouble::Trouble;
use crate::domain::GatewayNo;
use deadpool_postgres::Client;
use std::collections::{BTreeSet, HashMap};

/// How many are remembered.
const MEMORY: usize = 10_000;

/// The rows that are known.
#[derive(Debug, Default)]
pub struct Gateways {
    rows: HashMap<String, GatewayNo>,
}

impl Gateways {
    /// All that are known, by name as it is stored.
    pub const fn known(&self) -> &HashMap<String, GatewayNo> {
        &self.rows
    }

    /// Makes sure that these are known.
    pub async fn learn(
        &mut self,
        pool: &Pool,
        names: impl Iterator<Item = &str> + Clone,
    ) -> Result<(), Trouble> {
        if self.rows.len() > MEMORY {
            self.rows.clear();
        }
        let new: BTreeSet<String> =
            names.map(|name| named(name).into_owned()).filter(|name| !self.rows.contains_key(name)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let new: Vec<String> = new.into_iter().collect();
        self.rows.extend(pool.transaction(&Learn(&new)).await?);
        Ok(())
    }
}

struct Learn<'a>(&'a Vec<String>);

impl Task for Learn<'_> {
    type Done = Vec<(String, GatewayNo)>;

    async fn attempt(&self, conn: &Client) -> Result<Self::Done, Trouble> {
        let make = "INSERT INTO gateways (name) SELECT * FROM unnest($1::text[]) AS n (name) ORDER BY name
            ON CONFLICT DO NOTHING";
        conn.execute(make, &[self.0]).await?;
        let rows = conn.query("SELECT name, no FROM gateways WHERE name = ANY($1)", &[self.0]).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, GatewayNo(row.try_get(1)?)))).collect()
    }
}
