//! How far each step of a run has come, and how that is written down. Pure.

use crate::{Category, Phase, Shape};

/// How far one step has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Its turn has not come.
    Waiting,
    /// Its action is under way.
    Acting,
    /// Its action is done.
    Done,
    /// Left out: its condition did not hold, or the saga turned back before it was begun.
    Skipped,
    /// Its action was refused, so the saga turned back.
    Refused,
    /// Its compensation is under way.
    Undoing,
    /// Its compensation is done.
    Undone,
    /// Its action, which must not be refused, was: a human must look.
    StuckActing,
    /// Its compensation was refused too often: a human must look.
    StuckUndoing,
}

/// Every mark with the letter that stands for it in the database.
const LETTERS: [(Mark, char); 9] = [
    (Mark::Waiting, '.'),
    (Mark::Acting, 'a'),
    (Mark::Done, 'd'),
    (Mark::Skipped, 's'),
    (Mark::Refused, 'r'),
    (Mark::Undoing, 'u'),
    (Mark::Undone, 'n'),
    (Mark::StuckActing, 'A'),
    (Mark::StuckUndoing, 'U'),
];

impl Mark {
    /// Something is under way or stuck, so its group is not over.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Acting | Self::Undoing | Self::StuckActing | Self::StuckUndoing)
    }

    /// For people, in capitals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Acting => "RUNNING",
            Self::Done => "DONE",
            Self::Skipped => "SKIPPED",
            Self::Refused | Self::StuckActing => "REFUSED",
            Self::Undoing | Self::StuckUndoing => "COMPENSATING",
            Self::Undone => "COMPENSATED",
        }
    }
}

/// How far a run has come: a mark for each step, and which step turned it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub(crate) marks: Vec<Mark>,
    pub(crate) turned_at: Option<usize>,
}

impl Progress {
    /// The marks, in the order of the steps.
    #[must_use]
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The step that turned the saga back, by being refused or given up.
    #[must_use]
    pub const fn turned_at(&self) -> Option<usize> {
        self.turned_at
    }

    /// The step that was refused: the one that turned the saga back, or the one that it is stuck at.
    #[must_use]
    pub fn refused(&self) -> Option<usize> {
        self.turned_at.or_else(|| self.first(Mark::StuckActing))
    }

