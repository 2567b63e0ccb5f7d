//! Transaction log tailing: the outbox's rows as the database's log tells of them, in the order of commits.
//!
//! The log's place is acknowledged only after the broker has every row before it. The slot is held by one process at a time, so
//! that process takes every partition's lease; others poll, which gives them nothing to do, until they hold it. Where the log
//! cannot be followed, the relay says why and polls.

use super::{POLL_INTERVAL, RELAY_TASK, RETRY_INTERVAL, Relay, by_stream, publisher::Publisher};
use crate::{
    Appetite, Broker, BrokerError, Epochs, Messaging, Ownership, Record, Sharing, StreamId,
    outage::Outage,
    outbox::{OutboxRow, heads},
};
use futures_util::FutureExt as _;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tramline_db::{DbError, LogPosition, Tail, TailError};

/// Rows that are published at once at most, of however many transactions.
const BATCH_ROWS: usize = 512;
/// Between two looks whether others can see what the log has told already: mostly it is a moment, with a synchronous standby as
/// long as that takes.
const VISIBLE_LOOK: Duration = Duration::from_millis(2);

/// Publishes one service's outbox as its database's log tells of it.
pub struct LogRelay {
    messaging: Messaging,
    broker: Arc<dyn Broker>,
    sharing: Sharing,
}

/// Rows from the log, and what to acknowledge once they are published.
struct News {
    records: Vec<(StreamId, Arc<Record>)>,
    upto: LogPosition,
}

impl LogRelay {
    /// A relay that follows the log while nobody else does.
    #[must_use]
    pub const fn new(messaging: Messaging, broker: Arc<dyn Broker>, sharing: Sharing) -> Self {
        Self { messaging, broker, sharing }
    }

