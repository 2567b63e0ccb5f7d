//! The broker or a store was away, and is back: whoever waits for it goes on soon, however long it was away.

use crate::support::{DEPOT, GROUP, Life, PARCELS, arrivals, arrived, embedded, open, open_with, send};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;
use tramline_db::{BoxFuture, DbError, Durability, EngineKind, UtcMicros, sql};
use tramline_messaging::{
    Appetite, Batch, Broker, BrokerError, Channel, Consumer, Effects, HandlerError, Headers, Move, Ownership, Position,
    Publication, Published, Record, Sharing, StreamId, Subscription, Unhandled,
};
use uuid::Uuid;

/// The parcels in the one stream.
const PARCELS_SENT: i64 = 3;
/// How long parcels may lie there once everything is back: four times the longest wait, for a machine that is busy.
const PICKED_UP_WITHIN: Duration = Duration::from_secs(2);

/// A broker and a store, each of which can be away.
#[derive(Clone, Default)]
struct World {
    broker_away: Arc<AtomicBool>,
    store_away: Arc<AtomicBool>,
    offset: Arc<AtomicI64>,
    claims: Arc<AtomicI64>,
    /// How many batches and messages are still refused for a reason that passes.
    conflicts: Arc<AtomicI64>,
}

impl World {
    fn away(&self, broker: bool, store: bool) {
        self.broker_away.store(broker, Ordering::SeqCst);
        self.store_away.store(store, Ordering::SeqCst);
    }

    fn broker(&self) -> Result<(), BrokerError> {
        let away = self.broker_away.load(Ordering::SeqCst);
        if away { Err(BrokerError::Unreachable("planted".to_owned())) } else { Ok(()) }
    }

    fn store(&self) -> Result<(), HandlerError> {
        let away = self.store_away.load(Ordering::SeqCst);
        if away { Err(HandlerError::Store("planted".to_owned())) } else { Ok(()) }
    }
}

fn stream() -> StreamId {
    StreamId { source: DEPOT, channel: PARCELS.into(), partition: 0 }
}

fn record(seq: i64) -> Arc<Record> {
    let id = Uuid::from_u128(seq.unsigned_abs().into());
    let (headers, payload) = (Headers::default(), String::new());
    Arc::new(Record { seq, id, key: Uuid::nil(), headers, payload, recorded_at: UtcMicros(0) })
}

impl Broker for World {
    fn publish<'a>(&'a self, _: &'a [Publication]) -> BoxFuture<'a, Result<Vec<Published>, BrokerError>> {
        Box::pin(async { unreachable!("nobody publishes") })
    }

    fn heads<'a>(&'a self, _: &'a [StreamId]) -> BoxFuture<'a, Result<Vec<i64>, BrokerError>> {
        Box::pin(async { unreachable!("nobody publishes") })
    }

    fn subscribe(&self, _: &'static str, _: &[(&'static str, Channel)]) -> Box<dyn Subscription> {
        Box::new(self.clone())
    }

    fn committed<'a>(&'a self, _: &'static str, _: &'a [Position]) -> BoxFuture<'a, Result<(), BrokerError>> {
        Box::pin(async { self.broker() })
    }

    fn nudge<'a>(&'a self, _: &'static str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn on_nudge(&self, _: &'static str, _: Arc<Notify>) {}
}

impl Subscription for World {
    fn next<'a>(
        &'a mut self,
        positions: &'a [Position],
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Batch>, BrokerError>> {
        Box::pin(async move {
            self.broker()?;
            let after = positions.iter().find(|(id, _)| *id == stream()).map_or(PARCELS_SENT, |(_, seq)| *seq);
            let records: Vec<_> = (after + 1..=PARCELS_SENT).take(limit).map(record).collect();
            if records.is_empty() {
                return std::future::pending().await;
            }
            Ok(vec![(stream(), records)])
        })
    }
}

impl Effects for World {
    type Effect = ();

