//! What a process of a service does: relay its outbox and consume for its groups, under leases that it may have lost unnoticed.

use crate::{Chance, Group, carrier::Carrier, effects::newest_epoch, stage::Shared};
use std::{collections::BTreeMap, fmt, sync::Arc};
use tramline_messaging::{
    BrokerError, Epochs, HandlerError, Messaging, Move, PARTITIONS, Record, SteppedRelay, StreamId,
};

/// Processes of each service: two are enough for one to stand still while the other goes on.
pub(crate) const INSTANCES: usize = 2;
/// Records that one read takes of a stream at most.
const READ_MAX: u32 = 3;
/// The same once faults have ended and only the end matters.
const CALM_READ_MAX: usize = 64;

/// Who has a lease by the word of the database that keeps it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seat {
    /// The instance that may take over or has.
    pub(crate) holder: usize,
    /// The newest epoch given out.
    pub(crate) epoch: i64,
}

impl Seat {
    /// The next owner's epoch.
    pub(crate) const fn next_epoch(&mut self) -> i64 {
        self.epoch += 1;
        self.epoch
    }

    /// Whether this belief is right.
    pub(crate) fn is_held_by(self, instance: usize, epoch: Option<i64>) -> bool {
        self.holder == instance && epoch == Some(self.epoch)
    }

    /// The lease runs out, and the other instance may have it.
    pub(crate) const fn pass_on(&mut self) {
        self.holder = (self.holder + 1) % INSTANCES;
    }
}

/// A relay's memory; gone when its process dies.
pub(crate) struct RelayRole {
    relay: SteppedRelay,
    /// The lease that it believes to have.
    pub(crate) epoch: Option<i64>,
}

impl RelayRole {
    pub(crate) fn new(messaging: &Messaging, carrier: &Carrier) -> Self {
        Self { relay: SteppedRelay::new(messaging.clone(), Arc::new(carrier.clone())), epoch: None }
    }

    /// Takes its seat when it has none, and publishes. `look`: not only what was handed over.
    pub(crate) async fn step(&mut self, seat: &mut Seat, look: bool) -> Result<(), BrokerError> {
        let is_new = self.epoch.is_none();
        let epoch = *self.epoch.get_or_insert_with(|| seat.next_epoch());
        if is_new || look {
            let epochs: Epochs = (0..PARTITIONS).map(|partition| (partition, epoch)).collect();
            self.relay.ask_broker(&epochs).await?;
        }
        self.relay.publish(is_new || look).await
    }
}

/// What became of a consumer's step.
pub(crate) enum Consumed {
    /// There was nothing to do.
    Nothing,
    /// Offsets were claimed, or records read and kept in hand.
    Prepared,
    /// So many messages of so many streams took effect.
    Applied { messages: usize, streams: usize },
    /// Somebody with a newer lease has been there.
    Fenced,
    /// It stood elsewhere than it thought.
    Moved,
    /// The effects were undone and are tried again.
    Again(String),
    /// What must not happen.
    Wrong(String),
}

/// A consumer's memory; gone when its process dies.
#[derive(Default)]
pub(crate) struct ConsumerRole {
    /// The lease that it believes to have.
    pub(crate) epoch: Option<i64>,
    pub(crate) positions: BTreeMap<StreamId, i64>,
    in_hand: Option<(Vec<Move>, Vec<Arc<Record>>)>,
    /// A batch failed: message by message now.
    careful: bool,
}

impl ConsumerRole {
    /// Whether a step would do anything.
    pub(crate) fn has_work(&self, group: &Group, seat: Seat, instance: usize, carrier: &Carrier) -> bool {
        match self.epoch {
            None => seat.holder == instance,
            Some(_) => self.in_hand.is_some() || !self.readable(group, carrier).is_empty(),
        }
    }

    /// Its streams that have something for it.
    fn readable(&self, group: &Group, carrier: &Carrier) -> Vec<StreamId> {
        let is_mine = |stream: &StreamId| {
            group.channels.iter().any(|(source, channel)| *source == stream.source && **channel == *stream.channel)
        };
        let streams = carrier.streams().into_iter();
        let is_new = |(stream, head): &(StreamId, i64)| {
            is_mine(stream) && self.positions.get(stream).is_some_and(|position| head > position)
        };
        streams.filter(is_new).map(|(stream, _)| stream).collect()
    }