    /// Where the saga stands, in a word and a step. Of steps that run at once it is the first.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let stuck = |mark: &Mark| matches!(mark, Mark::StuckActing | Mark::StuckUndoing);
        if let Some(step) = self.marks.iter().position(stuck) {
            return Phase::Parked(step);
        }
        if self.turned_at.is_some() {
            let open = self.first(Mark::Undoing).or_else(|| self.first(Mark::Acting));
            return open.map_or(Phase::RolledBack, Phase::Compensating);
        }
        self.first(Mark::Acting).map_or(Phase::Completed, Phase::Running)
    }

    pub(crate) fn mark(&self, step: usize) -> Option<Mark> {
        self.marks.get(step).copied()
    }

    pub(crate) fn set(&mut self, step: usize, mark: Mark) {
        if let Some(place) = self.marks.get_mut(step) {
            *place = mark;
        }
    }

    fn first(&self, mark: Mark) -> Option<usize> {
        self.marks.iter().position(|other| *other == mark)
    }

    /// One letter for each step, and the step that turned the saga back: `dduw!2`.
    pub(crate) fn to_text(&self) -> String {
        let letter = |mark: &Mark| LETTERS.iter().find(|(other, _)| other == mark).map_or('?', |(_, letter)| *letter);
        let mut text: String = self.marks.iter().map(letter).collect();
        if let Some(step) = self.turned_at {
            text.push_str(&format!("!{step}"));
        }
        text
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (letters, turned_at) = match text.split_once('!') {
            Some((letters, step)) => (letters, Some(step.parse().ok()?)),
            None => (text, None),
        };
        let mark = |letter| LETTERS.iter().find(|(_, other)| *other == letter).map(|(mark, _)| *mark);
        Some(Self { marks: letters.chars().map(mark).collect::<Option<_>>()?, turned_at })
    }

    /// Of a run that an earlier version wrote, which knew the phase and the refused step only.
    pub(crate) fn of_phase(shape: &Shape, phase: Phase, refused: Option<usize>) -> Self {
        let steps = shape.0.iter().enumerate();
        let undone = |number: usize, undoable: bool, now: usize| match (number.cmp(&now), undoable) {
            (std::cmp::Ordering::Less, _) | (_, false) => Mark::Done,
            (_, true) => Mark::Undone,
        };
        let mark = |(number, step): (usize, &crate::transition::StepShape)| {
            let back = |now: usize, here: Mark| match refused {
                Some(refused) if number == refused => Mark::Refused,
                Some(refused) if number > refused => Mark::Waiting,
                _ if number == now => here,
                _ => undone(number, step.undoable, now),
            };
            let forth = |now: usize, here: Mark| match number.cmp(&now) {
                std::cmp::Ordering::Less => Mark::Done,
                std::cmp::Ordering::Equal => here,
                std::cmp::Ordering::Greater => Mark::Waiting,
            };
            match phase {
                Phase::Running(now) => forth(now, Mark::Acting),
                Phase::Completed => Mark::Done,
                Phase::Parked(now) if step_is_final(shape, now) => forth(now, Mark::StuckActing),
                Phase::Parked(now) => back(now, Mark::StuckUndoing),
                Phase::Compensating(now) => back(now, Mark::Undoing),
                // Nothing is left to undo, so everything counts as being at or above the step in question.
                Phase::RolledBack => match refused {
                    Some(refused) if number == refused => Mark::Refused,
                    Some(refused) if number > refused => Mark::Waiting,
                    _ => undone(number, step.undoable, 0),
                },
            }
        };
        let marks = steps.map(mark).collect();
        let turned_at = match phase {
            Phase::Running(_) | Phase::Completed => None,
            Phase::Parked(now) if step_is_final(shape, now) => None,
            Phase::Parked(_) | Phase::Compensating(_) | Phase::RolledBack => refused,
        };
        Self { marks, turned_at }
    }
}

fn step_is_final(shape: &Shape, step: usize) -> bool {
    shape.0.get(step).is_some_and(|step| step.category == Category::Retriable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transition::StepShape;

    #[test]
    fn what_is_written_down_reads_back() {
        let marks: Vec<_> = LETTERS.iter().map(|(mark, _)| *mark).collect();
        for turned_at in [None, Some(12)] {
            let progress = Progress { marks: marks.clone(), turned_at };
            assert_eq!(Progress::parse(&progress.to_text()), Some(progress));
        }
        assert_eq!(Progress::parse("dxd"), None);
        assert_eq!(Progress::parse("dd!x"), None);
    }

    #[test]
    fn a_run_of_an_earlier_version_stands_where_it_stood() {
        let step = |category, undoable, group| StepShape { category, undoable, group };
        let shape = Shape(vec![
            step(Category::Compensatable, true, 0),
            step(Category::Compensatable, true, 1),
            step(Category::Pivot, false, 2),
            step(Category::Retriable, false, 3),
        ]);
        let cases = [
            (Phase::Running(1), None, "da.."),
            (Phase::Compensating(0), Some(2), "unr.!2"),
            (Phase::RolledBack, Some(2), "nnr.!2"),
            (Phase::Completed, None, "dddd"),
            (Phase::Parked(3), Some(3), "dddA"),
            (Phase::Parked(1), Some(2), "dUr.!2"),
        ];
        for (phase, refused, text) in cases {
            let progress = Progress::of_phase(&shape, phase, refused);
            assert_eq!(progress.to_text(), text, "{phase:?}");
            assert_eq!((progress.phase(), progress.refused()), (phase, refused));
        }
    }
}
