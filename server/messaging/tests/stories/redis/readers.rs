//! Readers that give up, lose their server, or are woken.

use super::depot::{
    ALONE, CHANNEL, CLUSTER, DEADLINE, SOURCE, broker, fill, keep_filled, publish, read_to, records, stream, take,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::timeout};
use tramline_messaging::{Broker, BrokerError, Published};
use tramline_testing::{PrivateRedis, RedisOptions};

/// Waits are given up at every moment of a read while records keep coming.
#[tokio::test]
async fn giving_up_a_wait_loses_nothing() {
    for options in [ALONE, CLUSTER] {
        let Some(server) = PrivateRedis::start_with(options).await else { return };
        let broker = broker(&server);
        let mut ear = broker.subscribe("shop", &[(SOURCE, CHANNEL)]);
        let mut position = (stream(0), 0);
        let publisher = {
            let broker = broker.clone();
            tokio::spawn(async move {
                for seq in 1..=300 {
                    assert_eq!(publish(&broker, 1, 0, records(1, seq..=seq)).await, Published::Accepted);
                }
            })
        };
        let mut patience = 0;
        let reading = async {
            while position.1 < 300 {
                patience = (patience + 137) % 4_000;
                if let Ok(batches) =
                    timeout(Duration::from_micros(patience), ear.next(std::slice::from_ref(&position), 7)).await
                {
                    take(&batches.expect("it is reached"), &mut position);
                }
            }
        };
        timeout(DEADLINE, reading).await.expect("it comes to the end");
        publisher.await.expect("it publishes");
        // Reads that were given up leave no connections behind.
        let gone = async {
            while server.ask(&["CLIENT", "LIST"]).await.lines().count() > 5 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(DEADLINE, gone).await.expect("connections are closed");
    }
}

/// With what it wrote down or without, the server comes back and the reader goes on.
#[tokio::test]
async fn a_reader_outlives_the_server() {
    for (cluster, appendonly) in [(false, true), (false, false), (true, true), (true, false)] {
        let options = RedisOptions { cluster, appendonly, ..ALONE };
        let Some(mut server) = PrivateRedis::start_with(options).await else { return };
        let broker = broker(&server);
        fill(&broker, 1, 0, 50).await;
        let mut ear = broker.subscribe("shop", &[(SOURCE, CHANNEL)]);
        let mut position = (stream(0), 0);
        read_to(&mut *ear, &mut position, 50).await;
        // A cluster takes seconds to trust itself again.
        for end in if cluster { &[110][..] } else { &[80, 110] } {
            server.stop();
            let error = timeout(DEADLINE, ear.next(std::slice::from_ref(&position), 9)).await.expect("it says so");
            assert!(matches!(error, Err(BrokerError::Unreachable(_))), "{error:?}");
            server.restart().await;
            let relay = tokio::spawn(keep_filled(broker.clone(), 0, *end));
            read_to(&mut *ear, &mut position, *end).await;
            relay.abort();
        }
    }
}

/// While the server is away, asking again and again costs next to nothing.
/// As a consumer does that reports once a second, whatever it waits for.
#[tokio::test]
async fn a_reader_that_is_given_up_again_and_again_comes_back_from_a_long_absence_all_the_same() {
    let Some(mut server) = PrivateRedis::start().await else { return };
    let broker = broker(&server);
    let mut ear = broker.subscribe("shop", &[(SOURCE, CHANNEL)]);
    server.stop();
    // Until the rest after a failure is longer than the patience below.
    for _ in 0..6 {
        assert!(ear.next(&[(stream(0), 0)], 40).await.is_err());
    }
    server.restart().await;
    fill(&broker, 1, 0, 10).await;
    let impatient = async {
        loop {
            let read = tokio::time::timeout(Duration::from_secs(1), ear.next(&[(stream(0), 0)], 40)).await;
            if let Ok(Ok(batches)) = read {
                return batches;
            }
        }
    };
    let batches = tokio::time::timeout(DEADLINE, impatient).await.expect("the records come");
    take(&batches, &mut (stream(0), 0));
}

#[tokio::test]
async fn a_reader_without_a_server_does_not_spin() {
    let Some(mut server) = PrivateRedis::start().await else { return };
    let broker = broker(&server);
    server.stop();
    let mut ear = broker.subscribe("shop", &[(SOURCE, CHANNEL)]);
    let mut answers = 0;
    let asking = async {
        loop {
            drop(ear.next(&[(stream(0), 0)], 9).await);
            answers += 1;
        }
    };
    drop(timeout(Duration::from_millis(700), asking).await);
    assert!((1..=4).contains(&answers), "{answers} answers");
}

#[tokio::test]
async fn a_nudge_reaches_other_processes_even_after_a_restart() {
    for options in [ALONE, CLUSTER] {
        let Some(mut server) = PrivateRedis::start_with(options).await else { return };
        let (here, there) = (broker(&server), broker(&server));
        let (news, others) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        there.on_nudge(SOURCE, Arc::clone(&news));
        there.on_nudge("bakery", Arc::clone(&others));
        // Once it listens it says so, since it may have missed something.
        for _ in 0..2 {
            timeout(DEADLINE, async { tokio::join!(news.notified(), others.notified()) }).await.expect("it listens");
            let nudging = async {
                // A nudge may get lost with the connection to the server that was.
                while timeout(Duration::from_millis(50), news.notified()).await.is_err() {
                    here.nudge(SOURCE).await;
                }
            };
            timeout(DEADLINE, nudging).await.expect("the nudge arrives");
            assert!(timeout(Duration::from_millis(20), others.notified()).await.is_err(), "nobody nudged the bakery");
            server.restart().await;
        }
    }
}

/// In a cluster a message is read when it comes, not at the next look.
#[tokio::test]
async fn news_of_a_log_wake_readers_in_a_cluster() {
    let Some(server) = PrivateRedis::start_with(CLUSTER).await else { return };
    let broker = broker(&server);
    let mut ear = broker.subscribe("shop", &[(SOURCE, CHANNEL)]);
    let mut position = (stream(0), 0);
    fill(&broker, 1, 0, 1).await;
    read_to(&mut *ear, &mut position, 1).await;
    let reading = async {
        for seq in 2..=40 {
            fill(&broker, 1, 0, seq).await;
            read_to(&mut *ear, &mut position, seq).await;
        }
    };
    // Without news each would take a quarter of a second.
    timeout(Duration::from_secs(5), reading).await.expect("news wakes the reader");
}

/// Each stream gets its share of the limit, and together they never exceed it.
#[tokio::test]
async fn the_limit_holds_over_all_streams() {
    for options in [ALONE, CLUSTER] {
        let Some(server) = PrivateRedis::start_with(options).await else { return };
        let broker = broker(&server);
        for partition in 0..16 {
            fill(&broker, 1, partition, 30).await;
        }
        let mut ear = broker.subscribe("shop", &[(SOURCE, CHANNEL)]);
        let mut positions: Vec<_> = (0..16).map(|partition| (stream(partition), 0)).collect();
        while positions.iter().any(|(_, seq)| *seq < 30) {
            let batches = timeout(DEADLINE, ear.next(&positions, 10)).await.expect("in time").expect("it is reached");
            assert!(batches.iter().map(|(_, records)| records.len()).sum::<usize>() <= 10);
            for batch in batches {
                let position = positions.iter_mut().find(|(stream, _)| *stream == batch.0).expect("it was asked for");
                take(&[batch], position);
            }
        }
    }
}
