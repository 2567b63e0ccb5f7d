//! Sagas as an operator reads them.

use crate::{
    Category, Definition, Phase, Progress,
    instance::{phase_from, progress_from},
};
use tramline_db::{Db, DbError, UtcMicros, sql};
use uuid::Uuid;

/// A run of a saga, for reading.
#[derive(Clone, Debug)]
pub struct InstanceView {
    /// Names the run.
    pub id: Uuid,
    /// The definition's kind.
    pub kind: String,
    /// The aggregate that it changes.
    pub aggregate_id: Uuid,
    /// Where it stands.
    pub phase: Phase,
    /// The step that was refused.
    pub refused_step: Option<usize>,
    /// How far each step has come; `None` of a run that an earlier version ended.
    pub progress: Option<Progress>,
    /// When the first command that it awaits an answer to is due to go out again.
    pub due_at: Option<UtcMicros>,
    /// How often that command has gone out again, or was refused and must not be: more than 0 is *overdue*.
    pub resent: i64,
    /// Raised with every transition.
    pub version: i64,
    /// When it began.
    pub started_at: UtcMicros,
    /// When it ended.
    pub ended_at: Option<UtcMicros>,
    /// Whether nobody leads it: it is held against a [`crate::choreography::Protocol`].
    pub choreographed: bool,
}

/// Which sagas to list.
#[derive(Clone, Debug, Default)]
pub struct InstanceFilter {
    /// Only this kind.
    pub kind: Option<String>,
    /// Only those in this phase, by its name in capitals.
    pub phase: Option<String>,
    /// Only those that began before this one, exclusive: the last of the page before.
    pub before: Option<(UtcMicros, Uuid)>,
}

tramline_db::record! {
    /// What a saga sent or received.
    #[derive(Clone, Debug)]
    pub struct LogEntry {
        /// `command`, `command-again`, `reply`, `late-reply`, `gave-up` or `operator`; of a saga that nobody leads `event`,
        /// `repetition` or `departure`.
        pub kind: String,
        /// Where it went; `local` for a step in the saga's own database.
        pub channel: String,
        /// Names the message.
        pub message_id: Uuid,
        /// Its headers, as JSON.
        pub headers: String,
        /// Its body, as JSON.
        pub payload: String,
        /// When, in microseconds.
        pub recorded_at: i64,
    }
}

/// A step and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepView {
    /// The step's name.
    pub name: &'static str,
    /// Its place relative to the pivot.
    pub category: Category,
    /// How far it has come, in capitals.
    pub state: &'static str,
}

tramline_db::record! {
    struct Row {
        saga_id: Uuid,
        saga_type: String,
        aggregate_id: Uuid,
        phase: String,
        step_no: i64,
        refused_step: Option<i64>,
        progress: String,
        due_at: Option<i64>,
        resent: i64,
        version: i64,
        started_at: i64,
        ended_at: Option<i64>,
        choreographed: i64,
    }
}

impl Row {
    fn into_view(self) -> Result<InstanceView, DbError> {
        Ok(InstanceView {
            id: self.saga_id,
            kind: self.saga_type,
            aggregate_id: self.aggregate_id,
            phase: phase_from(&self.phase, self.step_no)?,
            refused_step: self.refused_step.and_then(|step| usize::try_from(step).ok()),
            progress: progress_from(&self.progress)?,
            due_at: self.due_at.map(UtcMicros),
            resent: self.resent,
            version: self.version,
            started_at: UtcMicros(self.started_at),
            ended_at: self.ended_at.map(UtcMicros),
            choreographed: self.choreographed == 1,
        })
    }
}

