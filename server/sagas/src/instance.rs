//! A saga instance as it lies in the database, and the statements that move it.

use crate::Phase;
use serde::{Serialize, de::DeserializeOwned};
use tramline_db::{DbError, UtcMicros, sql, values};
use tramline_messaging::{HandlerError, Headers, UnitOfWork};
use uuid::Uuid;

/// A run of a saga, loaded.
pub(crate) struct Instance<D> {
    pub(crate) id: Uuid,
    pub(crate) aggregate_id: Uuid,
    pub(crate) phase: Phase,
    pub(crate) refused_step: Option<usize>,
    pub(crate) pending_command: Option<Uuid>,
    pub(crate) data: D,
    pub(crate) version: i64,
    pub(crate) log: Vec<NewEntry>,
}

/// A log entry that is not written yet.
pub(crate) struct NewEntry {
    pub(crate) kind: &'static str,
    pub(crate) channel: String,
    pub(crate) message_id: Uuid,
    pub(crate) headers: Headers,
    pub(crate) payload: String,
}

tramline_db::record! {
    struct Row {
        aggregate_id: Uuid,
        phase: String,
        step_no: i64,
        refused_step: Option<i64>,
        pending_command: Option<Uuid>,
        data: String,
        version: i64,
    }
}

/// The phase's name and step in the database.
pub(crate) fn phase_columns(phase: Phase) -> (&'static str, i64) {
    let number = |step: usize| i64::try_from(step).unwrap_or(i64::MAX);
    match phase {
        Phase::Running(step) => ("RUNNING", number(step)),
        Phase::Compensating(step) => ("COMPENSATING", number(step)),
        Phase::Completed => ("COMPLETED", 0),
        Phase::RolledBack => ("ROLLED_BACK", 0),
        Phase::Parked(step) => ("PARKED", number(step)),
    }
}

pub(crate) fn phase_from(name: &str, step: i64) -> Result<Phase, DbError> {
    let step = usize::try_from(step).map_err(|error| DbError::corrupt("a saga's step", error))?;
    match name {
        "RUNNING" => Ok(Phase::Running(step)),
        "COMPENSATING" => Ok(Phase::Compensating(step)),
        "COMPLETED" => Ok(Phase::Completed),
        "ROLLED_BACK" => Ok(Phase::RolledBack),
        "PARKED" => Ok(Phase::Parked(step)),
        other => Err(DbError::corrupt("a saga's phase", other.to_owned())),
    }
}

impl<D: Serialize + DeserializeOwned> Instance<D> {
    pub(crate) async fn load(work: &mut UnitOfWork<'_>, id: Uuid) -> Result<Option<Self>, HandlerError> {
        let row: Option<Row> = work
            .tx
            .optional(
                sql("select aggregate_id, phase, step_no, refused_step, pending_command, data, version \
                     from saga_instance where saga_id = $1")
                .bind(id),
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Self {
            id,
            aggregate_id: row.aggregate_id,
            phase: phase_from(&row.phase, row.step_no)?,
            refused_step: row.refused_step.and_then(|step| usize::try_from(step).ok()),
            pending_command: row.pending_command,
            data: serde_json::from_str(&row.data).map_err(|error| DbError::corrupt("a saga's data", error))?,
            version: row.version,
            log: Vec::new(),
        }))
    }

    /// Writes a new instance with its log.
    pub(crate) async fn insert(mut self, work: &mut UnitOfWork<'_>, kind: &str) -> Result<D, HandlerError> {
        let (phase, step) = phase_columns(self.phase);
        self.version = 1;
        let inserted = work.tx.execute(
            sql("insert into saga_instance (saga_id, saga_type, aggregate_id, phase, step_no, refused_step, \
                 pending_command, data, version, started_at, ended_at) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
            .bind(self.id)
            .bind(kind)
            .bind(self.aggregate_id)
            .bind(phase)
            .bind(step)
            .bind(self.refused_step.and_then(|step| i64::try_from(step).ok()))
            .bind(self.pending_command)
            .bind(self.data_json()?)
            .bind(self.version)
            .bind(work.now)
            .bind(self.ended_at(work.now)),
        );
        inserted.await?;
        self.append_log(work).await?;
        Ok(self.data)
    }

    /// Writes a moved instance with its new log entries.
    pub(crate) async fn update(mut self, work: &mut UnitOfWork<'_>) -> Result<(), HandlerError> {
        let (phase, step) = phase_columns(self.phase);
        let updated = work.tx.execute(
            sql("update saga_instance set phase = $2, step_no = $3, refused_step = $4, pending_command = $5, data = $6, \
                 version = version + 1, ended_at = $7 \
                 where saga_id = $1 and version = $8")
            .bind(self.id)
            .bind(phase)
            .bind(step)
            .bind(self.refused_step.and_then(|step| i64::try_from(step).ok()))
            .bind(self.pending_command)
            .bind(self.data_json()?)
            .bind(self.ended_at(work.now))
            .bind(self.version),
        );
        if updated.await? != 1 {
            return Err(HandlerError::Transient("the saga moved meanwhile".to_owned()));
        }
        Ok(self.append_log(work).await?)
    }

    /// A parked saga has not ended.
    fn ended_at(&self, now: UtcMicros) -> Option<UtcMicros> {
        matches!(self.phase, Phase::Completed | Phase::RolledBack).then_some(now)
    }

    fn data_json(&self) -> Result<String, DbError> {
        serde_json::to_string(&self.data).map_err(|error| DbError::corrupt("a saga's data", error))
    }

    async fn append_log(&mut self, work: &mut UnitOfWork<'_>) -> Result<(), DbError> {
        let rows: Vec<_> = std::mem::take(&mut self.log)
            .into_iter()
            .enumerate()
            .map(|(index, entry)| {
                let headers = serde_json::to_string(&entry.headers).unwrap_or_default();
                let number = i64::try_from(index + 1).unwrap_or(i64::MAX);
                values![number, entry.kind, entry.channel, entry.message_id, headers, entry.payload]
            })
            .collect();
        work.tx
            .execute(
                sql("insert into saga_log (saga_id, entry_no, kind, channel, message_id, headers, payload, recorded_at) \
                     select $2, new.number + coalesce((select max(entry_no) from saga_log where saga_id = $2), 0), \
                     new.kind, new.channel, new.message_id, new.headers, new.payload, $3 \
                     from rows($1: number bigint, kind text, channel text, message_id uuid, headers text, payload text) as new")
                .rows(rows)
                .bind(self.id)
                .bind(work.now),
            )
            .await?;
        Ok(())
    }
}

/// Writes down a reply that no saga awaits: it is kept for the operator and changes nothing.
pub(crate) async fn log_late_reply(work: &mut UnitOfWork<'_>, id: Uuid, entry: NewEntry) -> Result<(), DbError> {
    let now = work.now;
    work.tx
        .execute(
            sql("insert into saga_log (saga_id, entry_no, kind, channel, message_id, headers, payload, recorded_at) \
                 select $1, coalesce(max(entry_no), 0) + 1, $2, $3, $4, $5, $6, $7 from saga_log where saga_id = $1")
            .bind(id)
            .bind(entry.kind)
            .bind(entry.channel)
            .bind(entry.message_id)
            .bind(serde_json::to_string(&entry.headers).unwrap_or_default())
            .bind(entry.payload)
            .bind(now),
        )
        .await?;
    Ok(())
}
