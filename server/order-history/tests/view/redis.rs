//! What a view in Redis must do besides: come back whatever Redis forgets, be rebuilt beside itself, and stay within bounds.

use crate::{
    events::{approved, customer, customer_id, order_id, placed},
    stores::{Instance, Kind, TestStore, database, step, stream},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tramline_db::DbError;
use tramline_messages::channels::ORDER_EVENTS;
use tramline_messaging::{
    Appetite, Broker, Consumer, Effects as _, HandlerError, Messaging, Ownership, RELAY_TASK, Record, RedisBroker,
    Relay, Sharing,
};
use tramline_order_history::{GROUP, History, Rebuild, RedisView, Swap};
use tramline_redis::{Command, Value};
use tramline_testing::{RedisOptions, store_address};

const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until something is so.
async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let waiting = async {
        while !is_so().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("{what} in time"));
}

async fn command(store: &TestStore, words: &[&str]) -> Value {
    let mut command = Command::new();
    for word in words {
        command.arg(*word);
    }
    store.redis.as_ref().expect("it is in Redis").run(vec![command]).await.expect("it answers").remove(0)
}

fn root(store: &TestStore) -> String {
    format!("{}:{{view}}:root", store.redis.as_ref().expect("it is in Redis").settings().prefix())
}

async fn generation(store: &TestStore) -> String {
    match command(store, &["HGET", &root(store), "current"]).await {
        Value::BulkString(bytes) => String::from_utf8(bytes).expect("it is text"),
        _ => String::new(),
    }
}

async fn send(orders: &Messaging, records: Vec<Arc<Record>>) {
    let sent = orders.transact::<_, DbError, _>(None, move |work| {
        Box::pin(async move {
            for record in records {
                work.send(ORDER_EVENTS, record.key, record.headers.clone(), record.payload.clone());
            }
            Ok(())
        })
    });
    sent.await.expect("it is committed");
}

/// A process with the consumer and the feed, which shares the partitions with others.
struct Process {
    desk: Instance,
    tasks: TaskTracker,
    stop_work: CancellationToken,
    stop_lease: CancellationToken,
}

impl Process {
    async fn start(store: &TestStore) -> Self {
        let (tasks, stop_work, stop_lease) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let history = store.history().await;
        let sharing = Sharing::Among(store.messaging.db().new_id());
        let joined =
            Ownership::join(history.messaging().db(), GROUP, &sharing, Appetite::FairShare, stop_lease.clone());
        let (ownership, keeping) = joined.await.expect("it joins");
        tasks.spawn(keeping);
        let channels = [("orders", ORDER_EVENTS)];
        let consumer = Consumer::new(GROUP, broker(store), &channels, ownership, history.projector());
        tasks.spawn(consumer.run(stop_work.clone()));
        Self { desk: Instance::of(history, 0).await, tasks, stop_work, stop_lease }
    }