    /// Takes its seat, reads, or brings to effect what it has in hand. `may_pause`: it may stand still in between.
    pub(crate) async fn step(
        &mut self,
        group: &Group,
        seat: &mut Seat,
        carrier: &Carrier,
        shared: &Shared,
        may_pause: bool,
    ) -> Result<Consumed, HandlerError> {
        let Some(epoch) = self.epoch else {
            let epoch = seat.next_epoch();
            self.epoch = Some(epoch);
            self.claim(group, epoch).await?;
            return Ok(Consumed::Prepared);
        };
        if self.in_hand.is_none() {
            let mut chance = shared.chance();
            let limit = match (self.careful, may_pause) {
                (true, _) => 1,
                (false, true) => 1 + chance.below(READ_MAX) as usize,
                (false, false) => CALM_READ_MAX,
            };
            self.read(group, carrier, epoch, limit, &mut chance);
            if may_pause && chance.once_in(4) {
                return Ok(Consumed::Prepared);
            }
        }
        match self.in_hand.take() {
            Some((moves, batch)) => self.apply(group, epoch, &moves, &batch).await,
            None => Ok(Consumed::Nothing),
        }
    }

    async fn claim(&mut self, group: &Group, epoch: i64) -> Result<(), HandlerError> {
        let streams: Vec<(StreamId, i64)> = group
            .channels
            .iter()
            .flat_map(|(source, channel)| {
                (0..PARTITIONS).map(move |partition| StreamId { source, channel: (*channel).into(), partition })
            })
            .map(|stream| (stream, epoch))
            .collect();
        self.positions = group.effects.claim(&streams).await?.into_iter().collect();
        Ok(())
    }

    fn read(&mut self, group: &Group, carrier: &Carrier, epoch: i64, limit: usize, chance: &mut Chance) {
        let mut streams = self.readable(group, carrier);
        let count = if self.careful { 1 } else { 1 + chance.below(2) };
        let (mut moves, mut batch) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let Some(index) = chance.index(streams.len()) else { break };
            let stream = streams.swap_remove(index);
            let from = self.positions.get(&stream).copied().unwrap_or(0);
            let records = carrier.after(&stream, from, limit);
            if let Some(last) = records.last() {
                moves.push(Move { stream, from, to: last.seq, epoch });
                batch.extend(records);
            }
        }
        self.in_hand = (!moves.is_empty()).then_some((moves, batch));
    }

    async fn apply(
        &mut self,
        group: &Group,
        epoch: i64,
        moves: &[Move],
        batch: &[Arc<Record>],
    ) -> Result<Consumed, HandlerError> {
        let newest = newest_epoch(&group.messaging, group.name).await?;
        let outcome = group.effects.apply(moves, batch).await;
        match outcome {
            Ok(()) if newest > epoch => {
                Ok(Consumed::Wrong(format!("group {}: an owner of epoch {epoch} acted after {newest}", group.name)))
            }
            Ok(()) => {
                self.careful = false;
                self.positions.extend(moves.iter().map(|step| (step.stream.clone(), step.to)));
                Ok(Consumed::Applied { messages: batch.len(), streams: moves.len() })
            }
            Err(HandlerError::Moved) => {
                self.claim(group, epoch).await?;
                if self.positions.is_empty() {
                    *self = Self::default();
                }
                Ok(if newest > epoch { Consumed::Fenced } else { Consumed::Moved })
            }
            Err(HandlerError::Transient(reason)) => {
                self.careful = true;
                Ok(Consumed::Again(reason))
            }
            Err(HandlerError::Permanent(reason)) if batch.len() > 1 => {
                self.careful = true;
                Ok(Consumed::Again(reason))
            }
            Err(HandlerError::Permanent(reason)) => {
                Ok(Consumed::Wrong(format!("group {} would park a message: {reason}", group.name)))
            }
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for Consumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "nothing is there"),
            Self::Prepared => write!(f, "gets ready"),
            Self::Applied { messages, .. } => write!(f, "{messages} took effect"),
            Self::Fenced => write!(f, "refused, its lease is another's"),
            Self::Moved => write!(f, "the offset stands elsewhere"),
            Self::Again(reason) => write!(f, "undone, to be tried again: {reason}"),
            Self::Wrong(wrong) => write!(f, "{wrong}"),
        }
    }
}
