//! The relay: an outbox, two processes that may publish it, and the broker's script.
//!
//! What each step does is written beside the code that it stands for: `server/messaging/src/relay/publisher.rs`,
//! `server/messaging/src/relay/published.rs`, `server/messaging/src/redis/publish.lua`. One stream is enough: streams share nothing.

use crate::recovery::Recovers;
use stateright::{Model, Property};

/// Messages that are ever committed.
const MESSAGES: u8 = 3;
/// How often a lease may end, a process die, an answer or a publication get lost, and the broker be wiped.
const LEASES: u8 = 2;
const FAULTS: u8 = 2;

/// The protocol, with a mistake or without.
#[derive(Clone, Copy, Debug, Default)]
pub struct Relaying {
    /// The script does not compare epochs.
    pub ignores_epochs: bool,
    /// A relay writes down that it has published before it has, and believes that later.
    pub marks_before: bool,
    /// The script takes whatever number comes, also behind a gap.
    pub ignores_gaps: bool,
}

/// A process that publishes, or believes that it may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Owner {
    epoch: Option<u8>,
    /// The last number that it believes the broker has.
    mark: u8,
    /// A publication on its way: the numbers after the first up to the second. The process may stand still meanwhile.
    sending: Option<(u8, u8)>,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    committed: u8,
    /// The lease's epoch in the database.
    lease: u8,
    owners: [Owner; 2],
    /// What a flawed relay has written down.
    written_mark: u8,
    /// The broker: its epoch, and the numbers that it has, in the order in which they came.
    broker_epoch: u8,
    log: Vec<u8>,
    /// An older epoch than the broker's changed its log.
    zombie_acted: bool,
    faults: u8,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A unit of work commits the next message.
    Commit,
    /// A process takes the lease, whoever had it, and asks the broker how far it is.
    TakeOver(usize),
    /// It asks again, as once a second.
    Ask(usize),
    /// It reads the outbox behind its mark and sends.
    Send(usize),
    /// The script runs, and the answer comes.
    Arrives(usize),
    /// The script runs, and the answer gets lost.
    ArrivesUnanswered(usize),
    /// The publication gets lost on the way.
    GetsLost(usize),
    /// The process dies.
    Dies(usize),
    /// The broker loses everything.
    Flush,
}

impl Relaying {
    /// `publish.lua`, and what the relay makes of its answer.
    fn arrive(self, state: &mut State, owner: usize, is_answered: bool) -> Option<()> {
        let (first, last) = state.owners[owner].sending.take()?;
        let epoch = state.owners[owner].epoch?;
        if epoch < state.broker_epoch && !self.ignores_epochs {
            if is_answered {
                state.owners[owner] = Owner::default();
            }
            return Some(());
        }
        state.zombie_acted |= epoch < state.broker_epoch;
        state.broker_epoch = state.broker_epoch.max(epoch);
        let head = state.log.last().copied().unwrap_or(0);
        if first > head && !self.ignores_gaps {
            if is_answered {
                state.owners[owner].mark = head;
            }
            return Some(());
        }
        state.log.extend(first.max(head) + 1..=last);
        if is_answered {
            state.owners[owner].mark = last;
        }
        Some(())
    }

    fn ask(self, state: &mut State, owner: usize) {
        let head = state.log.last().copied().unwrap_or(0);
        state.owners[owner].mark = if self.marks_before { state.written_mark } else { head };
    }
}

impl Model for Relaying {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.committed < MESSAGES {
            actions.push(Action::Commit);
        }
        if state.faults < FAULTS {
            actions.push(Action::Flush);
        }
        for (number, owner) in state.owners.iter().enumerate() {
            let is_current = owner.epoch == Some(state.lease);
            // Without faults left, somebody without a lease may still take it from a process that is dead.
            let nobody_has_it = state.owners.iter().all(|owner| owner.epoch != Some(state.lease));
            if !is_current && (state.lease < LEASES || nobody_has_it) {
                actions.push(Action::TakeOver(number));
            }
            if owner.epoch.is_none() {
                continue;
            }
            actions.push(Action::Ask(number));
            match owner.sending {
                None => actions.push(Action::Send(number)),
                Some(_) => actions.push(Action::Arrives(number)),
            }
            if state.faults < FAULTS {
                actions.push(Action::Dies(number));
                if owner.sending.is_some() {
                    actions.extend([Action::ArrivesUnanswered(number), Action::GetsLost(number)]);
                }
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        state.faults += u8::from(self.is_fault(&action));
        match action {
            Action::Commit => state.committed += 1,
            Action::TakeOver(owner) => {
                state.lease += 1;
                state.owners[owner] = Owner { epoch: Some(state.lease), ..Owner::default() };
                self.ask(&mut state, owner);
            }
            Action::Ask(owner) => self.ask(&mut state, owner),
            Action::Send(owner) => {
                let mark = state.owners[owner].mark;
                if mark >= state.committed {
                    return None;
                }
                state.owners[owner].sending = Some((mark, state.committed));
                if self.marks_before {
                    state.written_mark = state.committed;
                    state.owners[owner].mark = state.committed;
                }
            }
            Action::Arrives(owner) => self.arrive(&mut state, owner, true)?,
            Action::ArrivesUnanswered(owner) => self.arrive(&mut state, owner, false)?,
            Action::GetsLost(owner) => state.owners[owner].sending = None,
            Action::Dies(owner) => state.owners[owner] = Owner::default(),
            Action::Flush => {
                state.log.clear();
                state.broker_epoch = 0;
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("each number once and in sequence", |_, state: &State| {
                state.log.iter().zip(1..).all(|(number, expected)| *number == expected)
            }),
            Property::always("an older lease changes nothing after a newer one", |_, state: &State| {
                !state.zombie_acted
            }),
            Property::always("nothing is published that was not committed", |_, state: &State| {
                state.log.iter().all(|number| *number <= state.committed)
            }),
            Property::sometimes("everything is published", |_, state: &State| state.log.len() == usize::from(MESSAGES)),
            Property::sometimes("a publication waits while the lease is another's", |_, state: &State| {
                state.owners.iter().any(|owner| owner.sending.is_some() && owner.epoch < Some(state.lease))
            }),
        ]
    }
}

impl Recovers for Relaying {
    fn is_fault(&self, action: &Action) -> bool {
        matches!(action, Action::ArrivesUnanswered(_) | Action::GetsLost(_) | Action::Dies(_) | Action::Flush)
    }

    fn is_done(&self, state: &State) -> bool {
        state.log.len() == usize::from(MESSAGES)
    }
}
