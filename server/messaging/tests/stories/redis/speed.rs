//! How many records a second go in and out. Run by hand: `cargo nextest run --release --run-ignored only speed --no-capture`.

use super::depot::{ALONE, CHANNEL, CLUSTER, SOURCE, broker, records, stream};
use std::time::{Duration, Instant};
use tramline_messaging::{Broker, Publication};
use tramline_testing::PrivateRedis;

const STREAMS: u16 = 16;
const ROUNDS: i64 = 100;
const BATCH: i64 = 64;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures"]
async fn speed_of_publishing_and_reading() {
    for (name, options) in [("one server", ALONE), ("cluster", CLUSTER)] {
        let Some(server) = PrivateRedis::start_with(options).await else { return };
        let broker = broker(&server);
        let rounds: Vec<Vec<Publication>> = (0..ROUNDS)
            .map(|round| {
                let of = |partition| Publication {
                    stream: stream(partition),
                    epoch: 1,
                    records: records(1, round * BATCH + 1..=(round + 1) * BATCH),
                };
                (0..STREAMS).map(of).collect()
            })
            .collect();
        let count = usize::from(STREAMS) * usize::try_from(ROUNDS * BATCH).expect("it is positive");
        let start = now();
        for publications in &rounds {
            broker.publish(publications).await.expect("it is reached");
        }
        report(name, "published", count, start.elapsed());
        let mut ear = broker.subscribe("shop", &[(SOURCE, CHANNEL)]);
        let mut positions: Vec<_> = (0..STREAMS).map(|partition| (stream(partition), 0)).collect();
        let start = now();
        let mut read = 0;
        while read < count {
            for (stream, records) in ear.next(&positions, 256).await.expect("it is reached") {
                read += records.len();
                let last = records.last().map_or(0, |record| record.seq);
                positions[usize::from(stream.partition)].1 = last;
            }
        }
        report(name, "read", count, start.elapsed());
        let start = now();
        for seq in 1..=500 {
            let publication = Publication {
                stream: stream(0),
                epoch: 1,
                records: records(1, ROUNDS * BATCH + seq..=ROUNDS * BATCH + seq),
            };
            let (published, batches) =
                tokio::join!(broker.publish(std::slice::from_ref(&publication)), ear.next(&positions, 256));
            published.expect("it is reached");
            assert_eq!(batches.expect("it is reached").len(), 1);
            positions[0].1 += 1;
        }
        report(name, "published and read one by one", 500, start.elapsed());
    }
}

fn report(name: &str, what: &str, count: usize, took: Duration) {
    eprintln!("{name}: {count} records {what} in {took:?}, {:.0} a second", count as f64 / took.as_secs_f64());
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn now() -> Instant {
    Instant::now()
}
