//! A run of a choreographed saga, as the service keeps it that holds its events against the protocol.
//!
//! It lies beside the runs that an orchestrator leads, so that an operator finds both in one list: where it stands, and every event
//! in the order in which this service saw it.

use super::{Departure, Progress, Protocol};
use crate::{
    Phase, StepView,
    instance::{phase_columns, phase_from},
};
use tramline_db::{DbError, sql, values};
use tramline_messaging::{HandlerError, Headers, Record, UnitOfWork};
use uuid::Uuid;

/// An event that was told, by this service or another.
#[derive(Clone, Debug)]
pub struct Told {
    /// The service that told it.
    pub by: String,
    /// The channel on which it was told.
    pub channel: String,
    /// Names the message.
    pub message_id: Uuid,
    /// Its headers.
    pub headers: Headers,
    /// Its body, as JSON.
    pub payload: String,
}

impl Told {
    /// An event that was heard.
    #[must_use]
    pub fn heard(by: &str, channel: &str, record: &Record) -> Self {
        Self {
            by: by.to_owned(),
            channel: channel.to_owned(),
            message_id: record.id,
            headers: record.headers.clone(),
            payload: record.payload.clone(),
        }
    }
}

tramline_db::record! {
    struct Row {
        phase: String,
        step_no: i64,
        refused_step: Option<i64>,
        version: i64,
    }
}

/// Begins a conversation with its first event, in the unit of work that tells it.
///
/// # Errors
/// When the database fails.
pub async fn begin(
    work: &mut UnitOfWork<'_>,
    protocol: &Protocol,
    id: Uuid,
    aggregate_id: Uuid,
    first: Told,
) -> Result<(), HandlerError> {
    let stand = Stand { progress: Protocol::BEGINNING, refused: None, departed: None };
    let (stand, entries) = stand.after(protocol, vec![first], Vec::new());
    let (phase, step) = phase_columns(stand.phase());
    let inserted = work.tx.execute(
        sql("insert into saga_instance (saga_id, saga_type, aggregate_id, phase, step_no, data, version, started_at, choreographed) \
             values ($1, $2, $3, $4, $5, '{}', 1, $6, 1)")
        .bind(id)
        .bind(protocol.kind())
        .bind(aggregate_id)
        .bind(phase)
        .bind(step)
        .bind(work.now),
    );
    inserted.await?;
    Ok(append(work, id, entries).await?)
}

/// Holds events against the protocol, in the unit of work that hears or tells them. An event that is not in the protocol parks
/// the conversation: it is shown to the operator, and what follows is only written down. One that was heard before moves nothing.
///
/// # Errors
/// When the database fails, there is no such conversation, or somebody else moved it meanwhile.
pub async fn observe(
    work: &mut UnitOfWork<'_>,
    protocol: &Protocol,
    id: Uuid,
    events: Vec<Told>,
) -> Result<(), HandlerError> {
    let found: Option<Row> = work
        .tx
        .optional(
            sql("select phase, step_no, refused_step, version from saga_instance \
                 where saga_id = $1 and saga_type = $2 and choreographed = 1")
            .bind(id)
            .bind(protocol.kind()),
        )
        .await?;
    let Some(row) = found else {
        return Err(HandlerError::Permanent(format!("there is no conversation {id} of {}", protocol.kind())));
    };
    let stand = Stand::of(&row)?;
    // One that was sent again fits nowhere, so the log is only asked when something does not fit.
    let heard = if stand.fits(protocol, &events) { Vec::new() } else { heard(work, id).await? };
    let (stand, entries) = stand.after(protocol, events, heard);
    let (phase, step) = phase_columns(stand.phase());
    let ended = matches!(stand.progress, Progress::Completed | Progress::RolledBack) && stand.departed.is_none();
    let updated = work.tx.execute(
        sql("update saga_instance set phase = $2, step_no = $3, refused_step = $4, version = version + 1, \
             ended_at = case when $5 is null then null else coalesce(ended_at, $5) end \
             where saga_id = $1 and version = $6")
        .bind(id)
        .bind(phase)
        .bind(step)
        .bind(stand.refused.and_then(|step| i64::try_from(step).ok()))
        .bind(ended.then_some(work.now))
        .bind(row.version),
    );
    if updated.await? != 1 {
        return Err(HandlerError::Transient("the conversation moved meanwhile".to_owned()));
    }
    Ok(append(work, id, entries).await?)
}

/// Where a conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stand {
    progress: Progress,
    refused: Option<usize>,
    departed: Option<usize>,
}

impl Stand {
    fn of(row: &Row) -> Result<Self, DbError> {
        let refused = row.refused_step.and_then(|step| usize::try_from(step).ok());
        let (progress, departed) = match phase_from(&row.phase, row.step_no)? {
            Phase::Running(step) => (Progress::Forward(step), None),
            Phase::Compensating(step) => (Progress::Back(step), None),
            Phase::Completed => (Progress::Completed, None),
            Phase::RolledBack => (Progress::RolledBack, None),
            Phase::Parked(step) => (Progress::Forward(step), Some(step)),
        };
        Ok(Self { progress, refused, departed })
    }

