//! Carries out what the state machine says, inside the unit of work of whoever calls.

use crate::{
    Command, Definition, Destination, Event, Mark, Next, Outcome, Phase, Plan, Reply, Shape,
    awaited::{Awaited, COMPENSATION_ATTEMPTS, REFUSED_WAIT, REFUSED_WAIT_MAX},
    begin,
    command::{outcome_of, read},
    definition::doubled,
    history::{LOCAL, NewEntry, append_late_reply},
    instance::Instance,
    step::Step,
    transition,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::VecDeque, sync::Arc};
use tramline_db::BoxFuture;
use tramline_messaging::{Channel, HandlerError, Headers, Record, UnitOfWork};
use uuid::Uuid;

/// Performs the local steps of sagas, in the orchestrator's own database.
pub trait Participant: Send + Sync {
    /// Carries out a command in the unit of work. A refusal must leave nothing changed, and so must [`Reply::later`], which
    /// promises an answer by [`Orchestrator::answer`]. A command that was not answered in time comes again under the same id.
    ///
    /// # Errors
    /// An infrastructure failure, which undoes the whole unit of work. But a compensation that fails with
    /// [`HandlerError::Transient`], and must have changed nothing then, is tried again later while the rest stands.
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
    pub(crate) definition: Definition<D>,
    pub(crate) shape: Shape,
    pub(crate) plan: Plan,
    /// Of the plan, which every instance carries.
    pub(crate) fingerprint: String,
    pub(crate) reply_channel: Channel,
    participant: Arc<dyn Participant>,
}

