//! What an orchestrator does when a reply does not come, when a deferred one does, and when an operator tries again.

use crate::{
    Command, Definition, Destination, Event, InstanceView, Mark, Orchestrator, Phase, Reply, ReplyHandler, StepView,
    awaited::{Awaited, Due},
    deferred::Deferred,
    history::{LOCAL, NewEntry, find_command},
    instance::Instance,
};
use serde::{Serialize, de::DeserializeOwned};
use tramline_db::BoxFuture;
use tramline_messaging::{HandlerError, Headers, Message, UnitOfWork};
use uuid::Uuid;

/// Sendings of one command that are written down. Later ones are only counted: a participant may be away for months.
const SENDINGS_LOGGED: u32 = 20;

/// Who has a parked saga tried again, and why. Kept in the saga's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// A person.
    pub who: String,
    /// What has been mended, in words.
    pub why: String,
}

/// What became of an operator's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// The step that the saga was stuck at is under way again.
    Resumed,
    /// The saga is not parked, so there is nothing to try again.
    NotParked,
    /// There is no such saga of this kind.
    Unknown,
}

/// A kind of saga, whatever its data: what workers and operators need of it.
pub trait SagaKind: ReplyHandler {
    /// Does what is due of a saga: sends commands again, or gives steps up. A saga of which nothing is due stays as it is.
    ///
    /// # Errors
    /// Says whether to try again.
    fn on_deadline<'a>(&'a self, work: &'a mut UnitOfWork<'_>, saga: Uuid) -> BoxFuture<'a, Result<(), HandlerError>>;

    /// Tries the step again at which a parked saga is stuck, and writes down who wanted it.
    ///
    /// # Errors
    /// An infrastructure failure, which undoes the unit of work.
    fn retry<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        saga: Uuid,
        operator: &'a Operator,
    ) -> BoxFuture<'a, Result<Retried, HandlerError>>;

    /// Completes a local step whose participant answered [`Reply::later`].
    ///
    /// # Errors
    /// As [`ReplyHandler::on_reply`].
    fn answer<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        deferred: &'a Deferred,
        reply: Reply,
    ) -> BoxFuture<'a, Result<(), HandlerError>>;

    /// How far each step of a run has come.
    fn step_views(&self, run: &InstanceView) -> Vec<StepView>;
}

