//! The state machine of every saga: pure, without time, chance or storage.

use crate::Category;
use serde::{Deserialize, Serialize};

/// What the state machine knows of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape(pub Vec<StepShape>);

/// What the state machine knows of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepShape {
    /// Its place relative to the pivot.
    pub category: Category,
    /// Whether a compensating transaction is there.
    pub undoable: bool,
}

/// Where a saga stands. Steps are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The step's action is under way.
    Running(usize),
    /// The step's compensation is under way.
    Compensating(usize),
    /// Every step is done.
    Completed,
    /// Every step that was done is undone.
    RolledBack,
    /// What must not be refused was refused at this step; a human must look.
    Parked(usize),
}

/// What happened to the action or compensation under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was done.
    Done,
    /// It was refused for a business reason.
    Refused,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Perform the step's action.
    Act(usize),
    /// Perform the step's compensation.
    Compensate(usize),
    /// Nothing: the saga has ended or is parked.
    Nothing,
}

/// What an event makes of a saga. `None` means that the saga is not waiting for anything, so the event is late.
#[must_use]
pub fn transition(shape: &Shape, phase: Phase, event: Event) -> Option<(Phase, Next)> {
    match (phase, event) {
        (Phase::Running(step), Event::Done) => Some(match shape.0.get(step + 1) {
            Some(_) => (Phase::Running(step + 1), Next::Act(step + 1)),
            None => (Phase::Completed, Next::Nothing),
        }),
        (Phase::Running(step), Event::Refused) => Some(match shape.0.get(step).map(|step| step.category) {
            Some(Category::Compensatable | Category::Pivot) => undo_below(shape, step),
            // Past the point of no return there is no way back, and going on would break the promise.
            Some(Category::Retriable) | None => (Phase::Parked(step), Next::Nothing),
        }),
        (Phase::Compensating(step), Event::Done) => Some(undo_below(shape, step)),
        (Phase::Compensating(step), Event::Refused) => Some((Phase::Parked(step), Next::Nothing)),
        (Phase::Completed | Phase::RolledBack | Phase::Parked(_), Event::Done | Event::Refused) => None,
    }
}

/// Undoes the nearest earlier step that can be undone.
fn undo_below(shape: &Shape, step: usize) -> (Phase, Next) {
    match shape.0.iter().take(step).rposition(|step| step.undoable) {
        Some(step) => (Phase::Compensating(step), Next::Compensate(step)),
        None => (Phase::RolledBack, Next::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(compensatable: usize, pivot: bool, retriable: usize) -> Shape {
        let of = |category, undoable| StepShape { category, undoable };
        let mut steps = vec![of(Category::Compensatable, true); compensatable];
        steps.extend(pivot.then(|| of(Category::Pivot, false)));
        steps.extend(vec![of(Category::Retriable, false); retriable]);
        Shape(steps)
    }

    /// Runs a saga whose `refuse`-th step refuses, and returns its end and what was done and undone.
    fn run(shape: &Shape, refuse: Option<usize>) -> (Phase, Vec<usize>, Vec<usize>) {
        let (mut phase, mut done, mut undone) = (Phase::Running(0), Vec::new(), Vec::new());
        for _ in 0..64 {
            let event = match phase {
                Phase::Running(step) if refuse == Some(step) => Event::Refused,
                Phase::Running(step) => {
                    done.push(step);
                    Event::Done
                }
                Phase::Compensating(step) => {
                    undone.push(step);
                    Event::Done
                }
                Phase::Completed | Phase::RolledBack | Phase::Parked(_) => break,
            };
            phase = transition(shape, phase, event).expect("a saga under way takes every event").0;
        }
        (phase, done, undone)
    }

    proptest! {
        #[test]
        fn every_refusal_up_to_the_pivot_undoes_exactly_what_was_done_in_reverse(c in 0_usize..5, r in 0_usize..3, at in 0_usize..9) {
            let shape = shape(c, true, r);
            let refuse = (at < shape.0.len()).then_some(at);
            let (end, done, undone) = run(&shape, refuse);
            match refuse {
                None => {
                    prop_assert_eq!(end, Phase::Completed);
                    prop_assert_eq!(done.len(), shape.0.len());
                    prop_assert!(undone.is_empty());
                }
                Some(step) if step <= c => {
                    prop_assert_eq!(end, Phase::RolledBack);
                    let reversed: Vec<_> = done.into_iter().rev().collect();
                    prop_assert_eq!(undone, reversed);
                }
                Some(step) => {
                    prop_assert_eq!(end, Phase::Parked(step));
                    prop_assert!(undone.is_empty());
                }
            }
        }
    }

    #[test]
    fn a_saga_that_has_ended_takes_no_event() {
        let shape = shape(1, true, 1);
        for phase in [Phase::Completed, Phase::RolledBack, Phase::Parked(1)] {
            for event in [Event::Done, Event::Refused] {
                assert_eq!(transition(&shape, phase, event), None);
            }
        }
    }

    #[test]
    fn a_compensation_that_is_refused_parks_the_saga() {
        assert_eq!(
            transition(&shape(2, true, 0), Phase::Compensating(1), Event::Refused),
            Some((Phase::Parked(1), Next::Nothing))
        );
    }
}
