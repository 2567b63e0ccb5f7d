//! When a message is parked, and when one of a parked key is handled after all.

use super::Consumer;
use crate::{Effects, HandlerError, Record, StreamId, Unhandled};
use std::sync::Arc;
use tramline_db::DbError;

/// Tries before a message is parked. With the backoff of the consumer that is about ten seconds.
const ATTEMPTS_MAX: u32 = 8;

impl<E: Effects> Consumer<E> {
    /// Handles a message, or parks it: behind others of its key, or because it cannot be handled.
    pub(super) async fn handle_or_park(
        &mut self,
        stream: &StreamId,
        record: &Arc<Record>,
        attempt: u32,
    ) -> Result<(), HandlerError> {
        if self.waits(record) {
            if self.park_behind(stream, record).await? {
                return Ok(());
            }
            // An operator has mended the key meanwhile.
            self.parked.remove(&record.key);
        }
        let reason = match self.attempt(&[(stream.clone(), vec![Arc::clone(record)])]).await {
            Ok(()) => return Ok(()),
            Err(HandlerError::Permanent(reason)) => reason,
            Err(HandlerError::Transient(reason)) if attempt >= ATTEMPTS_MAX => reason,
            // What is stored wrongly stays so: waiting would hold up every other key of the stream.
            Err(HandlerError::Db(error @ DbError::Corrupt { .. })) => error.to_string(),
            // The store may come back, and an offset that moved is another owner's work: the message is not at fault.
            Err(error) => return Err(error),
        };
        self.park(stream, record, &reason, attempt).await
    }

    async fn park(
        &mut self,
        stream: &StreamId,
        record: &Arc<Record>,
        reason: &str,
        attempts: u32,
    ) -> Result<(), HandlerError> {
        tracing::error!(group = self.group, stream = %stream, seq = record.seq, message.id = %record.id, reason, "a message is parked");
        let moves = self.moves(&[(stream.clone(), vec![Arc::clone(record)])])?;
        let message = Unhandled { record: Arc::clone(record), reason: reason.to_owned(), attempts };
        for step in &moves {
            self.effects.park(step, &message).await?;
        }
        self.parked.insert(record.key);
        self.advance(moves);
        metrics::counter!("tramline_messages_parked_total", "group" => self.group).increment(1);
        Ok(())
    }

    /// `false`: nothing of the key is parked any more.
    async fn park_behind(&mut self, stream: &StreamId, record: &Arc<Record>) -> Result<bool, HandlerError> {
        let moves = self.moves(&[(stream.clone(), vec![Arc::clone(record)])])?;
        let reason = "an earlier message of this key is parked".to_owned();
        let message = Unhandled { record: Arc::clone(record), reason, attempts: 0 };
        for step in &moves {
            if !self.effects.park_behind(step, &message).await? {
                return Ok(false);
            }
        }
        tracing::error!(group = self.group, stream = %stream, seq = record.seq, message.id = %record.id, "a message is parked behind others of its key");
        self.advance(moves);
        metrics::counter!("tramline_messages_parked_total", "group" => self.group).increment(1);
        Ok(true)
    }
}