    fn claim<'a>(
        &'a self,
        streams: &'a [(StreamId, i64)],
    ) -> BoxFuture<'a, Result<Vec<(StreamId, i64)>, HandlerError>> {
        Box::pin(async move {
            self.store()?;
            self.claims.fetch_add(1, Ordering::SeqCst);
            let offset = |id: &StreamId| if *id == stream() { self.offset.load(Ordering::SeqCst) } else { 0 };
            Ok(streams.iter().map(|(id, _)| (id.clone(), offset(id))).collect())
        })
    }

    fn apply<'a>(&'a self, moves: &'a [Move], _: &'a [Arc<Record>]) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            self.store()?;
            if self.conflicts.fetch_sub(1, Ordering::SeqCst) > 0 {
                return Err(HandlerError::Transient("planted".to_owned()));
            }
            moves.iter().for_each(|step| self.offset.store(step.to, Ordering::SeqCst));
            Ok(())
        })
    }

    fn park<'a>(&'a self, _: &'a Move, _: &'a Unhandled) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async { unreachable!("no message is at fault") })
    }

    fn parked_keys(&self) -> BoxFuture<'_, Result<Vec<Uuid>, HandlerError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn committed(&self, (): ()) {}
}

/// The store is away first, so that parcels fail; the broker joins it at `broker_from`; both are back at `back`.
async fn picked_up(broker_from: Option<u64>, back: u64, conflicts: i64) {
    let (folder, world, stop) =
        (tempfile::tempdir().expect("a temporary folder"), World::default(), CancellationToken::new());
    world.conflicts.store(conflicts, Ordering::SeqCst);
    let database = open("shop", folder.path()).await;
    let joined = Ownership::join(database.db(), GROUP, &Sharing::Alone, Appetite::FairShare, stop.clone()).await;
    let (ownership, keeping) = joined.expect("the leases read");
    let consumer = Consumer::new(GROUP, Arc::new(world.clone()), &[(DEPOT, PARCELS)], ownership, world.clone());
    // The streams are taken over before anything fails, as by a consumer that has been at work.
    world.away(true, false);
    let working = tokio::spawn(async move { tokio::join!(consumer.run(stop.clone()), keeping) });
    while world.claims.load(Ordering::SeqCst) == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    world.away(false, true);
    let alone = broker_from.unwrap_or(back);
    sleep(Duration::from_millis(alone)).await;
    world.away(alone < back, true);
    sleep(Duration::from_millis(back - alone)).await;
    assert_eq!(world.offset.load(Ordering::SeqCst), 0, "nothing is handled without a store");
    world.away(false, false);
    let done = async {
        while world.offset.load(Ordering::SeqCst) < PARCELS_SENT {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let picked_up = tokio::time::timeout(PICKED_UP_WITHIN, done).await;
    working.abort();
    assert!(picked_up.is_ok(), "away until {back} ms, the broker from {alone} ms on");
}

#[tokio::test]
async fn a_store_that_comes_back_is_used_again_soon() {
    for back in [150, 3_400] {
        picked_up(None, back, 0).await;
    }
}

#[tokio::test]
async fn a_broker_and_a_store_that_were_away_together_are_used_again_soon() {
    for (broker_from, back) in [(120, 300), (120, 1_700)] {
        picked_up(Some(broker_from), back, 0).await;
    }
}

/// Tries in vain during the outage are more than a message has before it is parked; this store can park nothing.
#[tokio::test]
async fn an_outage_costs_a_message_none_of_its_own_tries() {
    picked_up(None, 4_500, 2).await;
}

/// A server that answers before a commit is on the disk and crashes then: it is as if the newest commits had never been.
#[tokio::test]
async fn commits_that_a_crash_of_the_server_has_taken_are_done_again_although_nothing_new_is_sent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = tramline_testing::store_address(folder.path(), "shop");
    let depot = open(DEPOT, folder.path()).await;
    let shop = open_with("shop", &address, Durability::Process).await;
    // A database in this process cannot crash without it.
    assert_eq!(shop.db().may_forget(), shop.db().engine() == EngineKind::Postgres);
    if !shop.db().may_forget() {
        return;
    }
    let life = Life::start(embedded(&depot).await, &depot, &shop, Arc::default()).await;
    send(&depot, 1, 0..5).await;
    arrived(&shop, 5).await;
    let taken = shop.db().write::<_, DbError, _>(|tx| {
        Box::pin(async move {
            tx.execute(sql("delete from arrival where number >= 2")).await?;
            tx.execute(sql("update consumer_offset set last_seq = 2 where last_seq > 0")).await
        })
    });
    assert_eq!(taken.await.expect("it is good SQL"), 1);
    arrived(&shop, 5).await;
    life.stop().await;
    assert_eq!(arrivals(&shop, 1).await, [0, 1, 2, 3, 4]);
}
