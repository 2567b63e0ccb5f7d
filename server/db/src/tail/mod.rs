//! Follows the inserts into a table by PostgreSQL's log, in the order of commits (*Transaction log tailing*, Richardson).
//!
//! A replication slot remembers for the server how far the log was read; it is held by one session at a time. What is
//! acknowledged may be forgotten, and nothing else is.

mod pgoutput;

use crate::{DbError, Record, Row};
use pgoutput::Decoder;
use pgwire_replication::{Lsn, ReplicationClient, ReplicationConfig, ReplicationEvent};
use std::{
    str::FromStr as _,
    sync::{Arc, Once},
    time::Duration,
};
use tokio_postgres::{Client, Config, config::Host, error::SqlState};

/// How often the server hears how far we are, at the latest.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);
/// Events between the session's task and us.
const BUFFERED_EVENTS: usize = 4_096;
/// The largest row that is read: far above the largest message.
const ROW_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a log cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// This database has no log to follow, or is not set up for it. Says what to do.
    #[error("{0}")]
    NotOffered(String),
    /// Another process follows it.
    #[error("another process follows the log")]
    Busy,
    /// A slot can only be made once the transactions that are open now have ended.
    #[error("transactions that are open must end first")]
    Waiting,
    /// The session broke.
    #[error("the session on the log broke: {0}")]
    Broken(String),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<tokio_postgres::Error> for TailError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Db(error.into())
    }
}

/// A row as the log tells of it: every value in its text form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRow {
    columns: Arc<[String]>,
    values: Vec<Option<String>>,
}

impl LoggedRow {
    /// The value of a column: `None` when there is no such column, `Some(None)` for null.
    pub(crate) fn get(&self, name: &str) -> Option<Option<&str>> {
        let place = self.columns.iter().position(|column| column == name)?;
        Some(self.values.get(place)?.as_deref())
    }

    /// Reads it as a type, by the names of the columns.
    ///
    /// # Errors
    /// When a column is missing or of another type.
    pub fn read<R: Record>(&self) -> Result<R, DbError> {
        R::read(&Row::logged(self))
    }

    pub(crate) fn at(&self, index: usize) -> Option<Option<&str>> {
        Some(self.values.get(index)?.as_deref())
    }
}

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition(Lsn);

/// Rows that were committed, and the place up to which this is all.
#[derive(Debug)]
pub struct Tailed {
    /// The rows, in the order of commits.
    pub rows: Vec<LoggedRow>,
    /// What to acknowledge once they are safe elsewhere.
    pub upto: LogPosition,
}

/// A session on the log. Dropping it lets another process follow.
pub struct Tail {
    client: ReplicationClient,
    decoder: Decoder,
    schema: &'static str,
    table: &'static str,
    /// Rows of a transaction whose end has not come yet.
    begun: Vec<LoggedRow>,
}

impl Tail {
    pub(crate) async fn open(
        session: &Client,
        url: &str,
        schema: &'static str,
        table: &'static str,
    ) -> Result<Self, TailError> {
        let level = show(session, "wal_level").await?;
        if level != "logical" {
            return Err(TailError::NotOffered(format!(
                "PostgreSQL writes its log with wal_level={level}; set wal_level=logical and restart it, or use --relay polling"
            )));
        }
        if show(session, "max_slot_wal_keep_size").await? == "-1" {
            static WARNED: Once = Once::new();
            WARNED.call_once(|| {
                tracing::warn!(
                    "max_slot_wal_keep_size is unlimited: if no relay reads the log for long, it fills the disk; set a limit such as 10GB"
                );
            });
        }
        publish(session, schema, table).await?;
        let slot = slot_name(session, schema).await?;
        ensure_slot(session, &slot).await?;
        let config = replication_config(url, slot, format!("tramline_{schema}"))?;
        let mut client = ReplicationClient::connect(config).await.map_err(broken)?;
        match client.wait_started().await {
            Ok(()) => Ok(Self { client, decoder: Decoder::default(), schema, table, begun: Vec::new() }),
            // 55006, object_in_use: the slot is active for another session.
            Err(error) if error.to_string().contains("is active for PID") || error.to_string().contains("55006") => {
                Err(TailError::Busy)
            }
            Err(error) => Err(broken(error)),
        }
    }

    /// Waits for the rows of the next transaction. None at all means that the log moved on without any for us. Dropping the
    /// future loses nothing.
    ///
    /// # Errors
    /// When the session broke or a message does not read.
    pub async fn next(&mut self) -> Result<Tailed, TailError> {
        loop {
            match self.client.recv().await.map_err(broken)? {
                Some(ReplicationEvent::XLogData { data, .. }) => {
                    let row = self.decoder.inserted(self.schema, self.table, &data).map_err(broken)?;
                    self.begun.extend(row);
                }
                Some(ReplicationEvent::Commit { end_lsn, .. }) => {
                    return Ok(Tailed { rows: std::mem::take(&mut self.begun), upto: LogPosition(end_lsn) });
                }
                Some(ReplicationEvent::KeepAlive { wal_end, .. }) if self.begun.is_empty() => {
                    return Ok(Tailed { rows: Vec::new(), upto: LogPosition(wal_end) });
                }
                Some(_) => {}
                None => return Err(TailError::Broken("the server ended it".to_owned())),
            }
        }
    }