impl<D> Orchestrator<D>
where
    D: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// One command whose time has come.
    async fn on_due(
        &self,
        work: &mut UnitOfWork<'_>,
        saga: &mut Instance<D>,
        mut awaited: Awaited,
    ) -> Result<(), HandlerError> {
        let number = awaited.step;
        let kind = self.definition.kind();
        let count = |what: &'static str| {
            metrics::counter!("tramline_saga_deadlines_total", "saga" => kind, "what" => what).increment(1);
        };
        match awaited.what_is_due(work.now) {
            Due::NotYet => saga.awaits.push(awaited),
            Due::Again => {
                count("sent-again");
                awaited.sent_again(work.now, self.definition.answer_wait(number, awaited.sent() + 1));
                self.send_again(work, saga, awaited).await?;
            }
            Due::Anew => {
                count("compensated-again");
                let refusals = awaited.refusals;
                let event = self.compensate(work, saga, number, refusals).await?;
                let next = event.and_then(|event| self.apply(saga, number, event)).unwrap_or_default();
                self.advance(work, saga, next).await?;
            }
            Due::GiveUp => {
                count("given-up");
                tracing::warn!(saga.id = %saga.id, saga.kind = kind, step = number, "a step was not answered in time and is given up");
                saga.log.push(NewEntry {
                    kind: "gave-up",
                    channel: LOCAL.to_owned(),
                    message_id: work.new_id(),
                    headers: Headers { correlation_id: awaited.command, ..self.headers(work, saga.id, "StepGivenUp") },
                    payload: serde_json::json!({ "step": self.step(number)?.name() }).to_string(),
                });
                let next = self.apply(saga, number, Event::GivenUp).unwrap_or_default();
                self.advance(work, saga, next).await?;
            }
        }
        Ok(())
    }

    /// The same command under the same id: a participant that has carried it out repeats its answer.
    async fn send_again(
        &self,
        work: &mut UnitOfWork<'_>,
        saga: &mut Instance<D>,
        awaited: Awaited,
    ) -> Result<(), HandlerError> {
        let number = awaited.step;
        let Some(id) = awaited.command else { return Ok(()) };
        let (headers, payload) = find_command(work, saga.id, id).await?;
        let step = self.step(number)?;
        let undoing = saga.progress.mark(number) == Some(Mark::Undoing);
        let make = step.parts.compensation.filter(|_| undoing).unwrap_or(step.parts.action);
        let made = make(&saga.data);
        let key = awaited.key.unwrap_or(made.key);
        let remote = match step.destination() {
            Destination::Local => None,
            Destination::Channel(channel) | Destination::OneWay(channel) => Some(channel),
        };
        if awaited.sent() <= SENDINGS_LOGGED {
            let (headers, payload) = (headers.clone(), payload.clone());
            let channel = remote.unwrap_or(LOCAL).to_owned();
            saga.log.push(NewEntry { kind: "command-again", channel, message_id: id, headers, payload });
        }
        if let Some(channel) = remote {
            saga.awaits.push(awaited);
            work.send_again(Message { id, channel, key, headers, payload });
        } else {
            let event = self.perform(work, saga, awaited, &Command { id, kind: made.kind, key, payload }).await?;
            let next = event.and_then(|event| self.apply(saga, number, event)).unwrap_or_default();
            self.advance(work, saga, next).await?;
        }
        Ok(())
    }

    async fn try_again(
        &self,
        work: &mut UnitOfWork<'_>,
        id: Uuid,
        operator: &Operator,
    ) -> Result<Retried, HandlerError> {
        let Some(mut saga) = Instance::load(work, self, id).await? else { return Ok(Retried::Unknown) };
        let Phase::Parked(stuck) = saga.progress.phase() else { return Ok(Retried::NotParked) };
        let name = self.step(stuck)?.name();
        tracing::info!(saga.id = %id, saga.kind = self.definition.kind(), step = name, "a parked saga is tried again");
        saga.log.push(NewEntry {
            kind: "operator",
            channel: LOCAL.to_owned(),
            message_id: work.new_id(),
            headers: self.headers(work, id, "SagaRetried"),
            payload: serde_json::json!({ "who": operator.who, "why": operator.why, "step": name }).to_string(),
        });
        // Of steps that run at once several may be stuck: what was mended may be what held all of them up.
        for number in 0..self.shape.0.len() {
            if matches!(saga.progress.mark(number), Some(Mark::StuckActing | Mark::StuckUndoing)) {
                let next = self.apply(&mut saga, number, Event::Resumed).unwrap_or_default();
                self.advance(work, &mut saga, next).await?;
            }
        }
        saga.update(work, self).await?;
        Ok(Retried::Resumed)
    }
}

impl<D> SagaKind for Orchestrator<D>
where
    D: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    fn on_deadline<'a>(&'a self, work: &'a mut UnitOfWork<'_>, id: Uuid) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            // What was due may be answered or done by another process meanwhile.
            let Some(mut saga) = Instance::load(work, self, id).await? else { return Ok(()) };
            if saga.awaits.iter().all(|awaited| awaited.what_is_due(work.now) == Due::NotYet) {
                return Ok(());
            }
            for awaited in std::mem::take(&mut saga.awaits) {
                self.on_due(work, &mut saga, awaited).await?;
            }
            saga.update(work, self).await
        })
    }

    fn retry<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        saga: Uuid,
        operator: &'a Operator,
    ) -> BoxFuture<'a, Result<Retried, HandlerError>> {
        Box::pin(self.try_again(work, saga, operator))
    }

    fn answer<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        deferred: &'a Deferred,
        reply: Reply,
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            let headers = self.headers(work, deferred.saga_id, reply.kind);
            let record = reply.into_record(work, deferred.saga_id, headers, deferred.command_id);
            self.receive(work, LOCAL, &record).await
        })
    }

    fn step_views(&self, run: &InstanceView) -> Vec<StepView> {
        Definition::step_views(&self.definition, run)
    }
}
