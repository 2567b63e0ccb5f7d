//! The relays and consumers of one process, and the order in which they stop.

use crate::config::RelayKind;
use axum::Router;
use std::{sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tramline_db::{Db, DbError};
use tramline_messaging::{
    Appetite, Broker, Channel, Consumer, Effects, LogRelay, Messaging, Ownership, ParkingLot, RELAY_TASK, Record,
    Relay, Sharing,
};

/// How long what nobody waits for lets messages gather: so it shares its transactions, and takes little from the sagas.
const REST: Duration = Duration::from_millis(250);

/// How often the parked messages are counted: one short query, and an alert need not be quicker.
const LOOK_INTO_LOT_EVERY: Duration = Duration::from_secs(5);

/// What works in the background.
pub(crate) struct Workers {
    broker: Arc<dyn Broker>,
    sharing: Sharing,
    relay: RelayKind,
    tasks: TaskTracker,
    stop: CancellationToken,
    keepers: TaskTracker,
    stop_keepers: CancellationToken,
}

impl Workers {
    pub(crate) fn new(broker: Arc<dyn Broker>, sharing: Sharing, relay: RelayKind) -> Self {
        Self {
            broker,
            sharing,
            relay,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            keepers: TaskTracker::new(),
            stop_keepers: CancellationToken::new(),
        }
    }

    /// Whether other processes work on the same databases.
    pub(crate) const fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    /// Publishes a service's outbox.
    pub(crate) async fn relay(&self, messaging: &Messaging) -> Result<(), DbError> {
        if self.relay == RelayKind::Wal {
            let relay = LogRelay::new(messaging.clone(), Arc::clone(&self.broker), self.sharing.clone());
            self.tasks.spawn(relay.run(self.stop.clone()));
            return Ok(());
        }
        // What an earlier life of the desk left with the server would only fill its disk.
        messaging.db().forget_tail().await?;
        let ownership = self.own(messaging.db(), RELAY_TASK).await?;
        let relay = Relay::new(messaging.clone(), Arc::clone(&self.broker), ownership);
        self.tasks.spawn(relay.run(self.stop.clone()));
        Ok(())
    }

    /// Consumes channels for a group whose leases lie in `db`.
    pub(crate) async fn consume<E: Effects>(
        &self,
        group: &'static str,
        db: &Db,
        channels: &[(&'static str, Channel)],
        effects: E,
    ) -> Result<(), DbError> {
        let ownership = self.own(db, group).await?;
        let consumer = Consumer::new(group, Arc::clone(&self.broker), channels, ownership, effects);
        self.tasks.spawn(consumer.run(self.stop.clone()));
        Ok(())
    }

    /// As [`Workers::consume`], for effects that nobody waits for: it rests after each batch, so that messages gather.
    pub(crate) async fn consume_resting<E: Effects>(
        &self,
        group: &'static str,
        db: &Db,
        channels: &[(&'static str, Channel)],
        effects: E,
    ) -> Result<(), DbError> {
        let ownership = self.own(db, group).await?;
        let consumer = Consumer::new(group, Arc::clone(&self.broker), channels, ownership, effects).resting(REST);
        self.tasks.spawn(consumer.run(self.stop.clone()));
        Ok(())
    }

    /// Watches a service's parking lot, and has it served.
    pub(crate) fn mend(&self, lot: ParkingLot) -> Router {
        let watched = lot.clone();
        self.spawn(|stop| Box::pin(watch(watched, stop)));
        tramline_operations::routes(lot)
    }

    /// As [`Workers::consume`], for a group that wants a few of the messages only.
    pub(crate) async fn consume_only<E: Effects>(
        &self,
        group: &'static str,
        db: &Db,
        channels: &[(&'static str, Channel)],
        effects: E,
        wanted: fn(&Record) -> bool,
    ) -> Result<(), DbError> {
        let ownership = self.own(db, group).await?;
        let consumer = Consumer::new(group, Arc::clone(&self.broker), channels, ownership, effects).only(wanted);
        self.tasks.spawn(consumer.run(self.stop.clone()));
        Ok(())
    }

    /// Runs until everything stops.
    pub(crate) fn spawn(&self, work: impl FnOnce(CancellationToken) -> futures_util::future::BoxFuture<'static, ()>) {
        self.tasks.spawn(work(self.stop.clone()));
    }

    async fn own(&self, db: &Db, task: &str) -> Result<Ownership, DbError> {
        let stop = self.stop_keepers.clone();
        let (ownership, keeping) = Ownership::join(db, task, &self.sharing, Appetite::FairShare, stop).await?;
        self.keepers.spawn(keeping);
        Ok(ownership)
    }

    /// First the work, then the leases: whoever takes them over finds nothing half-done.
    pub(crate) async fn stop(self) {
        for (tasks, stop) in [(self.tasks, self.stop), (self.keepers, self.stop_keepers)] {
            stop.cancel();
            tasks.close();
            tasks.wait().await;
        }
    }
}

/// Shows how much is parked. Each process of a service shows the same: what lies in the service's database.
async fn watch(lot: ParkingLot, stop: CancellationToken) {
    let mut tick = tokio::time::interval(LOOK_INTO_LOT_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        if let Err(error) = lot.measure().await {
            tracing::warn!(database = lot.db().name(), error = ?error, "the parking lot could not be looked into");
        }
    }
}
