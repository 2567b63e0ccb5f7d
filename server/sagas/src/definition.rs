//! A saga as data: its steps, in an order that the types enforce.

use crate::{Command, Shape, transition::StepShape};
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;
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
    /// To a remote participant.
    Channel(Channel),
}

type MakeCommand<D> = fn(&D) -> Command;
type Learn<D> = fn(&mut D, reply: &Record);

/// A step of a saga over data `D`. `Undo` tells the compiler whether a compensating transaction is there.
pub struct Step<D, Undo = Undoable> {
    /// The step's name.
    pub name: &'static str,
    pub(crate) category: Category,
    pub(crate) destination: Destination,
    pub(crate) action: MakeCommand<D>,
    pub(crate) compensation: Option<MakeCommand<D>>,
    pub(crate) learn: Option<Learn<D>>,
    undo: PhantomData<Undo>,
}

/// Marks a step with a compensating transaction.
pub struct Undoable;
/// Marks a step that nothing undoes.
pub struct Final;

/// A step that has a name only.
pub struct NamedStep(&'static str);
/// A step that knows where its command goes.
pub struct PlacedStep(&'static str, Destination);

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

    /// Performed by a remote participant, which listens on this channel.
    #[must_use]
    pub const fn at(self, channel: Channel) -> PlacedStep {
        PlacedStep(self.0, Destination::Channel(channel))
    }
}

impl PlacedStep {
    /// The command that performs the step.
    #[must_use]
    pub fn does<D>(self, action: MakeCommand<D>) -> Step<D, Final> {
        Step {
            name: self.0,
            category: Category::Retriable,
            destination: self.1,
            action,
            compensation: None,
            learn: None,
            undo: PhantomData,
        }
    }
}

impl<D> Step<D, Final> {
    /// The compensating transaction: a command that undoes the step. It must not be refused.
    #[must_use]
    pub fn undone_by(self, compensation: MakeCommand<D>) -> Step<D, Undoable> {
        let Self { name, category, destination, action, learn, .. } = self;
        Step { name, category, destination, action, compensation: Some(compensation), learn, undo: PhantomData }
    }
}

impl<D, Undo> Step<D, Undo> {
    /// What the saga's data takes from the step's reply.
    #[must_use]
    pub fn learns(mut self, learn: Learn<D>) -> Self {
        self.learn = Some(learn);
        self
    }

    fn of_category(self, category: Category) -> Step<D> {
        let Self { name, destination, action, compensation, learn, .. } = self;
        Step { name, category, destination, action, compensation, learn, undo: PhantomData }
    }
}

/// A definition in the making: everything so far can be undone.
pub struct Compensatable<D>(Definition<D>);
/// A definition in the making: past the point of no return.
pub struct Committed<D>(Definition<D>);

/// A complete saga definition.
pub struct Definition<D> {
    kind: &'static str,
    steps: Vec<Step<D>>,
}

/// Begins a definition.
#[must_use]
pub const fn define<D>(kind: &'static str) -> Compensatable<D> {
    Compensatable(Definition { kind, steps: Vec::new() })
}

impl<D> Compensatable<D> {
    /// A step that can be undone.
    #[must_use]
    pub fn compensatable(mut self, step: Step<D, Undoable>) -> Self {
        self.0.steps.push(step.of_category(Category::Compensatable));
        self
    }

    /// The point of no return.
    #[must_use]
    pub fn pivot(mut self, step: Step<D, Final>) -> Committed<D> {
        self.0.steps.push(step.of_category(Category::Pivot));
        Committed(self.0)
    }

    /// A step that cannot be refused; without a pivot the first of these is the point of no return.
    #[must_use]
    pub fn retriable(self, step: Step<D, Final>) -> Committed<D> {
        Committed(self.0).retriable(step)
    }

    /// Ends the definition.
    #[must_use]
    pub fn build(self) -> Definition<D> {
        self.0
    }
}

impl<D> Committed<D> {
    /// A step that cannot be refused.
    #[must_use]
    pub fn retriable(mut self, step: Step<D, Final>) -> Self {
        self.0.steps.push(step.of_category(Category::Retriable));
        self
    }

    /// Ends the definition.
    #[must_use]
    pub fn build(self) -> Definition<D> {
        self.0
    }
}

impl<D> Definition<D> {
    /// The saga's kind, `BookTrip`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// The steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step<D>] {
        &self.steps
    }

    /// What [`crate::transition`] needs to know of the steps.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape(
            self.steps
                .iter()
                .map(|step| StepShape { category: step.category, undoable: step.compensation.is_some() })
                .collect(),
        )
    }
}

impl<D> Step<D> {
    /// The step's place relative to the pivot.
    #[must_use]
    pub const fn category(&self) -> Category {
        self.category
    }
}
