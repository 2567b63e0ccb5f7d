//! The broker outside the process: one Redis stream per stream, numbered as the outbox numbers it.
//!
//! Redis may forget all or part of it at any time; the outboxes are the truth. Everything here serves two promises: what
//! is handed to a consumer is without gaps, and what is lost is noticed and filled again. See `keys` for what lies in
//! Redis, and the scripts for how it changes.
//!
//! No consumer group of Redis is used: a group's position lies in its own database, and a plain read from there can
//! neither skip nor reorder.

mod ear;
mod entry;
mod keys;
mod news;

use crate::{Broker, BrokerError, Channel, Position, Publication, Published, StreamId, Subscription};
use ear::Ear;
use entry::corrupt;
use keys::{Scripts, call};
use news::News;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tramline_db::BoxFuture;
use tramline_redis::{Call, Command, Redis, RedisError, Script, Value};

/// Records kept per stream although every group has them: what a group that restarts is likely to ask for again.
const RESERVE_RECORDS: i64 = 1_000;
/// How often a stream is trimmed: every group that lives has told its position a few times in between.
const TRIM_EVERY: Duration = Duration::from_secs(10);
/// A group that was silent for so long no longer keeps records from being dropped. Should it come back, the log is
/// filled for it from the outbox.
const SILENT_GROUP_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A [`Broker`] in Redis, or in a cluster of them. Cheap to clone. It must be used within a Tokio runtime.
#[derive(Clone, Debug)]
pub struct RedisBroker {
    redis: Redis,
    scripts: Arc<Scripts>,
    news: News,
    trim_every: Duration,
}

impl RedisBroker {
    /// A broker that keeps its streams under the prefix of the settings. Connects at the first use.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        let news = News::new(redis.clone());
        Self { redis, scripts: Arc::new(Scripts::new()), news, trim_every: TRIM_EVERY }
    }

    /// Trims streams at most so often (whole seconds), in place of every ten seconds.
    #[must_use]
    pub fn trim_every(mut self, interval: Duration) -> Self {
        self.trim_every = interval;
        self
    }

    fn prefix(&self) -> &str {
        self.redis.settings().prefix()
    }

    /// Runs a script once per stream, in one round trip.
    async fn run(&self, script: &Script, calls: &[Call]) -> Result<Vec<Vec<i64>>, BrokerError> {
        self.redis.run_script(script, calls).await?.into_iter().map(numbers).collect()
    }

    /// Runs a script that answers with a stream's head and whether its log was started again.
    async fn heads_by(
        &self,
        script: &Script,
        streams: impl Iterator<Item = (&StreamId, Vec<Vec<u8>>)>,
    ) -> Result<Vec<i64>, BrokerError> {
        let (streams, calls): (Vec<_>, Vec<_>) =
            streams.map(|(stream, arguments)| (stream, call(self.prefix(), stream, arguments))).unzip();
        let mut heads = Vec::with_capacity(streams.len());
        for (stream, answer) in streams.into_iter().zip(self.run(script, &calls).await?) {
            let [head, started_again] = answer[..] else { return Err(corrupt("a script answers otherwise")) };
            if started_again != 0 {
                tell_started_again(stream, head);
                self.nudge(stream.source).await;
            }
            heads.push(head);
        }
        Ok(heads)
    }

    /// A group says where it stands in streams: before its first read of them, and when it read a hole.
    async fn listen(&self, group: &str, positions: &[&Position]) -> Result<(), BrokerError> {
        let streams = positions.iter().map(|(stream, seq)| (stream, vec![group.into(), seq.to_string().into_bytes()]));
        self.heads_by(&self.scripts.listen, streams).await.map(drop)
    }

    fn publish_call(&self, Publication { stream, epoch, records }: &Publication) -> Result<Call, BrokerError> {
        let wake = match self.redis.settings().is_cluster() {
            true => keys::log_news(self.prefix(), stream.source),
            false => String::new(),
        };
        let first = records.first().map_or(0, |record| record.seq);
        let mut arguments = vec![epoch.to_string().into_bytes(), first.to_string().into_bytes(), wake.into_bytes()];
        // Behind a hole nothing is sent: the script counts on from the first.
        for (record, _) in records.iter().zip(first..).take_while(|(record, seq)| record.seq == *seq) {
            arguments.extend(entry::fields(record)?);
        }
        Ok(call(self.prefix(), stream, arguments))
    }
}

