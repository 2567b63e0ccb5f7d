//! Schema changes: forward only, each run once, in one transaction.

use crate::DbError;
use rusqlite::Connection;
use std::collections::BTreeSet;

/// One step of a schema. Each crate that owns tables has a range of versions of its own.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its place. The engine takes 100–999 and a service 1000 up; never changed once released.
    pub version: i64,
    /// What it is for.
    pub description: &'static str,
    /// The text for SQLite.
    pub sqlite: &'static str,
}

/// Brings a SQLite schema up to date.
pub(crate) fn migrate_sqlite(
    connection: &mut Connection,
    database: &str,
    migrations: &[Migration],
) -> Result<(), DbError> {
    // The write lock first: another process that starts at the same time waits here and then finds nothing to do.
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    tx.execute_batch(
        "create table if not exists schema_migration (version integer primary key, description text not null)",
    )?;
    let applied: BTreeSet<i64> = {
        let mut query = tx.prepare("select version from schema_migration")?;
        query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
    };
    if applied.iter().any(|version| !migrations.iter().any(|step| step.version == *version)) {
        return Err(DbError::NewerSchema { database: database.to_owned() });
    }
    let mut missing: Vec<_> = migrations.iter().filter(|step| !applied.contains(&step.version)).collect();
    missing.sort_by_key(|step| step.version);
    for step in missing {
        tx.execute_batch(step.sqlite)?;
        tx.execute(
            "insert into schema_migration (version, description) values ($1, $2)",
            (step.version, step.description),
        )?;
    }
    Ok(tx.commit()?)
}
