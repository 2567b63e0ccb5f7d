//! Redis loses all or a part of a stream, and every reader gets every record all the same.

use super::depot::{ALONE, CHANNEL, CLUSTER, SOURCE, broker, fill, keep_filled, publish, read_to, records, stream};
use tramline_messaging::{Broker, Published};
use tramline_testing::{PrivateRedis, RedisOptions};

const LOG: &str = "tramline:{0}:depot/Parcel:log";
const STATE: &str = "tramline:{0}:depot/Parcel:state";
const GROUPS: &str = "tramline:{0}:depot/Parcel:groups";

const DAMAGES: &[&[&[&str]]] = &[
    &[&["FLUSHALL"]],
    &[&["DEL", LOG]],
    &[&["DEL", STATE]],
    &[&["DEL", GROUPS]],
    &[&["DEL", GROUPS], &["DEL", LOG]],
    &[&["DEL", GROUPS], &["DEL", STATE]],
    // Somebody trims by length, takes records out, adds one, or does both so that their number is as before.
    &[&["XTRIM", LOG, "MAXLEN", "10"]],
    &[&["XTRIM", LOG, "MAXLEN", "0"]],
    &[&["XDEL", LOG, "50-0"]],
    &[&["XADD", LOG, "100-1", "a", "b"]],
    &[&["XADD", LOG, "777-0", "a", "b"]],
    &[&["XDEL", LOG, "70-0"], &["XADD", LOG, "100-7", "a", "b"]],
    &[&["XDEL", LOG, "100-0"], &["XADD", LOG, "100-7", "a", "b"]],
    // A state of another age than its log.
    &[&["HSET", STATE, "head", "60"]],
    &[&["HSET", STATE, "head", "130"]],
    &[&["HSET", STATE, "base", "20"]],
];

async fn survives_all(options: RedisOptions) {
    let Some(server) = PrivateRedis::start_with(options).await else { return };
    for damage in DAMAGES {
        eprintln!("{damage:?}");
        server.flushall().await;
        survives(&server, damage).await;
    }
}

async fn survives(server: &PrivateRedis, damage: &[&[&str]]) {
    let broker = broker(server);
    fill(&broker, 1, 0, 100).await;
    // One group knows nothing yet, one is on its way, and one has everything.
    for (group, at) in [("new", 0), ("slow", 40), ("quick", 100)] {
        let mut ear = broker.subscribe(group, &[(SOURCE, CHANNEL)]);
        let mut position = (stream(0), at);
        read_to(&mut *ear, &mut position, 100).await;
        broker.committed(group, &[(stream(0), at)]).await.expect("it is reached");
    }
    for words in damage {
        server.ask(words).await;
    }
    let relay = tokio::spawn(keep_filled(broker.clone(), 0, 130));
    for (group, at) in [("slow", 40), ("quick", 100), ("new", 0)] {
        let mut ear = broker.subscribe(group, &[(SOURCE, CHANNEL)]);
        read_to(&mut *ear, &mut (stream(0), at), 130).await;
    }
    relay.abort();
}

#[tokio::test]
async fn every_damage_is_repaired() {
    survives_all(ALONE).await;
}

#[tokio::test]
async fn every_damage_to_a_cluster_is_repaired() {
    survives_all(CLUSTER).await;
}

/// The listeners stay connected all the while, and nothing new is sent: only the heads tell.
#[tokio::test]
async fn a_loss_is_noticed_although_nothing_new_is_sent() {
    for damage in [&["DEL", LOG][..], &["DEL", STATE], &["FLUSHALL"]] {
        let Some(server) = PrivateRedis::start().await else { return };
        let broker = broker(&server);
        fill(&broker, 1, 0, 60).await;
        let mut ear = broker.subscribe("shop", &[(SOURCE, CHANNEL)]);
        let mut position = (stream(0), 0);
        read_to(&mut *ear, &mut position, 40).await;
        server.ask(damage).await;
        let head = broker.heads(&[stream(0)]).await.expect("it is reached")[0];
        assert!(head < 40, "{damage:?}: the head fell, to {head}");
        fill(&broker, 1, 0, 60).await;
        read_to(&mut *ear, &mut position, 60).await;
    }
}

