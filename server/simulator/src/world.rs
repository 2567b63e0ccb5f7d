//! What a simulated system must tell of itself.

use crate::Group;
use tramline_db::{BoxFuture, DbError};
use tramline_messaging::{HandlerError, Messaging};

/// A mistake that a simulation can plant, to prove that it would be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// A consumer commits its effects and then, in another transaction, its offset: at least once.
    OffsetAfterEffects,
    /// The other way round: at most once.
    OffsetBeforeEffects,
    /// The offset does not compare epochs: an owner that woke too late may move it.
    OffsetIgnoresEpochs,
    /// The broker does not compare epochs.
    BrokerIgnoresEpochs,
    /// One of the world's own; it asks [`crate::Stage::has`].
    Own(&'static str),
}

/// What is wrong, in sentences; nothing when all is well.
pub type Wrongs = Result<Vec<String>, DbError>;

/// A system under simulation: services with real handlers over databases of a [`crate::Stage`], and what clients ask of them.
///
/// Everything must answer without waiting for anything but those databases.
pub trait World {
    /// The services, by their databases: each has an outbox, which is relayed.
    fn services(&self) -> Vec<Messaging>;

    /// Who consumes what.
    fn groups(&self) -> Vec<Group>;

    /// How many requests clients make.
    fn requests(&self) -> usize;

    /// A client's request, numbered from 0. It is repeated until it is answered, and sometimes after that; an error is no
    /// answer. What is refused for good is an answer.
    fn request(&self, number: usize) -> BoxFuture<'_, Result<(), HandlerError>>;

    /// What may be done whenever time has passed: deadlines and the like.
    fn time_passed(&self) -> BoxFuture<'_, Result<(), HandlerError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Whether a process of the world has work of its own, beside relaying and consuming.
    fn has_workers(&self) -> bool {
        false
    }

    /// A step of that work, such as a round of what sends mails.
    fn work(&self) -> BoxFuture<'_, Result<(), HandlerError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Whether a message of this kind may be sent again by its sender.
    fn may_come_again(&self, channel: &str, kind: &str) -> bool {
        let _ = (channel, kind);
        true
    }

    /// What must be true after every commit.
    fn always(&self) -> BoxFuture<'_, Wrongs>;

    /// What must be true once everything has come to rest.
    fn at_rest(&self) -> BoxFuture<'_, Wrongs>;

    /// Rare states that were reached, looked at once everything has come to rest.
    fn reached(&self) -> BoxFuture<'_, Result<Vec<&'static str>, DbError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

/// The rare states of the engine itself. A campaign that does not reach each of them at least once proves too little.
pub const RARE: &[&str] = &[
    "a process died before a commit",
    "a process died after a commit",
    "a consumer that woke too late was refused",
    "a relay that woke too late was refused",
    "a relay went back after a gap",
    "records were taken and the answer got lost",
    "the broker lost records that were not read yet",
    "the broker lost everything",
    "a message was sent again",
    "a client asked again",
    "a batch held messages of several streams",
];
