//! A step of a saga: where its command goes, what undoes it, when it is left out and how long it may take.
//!
//! The marker of a step says what the compiler lets be done with it; this module knows nothing of how steps are carried out.

use crate::Command;
use serde::{Deserialize, Serialize};
use std::{marker::PhantomData, time::Duration};
use tramline_messaging::{Channel, Record};

/// A step's place relative to the point of no return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Can be undone by a compensating transaction.
    Compensatable,
    /// Once it is done the saga completes.
    Pivot,
    /// Comes after the pivot and cannot be refused.
    Retriable,
}

/// Where a step's command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To the participant in the orchestrator's own database, performed in the same transaction.
    Local,
    /// To a remote participant, whose reply is awaited.
    Channel(Channel),
    /// To a remote participant that does not reply: the step is done once the command is in the outbox.
    OneWay(Channel),
}

pub(crate) type MakeCommand<D> = fn(&D) -> Command;
type Learn<D> = fn(&mut D, reply: &Record);
type Condition<D> = fn(&D) -> bool;

/// A step of a saga over data `D`. `Kind` tells the compiler what may be done with it.
pub struct Step<D, Kind = Undoable> {
    pub(crate) parts: Parts<D>,
    kind: PhantomData<Kind>,
}

pub(crate) struct Parts<D> {
    pub(crate) name: &'static str,
    pub(crate) category: Category,
    /// Steps of the same group are performed at once.
    pub(crate) group: usize,
    pub(crate) destination: Destination,
    pub(crate) action: MakeCommand<D>,
    pub(crate) compensation: Option<MakeCommand<D>>,
    pub(crate) learn: Option<Learn<D>>,
    pub(crate) condition: Option<Condition<D>>,
    /// How long a reply may take before the command is sent again; the definition's when absent.
    pub(crate) answers_within: Option<Duration>,
    /// How long the action may take before the step counts as refused; for ever when absent.
    pub(crate) gives_up_after: Option<Duration>,
}

/// Marks a step with a compensating transaction.
pub struct Undoable;
/// Marks a step with a compensating transaction that is given up, and then undone, when it takes too long.
pub struct Expiring;
/// Marks a step that nothing undoes.
pub struct Final;
/// Marks a step that nobody answers.
pub struct Told;

/// Steps that can be undone.
pub trait CanBeUndone: sealed::Kind {}
impl CanBeUndone for Undoable {}
impl CanBeUndone for Expiring {}

/// Steps that may be the point of no return: once they are done nothing undoes them.
pub trait MayDecide: sealed::Kind {}
impl MayDecide for Final {}
impl MayDecide for Expiring {}

/// Steps that may come after the point of no return.
pub trait MayFollow: sealed::Kind {}
impl MayFollow for Final {}
impl MayFollow for Told {}

/// Steps that are answered.
pub trait IsAnswered: sealed::Kind {}
impl IsAnswered for Undoable {}
impl IsAnswered for Expiring {}
impl IsAnswered for Final {}

mod sealed {
    pub trait Kind {}
    impl Kind for super::Undoable {}
    impl Kind for super::Expiring {}
    impl Kind for super::Final {}
    impl Kind for super::Told {}
}

