//! The polling publisher: handed each commit's rows, with the table as the net.
//!
//! What a commit wrote is handed over in memory, which spares a read. The sequence numbers tell whether that is all:
//! when one is missing, when too much came at once, after a failure and every second, the relay reads the table.

use super::{POLL_INTERVAL, RETRY_INTERVAL, by_stream, publisher::Publisher, signal::Handed};
use crate::{Broker, BrokerError, Epochs, Messaging, Ownership, Record, StreamId, outage::Outage};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Publishes one service's outbox: the partitions that its process owns.
pub struct Relay {
    messaging: Messaging,
    broker: Arc<dyn Broker>,
    publisher: Publisher,
    ownership: Ownership,
    /// What was owned when the broker was last asked how far it is.
    epochs: Arc<Epochs>,
}

impl Relay {
    /// A relay for the partitions that `ownership` gives this process.
    #[must_use]
    pub fn new(messaging: Messaging, broker: Arc<dyn Broker>, ownership: Ownership) -> Self {
        let publisher = Publisher::new(messaging.clone(), Arc::clone(&broker));
        publisher.publish_directly(&messaging.signal());
        Self { messaging, broker, publisher, ownership, epochs: Arc::default() }
    }

    /// Publishes until told to stop. Nothing is lost by stopping: what is left is published at the next start.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let signal = self.messaging.signal();
        signal.listen(true);
        self.broker.on_nudge(self.publisher.source(), Arc::clone(signal.news()));
        let mut poll = tokio::time::interval(POLL_INTERVAL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut outage = Outage::default();
        loop {
            let polled = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.ownership.changed(&self.epochs) => true,
                () = signal.news().notified() => false,
                _ = poll.tick() => true,
            };
            let Handed { records, overflowed } = signal.take();
            // Woken without rows: another process committed them.
            let look = polled || overflowed || records.is_empty();
            let Err(error) = self.turn(records, polled, look).await else {
                outage.ends();
                continue;
            };
            if let Some(tries) = outage.goes_on() {
                tracing::error!(relay = self.publisher.source(), tries, error = ?error, "the outbox could not be published; trying again");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(RETRY_INTERVAL) => signal.look_at_the_table(),
            }
        }
    }

    async fn turn(
        &mut self,
        records: Vec<(StreamId, Arc<Record>)>,
        ask_broker: bool,
        look: bool,
    ) -> Result<(), BrokerError> {
        let epochs = self.ownership.epochs();
        let foreign = records.iter().any(|(stream, _)| !epochs.contains_key(&stream.partition));
        if ask_broker || epochs != self.epochs {
            self.publisher.ask_broker(&epochs).await?;
            self.epochs = epochs;
        }
        let look = self.publisher.publish(by_stream(records)).await? || look;
        if foreign {
            self.broker.nudge(self.publisher.source()).await;
        }
        if look { self.publisher.publish_table().await } else { Ok(()) }
    }
}
