//! PostgreSQL: a pool of sessions, a transaction in each, and the server's own group commit.
//!
//! Every service keeps to a schema of its own name, so services may share a database or have one each. Sessions carry limits:
//! one whose process stands still in the middle of a transaction is ended by the server, so that its locks hold up nobody.

use crate::{
    BoxFuture, Counters, DbError, Durability, Migration, Record, Row, Statement, Tx, Value,
    dialect::{ColumnType, Dialect, FewRows, Take, translated},
    migration::migrate_postgres,
    statement::Bound,
    tail::{self, Tail, TailError},
};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use futures_util::FutureExt as _;
use std::{panic::AssertUnwindSafe, str::FromStr as _, sync::Arc, time::Duration};
use tokio_postgres::{
    Config, NoTls,
    types::{ToSql, Type},
};

/// Sessions per service and process.
const SESSIONS_MAX: usize = 16;
/// How long a unit of work waits for a session before it fails.
const SESSION_WAIT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Limits of each session, in milliseconds. A transaction whose process stands still is undone after three seconds. Statements
/// find few rows by their keys, so joins go from row to row by an index: how many values a list has, the planner can only guess,
/// and what it thinks of a table is of the last time that it was analysed, which may be never. A guess that is wrong would read
/// a table from end to end.
const SESSION_OPTIONS: &str = "-c statement_timeout=30000 -c lock_timeout=10000 \
    -c idle_in_transaction_session_timeout=3000 -c enable_mergejoin=off -c enable_hashjoin=off -c enable_seqscan=off \
    -c enable_material=off -c max_parallel_workers_per_gather=0 -c jit=off";

#[derive(Clone)]
pub(crate) struct PostgresDb {
    pool: Pool,
    url: Arc<str>,
    schema: &'static str,
    durability: Durability,
}

impl std::fmt::Debug for PostgresDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address may hold a password.
        f.debug_struct("PostgresDb").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Whose turn it is to own a lock of the whole database: held as long as this lives.
