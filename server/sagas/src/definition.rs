//! A saga as data: its steps, in an order that the types enforce.

use crate::{
    Category, Shape, Step, UpgradeError, Upgrades,
    step::{CanBeUndone, MayDecide, MayFollow},
    transition::StepShape,
    upgrades_from,
};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long a reply may take before its command is sent again, unless the definition says otherwise. Far longer than any answer
/// takes in good times, since commands in an outbox are not lost: this is for participants that lost them.
pub const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// The longest wait between two sendings of a command.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_mins(10);

/// A definition in the making: everything so far can be undone.
pub struct Compensatable<D>(Definition<D>);
/// A definition in the making: past the point of no return.
pub struct Committed<D>(Definition<D>);

/// A complete saga definition.
pub struct Definition<D> {
    kind: &'static str,
    steps: Vec<Step<D>>,
    answers_within: Duration,
    upgrades: Upgrades<D>,
}

/// Begins a definition.
#[must_use]
pub const fn define<D>(kind: &'static str) -> Compensatable<D> {
    Compensatable(Definition { kind, steps: Vec::new(), answers_within: ANSWER_WAIT, upgrades: upgrades_from() })
}

impl<D> Compensatable<D> {
    /// How long a reply may take before the same command is sent again, for steps that don't say so themselves.
    #[must_use]
    pub const fn answers_within(mut self, wait: Duration) -> Self {
        self.0.answers_within = wait;
        self
    }

    /// How data of earlier versions become these data; without it there is one version. Sagas under way are upgraded when they
    /// are loaded.
    #[must_use]
    pub fn upgrades(mut self, upgrades: Upgrades<D>) -> Self {
        self.0.upgrades = upgrades;
        self
    }

    /// A step that can be undone.
    #[must_use]
    pub fn compensatable<Kind: CanBeUndone>(mut self, step: Step<D, Kind>) -> Self {
        self.0.push(step, Category::Compensatable);
        self
    }

    /// Steps that are performed at once and whose replies may come in any order. When one is refused, those that are done are
    /// undone, and the others as soon as they turn out to be done. Only what can be undone may run beside something that may be
    /// refused, so a group holds compensatable steps.
    #[must_use]
    pub fn parallel<Kind: CanBeUndone>(mut self, steps: impl IntoIterator<Item = Step<D, Kind>>) -> Self {
        let group = self.0.next_group();
        self.0.steps.extend(steps.into_iter().map(|step| step.placed(Category::Compensatable, group)));
        self
    }

    /// The point of no return.
    #[must_use]
    pub fn pivot<Kind: MayDecide>(mut self, step: Step<D, Kind>) -> Committed<D> {
        self.0.push(step, Category::Pivot);
        Committed(self.0)
    }

    /// A step that cannot be refused; without a pivot the first of these is the point of no return.
    #[must_use]
    pub fn retriable<Kind: MayFollow>(self, step: Step<D, Kind>) -> Committed<D> {
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
    pub fn retriable<Kind: MayFollow>(mut self, step: Step<D, Kind>) -> Self {
        self.0.push(step, Category::Retriable);
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
        let of =
            |step: &Step<D>| StepShape { category: step.category(), undoable: step.is_undoable(), group: step.group() };
        Shape(self.steps.iter().map(of).collect())
    }

    /// How long the reply to a command of this step may take when it goes out for the `sent`-th time: doubled each time.
    pub(crate) fn answer_wait(&self, step: usize, sent: u32) -> Duration {
        let first = self.steps.get(step).and_then(|step| step.parts.answers_within).unwrap_or(self.answers_within);
        doubled(first, sent, ANSWER_WAIT_MAX.max(first))
    }

    /// The version of its data, from 1.
    #[must_use]
    pub fn data_version(&self) -> i64 {
        self.upgrades.version()
    }

    /// Reads a saga's data that were written in some version.
    ///
    /// # Errors
    /// When they are newer than this program or are not what their version says.
    pub fn read_data(&self, version: i64, text: &str) -> Result<D, UpgradeError>
    where
        D: DeserializeOwned + 'static,
    {
        self.upgrades.read(version, text)
    }

    fn next_group(&self) -> usize {
        self.steps.last().map_or(0, |step| step.group() + 1)
    }

    fn push<Kind>(&mut self, step: Step<D, Kind>, category: Category) {
        let group = self.next_group();
        self.steps.push(step.placed(category, group));
    }
}

/// `first`, doubled with every try after the first one, and at most `longest`.
pub(crate) fn doubled(first: Duration, tries: u32, longest: Duration) -> Duration {
    // Beyond 2^20 any wait in question is past its bound.
    first.saturating_mul(1 << tries.saturating_sub(1).min(20)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let (second, longest) = (Duration::from_secs(1), Duration::from_secs(5));
        let waits: Vec<_> = [1, 2, 3, 4, 99].map(|tries| doubled(second, tries, longest).as_secs()).to_vec();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
    }
}
