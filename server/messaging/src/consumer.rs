//! The consumer: effects and offset move together, so each message takes effect exactly once.
//!
//! It works on the partitions that its process owns. A batch of messages shares a transaction. When it fails, its messages are
//! tried one by one; one that keeps failing is parked together with the later ones of its key, and the other keys go on.

mod park;
mod standing;

use crate::{
    Batch, Broker, BrokerError, Channel, Effects, Epochs, HandlerError, Ownership, Position, Record, StreamId,
    Subscription,
    outage::{Outage, is_told},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Messages per transaction: enough to share the commit, few enough that a failure repeats little.
const BATCH_MESSAGES: usize = 256;
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
/// The longest wait of a message that is at fault itself.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// The longest wait while a store or the broker is away: no message is at fault, and all of them wait for it to come back.
const AWAY_BACKOFF_MAX: Duration = Duration::from_millis(500);
/// How long a message that is tried again may take to come: a broker that lost it must not hold up the other streams.
const RETRY_READ_MAX: Duration = Duration::from_secs(1);
/// How often the broker is told how far the group has come, and the store asked whether it still is where we believe.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Reads channels for a group and brings what they carry to its [`Effects`].
pub struct Consumer<E> {
    group: &'static str,
    broker: Arc<dyn Broker>,
    effects: E,
    channels: Vec<(&'static str, Channel)>,
    ownership: Ownership,
    /// What was owned when the offsets were last read.
    epochs: Arc<Epochs>,
    subscription: Box<dyn Subscription>,
    positions: HashMap<StreamId, i64>,
    parked: HashSet<Uuid>,
    /// Streams whose next message failed: how often, and when to try again.
    failing: HashMap<StreamId, (Tries, Instant)>,
    /// While nothing can be read.
    unread: Outage,
    rest: Duration,
    /// Which messages are a concern of the group's.
    wanted: fn(&Record) -> bool,
    /// How far streams were read in which nothing came that is wanted. The offset follows with the next message that is, or with
    /// the next report.
    ahead: HashMap<StreamId, i64>,
}

/// How often a message was tried in vain.
#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    /// By its own fault: what it is parked for in the end.
    failed: u32,
    /// Since then, because a store or the broker was away.
    away: u32,
}

enum Turn {
    Stop,
    Owned,
    Report,
    Retry,
    News(Vec<Batch>),
    Broken(BrokerError),
}

impl<E: Effects> Consumer<E> {
    /// A consumer of these channels, for the partitions that `ownership` gives this process.
    #[must_use]
    pub fn new(
        group: &'static str,
        broker: Arc<dyn Broker>,
        channels: &[(&'static str, Channel)],
        ownership: Ownership,
        effects: E,
    ) -> Self {
        // Listen first: what is published from here on is noticed.
        let subscription = broker.subscribe(group, channels);
        Self {
            group,
            broker,
            effects,
            channels: channels.to_vec(),
            ownership,
            epochs: Arc::default(),
            subscription,
            positions: HashMap::new(),
            parked: HashSet::new(),
            failing: HashMap::new(),
            unread: Outage::default(),
            rest: Duration::ZERO,
            wanted: |_| true,
            ahead: HashMap::new(),
        }
    }

    /// Rests this long after each batch that was not full, so that messages gather: for effects that nobody waits for.
    #[must_use]
    pub const fn resting(mut self, rest: Duration) -> Self {
        self.rest = rest;
        self
    }

    /// Only messages for which this holds are brought to the effects (*Selective Consumer*, Hohpe and Woolf). The others cost no
    /// transaction: the group passes over them and writes so down once a second.
    #[must_use]
    pub fn only(mut self, wanted: fn(&Record) -> bool) -> Self {
        self.wanted = wanted;
        self
    }

    /// Consumes until told to stop; a transaction in progress is finished first.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut report = tokio::time::interval(REPORT_INTERVAL);
        report.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if *self.ownership.epochs() != *self.epochs {
                self.take_over().await;
            }
            match self.turn(&shutdown, &mut report).await {
                Turn::Stop => return,
                Turn::Owned => {}
                Turn::Report => self.report().await,
                Turn::Retry => self.retry().await,
                Turn::News(batches) => {
                    self.unread.ends();
                    let full = batches.iter().map(|(_, records)| records.len()).sum::<usize>() >= BATCH_MESSAGES;
                    self.take(batches).await;
                    if !full && !self.rest.is_zero() {
                        // A lease that ends meanwhile is noticed by the next batch at the latest: its epoch is older.
                        shutdown.run_until_cancelled(tokio::time::sleep(self.rest)).await;
                    }
                }
                Turn::Broken(error) => {
                    if let Some(tries) = self.unread.goes_on() {
                        tracing::error!(group = self.group, tries, error = ?error, "messages could not be read; trying again");
                    }
                    tokio::time::sleep(BACKOFF_FIRST).await;
                }
            }
        }
    }

    /// Waits for whatever comes first.
    async fn turn(&mut self, shutdown: &CancellationToken, report: &mut tokio::time::Interval) -> Turn {
        let waiting: Vec<Position> = self
            .positions
            .iter()
            .filter(|(stream, _)| !self.failing.contains_key(*stream))
            .map(|(stream, seq)| (stream.clone(), self.ahead.get(stream).copied().unwrap_or(*seq)))
            .collect();
        let retry_at = self.failing.values().map(|(_, at)| *at).min();
        let news = async {
            if waiting.is_empty() {
                std::future::pending::<()>().await;
            }
            self.subscription.next(&waiting, BATCH_MESSAGES).await
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Turn::Stop,
            () = self.ownership.changed(&self.epochs) => Turn::Owned,
            _ = report.tick() => Turn::Report,
            () = until(retry_at) => Turn::Retry,
            news = news => match news {
                Ok(batches) => Turn::News(batches),
                Err(error) => Turn::Broken(error),
            },
        }
    }

    /// Handles what came: all at once, or message by message when that fails or some keys are parked.
    async fn take(&mut self, mut batches: Vec<Batch>) {
        let (wanted, ahead) = (self.wanted, &mut self.ahead);
        batches.retain(|(stream, records)| {
            let concerns = records.iter().any(|record| wanted(record));
            if let (false, Some(last)) = (concerns, records.last()) {
                ahead.insert(stream.clone(), last.seq);
            }
            concerns
        });
        if batches.is_empty() {
            return;
        }
        let clean =
            self.parked.is_empty() || !batches.iter().flat_map(|(_, records)| records).any(|record| self.waits(record));
        if clean {
            match self.attempt(&batches).await {
                Ok(()) => return,
                Err(HandlerError::Moved) => return self.reload().await,
                Err(error) => {
                    tracing::debug!(group = self.group, error = ?error, "a batch failed; going message by message");
                }
            }
        }
        for (stream, records) in batches {
            for record in records {
                if !self.take_one(&stream, record, Tries::default()).await {
                    break;
                }
            }
        }
    }

    /// Tries the next message of each stream whose wait is over.
    async fn retry(&mut self) {
        let present = now();
        let due: Vec<_> =
            self.failing.iter().filter(|(_, (_, at))| *at <= present).map(|(id, (n, _))| (id.clone(), *n)).collect();
        for (stream, tries) in due {
            let position = [(stream.clone(), self.positions.get(&stream).copied().unwrap_or(0))];
            let next = tokio::time::timeout(RETRY_READ_MAX, self.subscription.next(&position, 1)).await;
            let Ok(next) = next else {
                // Somebody else has handled it meanwhile, or the broker lost it and is filled again.
                self.failing.remove(&stream);
                continue;
            };
            match next {
                Ok(batches) => {
                    if let Some(record) = batches.into_iter().flat_map(|(_, records)| records).next()
                        && self.take_one(&stream, record, tries).await
                    {
                        self.failing.remove(&stream);
                    }
                }
                Err(error) => {
                    let failing = tries.after_outage();
                    if is_told(failing.0.away) {
                        tracing::error!(group = self.group, tries = ?failing.0, error = ?error, "messages could not be read; trying again");
                    }
                    self.failing.insert(stream, failing);
                }
            }
        }
    }

    /// Handles or parks one message that was tried so often before. `false` means that the stream must wait.
    async fn take_one(&mut self, stream: &StreamId, record: Arc<Record>, tries: Tries) -> bool {
        match self.handle_or_park(stream, &record, tries.failed + 1).await {
            Ok(()) => true,
            Err(error) => {
                let failing = if error.may_pass() { tries.after_outage() } else { tries.after_failure() };
                if failing.0.away == 0 || is_told(failing.0.away) {
                    tracing::warn!(group = self.group, stream = %stream, seq = record.seq, tries = ?failing.0, error = ?error, "a message failed; waiting");
                }
                self.failing.insert(stream.clone(), failing);
                self.reload().await;
                false
            }
        }
    }

    /// The effects of the batch and the move of every offset in it.
    async fn attempt(&mut self, batches: &[Batch]) -> Result<(), HandlerError> {
        let all = batches.iter().flat_map(|(_, records)| records);
        let batch: Vec<Arc<Record>> = all.filter(|record| (self.wanted)(record)).cloned().collect();
        let moves = self.moves(batches)?;
        let effect = self.effects.apply(&moves, &batch).await?;
        self.advance(moves);
        metrics::counter!("tramline_messages_handled_total", "group" => self.group).increment(batch.len() as u64);
        self.effects.committed(effect);
        Ok(())
    }

    /// Whether a message has to wait behind a parked one of its key.
    fn waits(&self, record: &Record) -> bool {
        self.parked.contains(&record.key) && (self.wanted)(record)
    }
}

impl Tries {
    /// The message failed: how often it has by now, and when to try it again.
    fn after_failure(self) -> (Self, Instant) {
        let failed = self.failed.saturating_add(1);
        (Self { failed, away: 0 }, now() + backoff(failed, BACKOFF_MAX))
    }

    /// Likewise, after something was away that it needs.
    fn after_outage(self) -> (Self, Instant) {
        let away = self.away.saturating_add(1);
        (Self { away, ..self }, now() + backoff(away, AWAY_BACKOFF_MAX))
    }
}

/// Doubles with each try.
fn backoff(tries: u32, longest: Duration) -> Duration {
    BACKOFF_FIRST.saturating_mul(1 << tries.min(16)).min(longest)
}

/// The monotonic clock: retries wait in this process's own time, whatever the wall clock does.
#[expect(clippy::disallowed_methods, reason = "an edge: the waits between retries are measured here alone")]
fn now() -> Instant {
    Instant::now()
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
