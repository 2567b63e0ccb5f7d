//! A saga on a stage: the test plays every remote participant.

use crate::{Command, Definition, Orchestrator, Participant, Phase, Reply, ReplyHandler, find_instance};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::HashSet, sync::Arc};
use tramline_db::{BoxFuture, Db, EveryCommitStands, Migration, SystemClock, SystemIds, UtcMicros, sql};
use tramline_messaging::{HandlerError, Headers, Messaging, Record, UnitOfWork};
use uuid::Uuid;

const REPLIES: &str = "stage.replies";

/// A participant that does whatever it is asked to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Obliging;

impl Participant for Obliging {
    fn perform<'a>(
        &'a self,
        _: &'a mut UnitOfWork<'_>,
        _: Uuid,
        _: &'a Command,
    ) -> BoxFuture<'a, Result<Reply, HandlerError>> {
        Box::pin(async { Ok(Reply::done("Obliged", &())) })
    }
}

/// A saga whose commands are expected and answered one by one.
pub struct Stage<D> {
    saga: Arc<Orchestrator<D>>,
    messaging: Messaging,
    id: Uuid,
    answered: HashSet<Uuid>,
}

/// A command that was expected, to be answered.
#[must_use = "answer it: `is_done` or `is_refused`"]
pub struct Expected<'s, D> {
    stage: &'s Stage<D>,
    /// The command as a participant gets it.
    pub command: Record,
}

impl<D> Stage<D>
where
    D: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// A stage in memory, with local steps that always succeed.
    pub fn of(definition: Definition<D>) -> StageBuilder<D> {
        StageBuilder { definition, participant: Arc::new(Obliging), messaging: None }
    }

    /// The next command that has not been answered. Of steps in parallel any may be expected first.
    ///
    /// # Panics
    /// When no command of that kind waits for an answer.
    pub async fn expects(&mut self, kind: &str) -> Expected<'_, D> {
        let waiting = self.waiting().await;
        let kinds: Vec<String> = waiting.iter().map(|record| record.headers.kind.clone()).collect();
        let Some(command) = waiting.into_iter().find(|record| record.headers.kind == kind) else {
            panic!("{kind} is expected, and these wait for an answer: {kinds:?}");
        };
        self.answered.insert(command.id);
        Expected { stage: self, command }
    }

    /// Says where the saga must stand now, with no command left unanswered.
    ///
    /// # Panics
    /// When it is not so.
    pub async fn ends(&self, expected: Phase) {
        let waiting: Vec<String> = self.waiting().await.into_iter().map(|record| record.headers.kind).collect();
        assert!(waiting.is_empty(), "nobody has answered {waiting:?}");
        assert_eq!(self.phase().await, expected);
    }

    /// Where the saga stands.
    ///
    /// # Panics
    /// When it is not there.
    pub async fn phase(&self) -> Phase {
        let found = find_instance(self.messaging.db(), self.id).await.expect("the database reads");
        found.expect("the saga is there").0.phase
    }

    /// The database, for a look at what local steps did.
    #[must_use]
    pub const fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    /// Commands sent to remote participants that have not been answered, oldest first.
    pub(super) async fn waiting(&self) -> Vec<Record> {
        let rows: Vec<(Uuid, Uuid, String, String)> = self
            .messaging
            .db()
            .all(sql("select message_id, message_key, headers, payload from outbox order by message_id"))
            .await
            .expect("the outbox reads");
        let records = rows.into_iter().map(|(id, key, headers, payload)| {
            let headers: Headers = serde_json::from_str(&headers).expect("headers read");
            Record { seq: 1, id, key, headers, payload, recorded_at: UtcMicros(0) }
        });
        let of_this = |record: &Record| record.headers.saga_id == Some(self.id) && record.headers.reply_to.is_some();
        records.filter(|record| of_this(record) && !self.answered.contains(&record.id)).collect()
    }

    /// Delivers a reply.
    pub(super) async fn reply(&self, command: &Record, reply: &Reply, done: bool) {
        let headers = Headers {
            kind: reply.kind.to_owned(),
            saga_id: Some(self.id),
            saga_type: Some(self.saga.kind().to_owned()),
            correlation_id: Some(command.id),
            outcome: Some(if done { "done" } else { "refused" }.to_owned()),
            ..Headers::default()
        };
        let (id, payload) = (self.messaging.db().new_id(), reply.payload.clone());
        let record = Arc::new(Record { seq: 1, id, key: self.id, headers, payload, recorded_at: UtcMicros(0) });
        let saga = Arc::clone(&self.saga);
        let taken = self.messaging.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move { saga.on_reply(work, &record).await })
        });
        taken.await.expect("the reply is taken");
    }

    pub(super) fn answer(&mut self, command: &Record) {
        self.answered.insert(command.id);
    }

    pub(super) const fn id(&self) -> Uuid {
        self.id
    }
}

impl<D> Expected<'_, D>
where
    D: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// The participant has done it.
    pub async fn is_done(self, kind: &'static str, body: &impl Serialize) {
        self.stage.reply(&self.command, &Reply::done(kind, body), true).await;
    }

    /// The participant refuses.
    pub async fn is_refused(self, kind: &'static str, body: &impl Serialize) {
        self.stage.reply(&self.command, &Reply::refused(kind, body), false).await;
    }
}

/// A stage before the saga begins.
#[must_use = "begin the saga: `begins`"]
pub struct StageBuilder<D> {
    definition: Definition<D>,
    participant: Arc<dyn Participant>,
    messaging: Option<Messaging>,
}

impl<D> StageBuilder<D>
where
    D: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Who performs the local steps, in which database.
    pub fn performed_by(self, participant: Arc<dyn Participant>, messaging: Messaging) -> Self {
        Self { participant, messaging: Some(messaging), ..self }
    }

    /// Begins the saga.
    ///
    /// # Panics
    /// When it cannot begin.
    pub async fn begins(self, data: D) -> Stage<D> {
        let messaging = match self.messaging {
            Some(messaging) => messaging,
            None => in_memory(&[]).await,
        };
        let saga = Arc::new(Orchestrator::new(self.definition, REPLIES, self.participant));
        let (id, orchestrator) = (messaging.db().new_id(), Arc::clone(&saga));
        let began = messaging.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move { orchestrator.start(work, id, id, data).await.map(drop) })
        });
        began.await.expect("the saga begins");
        Stage { saga, messaging, id, answered: HashSet::new() }
    }
}

/// A database in memory with outbox and sagas, and with these tables of a participant's own.
///
/// # Panics
/// When a migration is refused.
pub(super) async fn in_memory(own: &[Migration]) -> Messaging {
    let mut migrations = [tramline_messaging::MIGRATIONS, crate::MIGRATIONS].concat();
    let missing = |step: &&Migration| !migrations.iter().any(|other| other.version == step.version);
    let missing: Vec<Migration> = own.iter().filter(missing).copied().collect();
    migrations.extend(missing);
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let db = Db::in_memory("stage", &migrations, Arc::new(EveryCommitStands), clock, ids).expect("the schema is made");
    Messaging::open(db).await.expect("the outbox opens")
}