    async fn stop(self) {
        self.stop_work.cancel();
        self.stop_lease.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn broker(store: &TestStore) -> Arc<dyn Broker> {
    Arc::new(RedisBroker::new(store.redis.clone().expect("it is in Redis")))
}

/// The whole way: outbox, relay, broker, consumers in two processes, view, feed, all over one Redis; one process ends, and
/// Redis is wiped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_the_view_and_a_wiped_redis_is_filled_again() {
    let Some(mut store) = TestStore::in_private_redis(RedisOptions::default()).await else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let orders = database("orders", &store_address(folder.path(), "orders")).await;
    let orders = Messaging::open(orders).await.expect("it opens");
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let joined = Ownership::join(orders.db(), RELAY_TASK, &Sharing::Alone, Appetite::FairShare, stop.clone());
    let (ownership, keeping) = joined.await.expect("it joins");
    tasks.spawn(keeping);
    tasks.spawn(Relay::new(orders.clone(), broker(&store), ownership).run(stop.clone()));
    let (one, other) = (Process::start(&store).await, Process::start(&store).await);

    let (epoch, mut after) = one.desk.head().await;
    let mut heard = 0;
    for number in 0..200 {
        send(&orders, vec![placed(number, number % 3, 10), approved(number, number % 3, 10)]).await;
        if number.is_multiple_of(10) {
            sleep(Duration::from_millis(100)).await;
            let asked = if number.is_multiple_of(20) { &one.desk } else { &other.desk };
            let batch = asked.poll(&epoch, after, 1_000).await;
            assert!(batch.epoch == epoch && batch.head >= after && batch.oldest <= after + 1, "{batch:?}");
            for item in batch.items {
                assert_eq!(item.cursor, after + 1);
                (after, heard) = (item.cursor, heard + 1);
            }
        }
    }
    assert!(heard > 100, "{heard}");
    send(&orders, (0..3).map(|number| customer(number, 1, "Ada")).collect()).await;
    let is_whole = || async {
        let (customers, orders) = one.desk.contents().await;
        orders.iter().filter(|order| order.version == 2).count() == 200
            && customers.iter().map(|customer| customer.order_count).collect::<Vec<_>>() == [67, 67, 66]
    };
    until("the view is filled", is_whole).await;
    let contents = one.desk.contents().await;
    assert_eq!(other.desk.contents().await, contents);

    one.stop().await;
    let desk = &other.desk;
    send(&orders, vec![placed(998, 1, 10)]).await;
    send(&orders, (0..16).map(|number| placed(1_000 + number, 2, 10)).collect()).await;
    until("the other process takes over", || async { desk.contents().await.1.len() == 217 }).await;
    let (contents, (epoch, head), before) = (desk.contents().await, desk.head().await, generation(&store).await);

    store.server().flushall().await;
    until("the view is filled again", || async { desk.contents().await == contents }).await;
    assert_ne!(generation(&store).await, before);
    let told = desk.poll(&epoch, head, 0).await;
    assert!(told.epoch != epoch && told.items.is_empty(), "a gateway reads everything again: {told:?}");

    // And goes on as ever.
    send(&orders, vec![placed(999, 1, 10)]).await;
    until("news are shown", || async { desk.contents().await.1.len() == 218 }).await;
    other.stop().await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

/// A view that lost a part of itself is not believed: it begins anew.
#[tokio::test]
async fn a_part_that_is_lost_is_noticed() {
    let Some(store) = TestStore::open(Kind::Redis).await else { return };
    let root = root(&store);
    for lost in ["root", "state", "feed", "offsets"] {
        let desk = store.instance().await;
        let from = desk.projector.claim(&[(stream(0), 1)]).await.expect("it is reached")[0].1;
        desk.apply(&[step(0, from, from + 1, 1)], &[placed(1, 1, 10)]).await.expect("it is applied");
        let generation = generation(&store).await;
        let key = if lost == "root" { root.clone() } else { root.replace("root", &format!("{generation}:{lost}")) };
        assert_eq!(command(&store, &["DEL", &key]).await, Value::Int(1));
        let answer = desk.apply(&[step(0, from + 1, from + 2, 1)], &[placed(2, 1, 10)]).await;
        assert!(matches!(answer, Err(HandlerError::Moved)), "{lost}: {answer:?}");
        let claimed = desk.projector.claim(&[(stream(0), 1)]).await.expect("it is reached");
        assert_eq!(claimed, [(stream(0), 0)], "{lost}");
        // All that was lost with the offsets are the offsets: the events come again and change nothing.
        assert_eq!(desk.contents().await.1.len(), usize::from(lost == "offsets"), "{lost}");
    }
}

/// The epochs of another database mean nothing: a view must not wait for an owner that will never come.
#[tokio::test]
async fn a_database_made_anew_makes_the_view_anew() {
    let Some(store) = TestStore::open(Kind::Redis).await else { return };
    let old = Instance::of(store.history().await, 7).await;
    old.tell(&[placed(1, 1, 10)]).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let anew =
        Messaging::open(database("history", &store_address(folder.path(), "history")).await).await.expect("it opens");
    let redis = store.redis.clone().expect("it is in Redis");
    let new = Instance::of(History::in_redis(anew, redis).await.expect("it has a name"), 1).await;
    assert!(new.contents().await.1.is_empty());
    new.tell(&[placed(2, 1, 10)]).await;
    assert_eq!(new.contents().await.1.len(), 1);
}

/// A server that restarts may have lost its newest writes, which gateways have seen.
#[tokio::test]
async fn a_restart_of_redis_ends_the_epoch_and_keeps_the_view() {
    let options = RedisOptions { appendonly: true, ..RedisOptions::default() };
    let Some(mut store) = TestStore::in_private_redis(options).await else { return };
    let desk = store.instance().await;
    desk.tell(&[placed(1, 1, 10), placed(2, 1, 11)]).await;
    let (epoch, head) = desk.head().await;
    store.server().restart().await;
    until("the new epoch is told", || async {
        let answer = desk.client.get(&format!("/feed?epoch={epoch}&after={head}")).send().await.expect("it answers");
        answer.status == 200 && !String::from_utf8_lossy(&answer.body).contains(&epoch)
    })
    .await;
    assert_eq!(desk.head().await.1, 2);
    desk.tell(&[placed(3, 1, 12)]).await;
    assert_eq!(desk.contents().await.1.len(), 3);
}

#[tokio::test]
async fn while_redis_is_away_the_view_says_so() {
    let Some(mut store) = TestStore::in_private_redis(RedisOptions::default()).await else { return };
    let desk = store.instance().await;
    desk.tell(&[placed(1, 1, 10)]).await;
    store.server().stop();
    for path in [format!("/orders/{}", order_id(1)), "/orders".to_owned()] {
        let answer = desk.client.get(&path).send().await.expect("it answers");
        assert_eq!(answer.status, 503, "{path}");
    }
    let answer = desk.apply(&[step(0, 1, 2, 1)], &[placed(2, 1, 10)]).await;
    assert!(matches!(answer, Err(HandlerError::Store(_))), "{answer:?}");
}

#[tokio::test]
async fn a_generation_is_built_beside_the_one_that_is_read() {
    for kind in [Kind::Redis, Kind::Cluster] {
        let Some(store) = TestStore::open(kind).await else { return };
        rebuild(&store).await;
    }
}

async fn rebuild(store: &TestStore) {
    let (desk, other) = (store.instance().await, store.instance().await);
    desk.tell(&[customer(1, 1, "Ada"), placed(1, 1, 10)]).await;
    desk.tell(&[placed(2, 1, 10)]).await;
    let (epoch, head) = desk.head().await;
    let before = generation(store).await;

    let view = RedisView::new(store.redis.clone().expect("it is in Redis"));
    let given_up = Rebuild::begin(view.clone(), store.messaging.clone()).await.expect("it begins");
    let rebuild = Rebuild::begin(view.clone(), store.messaging.clone()).await.expect("it begins");
    assert_eq!(given_up.swap().await.expect("it is reached"), Swap::GivenUp);
    assert_eq!(given_up.projector().claim(&[(stream(0), 0)]).await.expect("it is reached"), []);
    let builder = rebuild.projector();
    let streams = [(stream(0), 0), (stream(1), 0)];
    assert_eq!(builder.claim(&streams).await.expect("it is reached"), [(stream(0), 0), (stream(1), 0)]);
    builder.apply(&[step(0, 0, 1, 0)], &[customer(1, 1, "Ada"), placed(1, 1, 10)]).await.expect("it is built");
    assert_eq!(desk.contents().await.1.len(), 2, "the old one is read meanwhile");
    assert_eq!(rebuild.swap().await.expect("it is reached"), Swap::Behind, "no reader may be sent back");
    builder.apply(&[step(0, 1, 2, 0)], &[placed(2, 1, 10)]).await.expect("it is built");
    let contents = desk.contents().await;
    assert_eq!(rebuild.swap().await.expect("it is reached"), Swap::Done);

    assert_ne!(generation(store).await, before);
    assert_eq!(desk.contents().await, contents);
    for instance in [&desk, &other] {
        let told = instance.poll(&epoch, head, 0).await;
        assert!(told.epoch != epoch && told.items.is_empty(), "gateways read again: {told:?}");
    }
    // The owners find that the view stands elsewhere and go on there; who built it is done.
    let answer = desk.apply(&[step(0, 2, 3, 1)], &[placed(3, 1, 10)]).await;
    assert!(matches!(answer, Err(HandlerError::Moved)), "{answer:?}");
    assert_eq!(desk.projector.claim(&[(stream(0), 0)]).await.expect("it is reached"), [], "epochs are taken over");
    assert_eq!(desk.projector.claim(&[(stream(0), 1)]).await.expect("it is reached"), [(stream(0), 2)]);
    desk.apply(&[step(0, 2, 3, 1)], &[placed(3, 1, 10)]).await.expect("it is applied");
    let answer = builder.apply(&[step(0, 2, 3, 0)], &[placed(3, 1, 10)]).await;
    assert!(matches!(answer, Err(HandlerError::Moved)), "{answer:?}");
    assert_eq!(other.contents().await.1.len(), 3);

    // What is retired goes without a trace. The instances may have begun to clear it away as well.
    view.sweep().await.expect("it is reached");
    let pattern = format!("{}:*", root(store).strip_suffix(":root").expect("it is the root"));
    let Value::Array(keys) = command(store, &["KEYS", &pattern]).await else { panic!("keys are a list") };
    let current = generation(store).await;
    let strays: Vec<_> = keys
        .into_iter()
        .filter_map(|key| if let Value::BulkString(bytes) = key { String::from_utf8(bytes).ok() } else { None })
        .filter(|key| !key.contains(&current) && !key.ends_with(":root"))
        .collect();
    assert_eq!(strays, Vec::<String>::new());
}

/// A search that finds nothing looks at a bounded number of documents per request, and says where to go on.
#[tokio::test]
async fn a_search_is_bounded_and_goes_on_where_it_stopped() {
    let Some(store) = TestStore::open(Kind::Redis).await else { return };
    let desk = store.instance().await;
    let numbers: Vec<u128> = (1..=20_500).collect();
    for numbers in numbers.chunks(500) {
        let named = |number: &u128| customer(*number, 1, if *number == 7 { "Needle" } else { "Hay" });
        desk.tell(&numbers.iter().map(named).collect::<Vec<_>>()).await;
    }
    let first = desk.json("/customers?q=needle").await;
    assert_eq!(first["items"], serde_json::json!([]));
    let cursor = first["nextCursor"].as_str().expect("it was not the end");
    let second = desk.json(&format!("/customers?q=needle&cursor={cursor}")).await;
    assert_eq!(second["items"][0]["id"], serde_json::json!(customer_id(7)));
    assert_eq!(second.get("nextCursor").and_then(serde_json::Value::as_str), None);
    // The feed is bounded too: who comes from too far back is told.
    until("the feed is read to its end", || async { desk.head().await.1 == 20_500 }).await;
    let (epoch, _) = desk.head().await;
    assert!(desk.poll(&epoch, 0, 0).await.oldest > 1);
    let length =
        command(&store, &["XLEN", &root(&store).replace("root", &format!("{}:feed", generation(&store).await))]).await;
    assert!(matches!(length, Value::Int(16_384..17_000)), "{length:?}");
}
