//! A relay without a loop of its own, for whoever decides when it does what: simulations.
//!
//! It is what [`super::Relay`] does in one turn, in two parts.

use super::{by_stream, publisher::Publisher};
use crate::{Broker, BrokerError, Epochs, Messaging};
use std::sync::Arc;

/// Publishes one service's outbox whenever it is told to.
pub struct SteppedRelay {
    messaging: Messaging,
    publisher: Publisher,
}

impl SteppedRelay {
    /// A relay that owns nothing yet.
    #[must_use]
    pub fn new(messaging: Messaging, broker: Arc<dyn Broker>) -> Self {
        Self { publisher: Publisher::new(messaging.clone(), broker), messaging }
    }

    /// Asks the broker how far the streams of these slots are: what a relay does that takes slots over, and once in a while.
    ///
    /// # Errors
    /// When the broker or the database fails.
    pub async fn ask_broker(&self, epochs: &Epochs) -> Result<(), BrokerError> {
        self.publisher.ask_broker(&Arc::new(epochs.clone())).await
    }

    /// Publishes what was handed over since the last time and, if that is not all or `look` is set, what lies in the table.
    ///
    /// # Errors
    /// When the broker or the database fails. What was handed over is lost then, and lies in the table.
    pub async fn publish(&self, look: bool) -> Result<(), BrokerError> {
        let handed = self.messaging.signal().take();
        let look = self.publisher.publish(by_stream(handed.records)).await? || look || handed.overflowed;
        if look { self.publisher.publish_table().await } else { Ok(()) }
    }
}
