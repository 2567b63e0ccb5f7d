//! The consumer: a group's offsets in its own store, two processes that may consume, another group, and the broker that trims.
//!
//! What each step does is written beside the code that it stands for: `server/messaging/src/consumer.rs`,
//! `server/messaging/src/effects.rs`, `server/messaging/src/redis/common.lua`, `server/messaging/src/redis/listen.lua`,
//! `server/messaging/src/redis/committed.lua`. The outbox is full from the start and its relay is a single step, for
//! [`crate::relaying`] proves that it does its work.

use crate::recovery::Recovers;
use stateright::{Model, Property};

/// Messages in the outbox.
const MESSAGES: u8 = 3;
const LEASES: u8 = 2;
const FAULTS: u8 = 2;

/// The protocol, with a mistake or without.
#[derive(Clone, Copy, Debug, Default)]
pub struct Consuming {
    /// The offset does not compare epochs, nor where it stands.
    pub ignores_epochs: bool,
    /// The broker keeps the newest record and drops the rest, whoever needs them.
    pub trims_by_length: bool,
    /// The broker remembers the farthest position that a group ever told, as it once did.
    pub never_goes_back: bool,
    /// The offset moves before the effects, in a transaction of its own.
    pub offset_first: bool,
}

/// A process that consumes, or believes that it may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Owner {
    epoch: Option<u8>,
    position: u8,
    /// A record read and not applied yet. The process may stand still meanwhile.
    in_hand: Option<u8>,
    /// The broker was told that the group reads here.
    introduced: bool,
    /// With `offset_first`: the offset has moved, and the effect is still to come.
    owes: Option<u8>,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    lease: u8,
    owners: [Owner; 2],
    /// The group's store: the offset, the newest epoch that claimed it, and the effects as they came.
    offset: u8,
    store_epoch: u8,
    effects: Vec<u8>,
    /// The broker has the records after `base` up to `head`, and knows where the group stands, and the other group.
    base: u8,
    head: u8,
    told: Option<u8>,
    other: Option<u8>,
    zombie_acted: bool,
    faults: u8,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The relay asks for the head and publishes what is after it.
    Fill,
    /// A process takes the lease, whoever had it, and claims the offset.
    TakeOver(usize),
    /// It reads the next record; before its first read, and at a hole, it says where it stands.
    Read(usize),
    /// Effect and offset in one transaction.
    Apply(usize),
    /// It looks where its store stands, and tells the broker.
    Report(usize),
    /// The other group has everything and says so.
    OtherReports,
    /// The process dies.
    Dies(usize),
    /// The broker loses everything.
    Flush,
    /// The broker loses the log and nothing else.
    LosesLog,
    /// The group's store comes back as it was at this offset, effects and all.
    Restore(u8),
}

impl State {
    /// `start_again` of `common.lua`.
    fn start_again(&mut self) {
        let slowest = [self.told, self.other].into_iter().flatten().min().unwrap_or(0);
        (self.base, self.head) = (slowest, slowest);
    }

    fn trim(&mut self, flaws: Consuming) {
        let slowest = [self.told, self.other].into_iter().flatten().min().unwrap_or(0);
        let upto = if flaws.trims_by_length { self.head.saturating_sub(1) } else { slowest.min(self.head) };
        self.base = self.base.max(upto);
    }

    /// `listen.lua`. With records of whole numbers only, a hole is a position before the base.
    fn listen(&mut self, position: u8) {
        self.told = Some(position);
        if position < self.base {
            self.start_again();
        }
    }

    /// `committed.lua`.
    fn committed(&mut self, position: u8, flaws: Consuming) {
        let position = if flaws.never_goes_back { position.max(self.told.unwrap_or(0)) } else { position };
        self.told = Some(position);
        if position < self.base {
            self.start_again();
        } else {
            self.trim(flaws);
        }
    }
}

impl Consuming {
    fn read(self, state: &mut State, owner: usize) -> Option<()> {
        let position = state.owners[owner].position;
        if !state.owners[owner].introduced {
            state.owners[owner].introduced = true;
            state.listen(position);
            return Some(());
        }
        if state.owners[owner].in_hand.is_some() || state.owners[owner].owes.is_some() || position >= state.head {
            return None;
        }
        // The read gives the first record after the position that is there.
        let first = state.base.max(position) + 1;
        if first > state.head {
            return None;
        }
        if first == position + 1 || self.trims_by_length {
            // Who trims by length must take what there is.
            state.owners[owner].in_hand = Some(first);
        } else {
            state.listen(position);
        }
        Some(())
    }

