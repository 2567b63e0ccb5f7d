//! Answers that come later: what a participant keeps until it can answer a command.

use crate::{Command, Reply};
use serde::{Deserialize, Serialize};
use tramline_messaging::{Channel, HandlerError, Headers, Record, UnitOfWork};
use uuid::Uuid;

/// Names a command that is answered in a later unit of work. Keep it in the same unit of work as what has to be done first; it
/// is plain data and reads back after any restart.
///
/// A remote participant answers by [`answer_later`], one in the saga's own database by [`crate::SagaKind::answer`]. Until then
/// the saga's deadline goes on: a command that comes again is the same one and may be answered by either token.
///
/// ```
/// use tramline_sagas::Deferred;
///
/// # let saga = uuid::Uuid::nil();
/// # let text = format!(r#"{{"sagaId":"{saga}","commandId":"{saga}"}}"#);
/// let token: Deferred = serde_json::from_str(&text)?;
/// assert_eq!(serde_json::to_string(&token)?, text);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deferred {
    /// The saga that waits.
    pub saga_id: Uuid,
    /// The command that it waits for the answer to.
    pub command_id: Uuid,
    /// The saga's definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saga_type: Option<String>,
    /// Where the answer goes; absent in the saga's own database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

impl Deferred {
    /// Of a command that came in a message.
    ///
    /// # Errors
    /// When the message is no command of a saga.
    pub fn of(command: &Record) -> Result<Self, HandlerError> {
        let Some(saga_id) = command.headers.saga_id else {
            return Err(HandlerError::Permanent(format!("the command {} names no saga", command.headers.kind)));
        };
        let (saga_type, reply_to) = (command.headers.saga_type.clone(), command.headers.reply_to.clone());
        Ok(Self { saga_id, command_id: command.id, saga_type, reply_to })
    }

    /// Of a command that a participant in the saga's own database is asked to perform.
    #[must_use]
    pub const fn locally(saga_id: Uuid, command: &Command) -> Self {
        Self { saga_id, command_id: command.id, saga_type: None, reply_to: None }
    }
}

/// Answers a command of a saga in another database. `channel` must be the one that the command named.
///
/// # Errors
/// When the command named another channel, or none.
pub fn answer_later(
    work: &mut UnitOfWork<'_>,
    deferred: &Deferred,
    channel: Channel,
    reply: &Reply,
) -> Result<(), HandlerError> {
    if deferred.reply_to.as_deref() != Some(channel) {
        return Err(HandlerError::Permanent(format!("{:?} is no reply channel", deferred.reply_to)));
    }
    let Some(outcome) = reply.outcome.as_header() else { return Ok(()) };
    let headers = Headers {
        kind: reply.kind.to_owned(),
        saga_id: Some(deferred.saga_id),
        saga_type: deferred.saga_type.clone(),
        correlation_id: Some(deferred.command_id),
        outcome: Some(outcome.to_owned()),
        ..Headers::default()
    };
    work.send(channel, deferred.saga_id, headers, reply.payload.clone());
    Ok(())
}
