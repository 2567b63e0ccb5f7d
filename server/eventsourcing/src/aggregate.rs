//! What a type must offer to live in the event store.

use serde::{Serialize, de::DeserializeOwned};

/// Something that happened to an aggregate; stored for ever, so old ones must always read.
pub trait Event: Serialize + DeserializeOwned + Send + Sync {
    /// The event's kind, in the past tense.
    fn kind(&self) -> &'static str;
}

/// A cluster of state that changes as one, derived from its events alone.
pub trait Aggregate: Default + Serialize + DeserializeOwned + Send + Sync {
    /// What can happen to it.
    type Event: Event;

    /// The aggregate's kind, part of the key of its events.
    const KIND: &'static str;

    /// What the event makes of the state. It cannot fail: the event has happened.
    fn apply(&mut self, event: &Self::Event);
}