#[derive(Debug)]
pub struct ExclusiveUse(#[expect(dead_code, reason = "its session holds the lock")] Option<Object>);

impl ExclusiveUse {
    pub(crate) const fn nothing_to_hold() -> Self {
        Self(None)
    }
}

impl PostgresDb {
    pub(crate) async fn open(
        schema: &'static str,
        url: &str,
        durability: Durability,
        migrations: &[Migration],
    ) -> Result<Self, DbError> {
        let mut config = Config::from_str(url).map_err(|error| DbError::Address(error.to_string()))?;
        let commit = match durability {
            Durability::Full => "on",
            Durability::Process => "off",
        };
        let own = config.get_options().unwrap_or_default();
        let options = format!("{own} -c search_path={schema} -c synchronous_commit={commit} {SESSION_OPTIONS}");
        config.options(options.trim()).connect_timeout(CONNECT_TIMEOUT).application_name("tramline");
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let timeouts =
            Timeouts { wait: Some(SESSION_WAIT), create: Some(CONNECT_TIMEOUT), recycle: Some(SESSION_WAIT) };
        let pool = Pool::builder(manager).max_size(SESSIONS_MAX).timeouts(timeouts).runtime(Runtime::Tokio1).build();
        let pool = pool.map_err(|error| DbError::Unreachable(error.to_string()))?;
        let mut session = pool.get().await?;
        migrate_postgres(&mut session, schema, migrations).await?;
        drop(session);
        Ok(Self { pool, url: url.into(), schema, durability })
    }

    pub(crate) async fn write_then<T, E, F, A>(&self, counters: Arc<Counters>, work: F, after: A) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        A: FnOnce(&mut T) + Send + 'static,
    {
        let session = self.pool.get().await.map_err(DbError::from)?;
        let mut tx = Tx::postgres(Session { session: Some(session), begun: false }, Arc::clone(&counters));
        // Whatever does not come to the commit drops the session, and the server undoes the transaction.
        let outcome =
            AssertUnwindSafe(work(&mut tx)).catch_unwind().await.unwrap_or_else(|_| Err(DbError::Abandoned.into()));
        match outcome {
            Ok(mut value) => {
                tx.commit().await?;
                counters.count_commit();
                after(&mut value);
                Ok(value)
            }
            Err(error) => {
                tx.roll_back().await;
                Err(error)
            }
        }
    }

    pub(crate) async fn all<R: Record>(&self, statement: Statement) -> Result<Vec<R>, DbError> {
        let session = self.pool.get().await?;
        let rows = query(&session, &statement, false).await?;
        rows.iter().map(|row| R::read(&Row::postgres(row))).collect()
    }

    /// Takes the whole schema for this process, as long as the answer lives.
    pub(crate) async fn claim(&self, schema: &str) -> Result<Option<ExclusiveUse>, DbError> {
        let session = self.pool.get().await?;
        let row = session
            .query_one("select pg_try_advisory_lock(hashtext($1))", &[&format!("tramline exclusive {schema}")])
            .await?;
        Ok(row.try_get::<_, bool>(0)?.then_some(ExclusiveUse(Some(session))))
    }

    pub(crate) async fn tail(&self, table: &'static str) -> Result<Tail, TailError> {
        let session = self.pool.get().await.map_err(DbError::from)?;
        Tail::open(&session, &self.url, self.schema, table).await
    }

    pub(crate) async fn forget_tail(&self) -> Result<(), DbError> {
        tail::forget(&*self.pool.get().await?, self.schema).await
    }

    pub(crate) async fn tail_lag(&self) -> Result<Option<i64>, DbError> {
        tail::lag(&*self.pool.get().await?, self.schema).await
    }

    pub(crate) const fn may_forget(&self) -> bool {
        matches!(self.durability, Durability::Process)
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

/// A session with, at most, one transaction.
#[derive(Debug)]
pub(crate) struct Session {
    /// `None` once the transaction is over.
    session: Option<Object>,
    begun: bool,
}

impl Session {
    pub(crate) async fn rows(
        &mut self,
        statement: &Statement,
        counters: &Counters,
    ) -> Result<Vec<tokio_postgres::Row>, DbError> {
        let begin = !std::mem::replace(&mut self.begun, true);
        if begin {
            counters.count_statement();
        }
        query(self.session()?, statement, begin).await
    }

    pub(crate) async fn execute(&mut self, statement: &Statement, counters: &Counters) -> Result<u64, DbError> {
        let begin = !std::mem::replace(&mut self.begun, true);
        if begin {
            counters.count_statement();
        }
        let session = self.session()?;
        let bound = Arguments::of(statement)?;
        let prepared = session.prepare_typed_cached(&bound.text, &bound.types).await?;
        let values = bound.values();
        // Begin and the first statement travel together.
        let (begun, changed) =
            futures_util::future::join(begin_if(session, begin), session.execute(&prepared, &values)).await;
        begun?;
        Ok(changed?)
    }

    pub(crate) async fn commit(mut self, counters: &Counters) -> Result<(), DbError> {
        if self.begun {
            counters.count_statement();
            self.session()?.batch_execute("commit").await?;
        }
        self.begun = false;
        Ok(())
    }

    pub(crate) async fn roll_back(mut self) {
        if self.begun && self.session().is_ok() && self.session_rolls_back().await {
            self.begun = false;
        }
    }

    async fn session_rolls_back(&self) -> bool {
        match &self.session {
            Some(session) => session.batch_execute("rollback").await.is_ok(),
            None => false,
        }
    }

    fn session(&self) -> Result<&Object, DbError> {
        self.session.as_ref().ok_or(DbError::Abandoned)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A session with an open transaction must not go back to the pool: closing it makes the server undo it.
        if self.begun
            && let Some(session) = self.session.take()
        {
            drop(Object::take(session));
        }
    }
}

async fn begin_if(session: &Object, begin: bool) -> Result<(), tokio_postgres::Error> {
    if begin { session.batch_execute("begin").await } else { Ok(()) }
}

async fn query(session: &Object, statement: &Statement, begin: bool) -> Result<Vec<tokio_postgres::Row>, DbError> {
    let bound = Arguments::of(statement)?;
    let prepared = session.prepare_typed_cached(&bound.text, &bound.types).await?;
    let values = bound.values();
    let (begun, rows) = futures_util::future::join(begin_if(session, begin), session.query(&prepared, &values)).await;
    begun?;
    Ok(rows?)
}

/// A statement's text for PostgreSQL, with the values in the order of its placeholders.
struct Arguments {
    text: String,
    types: Vec<Type>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Arguments {
    fn of(statement: &Statement) -> Result<Self, DbError> {
        let translated = translated(statement.text, Dialect::Postgres, FewRows::default());
        let (mut types, mut values) = (Vec::with_capacity(translated.takes.len()), Vec::new());
        for take in &translated.takes {
            let (kind, value) = argument(statement, *take).ok_or_else(|| DbError::unbound(statement.text))?;
            types.push(kind);
            values.push(value);
        }
        Ok(Self { text: translated.text.to_string(), types, values })
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}

fn argument(statement: &Statement, take: Take) -> Option<(Type, Box<dyn ToSql + Sync + Send>)> {
    match take {
        Take::Value(place) => match statement.bound.get(place)? {
            Bound::One(Value::Int(value)) => Some((Type::INT8, Box::new(*value))),
            Bound::One(Value::Text(value)) => Some((Type::TEXT, Box::new(value.clone()))),
            Bound::One(Value::Uuid(value)) => Some((Type::UUID, Box::new(*value))),
            Bound::Rows(_) => None,
        },
        Take::Column(place, column, kind) => {
            let Bound::Rows(rows) = statement.bound.get(place)? else { return None };
            let cells = rows.iter().map(|row| row.get(column));
            match kind {
                ColumnType::Bigint => {
                    let cells = cells.map(|cell| if let Value::Int(value) = cell? { Some(*value) } else { None });
                    Some((Type::INT8_ARRAY, Box::new(cells.collect::<Option<Vec<_>>>()?)))
                }
                ColumnType::Text => {
                    let cells =
                        cells.map(|cell| if let Value::Text(value) = cell? { Some(value.clone()) } else { None });
                    Some((Type::TEXT_ARRAY, Box::new(cells.collect::<Option<Vec<_>>>()?)))
                }
                ColumnType::Uuid => {
                    let cells = cells.map(|cell| if let Value::Uuid(value) = cell? { Some(*value) } else { None });
                    Some((Type::UUID_ARRAY, Box::new(cells.collect::<Option<Vec<_>>>()?)))
                }
            }
        }
        Take::List(..) | Take::Cell(..) => None,
    }
}
