//! Commands and replies: what an orchestrator and a participant say to each other.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tramline_messaging::{Channel, HandlerError, Headers, Record, UnitOfWork};
use uuid::Uuid;

/// Asks a participant to do or undo its part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What to do, an imperative.
    pub kind: &'static str,
    /// The participant's aggregate: its commands stay in order.
    pub key: Uuid,
    /// The body, as JSON.
    pub payload: String,
}

impl Command {
    /// A command with a body.
    ///
    /// # Panics
    /// When the body has no JSON form, which is a mistake in its type.
    #[must_use]
    pub fn new(kind: &'static str, key: Uuid, body: &impl Serialize) -> Self {
        let payload = serde_json::to_string(body).expect("a command's body is plain data");
        Self { kind, key, payload }
    }

    /// Reads the body.
    ///
    /// # Errors
    /// When it is not a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, HandlerError> {
        read(&self.payload, self.kind)
    }
}

/// What a participant answers. A refusal is a business decision, not a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Whether it was done.
    pub done: bool,
    /// What happened, in the past tense.
    pub kind: &'static str,
    /// The body, as JSON.
    pub payload: String,
}

impl Reply {
    /// It was done.
    #[must_use]
    pub fn done(kind: &'static str, body: &impl Serialize) -> Self {
        Self { done: true, kind, payload: body_of(body) }
    }

    /// It was refused, and nothing has changed.
    #[must_use]
    pub fn refused(kind: &'static str, body: &impl Serialize) -> Self {
        Self { done: false, kind, payload: body_of(body) }
    }
}

fn body_of(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_else(|_| "null".to_owned())
}

/// Sends a participant's reply to the saga that gave the command, in the unit of work that carried it out.
///
/// # Errors
/// When the record is no command of a saga.
pub fn reply_to(
    work: &mut UnitOfWork<'_>,
    command: &Record,
    channel: Channel,
    reply: &Reply,
) -> Result<(), HandlerError> {
    let Some(saga_id) = command.headers.saga_id else {
        return Err(HandlerError::Permanent(format!("the command {} names no saga", command.headers.kind)));
    };
    if command.headers.reply_to.as_deref() != Some(channel) {
        return Err(HandlerError::Permanent(format!("{:?} is no reply channel", command.headers.reply_to)));
    }
    let headers = Headers {
        kind: reply.kind.to_owned(),
        saga_id: Some(saga_id),
        saga_type: command.headers.saga_type.clone(),
        correlation_id: Some(command.id),
        outcome: Some(if reply.done { "done" } else { "refused" }.to_owned()),
        ..Headers::default()
    };
    work.send(channel, saga_id, headers, reply.payload.clone());
    Ok(())
}

pub(crate) fn read<'a, T: Deserialize<'a>>(payload: &'a str, kind: &str) -> Result<T, HandlerError> {
    serde_json::from_str(payload)
        .map_err(|error| HandlerError::Permanent(format!("the body of {kind} does not read: {error}")))
}
