//! Reads outboxes into a generation until it shows everything, and has it put in place.

use super::Sources;
use crate::import::progress;
use anyhow::{Context as _, bail};
use tramline_db::Db;
use tramline_messaging::{Position, StreamId, outbox_heads, read_outbox};
use tramline_order_history::{Swap, ViewRebuild};

/// Events of one stream per transaction.
const BATCH: usize = 256;
/// Passes over what arrived meanwhile. Each takes what the one before it took time for, so they soon are some events long; what
/// is not level by then has a desk beside it that outruns this process.
const PASSES_MAX: u32 = 10_000;

/// Takes every stream, from its beginning.
pub(super) async fn claim(rebuild: &ViewRebuild, sources: &Sources<'_>) -> anyhow::Result<Vec<Position>> {
    let mut positions = Vec::new();
    for (db, channel) in sources {
        positions.extend(outbox_heads(db, channel).await?.into_iter().map(|(stream, _)| (stream, 0)));
    }
    let streams: Vec<StreamId> = positions.iter().map(|(stream, _)| stream.clone()).collect();
    rebuild.claim(&streams).await?;
    Ok(positions)
}

/// Replays what comes after the positions, again and again, until the generation is in place. Returns how many events.
pub(super) async fn catch_up_and_swap(
    rebuild: &ViewRebuild,
    sources: &Sources<'_>,
    positions: &mut [Position],
) -> anyhow::Result<u64> {
    let mut replayed = 0;
    let bar = progress::bar("replaying events", 0);
    for _ in 0..PASSES_MAX {
        for (db, channel) in sources {
            let heads = outbox_heads(db, channel).await?;
            let left = heads.iter().map(|(stream, head)| head - position(positions, stream)).sum::<i64>();
            bar.set_length(replayed + u64::try_from(left).unwrap_or(0));
            replayed += pass(rebuild, db, &heads, positions, &bar).await?;
        }
        match rebuild.swap().await? {
            Swap::Done => {
                bar.finish_and_clear();
                return Ok(replayed);
            }
            Swap::Behind => {}
            Swap::GivenUp => bail!("another rebuild was begun meanwhile, or the store was wiped"),
        }
    }
    bail!("more arrives than can be replayed; try again when it is calmer");
}

/// Replays one outbox up to these heads.
async fn pass(
    rebuild: &ViewRebuild,
    db: &Db,
    heads: &[Position],
    positions: &mut [Position],
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<u64> {
    let mut replayed = 0;
    loop {
        let behind: Vec<Position> = heads
            .iter()
            .map(|(stream, head)| (stream.clone(), position(positions, stream), *head))
            .filter(|(_, at, head)| at < head)
            .map(|(stream, at, _)| (stream, at))
            .collect();
        if behind.is_empty() {
            return Ok(replayed);
        }
        let batches = read_outbox(db, &behind, BATCH).await?;
        if batches.is_empty() {
            bail!("the outbox of {} lacks events that it gave numbers to; rebuild with --from services", db.name());
        }
        for (stream, records) in batches {
            rebuild.replay(&stream, &records).await.with_context(|| format!("stream {stream}"))?;
            if let (Some(known), Some(last)) = (positions.iter_mut().find(|(id, _)| *id == stream), records.last()) {
                known.1 = last.seq;
            }
            replayed += records.len() as u64;
            bar.inc(records.len() as u64);
        }
    }
}

fn position(positions: &[Position], stream: &StreamId) -> i64 {
    positions.iter().find(|(id, _)| id == stream).map_or(0, |(_, at)| *at)
}
