//! One consumer group's ear: plain reads from given positions, and a look at every number before it is handed out.
//!
//! It remembers no position. At a single server it waits in a blocking read on a connection of its own, which is closed
//! when the wait is given up. In a cluster a read can wait for one server only, so it reads without waiting, one read
//! per partition, when news comes or some time has passed.

use super::{RedisBroker, entry, keys};
use crate::{Batch, BrokerError, Channel, Position, StreamId, Subscription};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use tramline_db::BoxFuture;
use tramline_redis::{Command, Dedicated, Value};

/// How long the server waits for news before it answers that there is none.
const BLOCK_MAX: Duration = Duration::from_secs(1);
/// How long the answer may take then, before the connection is held to be dead.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How long lost news may delay a message in a cluster.
const CLUSTER_LOOK_EVERY: Duration = Duration::from_millis(250);
/// The wait after a first failure; it doubles up to the second. Whoever asks again at once waits here. A try to connect is cheap,
/// and messages wait for it: Redis that is back shall not be left alone for long.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_millis(500);
/// The wait for a relay to fill a hole.
const HOLE_WAIT: Duration = Duration::from_millis(100);
/// Between two complaints about holes.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Ear {
    broker: RedisBroker,
    group: &'static str,
    /// Not while a read is under way on it: giving up the read drops it.
    connection: Option<Dedicated>,
    /// News of logs, in a cluster.
    news: Arc<Notify>,
    /// Streams of which Redis knows that this group reads them.
    known: HashSet<StreamId>,
    /// Streams that had news at the last read: they share the next read's limit.
    busy: Option<usize>,
    /// Failures since the last success.
    failures: u32,
    /// Until when a failure keeps us from asking again. It outlives a read that is given up: otherwise a wait that is longer than
    /// the patience of whoever reads would never end.
    rest_until: Option<Instant>,
    complained: Option<Instant>,
}

/// The key of a stream's log, and the position to read from.
type Asked<'p> = (String, &'p Position);

/// What a read brought.
#[derive(Default)]
struct Found<'p> {
    batches: Vec<Batch>,
    /// Positions after which something is there, but not the next number.
    holes: Vec<&'p Position>,
}

