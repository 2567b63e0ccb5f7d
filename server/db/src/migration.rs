//! Schema changes: forward only, each run once, in one transaction.

use crate::{
    DbError,
    dialect::{POSTGRES_PRELUDE, postgres_schema},
};
use rusqlite::Connection;
use std::collections::BTreeSet;
use tokio_postgres::Client;

/// One step of a schema. Each crate that owns tables has a range of versions of its own.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its place. The engine takes 100–999 and a service 1000 up; never changed once released.
    pub version: i64,
    /// What it is for.
    pub description: &'static str,
    /// The text, for both engines: types are `bigint`, `text` and `uuid`. PostgreSQL reads it without `without rowid`, and
    /// nothing of a text that begins with `-- only sqlite`.
    pub sql: &'static str,
}

const TABLE: &str =
    "create table if not exists schema_migration (version bigint primary key, description text not null)";

/// The steps that are still to be done, in order.
fn missing<'m>(
    database: &str,
    migrations: &'m [Migration],
    applied: &BTreeSet<i64>,
) -> Result<Vec<&'m Migration>, DbError> {
    if applied.iter().any(|version| !migrations.iter().any(|step| step.version == *version)) {
        return Err(DbError::NewerSchema { database: database.to_owned() });
    }
    let mut missing: Vec<_> = migrations.iter().filter(|step| !applied.contains(&step.version)).collect();
    missing.sort_by_key(|step| step.version);
    Ok(missing)
}

/// Brings a SQLite schema up to date. Without any migration it is left as it is, whoever made it.
pub(crate) fn migrate_sqlite(
    connection: &mut Connection,
    database: &str,
    migrations: &[Migration],
) -> Result<(), DbError> {
    if migrations.is_empty() {
        return Ok(());
    }
    // The write lock first: another process that starts at the same time waits here and then finds nothing to do.
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    tx.execute_batch(TABLE)?;
    let applied: BTreeSet<i64> = {
        let mut query = tx.prepare("select version from schema_migration")?;
        query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
    };
    for step in missing(database, migrations, &applied)? {
        tx.execute_batch(step.sql)?;
        tx.execute(
            "insert into schema_migration (version, description) values ($1, $2)",
            (step.version, step.description),
        )?;
    }
    Ok(tx.commit()?)
}

/// Brings a PostgreSQL schema up to date, making it when it is not there. Without any migration it is left as it is.
pub(crate) async fn migrate_postgres(
    client: &mut Client,
    schema: &'static str,
    migrations: &[Migration],
) -> Result<(), DbError> {
    if migrations.is_empty() {
        return Ok(());
    }
    let tx = client.transaction().await?;
    // The lock first: another instance that starts at the same time waits here and then finds nothing to do.
    tx.execute("select pg_advisory_xact_lock(hashtext($1))", &[&format!("tramline migration {schema}")]).await?;
    tx.batch_execute(&format!("create schema if not exists {schema}; {TABLE}; {POSTGRES_PRELUDE}")).await?;
    let rows = tx.query("select version from schema_migration", &[]).await?;
    let applied = rows.iter().map(|row| row.try_get(0)).collect::<Result<BTreeSet<i64>, _>>()?;
    for step in missing(schema, migrations, &applied)? {
        tx.batch_execute(&postgres_schema(step.sql)).await?;
        tx.execute(
            "insert into schema_migration (version, description) values ($1, $2)",
            &[&step.version, &step.description],
        )
        .await?;
    }
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Address, Db, Durability, SystemClock, SystemIds, sql};
    use std::sync::Arc;

    const SCHEMA: &[Migration] = &[
        Migration { version: 1, description: "notes", sql: "create table note (id uuid not null primary key)" },
        Migration {
            version: 2,
            description: "a first note",
            sql: "insert into note (id) values ('00000000000000000000000000000001')",
        },
    ];

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn instances_that_start_at_once_migrate_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = Address::parse(&tramline_testing::store_address(folder.path(), "notes")).expect("it reads");
        let starts = (0..8).map(|_| {
            let address = address.clone();
            tokio::spawn(async move {
                let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
                Db::open("notes", &address, Durability::Full, SCHEMA, clock, ids).await
            })
        });
        let mut opened = Vec::new();
        for start in starts.collect::<Vec<_>>() {
            opened.push(start.await.expect("it does not panic").expect("it opens"));
        }
        let count: Option<(i64,)> = opened[0].optional(sql("select count(*) from note")).await.expect("it reads");
        assert_eq!(count, Some((1,)));
        for db in opened {
            db.close().await;
        }
    }
}
