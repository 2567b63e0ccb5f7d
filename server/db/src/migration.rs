//! Schema changes: forward only, each run once, in one transaction.

use crate::DbError;
use sqlx::{
    Connection, SqliteConnection,
    migrate::{MigrateError, MigrationType, Migrator},
};
use std::borrow::Cow;

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
pub(crate) async fn migrate_sqlite(
    connection: &mut SqliteConnection,
    database: &str,
    migrations: &[Migration],
) -> Result<(), DbError> {
    let mut list: Vec<_> = migrations
        .iter()
        .map(|step| {
            sqlx::migrate::Migration::new(
                step.version,
                Cow::Borrowed(step.description),
                MigrationType::Simple,
                sqlx::SqlSafeStr::into_sql_str(step.sqlite),
                false,
            )
        })
        .collect();
    list.sort_by_key(|step| step.version);
    let migrator = Migrator { migrations: Cow::Owned(list), ..Migrator::DEFAULT };
    connection.ping().await?;
    migrator.run(connection).await.map_err(|source| match source {
        MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => {
            DbError::NewerSchema { database: database.to_owned() }
        }
        source => DbError::Migration { database: database.to_owned(), source },
    })
}