#[tokio::test]
async fn after_a_flush_the_relay_is_told_to_begin_at_the_start() {
    let Some(server) = PrivateRedis::start().await else { return };
    let broker = broker(&server);
    fill(&broker, 1, 0, 30).await;
    server.flushall().await;
    assert_eq!(publish(&broker, 1, 0, records(1, 31..=31)).await, Published::Gap { head: 0 });
    fill(&broker, 1, 0, 31).await;
    assert_eq!(broker.heads(&[stream(0)]).await.expect("it is reached"), [31]);
}

/// What a log lost is filled from the slowest group on, not from the first record ever.
#[tokio::test]
async fn what_every_group_has_is_not_filled_again() {
    let Some(server) = PrivateRedis::start().await else { return };
    let broker = broker(&server);
    fill(&broker, 1, 0, 100).await;
    for (group, at) in [("slow", 40), ("quick", 90)] {
        broker.committed(group, &[(stream(0), at)]).await.expect("it is reached");
    }
    server.ask(&["DEL", LOG]).await;
    assert_eq!(publish(&broker, 1, 0, records(1, 101..=101)).await, Published::Gap { head: 40 });
    fill(&broker, 1, 0, 101).await;
    assert_eq!(server.ask(&["XLEN", LOG]).await, "61");
}

#[tokio::test]
async fn scripts_are_taught_again_to_a_server_that_forgot_them() {
    let Some(server) = PrivateRedis::start().await else { return };
    let broker = broker(&server);
    assert_eq!(publish(&broker, 1, 0, records(1, 1..=2)).await, Published::Accepted);
    assert_eq!(server.ask(&["SCRIPT", "FLUSH"]).await, "OK");
    assert_eq!(publish(&broker, 1, 0, records(1, 3..=4)).await, Published::Accepted);
    assert_eq!(broker.heads(&[stream(0)]).await.expect("it is reached"), [4]);
}

/// Databases were made anew, and Redis still has the records of the old ones.
#[tokio::test]
async fn the_log_of_an_outbox_that_is_no_more_is_forgotten() {
    let Some(server) = PrivateRedis::start().await else { return };
    let broker = broker(&server);
    fill(&broker, 7, 0, 50).await;
    broker.committed("shop", &[(stream(0), 50)]).await.expect("it is reached");
    assert_eq!(publish(&broker, 1, 0, records(1, 1..=10)).await, Published::Gap { head: 0 });
    fill(&broker, 1, 0, 10).await;
    let mut ear = broker.subscribe("shop", &[(SOURCE, CHANNEL)]);
    read_to(&mut *ear, &mut (stream(0), 0), 10).await;
}

#[tokio::test]
async fn a_zombie_is_fenced_off_and_changes_nothing() {
    for options in [ALONE, CLUSTER] {
        let Some(server) = PrivateRedis::start_with(options).await else { return };
        let (zombie, owner) = (broker(&server), broker(&server));
        assert_eq!(publish(&zombie, 4, 0, records(1, 1..=5)).await, Published::Accepted);
        assert_eq!(publish(&owner, 5, 0, Vec::new()).await, Published::Accepted);
        assert_eq!(publish(&zombie, 4, 0, records(1, 6..=9)).await, Published::Fenced { epoch: 5 });
        assert_eq!(publish(&owner, 5, 0, records(1, 5..=7)).await, Published::Accepted);
        assert_eq!(publish(&zombie, 4, 0, records(1, 8..=9)).await, Published::Fenced { epoch: 5 });
        assert_eq!(
            publish(&zombie, 4, 1, records(1, 1..=1)).await,
            Published::Accepted,
            "another stream is another lease"
        );
        assert_eq!(server.ask(&["XLEN", LOG]).await, "7");
        let mut ear = owner.subscribe("shop", &[(SOURCE, CHANNEL)]);
        read_to(&mut *ear, &mut (stream(0), 0), 7).await;
    }
}
