//! Two small services that talk about parcels: one sends them, the other writes down what arrives.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tramline_db::{Address, BoxFuture, Db, Durability, Migration, SystemClock, SystemIds, sql};
use tramline_messaging::{
    Appetite, Broker, Channel, Consumer, EmbeddedBroker, Handler, HandlerError, Headers, MIGRATIONS, Messaging,
    Ownership, Record, Relay, Sharing, Transactional, UnitOfWork,
};
use uuid::Uuid;

pub const DEPOT: &str = "depot";
pub const PARCELS: Channel = "Parcel";
pub const GROUP: &str = "shop";

const ARRIVALS: Migration = Migration {
    version: 1_000,
    description: "arrivals",
    sql: "create table arrival (sender uuid not null, position bigint not null, number bigint not null, primary key (sender, position))",
};

pub async fn open(name: &'static str, folder: &Path) -> Messaging {
    open_at(name, &tramline_testing::store_address(folder, name)).await
}

pub async fn open_at(name: &'static str, address: &str) -> Messaging {
    open_with(name, address, Durability::Full).await
}

pub async fn open_with(name: &'static str, address: &str, durability: Durability) -> Messaging {
    let address = Address::parse(address).expect("it reads");
    let migrations = [MIGRATIONS, &[ARRIVALS]].concat();
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let db = Db::open(name, &address, durability, &migrations, clock, ids).await.expect("it opens");
    Messaging::open(db).await.expect("it has an outbox")
}

/// The same service in another process: nothing is handed over in memory between the two.
pub async fn in_another_process(service: &Messaging) -> Messaging {
    Messaging::open(service.db().clone()).await.expect("it has an outbox")
}

/// A broker in memory that can read the depot's outbox.
pub async fn embedded(depot: &Messaging) -> Arc<dyn Broker> {
    let broker = EmbeddedBroker::new();
    broker.attach(depot.db()).await.expect("the outbox reads");
    Arc::new(broker)
}

pub async fn send(depot: &Messaging, sender: u128, numbers: std::ops::Range<i64>) {
    let sent = depot.transact::<_, HandlerError, _>(None, move |work| {
        Box::pin(async move {
            for number in numbers {
                let headers = Headers { kind: "ParcelSent".to_owned(), ..Headers::default() };
                work.send(PARCELS, Uuid::from_u128(sender), headers, number.to_string());
            }
            Ok(())
        })
    });
    sent.await.expect("it is kept");
}

/// Writes each parcel down. Refuses as it is told to.
#[derive(Default)]
pub struct Shop {
    /// Fails every batch while it is set.
    pub closed: AtomicBool,
    /// A parcel number that can never be taken.
    pub never: Option<i64>,
}

impl Handler for Shop {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            for parcel in batch {
                let number: i64 =
                    parcel.payload.parse().map_err(|_| HandlerError::Permanent("not a number".to_owned()))?;
                work.tx
                    .execute(
                        sql("insert into arrival (sender, position, number) \
                        select $1, coalesce(max(position), 0) + 1, $2 from arrival where sender = $1")
                        .bind(parcel.key)
                        .bind(number),
                    )
                    .await?;
                if self.never == Some(number) {
                    return Err(HandlerError::Permanent("planted".to_owned()));
                }
            }
            if self.closed.load(Ordering::SeqCst) {
                return Err(HandlerError::Transient("closed".to_owned()));
            }
            Ok(())
        })
    }

    fn committed(&self, (): ()) {}
}

/// A life of the process: relay and consumer at work until stopped or dropped.
pub struct Life {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Life {
    pub async fn start(broker: Arc<dyn Broker>, depot: &Messaging, shop: &Messaging, handler: Arc<Shop>) -> Self {
        Self::among(&Sharing::Alone, broker, depot, shop, handler).await
    }

    /// A life whose consumer passes over what it does not want.
    pub async fn selecting(
        broker: Arc<dyn Broker>,
        depot: &Messaging,
        shop: &Messaging,
        handler: Arc<Shop>,
        wanted: fn(&Record) -> bool,
    ) -> Self {
        Self::with(&Sharing::Alone, broker, depot, shop, handler, (Duration::ZERO, wanted)).await
    }

    /// A life beside which there may be others on the same stores.
    pub async fn among(
        sharing: &Sharing,
        broker: Arc<dyn Broker>,
        depot: &Messaging,
        shop: &Messaging,
        handler: Arc<Shop>,
    ) -> Self {
        Self::with(sharing, broker, depot, shop, handler, (Duration::ZERO, |_| true)).await
    }

    /// A life whose consumer lets parcels gather for so long.
    pub async fn resting(
        rest: Duration,
        sharing: &Sharing,
        broker: Arc<dyn Broker>,
        depot: &Messaging,
        shop: &Messaging,
        handler: Arc<Shop>,
    ) -> Self {
        Self::with(sharing, broker, depot, shop, handler, (rest, |_| true)).await
    }

    async fn with(
        sharing: &Sharing,
        broker: Arc<dyn Broker>,
        depot: &Messaging,
        shop: &Messaging,
        handler: Arc<Shop>,
        (rest, wanted): (Duration, fn(&Record) -> bool),
    ) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let mut owned = Vec::new();
        for (db, task) in [(depot.db(), "relay"), (shop.db(), GROUP)] {
            let joined = Ownership::join(db, task, sharing, Appetite::FairShare, stop.clone()).await;
            let (ownership, keeping) = joined.expect("the leases read");
            tasks.spawn(keeping);
            owned.push(ownership);
        }
        let consumer = owned.pop().expect("two were joined");
        let relay = Relay::new(depot.clone(), Arc::clone(&broker), owned.pop().expect("two were joined"));
        tasks.spawn(relay.run(stop.clone()));
        let effects = Transactional::new(GROUP, shop.clone(), handler);
        let consumer = Consumer::new(GROUP, broker, &[(DEPOT, PARCELS)], consumer, effects);
        let consumer = consumer.resting(rest).only(wanted);
        tasks.spawn(consumer.run(stop.clone()));
        Self { tasks, stop }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Every arrival of a sender, in the order of arriving.
pub async fn arrivals(shop: &Messaging, sender: u128) -> Vec<i64> {
    let rows: Vec<(i64,)> = shop
        .db()
        .all(sql("select number from arrival where sender = $1 order by position").bind(Uuid::from_u128(sender)))
        .await
        .expect("the table is there");
    rows.into_iter().map(|(number,)| number).collect()
}

/// Waits until so many parcels have arrived in all.
pub async fn arrived(shop: &Messaging, count: i64) {
    let wait = async {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        loop {
            tick.tick().await;
            let row: Option<(i64,)> = shop.db().optional(sql("select count(*) from arrival")).await.expect("it counts");
            if row.is_some_and(|(found,)| found >= count) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("they arrive in time");
}
