//! A saga instance as it lies in the database, and the statements that move it.

use crate::{Orchestrator, Phase, Plan, Progress, awaited::Awaited, history::NewEntry, verify::read_plan};
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
        fingerprint: String,
        data_version: i64,
    }
}

/// The phase's name and step in the database.
pub(crate) fn phase_columns(phase: Phase) -> (&'static str, i64) {
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

impl<D> Instance<D>
where
    D: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Reads a run as the present definition understands it; one that an earlier program began is carried over.
    pub(crate) async fn load(
        work: &mut UnitOfWork<'_>,
        of: &Orchestrator<D>,
        id: Uuid,
    ) -> Result<Option<Self>, HandlerError> {
        let row: Option<Row> = work
            .tx
            .optional(
                sql("select aggregate_id, phase, step_no, refused_step, progress, pending_command, awaits, due_at, data, \
                     version, fingerprint, data_version from saga_instance where saga_id = $1")
                .bind(id),
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let phase = phase_from(&row.phase, row.step_no)?;
        let refused = row.refused_step.and_then(|step| usize::try_from(step).ok());
        let progress = progress_from(&row.progress)?.unwrap_or_else(|| Progress::of_phase(&of.shape, phase, refused));
        let awaits = match (row.awaits, row.pending_command, phase) {
            (Some(text), _, _) => {
                serde_json::from_str(&text).map_err(|error| DbError::corrupt("what a saga awaits", error))?
            }
            (None, Some(command), Phase::Running(step) | Phase::Compensating(step)) => {
                vec![Awaited::of_an_earlier_version(step, command, row.due_at)]
            }
            (None, _, _) => Vec::new(),
        };
        let data = of.definition.read_data(row.data_version, &row.data);
        let data = data.map_err(|error| HandlerError::Permanent(format!("the saga {id}: {error}")))?;
        let (aggregate_id, version) = (row.aggregate_id, row.version);
        let mut saga = Self { id, aggregate_id, progress, awaits, data, version, log: Vec::new() };
        if !row.fingerprint.is_empty() && row.fingerprint != of.fingerprint {
            saga.carry_over(work, &of.plan, &row.fingerprint).await?;
        }
        if saga.progress.marks().len() != of.shape.0.len() {
            let found = format!("{} steps where the definition has {}", saga.progress.marks().len(), of.shape.0.len());
            return Err(DbError::corrupt("a saga's progress", found).into());
        }
        Ok(Some(saga))
    }

    /// Counts the steps of a run that began under another plan as the present one does.
    async fn carry_over(&mut self, work: &mut UnitOfWork<'_>, new: &Plan, old: &str) -> Result<(), HandlerError> {
        let row: Option<(String,)> =
            work.tx.optional(sql("select plan from saga_plan where fingerprint = $1").bind(old)).await?;
        let Some((text,)) = row else {
            return Err(HandlerError::Permanent(format!("the plan {old} of the saga {} is not known", self.id)));
        };
        let old = read_plan(&text)?;
        self.progress = old.carry(&self.progress, new).map_err(|obstacles| {
            let why: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
            HandlerError::Permanent(format!("the saga {} cannot be resumed: {}", self.id, why.join("; ")))
        })?;
        for awaited in &mut self.awaits {
            // What is awaited has begun, and whatever has begun was found above.
            awaited.step = old.place_in(new, awaited.step).unwrap_or(awaited.step);
        }
        Ok(())
    }

    /// Writes a new instance with its log.
    pub(crate) async fn insert(mut self, work: &mut UnitOfWork<'_>, of: &Orchestrator<D>) -> Result<D, HandlerError> {
        let columns = self.columns(work.now)?;
        self.version = 1;
        let inserted = work.tx.execute(
            sql(
                "insert into saga_instance (saga_id, saga_type, aggregate_id, phase, step_no, refused_step, progress, \
                 awaits, due_at, resent, data, version, started_at, ended_at, fingerprint, data_version) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            )
            .bind(self.id)
            .bind(of.definition.kind())
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
            .bind(columns.ended_at)
            .bind(of.fingerprint.as_str())
            .bind(of.plan.data_version),
        );
        inserted.await?;
        crate::history::append(work, self.id, std::mem::take(&mut self.log)).await?;
        Ok(self.data)
    }

    /// Writes a moved instance with its new log entries.
    pub(crate) async fn update(mut self, work: &mut UnitOfWork<'_>, of: &Orchestrator<D>) -> Result<(), HandlerError> {
        let columns = self.columns(work.now)?;
        let updated = work.tx.execute(
            sql("update saga_instance set phase = $2, step_no = $3, refused_step = $4, progress = $5, awaits = $6, \
                 due_at = $7, resent = $8, data = $9, version = version + 1, ended_at = $10, \
                 fingerprint = $11, data_version = $12 where saga_id = $1 and version = $13")
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
            .bind(of.fingerprint.as_str())
            .bind(of.plan.data_version)
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