    const fn phase(&self) -> Phase {
        match (self.departed, self.progress) {
            (Some(step), _) => Phase::Parked(step),
            (None, Progress::Forward(step)) => Phase::Running(step),
            (None, Progress::Back(step)) => Phase::Compensating(step),
            (None, Progress::Completed) => Phase::Completed,
            (None, Progress::RolledBack) => Phase::RolledBack,
        }
    }

    /// Whether the protocol has these events at this point.
    fn fits(mut self, protocol: &Protocol, events: &[Told]) -> bool {
        events.iter().all(|told| self.take(protocol, told).is_ok())
    }

    /// What events make of it, and how each is written down: one that was heard already as a repetition.
    fn after(
        mut self,
        protocol: &Protocol,
        events: Vec<Told>,
        mut heard: Vec<Uuid>,
    ) -> (Self, Vec<(&'static str, Told)>) {
        let entries = events.into_iter().map(|told| match self.take_new(protocol, &told, &mut heard) {
            Ok(true) => ("event", told),
            Ok(false) => ("repetition", told),
            Err(departure) => {
                tracing::error!(saga.kind = protocol.kind(), message.id = %told.message_id, departure = %departure, "a conversation departs from its protocol");
                metrics::counter!("tramline_saga_departures_total", "saga" => protocol.kind()).increment(1);
                ("departure", told)
            }
        });
        let entries = entries.collect();
        (self, entries)
    }

    /// `false`: it was heard already, and moves nothing.
    fn take_new(&mut self, protocol: &Protocol, told: &Told, heard: &mut Vec<Uuid>) -> Result<bool, Departure> {
        if heard.contains(&told.message_id) {
            return Ok(false);
        }
        heard.push(told.message_id);
        self.take(protocol, told).map(|()| true)
    }

    fn take(&mut self, protocol: &Protocol, told: &Told) -> Result<(), Departure> {
        if self.departed.is_some() {
            return Ok(());
        }
        match protocol.observe(self.progress, &told.by, &told.headers.kind) {
            Ok(next) => {
                if let (Progress::Forward(step), Progress::Back(_) | Progress::RolledBack) = (self.progress, next) {
                    self.refused = Some(step);
                }
                self.progress = next;
                Ok(())
            }
            Err(departure) => {
                self.departed = Some(match self.progress {
                    Progress::Forward(step) | Progress::Back(step) => step,
                    Progress::Completed | Progress::RolledBack => protocol.turns().len().saturating_sub(1),
                });
                Err(departure)
            }
        }
    }
}

/// The messages that a conversation has heard or told.
async fn heard(work: &mut UnitOfWork<'_>, id: Uuid) -> Result<Vec<Uuid>, DbError> {
    let heard = sql("select message_id from saga_log where saga_id = $1 and kind = 'event'").bind(id);
    let rows: Vec<(Uuid,)> = work.tx.all(heard).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

async fn append(work: &mut UnitOfWork<'_>, id: Uuid, entries: Vec<(&'static str, Told)>) -> Result<(), DbError> {
    let rows: Vec<_> = (1_i64..)
        .zip(entries)
        .map(|(number, (kind, told))| {
            let headers = serde_json::to_string(&told.headers).unwrap_or_default();
            values![number, kind, told.channel, told.message_id, headers, told.payload]
        })
        .collect();
    let appended = work.tx.execute(
        sql("insert into saga_log (saga_id, entry_no, kind, channel, message_id, headers, payload, recorded_at) \
             select $2, new.number + coalesce((select max(entry_no) from saga_log where saga_id = $2), 0), \
             new.kind, new.channel, new.message_id, new.headers, new.payload, $3 \
             from rows($1: number bigint, kind text, channel text, message_id uuid, headers text, payload text) as new")
        .rows(rows)
        .bind(id)
        .bind(work.now),
    );
    appended.await.map(drop)
}

impl Protocol {
    /// How far each turn of a conversation has come, as for a saga that is led.
    #[must_use]
    pub fn step_views(&self, phase: Phase, refused: Option<usize>) -> Vec<StepView> {
        let state = |number: usize, undoable: bool| match (phase, refused) {
            (_, Some(step)) if number == step => "REFUSED",
            (_, Some(step)) if number > step => "WAITING",
            (Phase::Compensating(now), Some(_)) if number == now => "COMPENSATING",
            (Phase::Compensating(now), Some(_)) if number < now => "DONE",
            (_, Some(_)) if undoable => "COMPENSATED",
            (Phase::Running(now) | Phase::Parked(now), None) if number == now => "RUNNING",
            (Phase::Running(now) | Phase::Parked(now), None) if number > now => "WAITING",
            _ => "DONE",
        };
        self.turns()
            .iter()
            .enumerate()
            .map(|(number, turn)| StepView {
                name: turn.name,
                category: turn.category,
                state: state(number, turn.undone.is_some()),
            })
            .collect()
    }
}
