//! What the database and the broker below a desk can do at most: sagas without any rules, and appends to a stream.

use super::raw::Raw;
use crate::stopwatch;
use anyhow::Context as _;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tramline_redis::{Command, Redis, RedisSettings};

/// How long each limit is measured.
const SPAN: Duration = Duration::from_secs(2);
/// Transactions of a saga with three steps.
const STEPS: i64 = 3;
/// Entries kept of the stream that is appended to.
const ENTRIES_MAX: usize = 10_000;

/// The limits that were measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    /// Sagas of three least transactions a second, with as many clients as the run had.
    pub(super) minimal_sagas_per_second: f64,
    /// How long one append to a stream of Redis takes, one after the other.
    pub(super) append: Option<Duration>,
}

/// Measures at rest.
pub(super) async fn measure(raw: &Arc<Raw>, clients: u64, redis: Option<&str>) -> anyhow::Result<Limits> {
    let start = stopwatch::now();
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let (raw, slot) = (Arc::clone(raw), i64::try_from(client % 16).unwrap_or(0));
        tasks.spawn(async move {
            let mut sagas = 0_u64;
            while stopwatch::since(start) < SPAN {
                for _ in 0..STEPS {
                    raw.minimal_step(slot).await?;
                }
                sagas += 1;
            }
            anyhow::Ok(sagas)
        });
    }
    let mut sagas = 0;
    while let Some(done) = tasks.join_next().await {
        sagas += done??;
    }
    let minimal_sagas_per_second = sagas as f64 / stopwatch::since(start).as_secs_f64();
    let append = match redis {
        Some(url) => Some(appends(url).await.context("--redis")?),
        None => None,
    };
    Ok(Limits { minimal_sagas_per_second, append })
}

async fn appends(url: &str) -> anyhow::Result<Duration> {
    let redis = Redis::connect(RedisSettings::parse(url, "tramline-bench")?).await?;
    let mut append = Command::new();
    append.arg("XADD").arg("tramline-bench:stream").arg("MAXLEN").arg("~").arg(ENTRIES_MAX);
    append.arg("*").arg("body").arg("x".repeat(300));
    let (start, mut count) = (stopwatch::now(), 0_u32);
    while stopwatch::since(start) < SPAN {
        redis.run(vec![append.clone()]).await?;
        count += 1;
    }
    let mut delete = Command::new();
    delete.arg("UNLINK").arg("tramline-bench:stream");
    redis.run(vec![delete]).await?;
    Ok(stopwatch::since(start) / count.max(1))
}