impl Ear {
    pub(super) fn new(broker: RedisBroker, group: &'static str, channels: &[(&'static str, Channel)]) -> Self {
        let news = Arc::new(Notify::new());
        if broker.redis.settings().is_cluster() {
            let sources: HashSet<_> = channels.iter().map(|(source, _)| *source).collect();
            for source in sources {
                broker.news.listen(keys::log_news(broker.prefix(), source), &news);
            }
        }
        let (known, failures) = (HashSet::new(), 0);
        Self { broker, group, connection: None, news, known, busy: None, failures, rest_until: None, complained: None }
    }

    async fn read(&mut self, positions: &[Position], limit: usize) -> Result<Vec<Batch>, BrokerError> {
        self.introduce(positions).await?;
        let busy = self.busy.unwrap_or(usize::MAX).clamp(1, positions.len());
        let share = (limit / busy).max(1);
        let asked: Vec<Asked<'_>> =
            positions.iter().map(|position| (keys::log(self.broker.prefix(), &position.0), position)).collect();
        let answers = if self.broker.redis.settings().is_cluster() {
            self.ask_cluster(&asked, share).await?
        } else {
            vec![self.ask_server(&asked, share).await?]
        };
        let mut found = Found::default();
        for answer in answers {
            sort(answer, &asked, &mut found)?;
        }
        self.busy = Some(found.batches.len());
        if !found.holes.is_empty() {
            self.complain(&found.holes);
            self.broker.listen(self.group, &found.holes).await?;
            if found.batches.is_empty() {
                tokio::time::sleep(HOLE_WAIT).await;
            }
        }
        let mut room = limit;
        found.batches.retain_mut(|(_, records)| {
            records.truncate(room);
            room -= records.len();
            !records.is_empty()
        });
        Ok(found.batches)
    }

    /// Says which streams this group reads, so that nothing that it needs is dropped.
    async fn introduce(&mut self, positions: &[Position]) -> Result<(), BrokerError> {
        let new: Vec<&Position> = positions.iter().filter(|(stream, _)| !self.known.contains(stream)).collect();
        if !new.is_empty() {
            self.broker.listen(self.group, &new).await?;
            self.known.extend(new.into_iter().map(|(stream, _)| stream.clone()));
        }
        Ok(())
    }

    async fn ask_server(&mut self, asked: &[Asked<'_>], share: usize) -> Result<Value, BrokerError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.broker.redis.dedicated().await?,
        };
        let asked: Vec<_> = asked.iter().collect();
        let answer = connection.run(&command(&asked, share, Some(BLOCK_MAX)), ANSWER_MAX).await?;
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn ask_cluster(&self, asked: &[Asked<'_>], share: usize) -> Result<Vec<Value>, BrokerError> {
        let mut partitions: BTreeMap<u16, Vec<&Asked<'_>>> = BTreeMap::new();
        for one @ (_, position) in asked {
            partitions.entry(position.0.partition).or_default().push(one);
        }
        let commands = partitions.values().map(|some| command(some, share, None)).collect();
        let answers = self.broker.redis.run(commands).await?;
        if answers.iter().all(|answer| *answer == Value::Nil) {
            // Timing out is as good as news.
            drop(tokio::time::timeout(CLUSTER_LOOK_EVERY, self.news.notified()).await);
        }
        Ok(answers)
    }

    fn complain(&mut self, holes: &[&Position]) {
        let present = now();
        if self.complained.is_none_or(|then| present.duration_since(then) >= COMPLAIN_EVERY) {
            self.complained = Some(present);
            for (stream, seq) in holes {
                tracing::error!(group = self.group, stream = %stream, seq = seq + 1, "Redis lacks the next message; waiting for a relay to fill the stream again");
            }
        }
    }
}

impl Subscription for Ear {
    fn next<'a>(
        &'a mut self,
        positions: &'a [Position],
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Batch>, BrokerError>> {
        Box::pin(async move {
            if positions.is_empty() || limit == 0 {
                return std::future::pending().await;
            }
            if let Some(until) = self.rest_until {
                tokio::time::sleep_until(until).await;
                self.rest_until = None;
            }
            loop {
                match self.read(positions, limit).await {
                    Ok(batches) => {
                        self.failures = 0;
                        if !batches.is_empty() {
                            return Ok(batches);
                        }
                    }
                    Err(error) => {
                        self.failures = self.failures.saturating_add(1);
                        let rest = BACKOFF_FIRST.saturating_mul(1 << self.failures.min(16)).min(BACKOFF_MAX);
                        self.rest_until = Some(now() + rest);
                        // Redis may have come back without what it knew.
                        self.known.clear();
                        self.busy = None;
                        return Err(error);
                    }
                }
            }
        })
    }
}

/// A read of what comes after positions, at most `share` records of each stream.
fn command(asked: &[&Asked<'_>], share: usize, block: Option<Duration>) -> Command {
    let mut command = Command::new();
    command.arg("XREAD").arg("COUNT").arg(share);
    if let Some(block) = block {
        command.arg("BLOCK").arg(u64::try_from(block.as_millis()).unwrap_or(u64::MAX));
    }
    command.arg("STREAMS");
    for (log, _) in asked {
        command.arg(log);
    }
    for (_, (_, seq)) in asked {
        command.arg(format!("{seq}-0"));
    }
    command
}

/// Takes from an answer what continues each position, up to the first number that does not.
fn sort<'p>(answer: Value, asked: &[Asked<'p>], found: &mut Found<'p>) -> Result<(), BrokerError> {
    let otherwise = || entry::corrupt("a read is answered otherwise");
    let streams = match answer {
        Value::Nil => return Ok(()),
        Value::Array(streams) => streams,
        _ => return Err(otherwise()),
    };
    for stream in streams {
        let Value::Array(parts) = stream else { return Err(otherwise()) };
        let Ok([Value::BulkString(key), Value::Array(entries)]) = <[Value; 2]>::try_from(parts) else {
            return Err(otherwise());
        };
        let Some((_, position)) = asked.iter().find(|(log, _)| log.as_bytes() == key) else { return Err(otherwise()) };
        let mut records = Vec::with_capacity(entries.len());
        for (entry, next) in entries.into_iter().zip(position.1 + 1..) {
            if entry::number(&entry) != Some(next) {
                break;
            }
            match entry::record(next, entry) {
                Ok(record) => records.push(record),
                // What came before it is handed out first.
                Err(_) if !records.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        match records.is_empty() {
            true => found.holes.push(position),
            false => found.batches.push((position.0.clone(), records)),
        }
    }
    Ok(())
}

/// The monotonic clock: rests and complaints are counted in this process's own time.
#[expect(clippy::disallowed_methods, reason = "an edge: rests and the time between complaints are measured here alone")]
fn now() -> Instant {
    Instant::now()
}
