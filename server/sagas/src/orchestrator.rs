//! Carries out what the state machine says, inside the unit of work of whoever calls.

use crate::{
    Command, Definition, Destination, Event, Next, Phase, Reply, Shape,
    command::read,
    instance::{Instance, NewEntry, log_late_reply},
    transition,
};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;
use tramline_db::BoxFuture;
use tramline_messaging::{Channel, HandlerError, Headers, Record, UnitOfWork};
use uuid::Uuid;

/// Performs the local steps of sagas, in the orchestrator's own database.
pub trait Participant: Send + Sync {
    /// Carries out a command in the unit of work. A refusal must leave nothing changed.
    ///
    /// # Errors
    /// An infrastructure failure, which undoes the whole unit of work.
    fn perform<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        saga_id: Uuid,
        command: &'a Command,
    ) -> BoxFuture<'a, Result<Reply, HandlerError>>;
}

/// Takes replies for the sagas of one kind.
pub trait ReplyHandler: Send + Sync {
    /// The kind of saga.
    fn kind(&self) -> &'static str;

    /// Moves the saga that the reply is for. A reply that is not awaited is written down and changes nothing.
    ///
    /// # Errors
    /// Says whether to try again.
    fn on_reply<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        reply: &'a Arc<Record>,
    ) -> BoxFuture<'a, Result<(), HandlerError>>;
}

/// Runs the sagas of one definition.
pub struct Orchestrator<D> {
    definition: Definition<D>,
    shape: Shape,
    reply_channel: Channel,
    participant: Arc<dyn Participant>,
}

impl<D> Orchestrator<D>
where
    D: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Runs `definition`; remote participants reply on `reply_channel`, local steps go to `participant`.
    #[must_use]
    pub fn new(definition: Definition<D>, reply_channel: Channel, participant: Arc<dyn Participant>) -> Self {
        let shape = definition.shape();
        Self { definition, shape, reply_channel, participant }
    }

    /// The definition.
    #[must_use]
    pub const fn definition(&self) -> &Definition<D> {
        &self.definition
    }

    /// Starts a saga and takes it as far as it goes without waiting. Returns its data as they stand then.
    ///
    /// # Errors
    /// An infrastructure failure, which undoes the unit of work.
    pub async fn start(
        &self,
        work: &mut UnitOfWork<'_>,
        id: Uuid,
        aggregate_id: Uuid,
        data: D,
    ) -> Result<D, HandlerError> {
        let mut saga = Instance {
            id,
            aggregate_id,
            phase: Phase::Running(0),
            refused_step: None,
            pending_command: None,
            data,
            version: 0,
            log: Vec::new(),
        };
        self.advance(work, &mut saga, Next::Act(0)).await?;
        saga.insert(work, self.definition.kind()).await
    }

    /// Performs local steps until the saga ends or a command is under way.
    async fn advance(
        &self,
        work: &mut UnitOfWork<'_>,
        saga: &mut Instance<D>,
        mut next: Next,
    ) -> Result<(), HandlerError> {
        // Each turn moves the state machine on; it visits a step at most twice.
        for _ in 0..=2 * self.shape.0.len() {
            let (number, make) = match next {
                Next::Act(number) => (number, self.definition.steps().get(number).map(|step| step.action)),
                Next::Compensate(number) => {
                    (number, self.definition.steps().get(number).and_then(|step| step.compensation))
                }
                Next::Nothing => return Ok(()),
            };
            let (Some(step), Some(make)) = (self.definition.steps().get(number), make) else {
                return Err(HandlerError::Permanent(format!("{} has no step {number}", self.definition.kind())));
            };
            let command = make(&saga.data);
            match step.destination {
                Destination::Channel(channel) => {
                    self.send(work, saga, channel, command);
                    return Ok(());
                }
                Destination::Local => {
                    let reply = self.perform(work, saga, &command).await?;
                    next = self.apply(saga, number, &reply)?.unwrap_or(Next::Nothing);
                }
            }
        }
        Err(HandlerError::Permanent(format!("{} does not come to an end", self.definition.kind())))
    }

    fn send(&self, work: &mut UnitOfWork<'_>, saga: &mut Instance<D>, channel: Channel, command: Command) {
        let headers = Headers {
            kind: command.kind.to_owned(),
            reply_to: Some(self.reply_channel.to_owned()),
            saga_id: Some(saga.id),
            saga_type: Some(self.definition.kind().to_owned()),
            traceparent: work.traceparent.clone(),
            ..Headers::default()
        };
        let message_id = work.send(channel, command.key, headers.clone(), command.payload.clone());
        saga.pending_command = Some(message_id);
        saga.log.push(NewEntry {
            kind: "command",
            channel: channel.to_owned(),
            message_id,
            headers,
            payload: command.payload,
        });
    }

    /// A local step: the command and its reply exist only in the log.
    async fn perform(
        &self,
        work: &mut UnitOfWork<'_>,
        saga: &mut Instance<D>,
        command: &Command,
    ) -> Result<Record, HandlerError> {
        let message_id = work.new_id();
        let headers = Headers {
            kind: command.kind.to_owned(),
            saga_id: Some(saga.id),
            saga_type: Some(self.definition.kind().to_owned()),
            traceparent: work.traceparent.clone(),
            ..Headers::default()
        };
        saga.log.push(NewEntry {
            kind: "command",
            channel: "local".to_owned(),
            message_id,
            headers: headers.clone(),
            payload: command.payload.clone(),
        });
        let reply = self.participant.perform(work, saga.id, command).await?;
        let record = Record {
            seq: 0,
            id: work.new_id(),
            key: saga.id,
            headers: Headers {
                kind: reply.kind.to_owned(),
                correlation_id: Some(message_id),
                outcome: Some(if reply.done { "done" } else { "refused" }.to_owned()),
                ..headers
            },
            payload: reply.payload,
            recorded_at: work.now,
        };
        saga.log.push(entry_of("local", &record));
        Ok(record)
    }

    /// Moves the state machine by a reply.
    fn apply(&self, saga: &mut Instance<D>, number: usize, reply: &Record) -> Result<Option<Next>, HandlerError> {
        let event = match reply.headers.outcome.as_deref() {
            Some("done") => Event::Done,
            Some("refused") => Event::Refused,
            other => return Err(HandlerError::Permanent(format!("a reply with the outcome {other:?}"))),
        };
        if let (Phase::Running(_), Some(learn)) =
            (saga.phase, self.definition.steps().get(number).and_then(|step| step.learn))
        {
            learn(&mut saga.data, reply);
        }
        let Some((phase, next)) = transition(&self.shape, saga.phase, event) else { return Ok(None) };
        if let (Phase::Running(step), Event::Refused) = (saga.phase, event) {
            saga.refused_step = Some(step);
        }
        if let Phase::Parked(step) = phase {
            tracing::error!(saga.id = %saga.id, saga.kind = self.definition.kind(), step, "a saga is parked: a human must look");
        }
        saga.phase = phase;
        saga.pending_command = None;
        Ok(Some(next))
    }
}