impl Broker for RedisBroker {
    fn publish<'a>(&'a self, publications: &'a [Publication]) -> BoxFuture<'a, Result<Vec<Published>, BrokerError>> {
        Box::pin(async move {
            let calls = publications.iter().map(|one| self.publish_call(one)).collect::<Result<Vec<_>, _>>()?;
            let answers = self.run(&self.scripts.publish, &calls).await?;
            publications.iter().zip(answers).map(|(publication, answer)| outcome(publication, &answer)).collect()
        })
    }

    fn heads<'a>(&'a self, streams: &'a [StreamId]) -> BoxFuture<'a, Result<Vec<i64>, BrokerError>> {
        let streams = streams.iter().map(|stream| (stream, Vec::new()));
        Box::pin(self.heads_by(&self.scripts.head, streams))
    }

    fn subscribe(&self, group: &'static str, channels: &[(&'static str, Channel)]) -> Box<dyn Subscription> {
        Box::new(Ear::new(self.clone(), group, channels))
    }

    fn committed<'a>(
        &'a self,
        group: &'static str,
        positions: &'a [Position],
    ) -> BoxFuture<'a, Result<(), BrokerError>> {
        let settings = [RESERVE_RECORDS.to_string(), seconds(self.trim_every), seconds(SILENT_GROUP_MAX)];
        let streams = positions.iter().map(move |(stream, seq)| {
            let arguments = [group.to_owned(), seq.to_string()].into_iter().chain(settings.clone());
            (stream, arguments.map(String::into_bytes).collect())
        });
        Box::pin(async move { self.heads_by(&self.scripts.committed, streams).await.map(drop) })
    }

    fn nudge<'a>(&'a self, source: &'static str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut publish = Command::new();
            publish.arg("PUBLISH").arg(keys::outbox_news(self.prefix(), source)).arg("");
            if let Err(error) = self.redis.run(vec![publish]).await {
                // The relays look by themselves once a second.
                tracing::debug!(source, error = %error, "nobody was nudged");
            }
        })
    }

    fn on_nudge(&self, source: &'static str, news: Arc<Notify>) {
        self.news.listen(keys::outbox_news(self.prefix(), source), &news);
    }
}

fn outcome(Publication { stream, records, .. }: &Publication, answer: &[i64]) -> Result<Published, BrokerError> {
    match *answer {
        // Something after a hole in the publication itself was left out.
        [0, head] if records.last().is_some_and(|last| last.seq > head) => Ok(Published::Gap { head }),
        [0, _] => Ok(Published::Accepted),
        [1, head, started_again] => {
            if started_again != 0 {
                tell_started_again(stream, head);
            }
            Ok(Published::Gap { head })
        }
        [2, epoch] => Ok(Published::Fenced { epoch }),
        _ => Err(corrupt("a script answers otherwise")),
    }
}

fn tell_started_again(stream: &StreamId, head: i64) {
    metrics::counter!("tramline_broker_logs_started_again_total", "source" => stream.source).increment(1);
    tracing::warn!(stream = %stream, head, "Redis lacks a part of a stream; it is filled again from the outbox");
}

fn numbers(answer: Value) -> Result<Vec<i64>, BrokerError> {
    let Value::Array(items) = answer else { return Err(corrupt("a script answers otherwise")) };
    let number =
        |item| if let Value::Int(number) = item { Ok(number) } else { Err(corrupt("a script answers otherwise")) };
    items.into_iter().map(number).collect()
}

fn seconds(duration: Duration) -> String {
    duration.as_secs().to_string()
}

impl From<RedisError> for BrokerError {
    fn from(error: RedisError) -> Self {
        match error {
            RedisError::Unreachable { .. } => Self::Unreachable(error.to_string()),
            RedisError::Settings(_) | RedisError::Denied { .. } | RedisError::Refused { .. } => {
                Self::Refused(error.to_string())
            }
        }
    }
}
