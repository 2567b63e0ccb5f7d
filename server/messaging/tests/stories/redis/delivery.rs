//! From an outbox over Redis to a consumer, while Redis forgets and restarts.

use crate::{
    redis::depot::{ALONE, CLUSTER, broker},
    support::{Life, Shop, arrivals, arrived, open, send},
};
use std::sync::Arc;
use tramline_messaging::{Broker, Messaging};
use tramline_testing::{PrivateRedis, RedisOptions};

async fn send_rounds(depot: &Messaging, rounds: std::ops::Range<i64>) {
    for round in rounds {
        for sender in 0..7 {
            send(depot, sender, round * 3..(round + 1) * 3).await;
        }
    }
}

async fn arrive_once_and_in_order(options: RedisOptions) {
    let Some(mut server) = PrivateRedis::start_with(options).await else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (depot, shop) = (open("depot", folder.path()).await, open("shop", folder.path()).await);
    let over_redis: Arc<dyn Broker> = Arc::new(broker(&server));
    let life = Life::start(over_redis, &depot, &shop, Arc::<Shop>::default()).await;
    send_rounds(&depot, 0..10).await;
    server.flushall().await;
    send_rounds(&depot, 10..20).await;
    server.restart().await;
    send_rounds(&depot, 20..30).await;
    arrived(&shop, 7 * 90).await;
    life.stop().await;
    for sender in 0..7 {
        assert_eq!(arrivals(&shop, sender).await, (0..90).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn messages_arrive_once_and_in_order_although_redis_forgets() {
    arrive_once_and_in_order(ALONE).await;
}

#[tokio::test]
async fn messages_arrive_once_and_in_order_although_a_cluster_forgets() {
    arrive_once_and_in_order(CLUSTER).await;
}