    /// Publishes until told to stop: by the log while this process holds the slot, by the table while it does not.
    pub async fn run(self, shutdown: CancellationToken) {
        let source = self.messaging.db().name();
        loop {
            self.messaging.signal().listen(true);
            // Whatever keeps the log from being followed, the messages go out meanwhile.
            let tail = tokio::select! {
                biased;
                tail = self.open() => tail,
                () = self.poll(&shutdown) => return,
            };
            self.messaging.signal().listen(false);
            tracing::info!(relay = source, "following the log");
            if let Err(error) = self.follow(tail, &shutdown).await {
                tracing::warn!(relay = source, error = ?error, "the log could not be followed; trying again");
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
            if shutdown.is_cancelled() {
                return;
            }
        }
    }

    /// Tries until this process holds the slot.
    async fn open(&self) -> Tail {
        let source = self.messaging.db().name();
        let mut outage = Outage::default();
        loop {
            match self.messaging.db().tail("outbox").await {
                Ok(tail) => return tail,
                Err(error @ (TailError::Busy | TailError::Waiting)) => {
                    tracing::debug!(relay = source, %error, "polling until then");
                }
                Err(TailError::NotOffered(reason)) => {
                    tracing::warn!(relay = source, reason, "the log cannot be followed; polling instead");
                    return std::future::pending().await;
                }
                Err(error) => {
                    if let Some(tries) = outage.goes_on() {
                        tracing::warn!(relay = source, tries, error = ?error, "the log could not be opened; polling until then");
                    }
                }
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// The way without a log. Ends when told to stop.
    async fn poll(&self, shutdown: &CancellationToken) {
        let db = self.messaging.db();
        loop {
            let joined = Ownership::join(db, RELAY_TASK, &self.sharing, Appetite::FairShare, shutdown.clone()).await;
            match joined {
                Ok((ownership, keeping)) => {
                    let relay = Relay::new(self.messaging.clone(), Arc::clone(&self.broker), ownership);
                    tokio::join!(keeping, relay.run(shutdown.clone()));
                    return;
                }
                Err(error) => {
                    tracing::error!(error = ?error, "the leases of the relay could not be read; trying again");
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
            }
        }
    }

    /// Holds the slot, and with it every partition.
    async fn follow(&self, tail: Tail, shutdown: &CancellationToken) -> Result<(), TailError> {
        let (leases, let_go) = (TaskTracker::new(), CancellationToken::new());
        let db = self.messaging.db();
        let joined = Ownership::join(db, RELAY_TASK, &self.sharing, Appetite::Everything, let_go.clone()).await;
        let (ownership, keeping) = joined?;
        leases.spawn(keeping);
        let outcome = Follower {
            publisher: Publisher::new(self.messaging.clone(), Arc::clone(&self.broker)),
            messaging: &self.messaging,
            ownership,
            epochs: Arc::default(),
            tail,
        }
        .run(shutdown)
        .await;
        let_go.cancel();
        leases.close();
        leases.wait().await;
        outcome
    }
}

struct Follower<'r> {
    publisher: Publisher,
    messaging: &'r Messaging,
    ownership: Ownership,
    epochs: Arc<Epochs>,
    tail: Tail,
}

impl Follower<'_> {
    async fn run(&mut self, shutdown: &CancellationToken) -> Result<(), TailError> {
        let mut poll = tokio::time::interval(POLL_INTERVAL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut outage = Outage::default();
        loop {
            let news = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                () = self.ownership.changed(&self.epochs) => None,
                _ = poll.tick() => None,
                news = next(&mut self.tail, self.publisher.source()) => Some(news?),
            };
            match news {
                Some(News { mut records, upto }) => {
                    while !records.is_empty() && !shutdown.is_cancelled() {
                        let visible = self.take_visible(&mut records).await?;
                        if visible.is_empty() {
                            tokio::time::sleep(VISIBLE_LOOK).await;
                        } else {
                            self.publish(visible, shutdown).await?;
                        }
                    }
                    if shutdown.is_cancelled() {
                        return Ok(());
                    }
                    self.tail.acknowledge(upto);
                }
                None => match self.look_around().await {
                    Ok(()) => outage.ends(),
                    Err(error) => {
                        if let Some(tries) = outage.goes_on() {
                            tracing::warn!(relay = self.publisher.source(), tries, error = ?error, "the broker could not be asked; trying again");
                        }
                        tokio::time::sleep(RETRY_INTERVAL).await;
                    }
                },
            }
        }
    }

    /// The log tells of a commit before other sessions see it. Whoever hears of it may answer at once, to somebody who must find
    /// what was committed; so nothing is published before everybody can see it. Takes out of `records` what they see by now: what
    /// is seen does not wait for what a standby still holds up behind it.
    async fn take_visible(
        &self,
        records: &mut Vec<(StreamId, Arc<Record>)>,
    ) -> Result<Vec<(StreamId, Arc<Record>)>, TailError> {
        // Numbers are given out in the order of commits, so a head that is seen covers what lies before it.
        let heads: HashMap<StreamId, i64> = heads(self.messaging.db()).await?.into_iter().collect();
        let visible =
            |(stream, record): &mut (StreamId, Arc<Record>)| heads.get(stream).is_some_and(|head| *head >= record.seq);
        Ok(records.extract_if(.., visible).collect())
    }

    /// Brings rows to the broker, however often it takes: only then may the log forget them.
    async fn publish(
        &mut self,
        records: Vec<(StreamId, Arc<Record>)>,
        shutdown: &CancellationToken,
    ) -> Result<(), TailError> {
        let mut outage = Outage::default();
        let mut outcome = self.publisher.publish(by_stream(records.clone())).await;
        loop {
            match outcome {
                Ok(false) if self.publisher.has_published(&records) => return Ok(()),
                Ok(_) => {}
                Err(error) => {
                    if let Some(tries) = outage.goes_on() {
                        tracing::warn!(relay = self.publisher.source(), tries, error = ?error, "rows of the log could not be published; trying again");
                    }
                    tokio::select! {
                        () = shutdown.cancelled() => return Ok(()),
                        () = tokio::time::sleep(RETRY_INTERVAL) => {}
                    }
                }
            }
            if shutdown.is_cancelled() {
                return Ok(());
            }
            outcome = self.look_around().await.map(|()| false);
            if outcome.is_ok() && !self.publisher.has_published(&records) {
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        }
    }

    /// Asks how far the broker is, and gives it from the table what it lacks: what was committed before the slot was, and what
    /// it has forgotten since.
    async fn look_around(&mut self) -> Result<(), BrokerError> {
        let epochs = self.ownership.epochs();
        self.publisher.ask_broker(&epochs).await?;
        self.epochs = epochs;
        self.publisher.publish_table().await?;
        if let Some(lag) = self.messaging.db().tail_lag().await? {
            metrics::gauge!("tramline_slot_lag_bytes", "source" => self.publisher.source()).set(lag as f64);
        }
        Ok(())
    }
}

/// The next rows of the log, and those behind them that have arrived too.
async fn next(tail: &mut Tail, source: &'static str) -> Result<News, TailError> {
    let mut tailed = tail.next().await?;
    while tailed.rows.len() < BATCH_ROWS {
        match tail.next().now_or_never() {
            Some(Ok(mut more)) => {
                tailed.rows.append(&mut more.rows);
                tailed.upto = more.upto;
            }
            // A broken session is noticed again at the next turn, after what came before.
            Some(Err(_)) | None => break,
        }
    }
    let records = tailed.rows.iter().map(|row| row.read::<OutboxRow>()?.into_record(source));
    Ok(News { records: records.collect::<Result<Vec<_>, DbError>>()?, upto: tailed.upto })
}
