//! Several processes share the partitions of one group: each message still takes effect once, in order per key.

use crate::support::{
    DEPOT, GROUP, Life, PARCELS, Shop, arrivals, arrived, embedded, in_another_process, open, open_at, send,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use tramline_db::{Db, UtcMicros};
use tramline_messaging::{
    Appetite, Broker, Effects, Epochs, HandlerError, Headers, LEASE, Move, Ownership, PARTITIONS, Record, Sharing,
    StreamId, Transactional,
};
use tramline_testing::{Disk, PrivatePostgres, required};
use uuid::Uuid;

fn member(number: u128) -> Sharing {
    Sharing::Among(Uuid::from_u128(number))
}

/// Waits until the members own these numbers of slots.
async fn owned(members: &[&Ownership], wanted: &[usize]) {
    let wait = async {
        loop {
            let now: Vec<usize> = members.iter().map(|member| member.epochs().len()).collect();
            if now == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(15), wait).await;
    let now: Vec<_> = members.iter().map(|member| member.epochs().len()).collect();
    assert!(in_time.is_ok(), "{now:?} and not {wanted:?}");
}

async fn join(db: &Db, number: u128) -> (Ownership, CancellationToken, tokio::task::JoinHandle<()>) {
    let stop = CancellationToken::new();
    let joined = Ownership::join(db, "work", &member(number), Appetite::FairShare, stop.clone()).await;
    let (ownership, keeping) = joined.expect("the leases read");
    (ownership, stop, tokio::spawn(keeping))
}

#[tokio::test]
async fn slots_are_shared_handed_over_and_taken_from_the_dead() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let depot = open("depot", folder.path()).await;
    let all = usize::from(PARTITIONS);
    let (first, stop_first, first_keeper) = join(depot.db(), 1).await;
    owned(&[&first], &[all]).await;
    let epochs = first.epochs();

    let (second, _stop_second, second_keeper) = join(depot.db(), 2).await;
    owned(&[&first, &second], &[all / 2, all / 2]).await;
    for (slot, epoch) in &*second.epochs() {
        assert!(epoch > &epochs[slot], "a new owner has a higher epoch");
        assert!(!first.epochs().contains_key(slot));
    }

    // Handed over at once when one leaves.
    stop_first.cancel();
    first_keeper.await.expect("it leaves");
    owned(&[&first, &second], &[0, all]).await;

    // One that dies says nothing; its leases run out, and it knows so itself.
    let before = second.epochs();
    second_keeper.abort();
    let (third, _stop_third, _third_keeper) = join(depot.db(), 3).await;
    owned(&[&second, &third], &[0, all]).await;
    assert!(third.epochs().iter().all(|(slot, epoch)| epoch > &before[slot]));
}

#[tokio::test]
async fn processes_that_come_and_go_lose_nothing_and_do_nothing_twice() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open("depot", folder.path()).await, open("shop", folder.path()).await);
    let broker: Arc<dyn Broker> = embedded(&depot).await;
    let mut lives = Vec::new();
    for round in 0..6_u8 {
        let handler = Arc::new(Shop::default());
        handler.closed.store(round == 3, Ordering::SeqCst);
        let (own_depot, own_shop) = (in_another_process(&depot).await, in_another_process(&shop).await);
        let me = member(u128::from(round) + 1);
        lives.push(Life::among(&me, Arc::clone(&broker), &own_depot, &own_shop, handler).await);
        for sender in 0..20 {
            let from = i64::from(round) * 5;
            send(&depot, sender, from..from + 5).await;
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        if round == 4 {
            // The one that refused everything leaves; so does the first.
            lives.remove(3).stop().await;
            lives.remove(0).stop().await;
        }
    }
    arrived(&shop, 20 * 30).await;
    for life in lives {
        life.stop().await;
    }
    for sender in 0..20 {
        assert_eq!(arrivals(&shop, sender).await, (0..30).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_owner_that_wakes_after_its_lease_was_taken_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shop = open("shop", folder.path()).await;
    let stream = StreamId { source: DEPOT, channel: PARCELS.into(), partition: 3 };
    let zombie = Transactional::new(GROUP, shop.clone(), Arc::new(Shop::default()));
    let owner = Transactional::new(GROUP, shop.clone(), Arc::new(Shop::default()));
    assert_eq!(zombie.claim(&[(stream.clone(), 1)]).await.expect("it is free"), [(stream.clone(), 0)]);
    assert_eq!(owner.claim(&[(stream.clone(), 2)]).await.expect("it is newer"), [(stream.clone(), 0)]);
    let record = Arc::new(Record {
        seq: 1,
        id: Uuid::from_u128(1),
        key: Uuid::from_u128(7),
        headers: Headers::default(),
        payload: "0".to_owned(),
        recorded_at: UtcMicros(0),
    });
    let step = |epoch| [Move { stream: stream.clone(), from: 0, to: 1, epoch }];
    let late = zombie.apply(&step(1), std::slice::from_ref(&record)).await;
    assert!(matches!(late, Err(HandlerError::Moved)), "{late:?}");
    assert_eq!(arrivals(&shop, 7).await, Vec::<i64>::new());
    owner.apply(&step(2), std::slice::from_ref(&record)).await.expect("it owns the stream");
    assert_eq!(arrivals(&shop, 7).await, [0]);
    // It cannot take the stream back with its old epoch either.
    assert_eq!(zombie.claim(&[(stream.clone(), 1)]).await.expect("it reads"), []);
}

/// Nobody else was there to take the leases, so the epochs are the same as before.
#[tokio::test]
async fn a_lone_owner_goes_on_after_its_database_was_away_for_longer_than_the_lease() {
    let Some(mut server) = required("PostgreSQL", PrivatePostgres::start(Disk::Unsynced)) else { return };
    let url = server.database();
    let (depot, shop) = (open_at(DEPOT, &url).await, open_at("shop", &url).await);
    let broker: Arc<dyn Broker> = embedded(&depot).await;
    let life = Life::among(&member(1), broker, &depot, &shop, Arc::new(Shop::default())).await;
    send(&depot, 1, 0..5).await;
    arrived(&shop, 5).await;
    server.stop();
    tokio::time::sleep(LEASE + Duration::from_secs(1)).await;
    server.restart(Disk::Unsynced);
    send(&depot, 1, 5..10).await;
    arrived(&shop, 10).await;
    life.stop().await;
    assert_eq!(arrivals(&shop, 1).await, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_owner_hears_once_that_its_leases_ran_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let depot = open("depot", folder.path()).await;
    let (mut ownership, _stop, keeper) = join(depot.db(), 1).await;
    owned(&[&ownership], &[usize::from(PARTITIONS)]).await;
    // It dies: nobody renews the leases, and nobody says so.
    keeper.abort();
    let before = ownership.epochs();
    let told = tokio::time::timeout(LEASE * 2, ownership.changed(&before)).await;
    assert!(told.is_ok() && ownership.epochs().is_empty());
    let again = tokio::time::timeout(Duration::from_millis(100), ownership.changed(&Epochs::new())).await;
    assert!(again.is_err(), "it is told again and again");
}