/// Sagas, newest first, at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn list_instances(db: &Db, filter: InstanceFilter, limit: i64) -> Result<Vec<InstanceView>, DbError> {
    let (before, before_id) = filter.before.unwrap_or((UtcMicros(i64::MAX), Uuid::max()));
    let rows: Vec<Row> = db
        .all(
            sql("select saga_id, saga_type, aggregate_id, phase, step_no, refused_step, progress, due_at, resent, \
                 version, started_at, ended_at, choreographed \
                 from saga_instance \
                 where (started_at, saga_id) < ($1, $2) and ($3 is null or saga_type = $3) and ($4 is null or phase = $4) \
                 order by started_at desc, saga_id desc limit $5")
            .bind(before)
            .bind(before_id)
            .bind(filter.kind)
            .bind(filter.phase)
            .bind(limit),
        )
        .await?;
    rows.into_iter().map(Row::into_view).collect()
}

/// One saga with its log, or `None`.
///
/// # Errors
/// When the database fails.
pub async fn find_instance(db: &Db, id: Uuid) -> Result<Option<(InstanceView, Vec<LogEntry>)>, DbError> {
    let row: Option<Row> = db
        .optional(
            sql(
                "select saga_id, saga_type, aggregate_id, phase, step_no, refused_step, progress, due_at, resent, version, \
                 started_at, ended_at, choreographed from saga_instance where saga_id = $1",
            )
            .bind(id),
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let log = db
        .all(
            sql("select kind, channel, message_id, headers, payload, recorded_at \
                 from saga_log where saga_id = $1 order by entry_no limit 1000")
            .bind(id),
        )
        .await?;
    Ok(Some((row.into_view()?, log)))
}

/// How many sagas are under way, neither ended nor parked; counted up to `at_most`, which bounds what it costs.
///
/// # Errors
/// When the database fails.
pub async fn count_open(db: &Db, at_most: i64) -> Result<i64, DbError> {
    let row: Option<(i64,)> = db
        .optional(
            sql("select count(*) from (select 1 as one from saga_instance \
                 where ended_at is null and phase in ('RUNNING', 'COMPENSATING') limit $1) as under_way")
            .bind(at_most),
        )
        .await?;
    Ok(row.map_or(0, |(count,)| count))
}

/// Sagas whose command has gone out again because no answer came, oldest first, after that one, at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn list_overdue(db: &Db, after: Option<(UtcMicros, Uuid)>, limit: i64) -> Result<Vec<InstanceView>, DbError> {
    let (after, after_id) = after.unwrap_or((UtcMicros(i64::MIN), Uuid::nil()));
    let rows: Vec<Row> = db
        .all(
            sql("select saga_id, saga_type, aggregate_id, phase, step_no, refused_step, progress, due_at, resent, version, \
                 started_at, ended_at, choreographed from saga_instance \
                 where resent > 0 and (started_at, saga_id) > ($1, $2) \
                 order by started_at, saga_id limit $3")
            .bind(after)
            .bind(after_id)
            .bind(limit),
        )
        .await?;
    rows.into_iter().map(Row::into_view).collect()
}

/// How many sagas are parked, and how many overdue; each counted up to `at_most`, which bounds what it costs.
///
/// # Errors
/// When the database fails.
pub async fn count_troubled(db: &Db, at_most: i64) -> Result<(i64, i64), DbError> {
    let row: Option<(i64, i64)> = db
        .optional(
            sql("select (select count(*) from (select 1 as one from saga_instance \
                 where ended_at is null and phase = 'PARKED' limit $1) as parked), \
                 (select count(*) from (select 1 as one from saga_instance where resent > 0 limit $1) as overdue)")
            .bind(at_most),
        )
        .await?;
    Ok(row.unwrap_or_default())
}

impl<D> Definition<D> {
    /// How far each step of a run has come.
    #[must_use]
    pub fn step_views(&self, run: &InstanceView) -> Vec<StepView> {
        let of_before = || Progress::of_phase(&self.shape(), run.phase, run.refused_step);
        let progress = run.progress.clone().unwrap_or_else(of_before);
        let view = |(step, mark): (&crate::Step<D>, &crate::Mark)| StepView {
            name: step.name(),
            category: step.category(),
            state: mark.as_str(),
        };
        self.steps().iter().zip(progress.marks()).map(view).collect()
    }
}