impl<D> Orchestrator<D>
where
    D: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Runs `definition`; remote participants reply on `reply_channel`, local steps go to `participant`.
    #[must_use]
    pub fn new(definition: Definition<D>, reply_channel: Channel, participant: Arc<dyn Participant>) -> Self {
        let (shape, plan) = (definition.shape(), Plan::of(&definition));
        let fingerprint = plan.fingerprint();
        Self { definition, shape, plan, fingerprint, reply_channel, participant }
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
        let (progress, next) = begin(&self.shape);
        let mut saga = Instance { id, aggregate_id, progress, awaits: Vec::new(), data, version: 0, log: Vec::new() };
        self.advance(work, &mut saga, next).await?;
        saga.insert(work, self).await
    }

    /// Does what comes next until nothing is left but to wait.
    pub(crate) async fn advance(
        &self,
        work: &mut UnitOfWork<'_>,
        saga: &mut Instance<D>,
        next: Vec<Next>,
    ) -> Result<(), HandlerError> {
        let mut queue = VecDeque::from(next);
        // Each step is performed at most once and undone at most once, or put off.
        for _ in 0..=3 * self.shape.0.len() {
            let Some(next) = queue.pop_front() else { return Ok(()) };
            let happened = match next {
                Next::Act(number) => self.act(work, saga, number).await?.map(|reply| (number, reply)),
                Next::Compensate(number) => self.compensate(work, saga, number, 0).await?.map(|reply| (number, reply)),
                Next::CompensateLater(number) => {
                    self.put_off(work, saga, number);
                    None
                }
            };
            if let Some((number, event)) = happened {
                queue.extend(self.apply(saga, number, event).unwrap_or_default());
            }
        }
        Err(HandlerError::Permanent(format!("{} does not come to an end", self.definition.kind())))
    }

    /// Performs a step's action, or leaves it out. Tells what happened unless that comes later.
    async fn act(
        &self,
        work: &mut UnitOfWork<'_>,
        saga: &mut Instance<D>,
        number: usize,
    ) -> Result<Option<Event>, HandlerError> {
        let step = self.step(number)?;
        // Not begun yet when another step of its group turned the saga back.
        let too_late = saga.progress.turned_at().is_some();
        if too_late || step.parts.condition.is_some_and(|holds| !holds(&saga.data)) {
            return Ok(Some(Event::Skipped));
        }
        let command = (step.parts.action)(&saga.data);
        self.issue(work, saga, number, command, 0).await
    }

    pub(crate) async fn compensate(
        &self,
        work: &mut UnitOfWork<'_>,
        saga: &mut Instance<D>,
        number: usize,
        refusals: u32,
    ) -> Result<Option<Event>, HandlerError> {
        let Some(make) = self.step(number)?.parts.compensation else {
            return Err(HandlerError::Permanent(format!("nothing undoes step {number} of {}", self.definition.kind())));
        };
        let command = make(&saga.data);
        self.issue(work, saga, number, command, refusals).await
    }

    /// Sends a step's command, or performs it here.
    async fn issue(
        &self,
        work: &mut UnitOfWork<'_>,
        saga: &mut Instance<D>,
        number: usize,
        command: Command,
        refusals: u32,
    ) -> Result<Option<Event>, HandlerError> {
        let step = self.step(number)?;
        match step.destination() {
            Destination::Local => {
                let command = Command { id: work.new_id(), ..command };
                let headers = self.headers(work, saga.id, command.kind);
                saga.log.push(NewEntry {
                    kind: "command",
                    channel: LOCAL.to_owned(),
                    message_id: command.id,
                    headers,
                    payload: command.payload.clone(),
                });
                let awaited = Awaited::new(number, command.id, command.key, refusals);
                let awaited = self.with_deadline(work, saga, awaited);
                self.perform(work, saga, awaited, &command).await
            }
            Destination::Channel(channel) => {
                let id = self.send(work, saga, channel, &command, Some(self.reply_channel));
                let awaited = Awaited::new(number, id, command.key, refusals);
                saga.awaits.push(self.with_deadline(work, saga, awaited));
                Ok(None)
            }
            Destination::OneWay(channel) => {
                self.send(work, saga, channel, &command, None);
                Ok(Some(Event::Done))
            }
        }
    }

    fn send(
        &self,
        work: &mut UnitOfWork<'_>,
        saga: &mut Instance<D>,
        channel: Channel,
        command: &Command,
        reply_to: Option<Channel>,
    ) -> Uuid {
        let headers =
            Headers { reply_to: reply_to.map(ToOwned::to_owned), ..self.headers(work, saga.id, command.kind) };
        let message_id = work.send(channel, command.key, headers.clone(), command.payload.clone());
        let (channel, payload) = (channel.to_owned(), command.payload.clone());
        saga.log.push(NewEntry { kind: "command", channel, message_id, headers, payload });
        message_id
    }

    fn with_deadline(&self, work: &UnitOfWork<'_>, saga: &Instance<D>, awaited: Awaited) -> Awaited {
        let step = awaited.step;
        let acting = saga.progress.mark(step) == Some(Mark::Acting);
        // Only an action is given up; what undoes it must go on.
        let until = self.definition.steps().get(step).and_then(|step| step.parts.gives_up_after).filter(|_| acting);
        awaited.due(work.now, self.definition.answer_wait(step, 1), until)
    }

    /// A local step: the command and its reply exist only in the log.
    pub(crate) async fn perform(
        &self,
        work: &mut UnitOfWork<'_>,
        saga: &mut Instance<D>,
        awaited: Awaited,
        command: &Command,
    ) -> Result<Option<Event>, HandlerError> {
        let number = awaited.step;
        let undoing = saga.progress.mark(number) == Some(Mark::Undoing);
        let reply = match self.participant.perform(work, saga.id, command).await {
            Err(HandlerError::Transient(reason)) if undoing => Reply::refused("Failed", &reason),
            other => other?,
        };
        if reply.outcome == Outcome::Later {
            saga.awaits.push(awaited);
            return Ok(None);
        }
        if undoing && reply.outcome == Outcome::Refused {
            // Tells whoever puts it off how often it was refused before.
            saga.awaits.push(awaited);
        }
        let record = reply.into_record(work, saga.id, self.headers(work, saga.id, command.kind), command.id);
        self.take(saga, number, LOCAL, &record).map(Some)
    }

    /// Writes a reply down, learns from it, and tells what it says.
    fn take(
        &self,
        saga: &mut Instance<D>,
        number: usize,
        channel: &str,
        reply: &Record,
    ) -> Result<Event, HandlerError> {
        let event = match outcome_of(reply)? {
            Outcome::Done => Event::Done,
            Outcome::Refused => Event::Refused,
            Outcome::Later => return Err(HandlerError::Permanent("a reply that promises a reply".to_owned())),
        };
        saga.log.push(NewEntry::reply(channel, reply));
        if saga.progress.mark(number) == Some(Mark::Acting)
            && let Some(learn) = self.step(number)?.parts.learn
        {
            learn(&mut saga.data, reply);
        }
        Ok(event)
    }

    /// Moves the state machine by what happened.
    pub(crate) fn apply(&self, saga: &mut Instance<D>, number: usize, event: Event) -> Option<Vec<Next>> {
        let (progress, next) = transition(&self.shape, &saga.progress, number, event)?;
        let was_parked = matches!(saga.progress.phase(), Phase::Parked(_));
        saga.progress = progress;
        if let Phase::Parked(step) = saga.progress.phase()
            && !was_parked
        {
            let kind = self.definition.kind();
            tracing::error!(saga.id = %saga.id, saga.kind = kind, step, "a saga is parked: a human must look");
            metrics::counter!("tramline_sagas_parked_total", "saga" => kind).increment(1);
        }
        Some(next)
    }

    /// A compensation was refused: it goes out anew after a while, or the saga is parked.
    fn put_off(&self, work: &UnitOfWork<'_>, saga: &mut Instance<D>, number: usize) {
        let before = saga.awaits.iter().find(|awaited| awaited.step == number).map_or(0, |awaited| awaited.refusals);
        saga.awaits.retain(|awaited| awaited.step != number);
        let refusals = before.saturating_add(1);
        if refusals >= COMPENSATION_ATTEMPTS {
            // Nothing follows: the saga waits for a human.
            let _: Option<Vec<Next>> = self.apply(saga, number, Event::GivenUp);
            return;
        }
        let wait = doubled(REFUSED_WAIT, refusals, REFUSED_WAIT_MAX);
        tracing::warn!(saga.id = %saga.id, step = number, refusals, "a compensation was refused; it is tried again later");
        saga.awaits.push(Awaited::refused(number, refusals, work.now, wait));
    }

    /// Takes a reply that came from `channel`.
    pub(crate) async fn receive(
        &self,
        work: &mut UnitOfWork<'_>,
        channel: &str,
        reply: &Record,
    ) -> Result<(), HandlerError> {
        let Some(id) = reply.headers.saga_id else {
            return Err(HandlerError::Permanent("the reply names no saga".to_owned()));
        };
        let Some(mut saga) = Instance::load(work, self, id).await? else {
            return Err(HandlerError::Permanent(format!("there is no saga {id}")));
        };
        // Reads as JSON before anything is kept: the log is shown to people.
        let _: serde::de::IgnoredAny = read(&reply.payload, &reply.headers.kind)?;
        let answers = |awaited: &Awaited| awaited.command.is_some() && awaited.command == reply.headers.correlation_id;
        let Some(place) = saga.awaits.iter().position(answers) else {
            return Ok(append_late_reply(work, id, NewEntry::of(reply, "late-reply", channel)).await?);
        };
        let number = saga.awaits.get(place).map_or(0, |awaited| awaited.step);
        let event = self.take(&mut saga, number, channel, reply)?;
        if event != Event::Refused || saga.progress.mark(number) != Some(Mark::Undoing) {
            saga.awaits.remove(place);
        }
        let next = self.apply(&mut saga, number, event).unwrap_or_default();
        self.advance(work, &mut saga, next).await?;
        saga.update(work, self).await
    }

    pub(crate) fn headers(&self, work: &UnitOfWork<'_>, saga: Uuid, kind: &str) -> Headers {
        Headers {
            kind: kind.to_owned(),
            saga_id: Some(saga),
            saga_type: Some(self.definition.kind().to_owned()),
            traceparent: work.traceparent.clone(),
            ..Headers::default()
        }
    }

    pub(crate) fn step(&self, number: usize) -> Result<&Step<D>, HandlerError> {
        let missing = || HandlerError::Permanent(format!("{} has no step {number}", self.definition.kind()));
        self.definition.steps().get(number).ok_or_else(missing)
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
        Box::pin(self.receive(work, self.reply_channel, reply))
    }
}
