//! Follows the feed in Redis into this process's memory: one reader, however many gateways poll.
//!
//! It is woken by messages, which may get lost, and looks once a second besides. The entries hold documents as they were when they
//! changed: a gateway that turns from one process to another, which may be late, is never told something older after
//! something newer.

use super::{
    RedisView,
    fields::{Fields, corrupt, list, text},
};
use crate::{
    document,
    feed::{ENTRIES_MAX, Feed},
    store::ViewError,
};
use serde_json::value::RawValue;
use std::{convert::Infallible, time::Duration};
use tokio_util::sync::CancellationToken;
use tramline_messages::feed::FeedKind;
use tramline_redis::Value;

/// How long a lost message may delay a change.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two tries to connect.
const RECONNECT_EVERY: Duration = Duration::from_millis(500);
/// A failure is told once in so many: two a minute.
const TELL_EVERY: u32 = 60;
/// Entries of one look.
const READ_AT_ONCE: usize = 256;
/// How far back a process begins that knows nothing: so a gateway that comes from another process goes on without a break.
const BEGIN_BACK: usize = 4_096;
/// How often what is retired is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// How far the memory reaches.
#[derive(Debug, Default)]
struct Position {
    generation: String,
    life: String,
    after: u64,
}

/// What a look brought.
struct Seen {
    life: String,
    generation: String,
    head: u64,
    /// The cursor before the first item, when the items do not go on from the position.
    anew: Option<u64>,
    /// A document that is gone or does not read has no frame.
    items: Vec<Option<(FeedKind, Box<RawValue>)>>,
}

/// Fills the feed until told to stop, and clears away what is retired.
pub(crate) async fn follow(view: RedisView, feed: &Feed, stop: CancellationToken) {
    let working = async { tokio::join!(fill(&view, feed), sweep(&view)) };
    stop.run_until_cancelled(working).await;
}

async fn fill(view: &RedisView, feed: &Feed) -> Infallible {
    let mut position = Position::default();
    let mut failures = 0_u32;
    loop {
        let Err(error) = listen(view, feed, &mut position, &mut failures).await;
        if failures.is_multiple_of(TELL_EVERY) {
            tracing::warn!(error = %error, "the feed of the view in Redis cannot be read; trying on");
        }
        failures = failures.saturating_add(1);
        tokio::time::sleep(RECONNECT_EVERY).await;
    }
}

async fn listen(
    view: &RedisView,
    feed: &Feed,
    position: &mut Position,
    failures: &mut u32,
) -> Result<Infallible, ViewError> {
    let mut listener = view.redis.listen(std::slice::from_ref(&view.keys.news)).await?;
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Whatever was said while nobody listened was missed.
    look(view, feed, position).await?;
    *failures = 0;
    loop {
        let said = listener.next();
        tokio::pin!(said);
        let said = loop {
            tokio::select! {
                biased;
                said = &mut said => break said?,
                () = feed.asked() => {}
                _ = tick.tick() => {}
            }
            look(view, feed, position).await?;
        };
        if is_news(&said.payload, position) {
            look(view, feed, position).await?;
        }
    }
}

/// Whether something was said to have changed that was not read already.
fn is_news(said: &[u8], Position { generation, after, .. }: &Position) -> bool {
    let known = format!("{generation} ").into_bytes();
    said.strip_prefix(known.as_slice()).and_then(number).is_none_or(|head| head > *after)
}

fn number(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Reads on until the end of the feed.
async fn look(view: &RedisView, feed: &Feed, position: &mut Position) -> Result<(), ViewError> {
    let asked = feed.questions();
    loop {
        let Seen { life, generation, head, anew, items } = view.look(position).await?;
        if generation.is_empty() {
            // There is no view yet, or no longer: the epoch ends when the next one begins.
            break;
        }
        if let Some(after) = anew {
            feed.restart(epoch(&generation, &life), after);
            *position = Position { generation, life, after };
        }
        let more = !items.is_empty();
        for chunk in items.chunk_by(|left, right| left.is_some() == right.is_some()) {
            position.after += chunk.len() as u64;
            let frames: Vec<_> = chunk.iter().flatten().cloned().collect();
            if frames.len() == chunk.len() {
                feed.append(frames);
            } else {
                // Whoever comes from before it reads everything again.
                tracing::error!(cursor = position.after, "a document that the feed names cannot be read");
                feed.restart(epoch(&position.generation, &position.life), position.after);
            }
        }
        if position.after >= head || !more {
            break;
        }
    }
    feed.answer(asked);
    Ok(())
}

/// Cursors mean something within one generation and one life of the server.
fn epoch(generation: &str, life: &str) -> String {
    format!("{generation}-{}", life.get(..8).unwrap_or(life))
}

impl RedisView {
    async fn look(&self, Position { generation, life, after }: &Position) -> Result<Seen, ViewError> {
        let back = BEGIN_BACK.min(ENTRIES_MAX).to_string();
        let arguments = super::words([generation, life, &after.to_string(), &READ_AT_ONCE.to_string(), &back]);
        let mut answer = list(self.run(&self.scripts.look, arguments).await?)?.into_iter();
        let mut next = || answer.next().ok_or_else(|| corrupt("a script answers otherwise")).and_then(text);
        let (life, generation, head, anew) = (next()?, next()?, next()?, next()?);
        let cursor = |text: String| text.parse::<u64>().map_err(|_| corrupt("a cursor of the feed"));
        let anew = Some(anew).filter(|anew| !anew.is_empty()).map(cursor).transpose()?;
        let mut items = Vec::new();
        while let (Some(kind), Some(document)) = (answer.next(), answer.next()) {
            items.push(frame(&text(kind)?, document)?);
        }
        Ok(Seen { life, generation, head: cursor(head)?, anew, items })
    }
}

fn frame(kind: &str, document: Value) -> Result<Option<(FeedKind, Box<RawValue>)>, ViewError> {
    let Some(fields) = Fields::read(document)? else { return Ok(None) };
    let frame = match kind {
        "customer" => fields.into_customer().map(|row| document::frame(FeedKind::Customer, &row.into_customer())),
        _ => fields.into_order().and_then(|row| Ok(document::frame(FeedKind::Order, &row.into_order()?))),
    };
    Ok(frame.ok().flatten())
}

async fn sweep(view: &RedisView) -> Infallible {
    loop {
        match view.sweep().await {
            Ok(0) => {}
            Ok(documents) => tracing::info!(documents, "what the view does not show any more was dropped"),
            Err(error) => tracing::debug!(error = %error, "what is retired stays for now"),
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}
