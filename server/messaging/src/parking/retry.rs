//! Handles the messages of a key again, one after the other, each in a transaction of its own, until one fails.

use super::{
    By, MendError, ParkingLot, Replayed,
    audit::{self, Deed},
    lot::{Group, find},
    waiting,
};
use crate::HandlerError;
use tramline_db::sql;
use uuid::Uuid;

/// Messages handled by one call at most, so that it ends soon enough for its caller to hear of it.
const RETRIED_MAX: usize = 200;

/// What became of a key's messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    /// Those that were handled and have left the lot, in order.
    pub handled: Vec<Uuid>,
    /// The one that failed again, and why.
    pub failed: Option<(Uuid, String)>,
    /// How many of the key still wait.
    pub left: i64,
}

/// A message that failed again.
struct Failed {
    id: Uuid,
    reason: String,
    left: i64,
}

impl ParkingLot {
    /// Has the handler handle the messages of a message's key again: in order, each in one transaction with its removal from
    /// the lot, up to the first that fails or 200.
    ///
    /// # Errors
    /// [`MendError::NotParked`], [`MendError::Changed`], or when a store fails before anything was handled.
    pub async fn retry(&self, group: &str, id: Uuid, by: By) -> Result<Retried, MendError> {
        let Group { name: group, replay, .. } = self.known(group)?.clone();
        let found = self.messaging().transact::<_, MendError, _>(None, move |work| Box::pin(find(work, group, id)));
        let key = found.await?.record.key;
        let turn = Self::turn(group, key, by.clone());
        let mut retried = Retried::default();
        while retried.handled.len() < RETRIED_MAX {
            match replay.replay(turn.clone()).await {
                Ok(Some(Replayed { message_id, left })) => {
                    retried.handled.push(message_id);
                    retried.left = left;
                    metrics::counter!("tramline_messages_replayed_total", "group" => group).increment(1);
                    if left == 0 {
                        break;
                    }
                }
                Ok(None) => {
                    retried.left = 0;
                    break;
                }
                Err(failure) => {
                    match self.failed(group, failure, by).await {
                        Ok(Failed { id, reason, left }) => {
                            retried.failed = Some((id, reason));
                            retried.left = left;
                        }
                        Err(error) if retried.handled.is_empty() => return Err(error),
                        // What was handled before stays handled, so the caller must hear of that.
                        Err(error) => tracing::warn!(group, error = %error, "a retry broke off"),
                    }
                    break;
                }
            }
        }
        tracing::info!(group, message.key = %key, handled = retried.handled.len(), left = retried.left, "parked messages were retried");
        Ok(retried)
    }

    /// Writes down that a message failed again.
    async fn failed(&self, group: &'static str, failure: super::ReplayFailure, by: By) -> Result<Failed, MendError> {
        let (id, reason) = match failure {
            super::ReplayFailure { cause: HandlerError::Moved, .. } => return Err(MendError::Changed),
            super::ReplayFailure { cause, .. } if cause.may_pass() => return Err(MendError::Store(cause)),
            super::ReplayFailure { message_id: Some(id), cause } => (id, cause.to_string()),
            super::ReplayFailure { message_id: None, cause: HandlerError::Db(error) } => return Err(error.into()),
            super::ReplayFailure { message_id: None, cause } => return Err(MendError::Store(cause)),
        };
        let told = reason.clone();
        let written = self.messaging().transact::<_, MendError, _>(None, move |work| {
            Box::pin(async move {
                let message = find(work, group, id).await?;
                let now = work.now;
                work.tx
                    .execute(
                        sql("update parked_message set reason = $5, attempts = attempts + 1, replays = replays + 1, \
                             failed_at = $6 where consumer_group = $1 and source = $2 and channel = $3 and seq = $4 \
                             and message_id = $7")
                        .bind(group)
                        .bind(message.source.as_str())
                        .bind(message.channel.as_str())
                        .bind(message.record.seq)
                        .bind(told.as_str())
                        .bind(now)
                        .bind(id),
                    )
                    .await?;
                audit::write(work, &by, &message, Deed::of("retry", format!("failed: {told}"))).await?;
                Ok(waiting(work.tx, group, message.record.key).await?)
            })
        });
        let left = written.await?;
        tracing::error!(group, message.id = %id, reason, "a parked message failed again");
        Ok(Failed { id, reason, left })
    }
}