/// A step that has a name only.
pub struct NamedStep(&'static str);
/// A step that knows where its command goes.
pub struct PlacedStep(&'static str, Destination);
/// A step that knows whom it tells.
pub struct TellingStep(&'static str, Channel);

/// Begins a step.
#[must_use]
pub const fn step(name: &'static str) -> NamedStep {
    NamedStep(name)
}

impl NamedStep {
    /// Performed by the participant in the orchestrator's own database, in the same transaction.
    #[must_use]
    pub const fn locally(self) -> PlacedStep {
        PlacedStep(self.0, Destination::Local)
    }

    /// Performed by a remote participant, which listens on this channel and replies.
    #[must_use]
    pub const fn at(self, channel: Channel) -> PlacedStep {
        PlacedStep(self.0, Destination::Channel(channel))
    }

    /// Told to a remote participant, which listens on this channel and does not reply. The command goes out by the outbox, so
    /// it is not lost, and the step is done at once: for what must happen but whose outcome changes nothing, such as a letter.
    #[must_use]
    pub const fn tells(self, channel: Channel) -> TellingStep {
        TellingStep(self.0, channel)
    }
}

impl PlacedStep {
    /// The command that performs the step.
    #[must_use]
    pub fn does<D>(self, action: MakeCommand<D>) -> Step<D, Final> {
        Step::new(self.0, self.1, action)
    }
}

impl TellingStep {
    /// The command that tells it.
    #[must_use]
    pub fn does<D>(self, action: MakeCommand<D>) -> Step<D, Told> {
        Step::new(self.0, Destination::OneWay(self.1), action)
    }
}

impl<D> Step<D, Final> {
    /// The compensating transaction: a command that undoes the step. It must not be refused. One that is refused all the same
    /// is sent again with growing waits, and in the end the saga is parked.
    #[must_use]
    pub fn undone_by(mut self, compensation: MakeCommand<D>) -> Step<D, Undoable> {
        self.parts.compensation = Some(compensation);
        Step::of(self.parts)
    }
}

impl<D> Step<D, Undoable> {
    /// Refuses the step when its action has not been answered for so long. Nobody knows then whether it was done, so the step's
    /// own compensation is sent after it: it undoes the action or, if it overtakes it, must keep it from being done later (a
    /// *tombstone*). A pivot that gives up is undone in this case only.
    #[must_use]
    pub fn gives_up_after(mut self, wait: Duration) -> Step<D, Expiring> {
        self.parts.gives_up_after = Some(wait);
        Step::of(self.parts)
    }
}

impl<D, Kind: IsAnswered> Step<D, Kind> {
    /// What the saga's data takes from the step's reply.
    #[must_use]
    pub fn learns(mut self, learn: Learn<D>) -> Self {
        self.parts.learn = Some(learn);
        self
    }

    /// How long a reply may take before the same command is sent again; later waits double, up to
    /// [`crate::ANSWER_WAIT_MAX`].
    #[must_use]
    pub fn answers_within(mut self, wait: Duration) -> Self {
        self.parts.answers_within = Some(wait);
        self
    }
}

impl<D, Kind> Step<D, Kind> {
    fn new(name: &'static str, destination: Destination, action: MakeCommand<D>) -> Self {
        Self::of(Parts {
            name,
            category: Category::Retriable,
            group: 0,
            destination,
            action,
            compensation: None,
            learn: None,
            condition: None,
            answers_within: None,
            gives_up_after: None,
        })
    }

    const fn of(parts: Parts<D>) -> Self {
        Self { parts, kind: PhantomData }
    }

    /// Leaves the step out unless this holds for the saga's data when its turn comes. It is shown as `SKIPPED` and is not
    /// undone. Two steps with opposite conditions are a branch.
    #[must_use]
    pub fn when(mut self, condition: Condition<D>) -> Self {
        self.parts.condition = Some(condition);
        self
    }

    pub(crate) fn placed(mut self, category: Category, group: usize) -> Step<D> {
        (self.parts.category, self.parts.group) = (category, group);
        Step::of(self.parts)
    }
}

/// Beside steps that don't expire, in one parallel group.
impl<D> From<Step<D, Expiring>> for Step<D, Undoable> {
    fn from(step: Step<D, Expiring>) -> Self {
        Self::of(step.parts)
    }
}

impl<D> Step<D> {
    /// The step's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.parts.name
    }

    /// The step's place relative to the pivot.
    #[must_use]
    pub const fn category(&self) -> Category {
        self.parts.category
    }

    /// Where its command goes.
    #[must_use]
    pub const fn destination(&self) -> Destination {
        self.parts.destination
    }

    /// The command that performs it.
    #[must_use]
    pub fn action(&self, data: &D) -> Command {
        (self.parts.action)(data)
    }

    /// The command that undoes it; `None` when nothing does.
    #[must_use]
    pub fn compensation(&self, data: &D) -> Option<Command> {
        self.parts.compensation.map(|make| make(data))
    }

    /// The number of its group: steps of one group are performed at once.
    #[must_use]
    pub const fn group(&self) -> usize {
        self.parts.group
    }

    /// Whether a compensating transaction is there.
    #[must_use]
    pub const fn is_undoable(&self) -> bool {
        self.parts.compensation.is_some()
    }

    /// Whether it may be left out.
    #[must_use]
    pub const fn is_conditional(&self) -> bool {
        self.parts.condition.is_some()
    }
}
