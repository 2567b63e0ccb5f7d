//! What every broker must do. The story is told to each adapter.

use std::{sync::Arc, time::Duration};
use tramline_db::UtcMicros;
use tramline_messaging::{Broker, EmbeddedBroker, Headers, Publication, Published, Record, RedisBroker, StreamId};
use tramline_redis::{Redis, RedisSettings};
use tramline_testing::{PrivateRedis, RedisOptions};
use uuid::Uuid;

const SOURCE: &str = "depot";

fn stream(partition: u16) -> StreamId {
    StreamId { source: SOURCE, channel: "Parcel".into(), partition }
}

fn records(numbers: std::ops::RangeInclusive<i64>) -> Vec<Arc<Record>> {
    let record = |seq| Record {
        seq,
        id: Uuid::from_u128(u128::try_from(seq).expect("it is positive")),
        key: Uuid::nil(),
        headers: Headers::default(),
        payload: seq.to_string(),
        recorded_at: UtcMicros(0),
    };
    numbers.map(record).map(Arc::new).collect()
}

fn numbers(batches: &[(StreamId, Vec<Arc<Record>>)]) -> Vec<(u16, i64)> {
    batches.iter().flat_map(|(id, records)| records.iter().map(|record| (id.partition, record.seq))).collect()
}

async fn the_story(broker: &dyn Broker) {
    let mut ear = broker.subscribe("shop", &[(SOURCE, "Parcel")]);
    let publish_as = async |epoch, partition, numbers| {
        let publication = Publication { stream: stream(partition), epoch, records: records(numbers) };
        broker.publish(&[publication]).await.expect("it is reached")[0]
    };
    let publish = async |partition, numbers| publish_as(1, partition, numbers).await;

    // A batch is accepted, a repeated or overlapping one changes nothing, one that leaves a gap is refused.
    assert_eq!(publish(0, 1..=3).await, Published::Accepted);
    assert_eq!(publish(0, 1..=3).await, Published::Accepted);
    assert_eq!(publish(0, 2..=4).await, Published::Accepted);
    assert_eq!(publish(0, 6..=7).await, Published::Gap { head: 4 });
    assert_eq!(publish(1, 1..=1).await, Published::Accepted);

    // A consumer gets what is after its position, in order, at most as much as it asks for.
    let positions = [(stream(0), 1), (stream(1), 0)];
    let mut found = numbers(&ear.next(&positions, 10).await.expect("it is reached"));
    found.sort_unstable();
    assert_eq!(found, [(0, 2), (0, 3), (0, 4), (1, 1)]);
    assert_eq!(numbers(&ear.next(&positions[..1], 2).await.expect("it is reached")), [(0, 2), (0, 3)]);

    // One that is up to date waits, and is woken by news.
    let up_to_date = [(stream(0), 4), (stream(1), 1)];
    let waited = tokio::time::timeout(Duration::from_millis(30), ear.next(&up_to_date, 10)).await;
    assert!(waited.is_err(), "nothing is new");
    let (next, published) = tokio::join!(ear.next(&up_to_date, 10), publish(1, 2..=2));
    assert_eq!(published, Published::Accepted);
    assert_eq!(numbers(&next.expect("it is reached")), [(1, 2)]);

    // It tells how far it has come, and how far it has not.
    let heads = broker.heads(&[stream(1), stream(0), stream(2)]).await.expect("it is reached");
    assert_eq!(heads, [2, 4, 0]);

    // A new owner fences the old one off, even one that repeats what is there.
    assert_eq!(publish_as(3, 0, 5..=5).await, Published::Accepted);
    assert_eq!(publish_as(2, 0, 5..=6).await, Published::Fenced { epoch: 3 });
    assert_eq!(publish_as(3, 0, 6..=6).await, Published::Accepted);
}

#[tokio::test]
async fn the_embedded_broker_tells_the_story() {
    the_story(&EmbeddedBroker::new()).await;
}

async fn redis_tells_the_story(options: RedisOptions) {
    let Some(server) = PrivateRedis::start_with(options).await else { return };
    // Two desks in one Redis know nothing of each other.
    for prefix in ["tramline", "another.desk"] {
        let settings = RedisSettings::parse(&server.url(), prefix).expect("the address reads");
        the_story(&RedisBroker::new(Redis::connect(settings).await.expect("it answers"))).await;
    }
}

#[tokio::test]
async fn redis_tells_it_too() {
    redis_tells_the_story(RedisOptions::default()).await;
}

#[tokio::test]
async fn redis_with_a_password_tells_it_too() {
    redis_tells_the_story(RedisOptions { password: Some("s3cret"), ..RedisOptions::default() }).await;
}

#[tokio::test]
async fn a_cluster_tells_it_too() {
    redis_tells_the_story(RedisOptions { cluster: true, ..RedisOptions::default() }).await;
}

#[tokio::test]
async fn a_cluster_with_a_password_tells_it_too() {
    redis_tells_the_story(RedisOptions { cluster: true, password: Some("s3cret"), ..RedisOptions::default() }).await;
}
