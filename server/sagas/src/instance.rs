//! A saga instance as it lies in the database, and the statements that move it.

use crate::{Phase, Progress, Shape, awaited::Awaited, history::NewEntry};
use serde::{Serialize, de::DeserializeOwned};
use tramline_db::{DbError, UtcMicros, sql};
use tramline_messaging::{HandlerError, UnitOfWork};
use uuid::Uuid;

/// A run of a saga, loaded.
pub(crate) struct Instance<D> {
    pub(crate) id: Uuid,
    pub(crate) aggregate_id: Uuid,
    pub(crate) progress: Progress,
    pub(crate) awaits: Vec<Awaited>,
    pub(crate) data: D,
    pub(crate) version: i64,
    pub(crate) log: Vec<NewEntry>,
}

tramline_db::record! {
    struct Row {
        aggregate_id: Uuid,
        phase: String,
        step_no: i64,
        refused_step: Option<i64>,
        progress: String,
        pending_command: Option<Uuid>,
        awaits: Option<String>,
        due_at: Option<i64>,
        data: String,
        version: i64,
    }
}

/// The phase's name and step in the database.
fn phase_columns(phase: Phase) -> (&'static str, i64) {
    match phase {
        Phase::Running(step) => ("RUNNING", number(step)),
        Phase::Compensating(step) => ("COMPENSATING", number(step)),
        Phase::Completed => ("COMPLETED", 0),
        Phase::RolledBack => ("ROLLED_BACK", 0),
        Phase::Parked(step) => ("PARKED", number(step)),
    }
}

fn number(step: usize) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
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

/// `None` for a row that an earlier version wrote.
pub(crate) fn progress_from(text: &str) -> Result<Option<Progress>, DbError> {
    if text.is_empty() {
        return Ok(None);
    }
    Progress::parse(text).map(Some).ok_or_else(|| DbError::corrupt("a saga's progress", text.to_owned()))
}

impl<D: Serialize + DeserializeOwned> Instance<D> {
    pub(crate) async fn load(work: &mut UnitOfWork<'_>, shape: &Shape, id: Uuid) -> Result<Option<Self>, HandlerError> {
        let row: Option<Row> = work
            .tx
            .optional(
                sql("select aggregate_id, phase, step_no, refused_step, progress, pending_command, awaits, due_at, data, \
                     version from saga_instance where saga_id = $1")
                .bind(id),
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let phase = phase_from(&row.phase, row.step_no)?;
        let refused = row.refused_step.and_then(|step| usize::try_from(step).ok());
        let progress = progress_from(&row.progress)?.unwrap_or_else(|| Progress::of_phase(shape, phase, refused));
        if progress.marks().len() != shape.0.len() {
            let found = format!("{} steps where the definition has {}", progress.marks().len(), shape.0.len());
            return Err(DbError::corrupt("a saga's progress", found).into());
        }
        let awaits = match (row.awaits, row.pending_command, phase) {
            (Some(text), _, _) => {
                serde_json::from_str(&text).map_err(|error| DbError::corrupt("what a saga awaits", error))?
            }
            (None, Some(command), Phase::Running(step) | Phase::Compensating(step)) => {
                vec![Awaited::of_an_earlier_version(step, command, row.due_at)]
            }
            (None, _, _) => Vec::new(),
        };
        Ok(Some(Self {
            id,
            aggregate_id: row.aggregate_id,
            progress,
            awaits,
            data: serde_json::from_str(&row.data).map_err(|error| DbError::corrupt("a saga's data", error))?,
            version: row.version,
            log: Vec::new(),
        }))
    }

    /// Writes a new instance with its log.
    pub(crate) async fn insert(mut self, work: &mut UnitOfWork<'_>, kind: &str) -> Result<D, HandlerError> {
        let columns = self.columns(work.now)?;
        self.version = 1;
        let inserted = work.tx.execute(
            sql(
                "insert into saga_instance (saga_id, saga_type, aggregate_id, phase, step_no, refused_step, progress, \
                 awaits, due_at, resent, data, version, started_at, ended_at) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            )
            .bind(self.id)
            .bind(kind)
            .bind(self.aggregate_id)
            .bind(columns.phase)
            .bind(columns.step)
            .bind(columns.refused)
            .bind(columns.progress)
            .bind(columns.awaits)
            .bind(columns.due_at)
            .bind(columns.resent)
            .bind(columns.data)
            .bind(self.version)
            .bind(work.now)
            .bind(columns.ended_at),
        );
        inserted.await?;
        crate::history::append(work, self.id, std::mem::take(&mut self.log)).await?;
        Ok(self.data)
    }

    /// Writes a moved instance with its new log entries.
    pub(crate) async fn update(mut self, work: &mut UnitOfWork<'_>) -> Result<(), HandlerError> {
        let columns = self.columns(work.now)?;
        let updated = work.tx.execute(
            sql("update saga_instance set phase = $2, step_no = $3, refused_step = $4, progress = $5, awaits = $6, \
                 due_at = $7, resent = $8, data = $9, version = version + 1, ended_at = $10 \
                 where saga_id = $1 and version = $11")
            .bind(self.id)
            .bind(columns.phase)
            .bind(columns.step)
            .bind(columns.refused)
            .bind(columns.progress)
            .bind(columns.awaits)
            .bind(columns.due_at)
            .bind(columns.resent)
            .bind(columns.data)
            .bind(columns.ended_at)
            .bind(self.version),
        );
        if updated.await? != 1 {
            return Err(HandlerError::Transient("the saga moved meanwhile".to_owned()));
        }
        Ok(crate::history::append(work, self.id, std::mem::take(&mut self.log)).await?)
    }

    fn columns(&self, now: UtcMicros) -> Result<Columns, DbError> {
        let phase = self.progress.phase();
        let (phase_name, step) = phase_columns(phase);
        let json = |text: Result<String, serde_json::Error>| text.map_err(|error| DbError::corrupt("a saga", error));
        // A parked saga has not ended.
        let ended = matches!(phase, Phase::Completed | Phase::RolledBack);
        Ok(Columns {
            phase: phase_name,
            step,
            refused: self.progress.refused().map(number),
            progress: self.progress.to_text(),
            awaits: json(serde_json::to_string(&self.awaits))?,
            due_at: self.awaits.iter().map(Awaited::due_at).min(),
            resent: self.awaits.iter().map(|awaited| i64::from(awaited.resent())).max().unwrap_or(0),
            data: json(serde_json::to_string(&self.data))?,
            ended_at: ended.then_some(now),
        })
    }
}

/// What is written of an instance each time.
struct Columns {
    phase: &'static str,
    step: i64,
    refused: Option<i64>,
    progress: String,
    awaits: String,
    due_at: Option<i64>,
    resent: i64,
    data: String,
    ended_at: Option<UtcMicros>,
}
