//! The state machine of every saga: pure, without time, chance or storage.

use crate::{Category, Mark, Progress};
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
    /// Steps of one group lie side by side and are performed at once. Numbers rise.
    pub group: usize,
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

/// What happened to a step's action or compensation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was done.
    Done,
    /// It was refused for a business reason.
    Refused,
    /// The action need not be done: it was never begun.
    Skipped,
    /// The action took too long, so that nobody knows whether it was done; or the compensation was refused too often.
    GivenUp,
    /// An operator had it tried again.
    Resumed,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Perform the step's action.
    Act(usize),
    /// Perform the step's compensation.
    Compensate(usize),
    /// Perform the step's compensation again, after a while: it must not be refused.
    CompensateLater(usize),
}

/// How a saga begins: the steps of its first group at once.
#[must_use]
pub fn begin(shape: &Shape) -> (Progress, Vec<Next>) {
    let mut progress = Progress { marks: vec![Mark::Waiting; shape.0.len()], turned_at: None };
    let next = go_forth(shape, &mut progress);
    (progress, next)
}

/// What an event at a step makes of a saga. `None` means that the saga does not wait for it: it is late, or means nothing there.
#[must_use]
pub fn transition(shape: &Shape, progress: &Progress, step: usize, event: Event) -> Option<(Progress, Vec<Next>)> {
    let StepShape { category, undoable, group } = *shape.0.get(step)?;
    let mut after = progress.clone();
    let mut next = Vec::new();
    match (progress.mark(step)?, event) {
        // The saga turned back while this was under way.
        (Mark::Acting, Event::Done) if progress.turned_at.is_some() && undoable => {
            undo(&mut after, step, &mut next);
        }
        (Mark::Acting, Event::Done) => after.set(step, Mark::Done),
        (Mark::Acting, Event::Skipped) => after.set(step, Mark::Skipped),
        (Mark::Acting, Event::Refused) => match category {
            Category::Compensatable | Category::Pivot => {
                after.set(step, Mark::Refused);
                after.turned_at.get_or_insert(step);
                undo_group(shape, &mut after, group, &mut next);
            }
            // Past the point of no return there is no way back, and going on would break the promise.
            Category::Retriable => after.set(step, Mark::StuckActing),
        },
        (Mark::Acting, Event::GivenUp) if undoable && category != Category::Retriable => {
            after.turned_at.get_or_insert(step);
            undo_group(shape, &mut after, group, &mut next);
            undo(&mut after, step, &mut next);
        }
        (Mark::Undoing, Event::Done) => after.set(step, Mark::Undone),
        (Mark::Undoing, Event::Refused) => next.push(Next::CompensateLater(step)),
        (Mark::Undoing, Event::GivenUp) => after.set(step, Mark::StuckUndoing),
        (Mark::StuckActing, Event::Resumed) => {
            after.set(step, Mark::Acting);
            next.push(Next::Act(step));
        }
        (Mark::StuckUndoing, Event::Resumed) => undo(&mut after, step, &mut next),
        (
            Mark::Waiting
            | Mark::Acting
            | Mark::Done
            | Mark::Skipped
            | Mark::Refused
            | Mark::Undoing
            | Mark::Undone
            | Mark::StuckActing
            | Mark::StuckUndoing,
            _,
        ) => return None,
    }
    next.extend(leave_group(shape, &mut after, group));
    Some((after, next))
}

fn undo(progress: &mut Progress, step: usize, next: &mut Vec<Next>) {
    progress.set(step, Mark::Undoing);
    next.push(Next::Compensate(step));
}

/// Undoes at once whatever is done in a group.
fn undo_group(shape: &Shape, progress: &mut Progress, group: usize, next: &mut Vec<Next>) {
    for (step, of) in shape.0.iter().enumerate() {
        if of.group == group && of.undoable && progress.mark(step) == Some(Mark::Done) {
            undo(progress, step, next);
        }
    }
}

/// Once nothing of a group is open any more: on to the next one, or back to the nearest that has something to undo.
fn leave_group(shape: &Shape, progress: &mut Progress, group: usize) -> Vec<Next> {
    let is_open = |(of, mark): (&StepShape, &Mark)| of.group == group && mark.is_open();
    if shape.0.iter().zip(&progress.marks).any(is_open) {
        return Vec::new();
    }
    if progress.turned_at.is_none() {
        return go_forth(shape, progress);
    }
    let mut next = Vec::new();
    let to_undo = |(of, mark): (&StepShape, &Mark)| (of.undoable && *mark == Mark::Done).then_some(of.group);
    if let Some(nearest) = shape.0.iter().zip(&progress.marks).filter_map(to_undo).next_back() {
        undo_group(shape, progress, nearest, &mut next);
    }
    next
}

/// Begins every step of the first group whose turn has not come yet.
fn go_forth(shape: &Shape, progress: &mut Progress) -> Vec<Next> {
    let waits = |(of, mark): (&StepShape, &Mark)| (*mark == Mark::Waiting).then_some(of.group);
    let Some(group) = shape.0.iter().zip(&progress.marks).find_map(waits) else { return Vec::new() };
    let steps: Vec<usize> =
        (0..shape.0.len()).filter(|step| shape.0.get(*step).map(|of| of.group) == Some(group)).collect();
    for step in &steps {
        progress.set(*step, Mark::Acting);
    }
    steps.into_iter().map(Next::Act).collect()
}

#[cfg(test)]
mod tests;
