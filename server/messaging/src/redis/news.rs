//! One ear per process for news by message: that an outbox, or in a cluster a log, has something new.
//!
//! Messages get lost when nobody is connected. Whoever waits for one looks by itself from time to time, and is woken
//! whenever the connection is made anew.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::{sync::Notify, task::JoinHandle};
use tramline_redis::{Redis, RedisError};

/// Between two tries to connect.
const RECONNECT_EVERY: Duration = Duration::from_millis(500);
/// A failure is told once in so many: two a minute.
const TELL_EVERY: u32 = 60;

/// Wakes who waits. Cheap to clone; ends with the last clone.
#[derive(Clone, Debug)]
pub(super) struct News {
    task: Arc<Task>,
}

#[derive(Debug)]
struct Task {
    redis: Redis,
    waiting: Waiting,
    /// Runs from the first on who waits.
    running: Mutex<Option<JoinHandle<()>>>,
}

/// Who waits at which channel. Those who are gone are struck off when somebody comes.
type Waiting = Arc<Mutex<Vec<(String, Weak<Notify>)>>>;

impl News {
    pub(super) fn new(redis: Redis) -> Self {
        Self { task: Arc::new(Task { redis, waiting: Waiting::default(), running: Mutex::default() }) }
    }

    /// Has `news` notified by what is published on the channel, for as long as somebody else holds it.
    pub(super) fn listen(&self, channel: String, news: &Arc<Notify>) {
        let mut waiting = lock(&self.task.waiting);
        waiting.retain(|(_, news)| news.strong_count() > 0);
        waiting.push((channel, Arc::downgrade(news)));
        drop(waiting);
        let start = || tokio::spawn(run(self.task.redis.clone(), Arc::clone(&self.task.waiting)));
        lock(&self.task.running).get_or_insert_with(start);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(running) = lock(&self.running).take() {
            running.abort();
        }
    }
}

async fn run(redis: Redis, waiting: Waiting) {
    let mut failures = 0_u32;
    loop {
        let Err(error) = listen(&redis, &waiting, &mut failures).await;
        if failures.is_multiple_of(TELL_EVERY) {
            tracing::warn!(error = %error, "news from Redis cannot be heard; looking from time to time instead");
        }
        failures = failures.saturating_add(1);
        tokio::time::sleep(RECONNECT_EVERY).await;
    }
}

async fn listen(redis: &Redis, waiting: &Waiting, failures: &mut u32) -> Result<std::convert::Infallible, RedisError> {
    let prefix = redis.settings().prefix();
    let mut listener = redis.listen(&["outbox", "log"].map(|kind| format!("{prefix}:{kind}:*"))).await?;
    *failures = 0;
    // Whatever was said until now was missed.
    wake(waiting, |_| true);
    loop {
        let said = listener.next().await?;
        wake(waiting, |channel| channel == said.channel);
    }
}

fn wake(waiting: &Waiting, concerns: impl Fn(&str) -> bool) {
    let waiting = lock(waiting);
    let news = waiting.iter().filter(|(channel, _)| concerns(channel)).filter_map(|(_, news)| news.upgrade());
    news.for_each(|news| news.notify_one());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds the lock can leave it half-changed, so a panic elsewhere is no reason to stop.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
