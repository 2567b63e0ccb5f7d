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
    /// Names the command once it goes out; nil before.
    pub(crate) id: Uuid,
}

impl Command {
    /// A command with a body.
    ///
    /// # Panics
    /// When the body has no JSON form, which is a mistake in its type.
    #[must_use]
    pub fn new(kind: &'static str, key: Uuid, body: &impl Serialize) -> Self {
        let payload = serde_json::to_string(body).expect("a command's body is plain data");
        Self { kind, key, payload, id: Uuid::nil() }
    }

    /// Reads the body.
    ///
    /// # Errors
    /// When it is not a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, HandlerError> {
        read(&self.payload, self.kind)
    }
}

/// What a participant says of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused, and nothing has changed.
    Refused,
    /// The answer comes later.
    Later,
}

impl Outcome {
    pub(crate) const fn as_header(self) -> Option<&'static str> {
        match self {
            Self::Done => Some("done"),
            Self::Refused => Some("refused"),
            Self::Later => None,
        }
    }
}

/// What a participant answers. A refusal is a business decision, not a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Whether it was done.
    pub outcome: Outcome,
    /// What happened, in the past tense.
    pub kind: &'static str,
    /// The body, as JSON.
    pub payload: String,
}

impl Reply {
    /// It was done.
    #[must_use]
    pub fn done(kind: &'static str, body: &impl Serialize) -> Self {
        Self { outcome: Outcome::Done, kind, payload: body_of(body) }
    }

    /// It was refused, and nothing has changed.
    #[must_use]
    pub fn refused(kind: &'static str, body: &impl Serialize) -> Self {
        Self { outcome: Outcome::Refused, kind, payload: body_of(body) }
    }

    /// The answer comes in a later unit of work, for which the participant keeps a [`crate::Deferred`] with what it has to do.
    /// The saga waits; when that takes longer than the step's deadline the command comes again.
    #[must_use]
    pub const fn later() -> Self {
        Self { outcome: Outcome::Later, kind: "Later", payload: String::new() }
    }

    /// The reply to a command that was performed in the saga's own database.
    pub(crate) fn into_record(self, work: &UnitOfWork<'_>, saga: Uuid, headers: Headers, command: Uuid) -> Record {
        let headers = Headers {
            kind: self.kind.to_owned(),
            correlation_id: Some(command),
            outcome: self.outcome.as_header().map(ToOwned::to_owned),
            ..headers
        };
        Record { seq: 0, id: work.new_id(), key: saga, headers, payload: self.payload, recorded_at: work.now }
    }
}

pub(crate) fn outcome_of(reply: &Record) -> Result<Outcome, HandlerError> {
    match reply.headers.outcome.as_deref() {
        Some("done") => Ok(Outcome::Done),
        Some("refused") => Ok(Outcome::Refused),
        other => Err(HandlerError::Permanent(format!("a reply with the outcome {other:?}"))),
    }
}

fn body_of(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_else(|_| "null".to_owned())
}

/// Sends a participant's reply to the saga that gave the command, in the unit of work that carried it out. A reply that is to
/// come later is not sent: keep [`crate::Deferred::of`] the command.
///
/// # Errors
/// When the record is no command of a saga.
pub fn reply_to(
    work: &mut UnitOfWork<'_>,
    command: &Record,
    channel: Channel,
    reply: &Reply,
) -> Result<(), HandlerError> {
    crate::answer_later(work, &crate::Deferred::of(command)?, channel, reply)
}

pub(crate) fn read<'a, T: Deserialize<'a>>(payload: &'a str, kind: &str) -> Result<T, HandlerError> {
    serde_json::from_str(payload)
        .map_err(|error| HandlerError::Permanent(format!("the body of {kind} does not read: {error}")))
}
