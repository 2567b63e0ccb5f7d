//! A rehearsal: the saga once as it should go, and once for each step that can be refused; every reply comes twice.
//!
//! After steno's saga tests (Oxide), which fail and repeat every node in turn.

use super::stage::{Obliging, Stage, in_memory};
use crate::{Category, Command, Definition, LogEntry, Participant, Phase, Reply, find_instance};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;
use tramline_db::{BoxFuture, Migration};
use tramline_messaging::{HandlerError, Headers, Messaging, UnitOfWork};
use uuid::Uuid;

/// Commands that a rehearsal answers: far more than any saga sends, so that one which goes round in circles is found.
const COMMANDS_MAX: usize = 1_000;

type Prepare = fn(Messaging) -> BoxFuture<'static, ()>;

/// What to rehearse.
pub struct Rehearsal<D> {
    definition: fn() -> Definition<D>,
    data: fn() -> D,
    participant: Arc<dyn Participant>,
    tables: Vec<Migration>,
    prepare: Option<Prepare>,
}

/// One run of the rehearsal, for a look at what it left.
pub struct Rehearsed {
    /// The step that was refused.
    pub refused: Option<&'static str>,
    /// The database with what local steps did.
    pub messaging: Messaging,
}

/// What was done or undone, by the number of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Act(usize),
    Undo(usize),
}

impl<D> Rehearsal<D>
where
    D: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Of a definition over data, with participants that oblige.
    #[must_use]
    pub fn of(definition: fn() -> Definition<D>, data: fn() -> D) -> Self {
        Self { definition, data, participant: Arc::new(Obliging), tables: Vec::new(), prepare: None }
    }

    /// Who really performs the local steps, with the tables for it.
    #[must_use]
    pub fn performed_by(mut self, participant: Arc<dyn Participant>, tables: &[Migration]) -> Self {
        (self.participant, self.tables) = (participant, tables.to_vec());
        self
    }

    /// What must be there before the saga begins.
    #[must_use]
    pub const fn prepared_by(mut self, prepare: Prepare) -> Self {
        self.prepare = Some(prepare);
        self
    }

    /// Runs the saga as it should go, then refuses each step up to the pivot in turn. Every reply comes twice.
    ///
    /// # Panics
    /// When a run does not end as it must: completed, or with everything that was done undone in reverse; or when a reply that
    /// comes again changes anything; or when two steps send commands of the same kind, since then nobody can tell them apart.
    pub async fn run(&self) -> Vec<Rehearsed> {
        let definition = (self.definition)();
        let refusable = |step: &&crate::Step<D>| step.category() != Category::Retriable;
        let refused: Vec<_> = definition.steps().iter().filter(refusable).map(crate::Step::name).collect();
        let mut runs = Vec::new();
        for refused in [None].into_iter().chain(refused.into_iter().map(Some)) {
            runs.push(self.rehearse(refused).await);
        }
        runs
    }

    async fn rehearse(&self, refused: Option<&'static str>) -> Rehearsed {
        let kinds = self.kinds();
        let definition = (self.definition)();
        let refused_kind = refused.and_then(|name| {
            let number = definition.steps().iter().position(|step| step.name() == name)?;
            kinds.iter().find(|(_, deed)| *deed == Deed::Act(number)).map(|(kind, _)| *kind)
        });
        let messaging = in_memory(&self.tables).await;
        if let Some(prepare) = self.prepare {
            prepare(messaging.clone()).await;
        }
        let participant = Arc::new(Refusing { inner: Arc::clone(&self.participant), kind: refused_kind });
        let stage = Stage::of(definition).performed_by(participant, messaging.clone());
        let mut stage = stage.begins((self.data)()).await;
        answer_all(&mut stage, refused_kind).await;
        let (phase, log, _) = found(&stage).await;
        let deeds = deeds(&log, &kinds);
        judge(&(self.definition)(), &deeds, phase, refused);
        Rehearsed { refused, messaging }
    }

    /// Which command belongs to which deed.
    fn kinds(&self) -> Vec<(&'static str, Deed)> {
        let (definition, data) = ((self.definition)(), (self.data)());
        let mut kinds = Vec::new();
        for (number, step) in definition.steps().iter().enumerate() {
            kinds.push(((step.parts.action)(&data).kind, Deed::Act(number)));
            kinds.extend(step.parts.compensation.map(|undo| (undo(&data).kind, Deed::Undo(number))));
        }
        for (at, (kind, _)) in kinds.iter().enumerate() {
            let twice = kinds.iter().skip(at + 1).any(|(other, _)| other == kind);
            assert!(!twice, "two steps send {kind}, so a rehearsal cannot tell them apart");
        }
        kinds
    }
}

