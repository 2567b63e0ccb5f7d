//! Where a group stands in its streams: read when partitions are taken over, moved with the effects, told to the broker.

use super::{BACKOFF_FIRST, Consumer};
use crate::{Batch, Effects, Epochs, HandlerError, Move, PARTITIONS, Position, StreamId};
use std::{collections::HashMap, sync::Arc};

impl<E: Effects> Consumer<E> {
    /// Reads where the group stands in every stream that this process owns now.
    pub(super) async fn take_over(&mut self) {
        let epochs = self.ownership.epochs();
        match self.load(&epochs).await {
            Ok(()) => self.epochs = epochs,
            Err(error) => {
                tracing::error!(group = self.group, error = ?error, "the offsets could not be read; trying again");
                // Nothing is owned until its offsets are known: the same slots under the same epochs are taken over anew.
                self.epochs = Arc::default();
                self.positions.clear();
                tokio::time::sleep(BACKOFF_FIRST).await;
            }
        }
    }

    pub(super) async fn load(&mut self, epochs: &Epochs) -> Result<(), HandlerError> {
        let owned = |partition: u16| epochs.get(&partition).map(|epoch| (partition, *epoch));
        let streams: Vec<(StreamId, i64)> = self
            .channels
            .iter()
            .flat_map(|(source, channel)| {
                let stream = |(partition, epoch)| (StreamId { source, channel: (*channel).into(), partition }, epoch);
                (0..PARTITIONS).filter_map(owned).map(stream)
            })
            .collect();
        self.positions =
            if streams.is_empty() { HashMap::new() } else { self.effects.claim(&streams).await?.into_iter().collect() };
        self.ahead.clear();
        self.failing.retain(|stream, _| self.positions.contains_key(stream));
        self.parked = self.effects.parked_keys().await?.into_iter().collect();
        Ok(())
    }

    /// Tells the broker how far the group has come for good; also when nothing moved, since it may have forgotten the group.
    pub(super) async fn report(&mut self) {
        if let Err(error) = self.catch_up().await {
            tracing::warn!(group = self.group, error = ?error, "what was passed over could not be written down");
            self.reload().await;
        }
        if let Err(error) = self.effects_stand_still().await {
            tracing::warn!(group = self.group, error = ?error, "the offsets could not be looked at");
        }
        let positions: Vec<Position> = self.positions.iter().map(|(stream, seq)| (stream.clone(), *seq)).collect();
        match self.broker.committed(self.group, &positions).await {
            // An outage is over, though no message may have come since.
            Ok(()) => self.unread.ends(),
            Err(error) => {
                tracing::warn!(group = self.group, error = ?error, "the broker could not be told how far the group has come");
            }
        }
    }

    /// Moves the offsets of streams in which nothing was wanted lately.
    pub(super) async fn catch_up(&mut self) -> Result<(), HandlerError> {
        if self.ahead.is_empty() {
            return Ok(());
        }
        let moves = self.ahead.iter().map(|(stream, to)| self.step(stream, *to)).collect::<Result<Vec<_>, _>>()?;
        self.effects.apply(&moves, &[]).await?;
        self.advance(moves);
        Ok(())
    }

    /// A store that forgot, because it was wiped or restored, has the group begin again where the store stands.
    pub(super) async fn effects_stand_still(&mut self) -> Result<(), HandlerError> {
        if !self.effects.may_forget() || self.positions.is_empty() {
            return Ok(());
        }
        let before = self.positions.clone();
        self.load(&Arc::clone(&self.epochs)).await?;
        if before != self.positions {
            tracing::warn!(group = self.group, "the store stands elsewhere than it was left; going on from there");
        }
        Ok(())
    }

    /// Reads the offsets again: a commit whose answer was lost may have moved them.
    pub(super) async fn reload(&mut self) {
        if let Err(error) = self.load(&Arc::clone(&self.epochs)).await {
            tracing::error!(group = self.group, error = ?error, "the offsets could not be read");
        }
    }

    /// From where to where each offset goes.
    pub(super) fn moves(&self, batches: &[Batch]) -> Result<Vec<Move>, HandlerError> {
        let ends = batches.iter().filter_map(|(stream, records)| Some((stream, records.first()?, records.last()?)));
        ends.map(|(stream, first, last)| {
            let step = self.step(stream, last.seq)?;
            // What lies between the offset and the batch must have been read and passed over.
            let read = self.ahead.get(stream).copied().unwrap_or(step.from);
            if first.seq == read + 1 { Ok(step) } else { Err(HandlerError::Moved) }
        })
        .collect()
    }

    pub(super) fn step(&self, stream: &StreamId, to: i64) -> Result<Move, HandlerError> {
        let from = self.positions.get(stream).copied().ok_or(HandlerError::Moved)?;
        let epoch = self.epochs.get(&stream.partition).copied().ok_or(HandlerError::Moved)?;
        Ok(Move { stream: stream.clone(), from, to, epoch })
    }

    pub(super) fn advance(&mut self, moves: Vec<Move>) {
        for step in moves {
            self.ahead.remove(&step.stream);
            self.positions.insert(step.stream, step.to);
        }
    }
}