    fn apply(self, state: &mut State, owner: usize) -> Option<()> {
        let epoch = state.owners[owner].epoch?;
        if let Some(seq) = state.owners[owner].owes.take() {
            state.effects.push(seq);
            return Some(());
        }
        let (seq, position) = (state.owners[owner].in_hand.take()?, state.owners[owner].position);
        let stands = state.offset == position && state.store_epoch == epoch;
        if !stands && !self.ignores_epochs {
            // Claiming again with an older epoch finds nothing.
            match epoch < state.store_epoch {
                true => state.owners[owner] = Owner::default(),
                false => state.owners[owner].position = state.offset,
            }
            return Some(());
        }
        state.zombie_acted |= epoch < state.store_epoch;
        state.offset = seq;
        state.owners[owner].position = seq;
        if self.offset_first {
            state.owners[owner].owes = Some(seq);
        } else {
            state.effects.push(seq);
        }
        Some(())
    }
}

impl Model for Consuming {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            lease: 0,
            owners: Default::default(),
            offset: 0,
            store_epoch: 0,
            effects: Vec::new(),
            base: 0,
            head: 0,
            told: None,
            other: None,
            zombie_acted: false,
            faults: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend([Action::Fill, Action::OtherReports]);
        for (number, owner) in state.owners.iter().enumerate() {
            let nobody_has_it = state.owners.iter().all(|owner| owner.epoch != Some(state.lease));
            if owner.epoch != Some(state.lease) && (state.lease < LEASES || nobody_has_it) {
                actions.push(Action::TakeOver(number));
            }
            if owner.epoch.is_some() {
                actions.extend([Action::Read(number), Action::Apply(number), Action::Report(number)]);
                if state.faults < FAULTS {
                    actions.push(Action::Dies(number));
                }
            }
        }
        if state.faults < FAULTS {
            actions.extend([Action::Flush, Action::LosesLog]);
            actions.extend((0..state.offset).map(Action::Restore));
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        state.faults += u8::from(self.is_fault(&action));
        match action {
            Action::Fill => state.head = MESSAGES,
            Action::TakeOver(owner) => {
                state.lease += 1;
                state.store_epoch = state.lease;
                state.owners[owner] = Owner { epoch: Some(state.lease), position: state.offset, ..Owner::default() };
            }
            Action::Read(owner) => self.read(&mut state, owner)?,
            Action::Apply(owner) => self.apply(&mut state, owner)?,
            Action::Report(owner) => {
                let owner = &mut state.owners[owner];
                if owner.in_hand.is_some() || owner.owes.is_some() {
                    // One process does one thing at a time.
                    return None;
                }
                if owner.epoch < Some(state.store_epoch) {
                    *owner = Owner::default();
                } else {
                    owner.position = state.offset;
                    let position = owner.position;
                    state.committed(position, *self);
                }
            }
            Action::OtherReports => {
                if state.head < MESSAGES {
                    return None;
                }
                state.other = Some(MESSAGES);
                state.trim(*self);
            }
            Action::Dies(owner) => state.owners[owner] = Owner::default(),
            Action::Flush => (state.base, state.head, state.told, state.other) = (0, 0, None, None),
            Action::LosesLog => state.start_again(),
            Action::Restore(offset) => {
                state.offset = offset;
                state.effects.retain(|seq| *seq <= offset);
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "each message takes effect once at most, in sequence, and none is left out",
                |_, state: &State| state.effects.iter().zip(1..).all(|(seq, expected)| *seq == expected),
            ),
            Property::always("an older lease moves no offset after a newer one", |_, state: &State| {
                !state.zombie_acted
            }),
            Property::sometimes("everything took effect", |_, state: &State| {
                state.effects.len() == usize::from(MESSAGES)
            }),
            Property::sometimes("the log is trimmed", |_, state: &State| state.base > 0),
            Property::sometimes("a record is in hand while the lease is another's", |_, state: &State| {
                state.owners.iter().any(|owner| owner.in_hand.is_some() && owner.epoch < Some(state.lease))
            }),
        ]
    }
}

impl Recovers for Consuming {
    fn is_fault(&self, action: &Action) -> bool {
        matches!(action, Action::Dies(_) | Action::Flush | Action::LosesLog | Action::Restore(_))
    }

    fn is_done(&self, state: &State) -> bool {
        state.effects.len() == usize::from(MESSAGES)
    }
}