/// Answers each command twice; the second answer must change nothing.
async fn answer_all<D>(stage: &mut Stage<D>, refused: Option<&str>)
where
    D: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    for _ in 0..COMMANDS_MAX {
        let Some(command) = stage.waiting().await.into_iter().next() else { return };
        let refuses = refused == Some(command.headers.kind.as_str());
        let reply = if refuses { Reply::refused("Refused", &()) } else { Reply::done("Done", &()) };
        stage.reply(&command, &reply, !refuses).await;
        stage.answer(&command);
        let before = (stage.phase().await, stage.waiting().await.len(), found(stage).await.2);
        stage.reply(&command, &reply, !refuses).await;
        let after = (stage.phase().await, stage.waiting().await.len(), found(stage).await.2);
        assert_eq!(after, before, "the second answer to {} changed something", command.headers.kind);
    }
    panic!("the saga does not come to an end");
}

async fn found<D>(stage: &Stage<D>) -> (Phase, Vec<LogEntry>, i64)
where
    D: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let found = find_instance(stage.messaging().db(), stage.id()).await.expect("the database reads");
    let (view, log) = found.expect("the saga is there");
    (view.phase, log, view.version)
}

/// What was done, in order: of every command the log has its answer too.
fn deeds(log: &[LogEntry], kinds: &[(&'static str, Deed)]) -> Vec<Deed> {
    let headers = |entry: &LogEntry| serde_json::from_str::<Headers>(&entry.headers).expect("headers read");
    let refused = |command: Uuid| {
        log.iter()
            .filter(|entry| entry.kind == "reply")
            .map(headers)
            .any(|reply| reply.correlation_id == Some(command) && reply.outcome.as_deref() == Some("refused"))
    };
    let done = log.iter().filter(|entry| entry.kind == "command" && !refused(entry.message_id));
    let deed = |entry: &LogEntry| kinds.iter().find(|(kind, _)| *kind == headers(entry).kind).map(|(_, deed)| *deed);
    done.filter_map(deed).collect()
}

fn judge<D>(definition: &Definition<D>, deeds: &[Deed], phase: Phase, refused: Option<&str>) {
    let steps = definition.steps();
    let group = |number: &usize| steps.get(*number).map(crate::Step::group);
    let done: Vec<usize> =
        deeds.iter().filter_map(|deed| if let Deed::Act(number) = deed { Some(*number) } else { None }).collect();
    let undone: Vec<usize> =
        deeds.iter().filter_map(|deed| if let Deed::Undo(number) = deed { Some(*number) } else { None }).collect();
    let Some(refused) = refused.filter(|name| !left_out(definition, &done, phase, name)) else {
        assert_eq!(phase, Phase::Completed, "nothing was refused");
        assert!(undone.is_empty(), "nothing was refused, and {undone:?} undone");
        return;
    };
    assert_eq!(phase, Phase::RolledBack, "{refused} was refused");
    let mut expected: Vec<usize> =
        done.iter().copied().filter(|number| steps.get(*number).is_some_and(crate::Step::is_undoable)).collect();
    let mut found = undone.clone();
    assert!(
        undone.iter().map(group).is_sorted_by(|one, other| one >= other),
        "{refused} was refused, and {undone:?} undone in that order"
    );
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "{refused} was refused: what was undone must be what was done");
}

/// A step that its condition leaves out cannot be refused: the saga completes without it.
fn left_out<D>(definition: &Definition<D>, done: &[usize], phase: Phase, name: &str) -> bool {
    let step = definition.steps().iter().position(|step| step.name() == name);
    let conditional = step.and_then(|number| definition.steps().get(number)).is_some_and(crate::Step::is_conditional);
    conditional && phase == Phase::Completed && step.is_none_or(|number| !done.contains(&number))
}

/// Refuses commands of one kind, and leaves the others to whoever performs them.
struct Refusing {
    inner: Arc<dyn Participant>,
    kind: Option<&'static str>,
}

impl Participant for Refusing {
    fn perform<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        saga_id: Uuid,
        command: &'a Command,
    ) -> BoxFuture<'a, Result<Reply, HandlerError>> {
        if self.kind == Some(command.kind) {
            return Box::pin(async { Ok(Reply::refused("Refused", &())) });
        }
        self.inner.perform(work, saga_id, command)
    }
}
