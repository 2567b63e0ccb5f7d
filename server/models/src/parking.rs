//! The parking lot: the messages of one key, the consumer that meets them, and an operator who mends what cannot be handled.
//!
//! What each step does is written beside the code that it stands for: `server/messaging/src/consumer/park.rs`,
//! `server/messaging/src/parking/mod.rs`, `server/messaging/src/parking/replay.rs`. Offsets and leases are [`crate::consuming`]'s,
//! so here the consumer is one that dies and comes back.

use crate::recovery::Recovers;
use stateright::{Model, Property};

/// Messages of the key.
const MESSAGES: u8 = 5;
const FAULTS: u8 = 2;

/// The protocol, with a mistake or without.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parking {
    /// Messages pass a parked one of their key.
    pub passes: bool,
    /// Whether the key still waits is counted without its lock: what comes behind meanwhile is not seen.
    pub counts_without_lock: bool,
    /// A consumer that comes back does not read which keys wait.
    pub forgets_keys: bool,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Messages that the consumer is done with, handled or parked.
    offset: u8,
    /// The consumer's memory: messages of the key wait.
    remembers: bool,
    /// The row that stands for the key.
    key: bool,
    parked: Vec<u8>,
    effects: Vec<u8>,
    /// The message that cannot be handled as it is.
    broken: Option<u8>,
    /// With `counts_without_lock`: how many were left, and the key is let go by that in a moment.
    counted: Option<usize>,
    faults: u8,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The consumer handles its next message, or parks it.
    Consume,
    /// The operator gives the broken message another body.
    Mend,
    /// The operator has the first of the key handled again: effect, removal and, when nothing is left, the key.
    Retry,
    /// With `counts_without_lock`: the key is let go.
    LetGo,
    /// The consumer's process dies, and the next one reads which keys wait.
    Dies,
}

impl Parking {
    /// `handle_or_park`.
    fn consume(self, state: &mut State) -> Option<()> {
        let next = state.offset + 1;
        if next > MESSAGES {
            return None;
        }
        state.offset = next;
        if state.remembers && !self.passes {
            if state.key {
                state.parked.push(next);
                return Some(());
            }
            state.remembers = false;
        }
        if state.broken == Some(next) {
            (state.key, state.remembers) = (true, true);
            state.parked.push(next);
        } else {
            state.effects.push(next);
        }
        Some(())
    }

    /// `Turn::begin` and `Turn::end`.
    fn retry(self, state: &mut State) -> Option<()> {
        let first = *state.parked.first()?;
        if !state.key || state.broken == Some(first) || state.counted.is_some() {
            return None;
        }
        state.parked.remove(0);
        state.effects.push(first);
        if self.counts_without_lock {
            state.counted = Some(state.parked.len());
        } else if state.parked.is_empty() {
            state.key = false;
        }
        Some(())
    }
}

impl Model for Parking {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let broken = (1..MESSAGES).map(Some);
        let state = |broken| State {
            offset: 0,
            remembers: false,
            key: false,
            parked: Vec::new(),
            effects: Vec::new(),
            broken,
            counted: None,
            faults: 0,
        };
        broken.map(state).collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend([Action::Consume, Action::Retry, Action::LetGo]);
        if state.broken.is_some_and(|broken| state.parked.contains(&broken)) {
            actions.push(Action::Mend);
        }
        if state.faults < FAULTS {
            actions.push(Action::Dies);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        state.faults += u8::from(self.is_fault(&action));
        match action {
            Action::Consume => self.consume(&mut state)?,
            Action::Mend => state.broken = None,
            Action::Retry => self.retry(&mut state)?,
            Action::LetGo => {
                if state.counted.take()? == 0 {
                    state.key = false;
                }
            }
            Action::Dies => state.remembers = state.key && !self.forgets_keys,
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "each message of a key takes effect once at most, in sequence, and none is left out",
                |_, state: &State| state.effects.iter().zip(1..).all(|(seq, expected)| *seq == expected),
            ),
            Property::always("whatever waits has a key that waits", |_, state: &State| {
                state.key || state.parked.is_empty()
            }),
            Property::sometimes("messages wait behind the one that failed", |_, state: &State| state.parked.len() > 2),
            Property::sometimes("one comes while the operator is at work", |_, state: &State| {
                state.broken.is_none() && state.parked.len() > 1 && !state.effects.is_empty()
            }),
            Property::sometimes("the consumer believes in a key that was let go", |_, state: &State| {
                state.remembers && !state.key
            }),
        ]
    }
}

impl Recovers for Parking {
    fn is_fault(&self, action: &Action) -> bool {
        matches!(action, Action::Dies)
    }

    fn is_done(&self, state: &State) -> bool {
        state.effects.len() == usize::from(MESSAGES)
    }
}
