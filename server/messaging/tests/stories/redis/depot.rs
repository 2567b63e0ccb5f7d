//! A publisher whose outbox is a list, with what a relay must do at least.

use std::{sync::Arc, time::Duration};
use tramline_db::UtcMicros;
use tramline_messaging::{
    Batch, Broker, Headers, Position, Publication, Published, Record, RedisBroker, StreamId, Subscription,
};
use tramline_redis::{Redis, RedisSettings};
use tramline_testing::{PrivateRedis, RedisOptions};
use uuid::Uuid;

pub const SOURCE: &str = "depot";
pub const CHANNEL: &str = "Parcel";
/// Long enough for a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub const ALONE: RedisOptions = RedisOptions { cluster: false, password: None, appendonly: false };
pub const CLUSTER: RedisOptions = RedisOptions { cluster: true, ..ALONE };

pub fn stream(partition: u16) -> StreamId {
    StreamId { source: SOURCE, channel: CHANNEL.into(), partition }
}

pub fn broker(server: &PrivateRedis) -> RedisBroker {
    let settings = RedisSettings::parse(&server.url(), "tramline").expect("the address reads");
    RedisBroker::new(Redis::open(settings).expect("the settings fit")).trim_every(Duration::ZERO)
}

/// Records whose ids belong to this life of the outbox.
pub fn records(life: u128, numbers: std::ops::RangeInclusive<i64>) -> Vec<Arc<Record>> {
    let record = |seq: i64| Record {
        seq,
        id: Uuid::from_u128((life << 64) + u128::try_from(seq).expect("it is positive")),
        key: Uuid::from_u128(9),
        headers: Headers { kind: "ParcelSent".to_owned(), saga_id: Some(Uuid::from_u128(3)), ..Headers::default() },
        payload: format!("{{\"number\":{seq},\"to\":\"Zürich\"}}"),
        recorded_at: UtcMicros(1_700_000_000_000_000 + seq),
    };
    numbers.map(record).map(Arc::new).collect()
}

pub async fn publish(broker: &dyn Broker, epoch: i64, partition: u16, records: Vec<Arc<Record>>) -> Published {
    let publication = Publication { stream: stream(partition), epoch, records };
    broker.publish(&[publication]).await.expect("it is reached")[0]
}

/// What a relay does once it sees that the head fell: publishes from there to the end.
pub async fn fill(broker: &dyn Broker, life: u128, partition: u16, end: i64) {
    let mut head = broker.heads(&[stream(partition)]).await.expect("it is reached")[0];
    loop {
        match publish(broker, 1, partition, records(life, head + 1..=end)).await {
            Published::Accepted => return,
            Published::Gap { head: lower } => head = lower,
            Published::Fenced { .. } => panic!("nobody else publishes"),
        }
    }
}

/// Fills again and again, as a relay does that looks once in a while.
pub async fn keep_filled(broker: RedisBroker, partition: u16, end: i64) {
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    loop {
        tick.tick().await;
        let Ok(heads) = broker.heads(&[stream(partition)]).await else { continue };
        let publication = Publication { stream: stream(partition), epoch: 1, records: records(1, heads[0] + 1..=end) };
        // A gap or a failure is met at the next look.
        drop(broker.publish(&[publication]).await);
    }
}

/// Reads on from a position until the end, sees that nothing is missing or altered, and returns the position.
pub async fn read_to(ear: &mut dyn Subscription, position: &mut Position, end: i64) {
    let reading = async {
        while position.1 < end {
            let Ok(batches) = ear.next(std::slice::from_ref(position), 40).await else { continue };
            take(&batches, position);
        }
    };
    tokio::time::timeout(DEADLINE, reading).await.unwrap_or_else(|_| panic!("it got no further than {}", position.1));
    assert_eq!(position.1, end);
}

pub fn take(batches: &[Batch], position: &mut Position) {
    for record in batches.iter().flat_map(|(_, records)| records) {
        assert_eq!(*record, records(1, record.seq..=record.seq)[0], "it comes as it was sent");
        assert_eq!(record.seq, position.1 + 1, "without gaps and in order");
        position.1 = record.seq;
    }
}
