//! How much of a stream is kept, and for whom.

use super::depot::{ALONE, CHANNEL, CLUSTER, SOURCE, broker, fill, keep_filled, read_to, stream};
use tramline_messaging::{Broker, RedisBroker};
use tramline_testing::PrivateRedis;

const LOG: &str = "tramline:{0}:depot/Parcel:log";

async fn committed(broker: &RedisBroker, group: &'static str, seq: i64) {
    // The first time only sets the clock.
    for _ in 0..2 {
        broker.committed(group, &[(stream(0), seq)]).await.expect("it is reached");
    }
}

async fn length(server: &PrivateRedis) -> i64 {
    server.ask(&["XLEN", LOG]).await.parse().expect("it is a number")
}

#[tokio::test]
async fn a_stream_is_trimmed_at_the_slowest_group_and_no_further() {
    for options in [ALONE, CLUSTER] {
        let Some(server) = PrivateRedis::start_with(options).await else { return };
        let broker = broker(&server);
        fill(&broker, 1, 0, 5_000).await;
        let mut slow = broker.subscribe("slow", &[(SOURCE, CHANNEL)]);
        let mut position = (stream(0), 0);
        // Not a word of `committed` from this group: to read is enough to be counted.
        read_to(&mut *slow, &mut position, 40).await;
        committed(&broker, "quick", 5_000).await;
        assert_eq!(length(&server).await, 5_000, "the slow group needs them all");

        committed(&broker, "slow", 3_000).await;
        let left = length(&server).await;
        assert!((3_000..=3_200).contains(&left), "2,000 that it lacks, and 1,000 in reserve: {left}");
        committed(&broker, "slow", 2_000).await;
        assert_eq!(length(&server).await, left, "what is there it may read again");
        position.1 = 2_500;
        read_to(&mut *slow, &mut position, 5_000).await;

        committed(&broker, "slow", 5_000).await;
        let left = length(&server).await;
        assert!((1_000..=1_200).contains(&left), "only the reserve: {left}");
        assert_eq!(broker.heads(&[stream(0)]).await.expect("it is reached"), [5_000]);
        fill(&broker, 1, 0, 5_001).await;
        read_to(&mut *slow, &mut position, 5_001).await;
    }
}

/// A view is built anew, or a group is new: what was dropped is filled for it from the outbox.
#[tokio::test]
async fn a_group_that_comes_late_gets_what_was_trimmed() {
    for options in [ALONE, CLUSTER] {
        let Some(server) = PrivateRedis::start_with(options).await else { return };
        let broker = broker(&server);
        fill(&broker, 1, 0, 3_000).await;
        committed(&broker, "quick", 3_000).await;
        assert!(length(&server).await < 1_200);
        let relay = tokio::spawn(keep_filled(broker.clone(), 0, 3_010));
        let mut late = broker.subscribe("late", &[(SOURCE, CHANNEL)]);
        read_to(&mut *late, &mut (stream(0), 0), 3_010).await;
        committed(&broker, "quick", 3_010).await;
        assert_eq!(length(&server).await, 3_010, "it is kept until the late group has it");
        relay.abort();
    }
}

/// The group's store was restored from a copy while the process went on. The log is whole and ends where every group stood, so
/// a read finds no hole: only what the group says of itself tells that something is missing.
#[tokio::test]
async fn a_group_that_goes_back_is_believed_and_gets_what_it_lost() {
    for options in [ALONE, CLUSTER] {
        let Some(server) = PrivateRedis::start_with(options).await else { return };
        let broker = broker(&server);
        fill(&broker, 1, 0, 100).await;
        let mut ear = broker.subscribe("only", &[(SOURCE, CHANNEL)]);
        read_to(&mut *ear, &mut (stream(0), 0), 100).await;
        committed(&broker, "only", 100).await;
        // Redis lost the records, and knows that nobody needs them: it begins again at 100, with nothing.
        server.ask(&["DEL", LOG]).await;
        fill(&broker, 1, 0, 100).await;
        assert_eq!(length(&server).await, 0);

        committed(&broker, "only", 60).await;
        assert_eq!(broker.heads(&[stream(0)]).await.expect("it is reached"), [60], "the relay is told where to begin");
        let relay = tokio::spawn(keep_filled(broker.clone(), 0, 101));
        read_to(&mut *ear, &mut (stream(0), 60), 101).await;
        relay.abort();
    }
}
