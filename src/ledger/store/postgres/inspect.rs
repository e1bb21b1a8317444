//! Looks at a server before a ledger relies on it, over connections of its own, so that what is wrong is said plainly, with
//! what cures it.

use super::attempt_error::plain;
use super::pool::unsafe_setting;
use super::settings::Settings;
use crate::store::rows::TABLES;
use crate::store::{OpenError, WhereNone};
use std::future::Future;
use tokio_postgres::{Client, Error};

/// The oldest server that is known to do.
const OLDEST: i32 = 140_000;
/// How often two connections are compared. The first time nearly always shows a pooler: it gives the connection that came
/// free last to the client that asks next.
const LOOKS: usize = 4;

/// Finds out whether a ledger can work there; whether there is none yet.
pub async fn inspect(settings: &Settings, none: WhereNone) -> Result<bool, OpenError> {
    let (conn, other) = (dial(settings).await?, dial(settings).await?);
    // This comes first: what is asked later uses prepared statements, which go astray behind a pooler.
    if within(settings, is_pooled(&conn, &other)).await? {
        return Err(OpenError::Pooler { place: settings.to_string() });
    }
    drop(other);
    rely_on(settings, &conn).await?;
    let looks = async {
        let place = Place::read(&conn).await?;
        let found = if place.has_ledger { place.unusable(&conn).await? } else { None };
        Ok::<_, Error>(place.judge(settings, none, found))
    };
    within(settings, looks).await?
}

/// A connection outside of any pool, to a server that can be relied upon. It ends when it is dropped.
pub async fn connect(settings: &Settings) -> Result<Client, OpenError> {
    let conn = dial(settings).await?;
    rely_on(settings, &conn).await?;
    Ok(conn)
}

async fn dial(settings: &Settings) -> Result<Client, OpenError> {
    let mut server = settings.server.clone();
    server.connect_timeout(settings.connect_timeout);
    let unreachable = |why: String| OpenError::Unreachable { place: settings.to_string(), why };
    let connect = server.connect(super::tls::connector(settings)?);
    let connected = tokio::time::timeout(settings.connect_timeout, connect).await;
    let late = |_| unreachable(format!("no answer within {:?}", settings.connect_timeout));
    let (conn, driver) = connected.map_err(late)?.map_err(|error| unreachable(plain(&error)))?;
    // When the connection ends, what waits on it gets an error.
    drop(tokio::spawn(driver));
    Ok(conn)
}

/// Whether the server is new enough, and keeps what it commits.
async fn rely_on(settings: &Settings, conn: &Client) -> Result<(), OpenError> {
    let look = async {
        let version = conn.query_one("SELECT current_setting('server_version_num')::int", &[]).await?;
        Ok::<_, Error>((version.try_get::<_, i32>(0)?, unsafe_setting(conn).await?))
    };
    let (version, unsafe_setting) = within(settings, look).await?;
    if version < OLDEST {
        return Err(OpenError::OldServer { found: version / 10_000, oldest: OLDEST / 10_000 });
    }
    match unsafe_setting {
        None => Ok(()),
        Some((setting, found)) => Err(OpenError::UnsafeServer { setting, found }),
    }
}

/// Waits for some looks, as long as one statement may take.
async fn within<T>(
    settings: &Settings,
    looks: impl Future<Output = Result<T, Error>>,
) -> Result<T, OpenError> {
    let unreachable = |why: String| OpenError::Unreachable { place: settings.to_string(), why };
    let late = |_| unreachable(format!("no answer within {:?}", settings.statement_timeout));
    let looked = tokio::time::timeout(settings.statement_timeout, looks).await;
    looked.map_err(late)?.map_err(|error| unreachable(plain(&error)))
}

/// Whether transactions of a connection run in whichever server process is free. Two connections that are open at once
/// each have a process of their own otherwise, and keep it.
async fn is_pooled(conn: &Client, other: &Client) -> Result<bool, Error> {
    let (first, second) = (process(conn).await?, process(other).await?);
    let mut pooled = first == second;
    for _ in 0..LOOKS {
        if pooled {
            break;
        }
        // What one holds in a transaction, the other can't get.
        other.batch_execute("BEGIN").await?;
        pooled |= process(other).await? != second || process(conn).await? != first;
        other.batch_execute("COMMIT").await?;
    }
    Ok(pooled)
}

/// The server's process that does what this connection asks.
async fn process(conn: &Client) -> Result<i32, Error> {
    // Without a statement that is prepared: the next process wouldn't know it.
    let answer = conn.simple_query("SELECT pg_backend_pid()").await?;
    let pid = answer.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    });
    Ok(pid.unwrap_or_default())
}

/// What a database looks like to this user.
struct Place {
    user: String,
    schema: Option<String>,
    may_create: bool,
    has_ledger: bool,
}

impl Place {
    async fn read(conn: &Client) -> Result<Self, Error> {
        let row = conn
            .query_one(
                "SELECT current_user::text, current_schema()::text,
                    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
                    to_regclass('schema_version') IS NOT NULL AND to_regclass('accounts') IS NOT NULL",
                &[],
            )
            .await?;
        Ok(Self {
            user: row.try_get(0)?,
            schema: row.try_get(1)?,
            may_create: row.try_get(2)?,
            has_ledger: row.try_get(3)?,
        })
    }

    /// A table that this user may not read and write, and whose it is.
    async fn unusable(&self, conn: &Client) -> Result<Option<(String, String)>, Error> {
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).chain(["schema_version"]).collect();
        let row = conn
            .query_opt(
                "SELECT c.relname::text, pg_get_userbyid(c.relowner)::text FROM pg_class c
                 WHERE c.relkind IN ('r', 'p') AND c.relname = ANY($1) AND pg_table_is_visible(c.oid)
                    AND NOT (SELECT bool_and(has_table_privilege(c.oid, needed))
                        FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needed)
                 ORDER BY c.relname LIMIT 1",
                &[&names],
            )
            .await?;
        row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
    }

    fn judge(
        self,
        settings: &Settings,
        none: WhereNone,
        unusable: Option<(String, String)>,
    ) -> Result<bool, OpenError> {
        let Self { user, schema, may_create, has_ledger } = self;
        let place = settings.to_string();
        let rights = |lacks: String, cure: String| {
            Err(OpenError::Rights { user: user.clone(), lacks, place: place.clone(), cure })
        };
        let Some(schema) = schema else {
            let cure = "make one, or grant USAGE on it: CREATE SCHEMA faregate AUTHORIZATION …, and search_path = faregate";
            return rights("may use no schema of its search_path".to_owned(), cure.to_owned());
        };
        if let Some((table, owner)) = unusable {
            let cure = format!(
                "connect as {owner:?}, who owns the tables: upgrades need that, too. Or grant SELECT, INSERT, UPDATE, \
                 DELETE on all tables in the schema {schema:?}"
            );
            return rights(format!("may not read and write the table {table:?} (schema {schema:?})"), cure);
        }
        if has_ledger {
            return Ok(false);
        }
        if none == WhereNone::Refuse {
            let cure = "look at the host, the database's name and the user's search_path";
            return Err(OpenError::NoLedger { place, cure });
        }
        if !may_create {
            let cure = format!(
                "as its owner: GRANT CREATE, USAGE ON SCHEMA {schema:?} TO {user:?}; or give the ledger a database of its \
                 own: CREATE DATABASE … OWNER {user:?}"
            );
            return rights(format!("may not create tables in the schema {schema:?}"), cure);
        }
        Ok(true)
    }
}
