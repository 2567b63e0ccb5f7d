//! What a definition promises to the sagas that run on it, as data: so that a new program can tell which of them it can resume.
//!
//! A [`Plan`] holds what is known of the steps without their functions; its fingerprint lies beside each instance. Whether a
//! run of one plan goes on under another is decided here, purely, from the marks of its steps.

use crate::{Category, Definition, Destination, Mark, Progress};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A definition without its functions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The saga's kind.
    pub kind: String,
    /// The version of its data, from 1.
    pub data_version: i64,
    /// Its steps, in order.
    pub steps: Vec<PlannedStep>,
}

/// A step without its functions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// Its name, which is what a run finds it by.
    pub name: String,
    /// Its place relative to the pivot.
    pub category: Category,
    /// Steps of one group are performed at once.
    pub group: usize,
    /// `local`, `to CHANNEL`, or `tells CHANNEL`.
    pub destination: String,
    /// Whether a compensating transaction is there.
    pub undoable: bool,
    /// Whether it may be left out.
    pub conditional: bool,
}

/// Why a run cannot go on under another plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// The run has come to a step that is not there any more.
    Missing(String),
    /// Steps that the run has come to lie in another sequence or other groups.
    Moved(String),
    /// A step that the run has come to is not what it was.
    Changed(String, &'static str),
    /// A step lies where the run has passed already, and would be left out.
    TooLate(String),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(step) => write!(f, "the step {step} is missing"),
            Self::Moved(step) => write!(f, "the step {step} has moved"),
            Self::Changed(step, what) => write!(f, "the step {step} has another {what}"),
            Self::TooLate(step) => write!(f, "the step {step} comes where the run has passed"),
        }
    }
}

impl Plan {
    /// Of a definition.
    #[must_use]
    pub fn of<D>(definition: &Definition<D>) -> Self {
        let steps = definition.steps().iter().map(|step| PlannedStep {
            name: step.name().to_owned(),
            category: step.category(),
            group: step.group(),
            destination: match step.destination() {
                Destination::Local => "local".to_owned(),
                Destination::Channel(channel) => format!("to {channel}"),
                Destination::OneWay(channel) => format!("tells {channel}"),
            },
            undoable: step.is_undoable(),
            conditional: step.is_conditional(),
        });
        let (kind, data_version) = (definition.kind().to_owned(), definition.data_version());
        Self { kind, data_version, steps: steps.collect() }
    }

    /// 16 hexadecimal digits that are the same as long as the plan is, in any program on any machine.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        // FNV-1a: fixed for ever. A desk has a handful of plans, and two alike would be noticed when they are written down.
        let hash = self
            .to_text()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        format!("{hash:016x}")
    }

    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Where a step of this plan lies in `new`.
    pub(crate) fn place_in(&self, new: &Self, step: usize) -> Option<usize> {
        let name = &self.steps.get(step)?.name;
        new.steps.iter().position(|other| other.name == *name)
    }

    /// What stands in the way of a run that has come so far under this plan and is to go on under `new`.
    #[must_use]
    pub fn obstacles(&self, progress: &Progress, new: &Self) -> Vec<Obstacle> {
        self.carry(progress, new).err().unwrap_or_default()
    }

    /// The progress of a run of this plan as `new` counts its steps.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn carry(&self, progress: &Progress, new: &Self) -> Result<Progress, Vec<Obstacle>> {
        let reached: Vec<(&PlannedStep, Mark)> = self
            .steps
            .iter()
            .zip(progress.marks())
            .filter(|(_, mark)| !matches!(mark, Mark::Waiting | Mark::Skipped))
            .map(|(step, mark)| (step, *mark))
            .collect();
        let mut obstacles: Vec<Obstacle> = reached.iter().filter_map(|(step, _)| step.changed_in(new)).collect();
        let there = |step: &PlannedStep| new.steps.iter().position(|other| other.name == step.name);
        let places: Vec<(usize, &PlannedStep)> =
            reached.iter().filter_map(|(step, _)| Some((there(step)?, *step))).collect();
        let moved = places.windows(2).filter_map(|pair| match pair {
            [(one, former), (other, latter)] => {
                let same_group = |of: &[PlannedStep], a: usize, b: usize| {
                    of.get(a).map(|step| step.group) == of.get(b).map(|step| step.group)
                };
                let was_together = former.group == latter.group;
                (one > other || was_together != same_group(&new.steps, *one, *other))
                    .then(|| Obstacle::Moved(latter.name.clone()))
            }
            _ => None,
        });
        obstacles.extend(moved);
        if progress.turned_at().is_none() {
            obstacles.extend(self.too_late(progress, new, places.iter().map(|(place, _)| *place).max()));
        }
        if !obstacles.is_empty() {
            return Err(obstacles);
        }
        let mark = |step: &PlannedStep| {
            let before = self.steps.iter().zip(progress.marks()).find(|(other, _)| other.name == step.name);
            before.map_or(Mark::Waiting, |(_, mark)| *mark)
        };
        let turned = progress.turned_at().and_then(|step| self.steps.get(step)).and_then(there);
        Ok(Progress { marks: new.steps.iter().map(mark).collect(), turned_at: turned })
    }

    /// Steps that have not begun, in a group that the run has come to or passed.
    fn too_late<'a>(
        &'a self,
        progress: &'a Progress,
        new: &'a Self,
        last: Option<usize>,
    ) -> impl Iterator<Item = Obstacle> + 'a {
        let group = last.and_then(|place| new.steps.get(place)).map(|step| step.group);
        let settled = move |step: &PlannedStep| {
            let mut before = self.steps.iter().zip(progress.marks());
            before.any(|(other, mark)| other.name == step.name && *mark != Mark::Waiting)
        };
        new.steps
            .iter()
            .filter(move |step| group.is_some_and(|group| step.group <= group) && !settled(step))
            .map(|step| Obstacle::TooLate(step.name.clone()))
    }
}

impl PlannedStep {
    fn changed_in(&self, new: &Plan) -> Option<Obstacle> {
        let changed = |what| Some(Obstacle::Changed(self.name.clone(), what));
        match new.steps.iter().find(|step| step.name == self.name) {
            None => Some(Obstacle::Missing(self.name.clone())),
            Some(step) if step.category != self.category => changed("category"),
            Some(step) if step.destination != self.destination => changed("destination"),
            Some(step) if step.undoable != self.undoable => changed("compensation"),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