    /// Tells the server that everything up to there is safe elsewhere.
    pub fn acknowledge(&self, upto: LogPosition) {
        self.client.update_applied_lsn(upto.0);
    }
}

/// Lets go of what a tail that nobody follows any more would keep in the log.
pub(crate) async fn forget(session: &Client, schema: &str) -> Result<(), DbError> {
    let slot = slot_name(session, schema).await?;
    session
        .execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active",
            &[&slot],
        )
        .await?;
    Ok(())
}

/// How many bytes of the log the server keeps for the slot. `None` when there is no slot.
pub(crate) async fn lag(session: &Client, schema: &str) -> Result<Option<i64>, DbError> {
    let slot = slot_name(session, schema).await?;
    let row = session
        .query_opt(
            "select cast(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn) as bigint) \
             from pg_replication_slots where slot_name = $1",
            &[&slot],
        )
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

async fn show(session: &Client, setting: &str) -> Result<String, DbError> {
    let row = session.query_one("select current_setting($1)", &[&setting]).await?;
    Ok(row.try_get(0)?)
}

/// Slots belong to the whole server, so the database is in the name.
async fn slot_name(session: &Client, schema: &str) -> Result<String, DbError> {
    let row = session.query_one("select substr(md5(current_database()), 1, 10)", &[]).await?;
    Ok(format!("tramline_{schema}_{}", row.try_get::<_, String>(0)?))
}

/// Offers the inserts into the table to whoever follows the log.
async fn publish(session: &Client, schema: &str, table: &str) -> Result<(), DbError> {
    let known =
        session.query_opt("select 1 from pg_publication where pubname = $1", &[&format!("tramline_{schema}")]).await?;
    if known.is_some() {
        return Ok(());
    }
    let text = format!("create publication tramline_{schema} for table {schema}.{table} with (publish = 'insert')");
    match session.batch_execute(&text).await {
        // Another process was faster.
        Err(error) if error.code() == Some(&SqlState::DUPLICATE_OBJECT) => Ok(()),
        other => Ok(other?),
    }
}

/// Makes the slot when it is not there, and anew when the server had to give it up.
async fn ensure_slot(session: &Client, slot: &str) -> Result<(), TailError> {
    let known =
        session.query_opt("select wal_status, active from pg_replication_slots where slot_name = $1", &[&slot]).await?;
    if let Some(row) = known {
        // Those who wait for their turn need not open a session to learn that it has not come.
        if row.try_get::<_, bool>(1)? {
            return Err(TailError::Busy);
        }
        if row.try_get::<_, Option<String>>(0)?.as_deref() != Some("lost") {
            return Ok(());
        }
        tracing::error!(
            slot,
            "the server gave up this slot (max_slot_wal_keep_size); it is made anew, and what it missed is read from the table"
        );
        session.execute("select pg_drop_replication_slot($1)", &[&slot]).await?;
    }
    match session.query_one("select pg_create_logical_replication_slot($1, 'pgoutput')", &[&slot]).await {
        Err(error) if error.code() == Some(&SqlState::DUPLICATE_OBJECT) => Ok(()),
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Err(TailError::Waiting),
        Err(error) if error.code() == Some(&SqlState::CONFIGURATION_LIMIT_EXCEEDED) => Err(TailError::NotOffered(
            "PostgreSQL has no replication slot left; raise max_replication_slots, or drop slots that nobody uses"
                .to_owned(),
        )),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Err(TailError::NotOffered(
            "PostgreSQL lets this user follow no log; give it the attribute REPLICATION".to_owned(),
        )),
        other => Ok(other.map(drop)?),
    }
}

fn replication_config(url: &str, slot: String, publication: String) -> Result<ReplicationConfig, TailError> {
    let config = Config::from_str(url).map_err(|error| DbError::Address(error.to_string()))?;
    let user = config.get_user().unwrap_or("postgres").to_owned();
    let password = String::from_utf8_lossy(config.get_password().unwrap_or_default()).into_owned();
    let database = config.get_dbname().unwrap_or(&user).to_owned();
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        Some(Host::Unix(folder)) => folder.display().to_string(),
        None => "localhost".to_owned(),
    };
    let config = ReplicationConfig::new(host, user, password, database, slot, publication)
        .with_port(port)
        .with_status_interval(STATUS_INTERVAL)
        .with_buffer_size(BUFFERED_EVENTS)
        .with_max_message_size(ROW_BYTES_MAX)
        // A follower that stands still gives up the slot this soon.
        .with_options("-c wal_sender_timeout=3000")
        .with_application_name("tramline");
    Ok(config)
}

fn broken(error: impl std::fmt::Display) -> TailError {
    TailError::Broken(error.to_string())
}