impl<D> ReplyHandler for Orchestrator<D>
where
    D: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    fn kind(&self) -> &'static str {
        self.definition.kind()
    }

    fn on_reply<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        reply: &'a Arc<Record>,
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            let Some(id) = reply.headers.saga_id else {
                return Err(HandlerError::Permanent("the reply names no saga".to_owned()));
            };
            let Some(mut saga) = Instance::<D>::load(work, id).await? else {
                return Err(HandlerError::Permanent(format!("there is no saga {id}")));
            };
            // Reads as JSON before anything is kept: the log is shown to people.
            let _: serde::de::IgnoredAny = read(&reply.payload, &reply.headers.kind)?;
            let awaited = saga.pending_command.is_some() && saga.pending_command == reply.headers.correlation_id;
            let number = match saga.phase {
                Phase::Running(step) | Phase::Compensating(step) if awaited => step,
                _ => {
                    log_late_reply(work, id, entry_of_kind("late-reply", self.reply_channel, reply)).await?;
                    return Ok(());
                }
            };
            saga.log.push(entry_of(self.reply_channel, reply));
            if let Some(next) = self.apply(&mut saga, number, reply)? {
                self.advance(work, &mut saga, next).await?;
            }
            saga.update(work).await
        })
    }
}

fn entry_of(channel: &str, reply: &Record) -> NewEntry {
    entry_of_kind("reply", channel, reply)
}

fn entry_of_kind(kind: &'static str, channel: &str, reply: &Record) -> NewEntry {
    NewEntry {
        kind,
        channel: channel.to_owned(),
        message_id: reply.id,
        headers: reply.headers.clone(),
        payload: reply.payload.clone(),
    }
}
