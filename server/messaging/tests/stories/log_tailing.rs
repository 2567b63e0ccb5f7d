//! The relay that reads the log of PostgreSQL: the same messages, and a relay that polls can take over at any time.

use crate::support::{DEPOT, GROUP, PARCELS, Shop, arrivals, arrived, embedded, in_another_process, open_at, send};
use std::{path::Path, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tramline_db::sql;
use tramline_messaging::{
    Appetite, Broker, Consumer, LogRelay, Messaging, Ownership, RELAY_TASK, Relay, Sharing, StreamId, Transactional,
    partition_of,
};
use tramline_testing::{Disk, POSTGRES, PrivatePostgres, database_on, psql, required};
use uuid::Uuid;

/// An empty database with a log to follow, and its server while it is the test's own.
fn database() -> Option<(String, Option<PrivatePostgres>)> {
    if let Ok(server) = std::env::var(POSTGRES) {
        return Some((database_on(&server, None), None));
    }
    let server = required("PostgreSQL", PrivatePostgres::start(Disk::Unsynced))?;
    Some((server.database(), Some(server)))
}

struct Works {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Works {
    fn new() -> Self {
        Self { tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    async fn follow(&self, depot: &Messaging, broker: &Arc<dyn Broker>) {
        let relay =
            LogRelay::new(in_another_process(depot).await, Arc::clone(broker), Sharing::Among(depot.db().new_id()));
        self.tasks.spawn(relay.run(self.stop.clone()));
    }

    async fn poll(&self, depot: &Messaging, broker: &Arc<dyn Broker>) {
        let sharing = Sharing::Among(depot.db().new_id());
        let joined = Ownership::join(depot.db(), RELAY_TASK, &sharing, Appetite::FairShare, self.stop.clone()).await;
        let (ownership, keeping) = joined.expect("the leases read");
        self.tasks.spawn(keeping);
        self.tasks
            .spawn(Relay::new(in_another_process(depot).await, Arc::clone(broker), ownership).run(self.stop.clone()));
    }

    async fn consume(&self, shop: &Messaging, broker: &Arc<dyn Broker>) {
        let joined = Ownership::join(shop.db(), GROUP, &Sharing::Alone, Appetite::Everything, self.stop.clone()).await;
        let (ownership, keeping) = joined.expect("the leases read");
        self.tasks.spawn(keeping);
        let effects = Transactional::new(GROUP, shop.clone(), Arc::new(Shop::default()));
        let consumer = Consumer::new(GROUP, Arc::clone(broker), &[(DEPOT, PARCELS)], ownership, effects);
        self.tasks.spawn(consumer.run(self.stop.clone()));
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Waits until a relay follows the log, and has acknowledged what lies in it now.
async fn followed(depot: &Messaging) {
    let place: Option<(String,)> =
        depot.db().optional(sql("select cast(pg_current_wal_lsn() as text)")).await.expect("it is told");
    let (place,) = place.expect("there is a log");
    let acknowledged =
        sql("select slot_name from pg_replication_slots where active and database = current_database() \
         and confirmed_flush_lsn >= cast(cast($1 as text) as pg_lsn)")
        .bind(place);
    let wait = async {
        loop {
            let slot: Option<(String,)> = depot.db().optional(acknowledged.clone()).await.expect("it is told");
            if slot.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the log is followed");
}

async fn services(url: &str) -> (Messaging, Messaging) {
    (open_at(DEPOT, url).await, open_at("shop", url).await)
}

#[tokio::test]
async fn what_is_committed_arrives_by_the_log() {
    let Some((url, _server)) = database() else { return };
    let (depot, shop) = services(&url).await;
    let broker = embedded(&depot).await;
    // Before anybody follows the log: it comes from the table.
    send(&depot, 1, 0..10).await;
    let works = Works::new();
    works.consume(&shop, &broker).await;
    works.follow(&depot, &broker).await;
    arrived(&shop, 10).await;
    for number in 10..60 {
        send(&depot, 1, number..number + 1).await;
    }
    arrived(&shop, 60).await;
    works.stop().await;
    assert_eq!(arrivals(&shop, 1).await, (0..60).collect::<Vec<_>>());

    // What is committed while nobody follows waits in the log.
    send(&depot, 1, 60..70).await;
    let works = Works::new();
    works.consume(&shop, &broker).await;
    works.follow(&depot, &broker).await;
    arrived(&shop, 70).await;
    // The idle log is acknowledged: what the server keeps shrinks to next to nothing.
    let idle = async {
        while depot.db().tail_lag().await.expect("it is told").is_none_or(|lag| lag > 100_000) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), idle).await.expect("the log is acknowledged");
    works.stop().await;
    depot.db().forget_tail().await.expect("it is dropped");
    assert_eq!(depot.db().tail_lag().await.expect("it is told"), None);
}

#[tokio::test]
async fn relays_of_both_kinds_take_over_from_each_other_while_messages_flow() {
    let Some((url, _server)) = database() else { return };
    let (depot, shop) = services(&url).await;
    let broker = embedded(&depot).await;
    let consuming = Works::new();
    consuming.consume(&shop, &broker).await;
    let (sending, sender) = (CancellationToken::new(), depot.clone());
    let stop = sending.clone();
    let sender = tokio::spawn(async move {
        let mut number = 0;
        while !stop.is_cancelled() {
            for key in 0..8 {
                send(&sender, key, number..number + 1).await;
            }
            number += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        number
    });
    for round in 0..4 {
        let works = Works::new();
        match round % 2 {
            0 => works.follow(&depot, &broker).await,
            _ => works.poll(&depot, &broker).await,
        }
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        if round == 2 {
            // For a while both are at work.
            works.poll(&depot, &broker).await;
            tokio::time::sleep(Duration::from_millis(1_500)).await;
        }
        works.stop().await;
    }
    let last = Works::new();
    last.follow(&depot, &broker).await;
    sending.cancel();
    let sent = sender.await.expect("it sends");
    arrived(&shop, sent * 8).await;
    last.stop().await;
    consuming.stop().await;
    for key in 0..8 {
        assert_eq!(arrivals(&shop, key).await, (0..sent).collect::<Vec<_>>());
    }
    depot.db().forget_tail().await.expect("it is dropped");
}

#[tokio::test]
async fn a_slot_that_was_dropped_is_made_anew_and_what_it_missed_comes_from_the_table() {
    let Some((url, _server)) = database() else { return };
    let (depot, shop) = services(&url).await;
    let broker = embedded(&depot).await;
    let works = Works::new();
    works.consume(&shop, &broker).await;
    works.follow(&depot, &broker).await;
    send(&depot, 1, 0..5).await;
    arrived(&shop, 5).await;
    // As an operator may, or the server when the log grew too long.
    let drop = "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name like 'tramline_depot_%' \
        and database = current_database(); \
        select pg_sleep(0.2); \
        select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name like 'tramline_depot_%' \
        and database = current_database() and not active";
    assert!(tramline_testing::psql(&url, drop), "the slot is dropped");
    send(&depot, 1, 5..10).await;
    arrived(&shop, 10).await;
    works.stop().await;
    assert_eq!(arrivals(&shop, 1).await, (0..10).collect::<Vec<_>>());
    depot.db().forget_tail().await.expect("it is dropped");
}

#[tokio::test]
async fn a_database_without_a_log_is_polled() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str, folder: &Path| format!("sqlite:{}", folder.join(format!("{name}.db")).display());
    let depot = open_at(DEPOT, &at(DEPOT, folder.path())).await;
    let shop = open_at("shop", &at("shop", folder.path())).await;
    let broker = embedded(&depot).await;
    let works = Works::new();
    works.consume(&shop, &broker).await;
    works.follow(&depot, &broker).await;
    send(&depot, 1, 0..5).await;
    arrived(&shop, 5).await;
    works.stop().await;
}

#[tokio::test]
async fn what_the_log_tells_is_published_only_once_others_can_see_it() {
    let Some(server) = required("PostgreSQL", PrivatePostgres::start(Disk::Unsynced)) else { return };
    let url = server.database();
    let (depot, shop) = services(&url).await;
    let broker = embedded(&depot).await;
    let works = Works::new();
    works.consume(&shop, &broker).await;
    works.follow(&depot, &broker).await;
    send(&depot, 1, 0..1).await;
    arrived(&shop, 1).await;
    // What polls meanwhile sees no more than others do.
    followed(&depot).await;
    // A commit that waits for a standby lies in the log already, and nobody sees it yet.
    let standby = |name: &str| {
        assert!(psql(&url, &format!("alter system set synchronous_standby_names = '{name}'")));
        assert!(psql(&url, "select pg_reload_conf()"));
    };
    standby("nobody");
    let mut number = 1;
    let committing = loop {
        let sender = depot.clone();
        let mut committing = tokio::spawn(async move { send(&sender, 1, number..number + 1).await });
        number += 1;
        match tokio::time::timeout(Duration::from_millis(400), &mut committing).await {
            Ok(committed) => committed.expect("it is sent"),
            Err(_) => break committing,
        }
    };
    // What was committed before it is seen and goes out; where a consumer writes it, its own commits wait as well.
    let stream = StreamId { source: DEPOT, channel: PARCELS.into(), partition: partition_of(Uuid::from_u128(1)) };
    let head = async || broker.heads(std::slice::from_ref(&stream)).await.expect("it is told")[0];
    let published = async {
        while head().await < number - 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), published).await.expect("it is published");
    assert_eq!(head().await, number - 1);
    standby("");
    committing.await.expect("it is sent");
    arrived(&shop, number).await;
    works.stop().await;
    assert_eq!(arrivals(&shop, 1).await, (0..number).collect::<Vec<_>>());
}
