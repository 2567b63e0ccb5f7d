//! More new orders than the service takes, over HTTP: some are sent away at once, and every other one comes to its end.

use serde_json::json;
use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tramline_contract::{CustomerId, OrderId, OrderState, Problem};
use tramline_db::{Address, BoxFuture, Db, Durability, IdSource as _, Migration, SystemClock, SystemIds};
use tramline_http::{Answer, ServiceClient, serve};
use tramline_messages::{
    channels::{CUSTOMER_COMMANDS, ORDER_REPLIES},
    customers::CreditReserved,
    parts::OrdersOfCustomer,
};
use tramline_messaging::{
    Appetite, Broker, Consumer, EmbeddedBroker, Handler, HandlerError, Messaging, Ownership, Record, Relay, Sharing,
    Transactional, UnitOfWork,
};
use tramline_orders::{Capacity, Orders, ReplyRouter, invariants, migrations};
use tramline_sagas::{Reply, reply_to};

/// No test waits longer than this for anything.
const DEADLINE: Duration = Duration::from_secs(30);

/// A customers service that gives credit to everybody.
struct Generous;

impl Handler for Generous {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            for command in batch {
                let reply = Reply::done(CreditReserved::KIND, &CreditReserved {});
                reply_to(work, command, ORDER_REPLIES, &reply)?;
            }
            Ok(())
        })
    }

    fn committed(&self, (): ()) {}
}

/// The orders service on a port of its own, with everything that its sagas need but a customers service.
struct World {
    orders: Orders,
    customers: Messaging,
    broker: Arc<dyn Broker>,
    client: ServiceClient,
    workers: TaskTracker,
    stop: CancellationToken,
}

async fn database(folder: &Path, name: &'static str, migrations: &[Migration]) -> Messaging {
    let address = Address::parse(&tramline_testing::store_address(folder, name)).expect("it reads");
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let db = Db::open(name, &address, Durability::Full, migrations, clock, ids).await.expect("it opens");
    Messaging::open(db).await.expect("it has an outbox")
}

/// Every partition of a task: nobody else is there.
async fn own(messaging: &Messaging, task: &str, workers: &TaskTracker, stop: &CancellationToken) -> Ownership {
    let joined = Ownership::join(messaging.db(), task, &Sharing::Alone, Appetite::Everything, stop.clone()).await;
    let (ownership, keeping) = joined.expect("the leases read");
    workers.spawn(keeping);
    ownership
}

impl World {
    async fn start(folder: &Path, capacity: Capacity) -> Self {
        let orders = Orders::with_capacity(database(folder, "orders", &migrations()).await, capacity);
        let customers = database(folder, "customers", tramline_messaging::MIGRATIONS).await;
        let embedded = EmbeddedBroker::new();
        for messaging in [orders.messaging(), &customers] {
            embedded.attach(messaging.db()).await.expect("it attaches");
        }
        let broker: Arc<dyn Broker> = Arc::new(embedded);
        let (workers, stop) = (TaskTracker::new(), CancellationToken::new());
        for messaging in [orders.messaging(), &customers] {
            let ownership = own(messaging, "relay", &workers, &stop).await;
            workers.spawn(Relay::new(messaging.clone(), Arc::clone(&broker), ownership).run(stop.clone()));
        }
        let streams = &[("customers", ORDER_REPLIES)];
        let replies = Arc::new(ReplyRouter::new(&orders));
        let ownership = own(orders.messaging(), "orders", &workers, &stop).await;
        let effects = Transactional::new("orders", orders.messaging().clone(), replies);
        let replies = Consumer::new("orders", Arc::clone(&broker), streams, ownership, effects);
        workers.spawn(replies.run(stop.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        workers.spawn(serve(listener, tramline_orders::routes(orders.clone()), stop.clone()));
        let client = ServiceClient::remote("orders", &format!("http://{address}")).expect("an address");
        Self { orders, customers, broker, client, workers, stop }
    }

    /// Lets the customers service answer from now on.
    async fn answer_commands(&self) {
        let streams = &[("orders", CUSTOMER_COMMANDS)];
        let ownership = own(&self.customers, "customers", &self.workers, &self.stop).await;
        let effects = Transactional::new("customers", self.customers.clone(), Arc::new(Generous));
        let commands = Consumer::new("customers", Arc::clone(&self.broker), streams, ownership, effects);
        self.workers.spawn(commands.run(self.stop.clone()));
    }

    async fn place(&self, id: OrderId) -> Answer {
        let order = json!({"id": id, "customerId": CustomerId(SystemIds.next()), "total": "1.00"});
        self.client.post_json("/orders", &order).send().await.expect("it answers")
    }

    /// Waits until exactly those orders are there, approved, and nothing is half-written.
    async fn approved(&self, ids: &BTreeSet<OrderId>) {
        let all = async {
            loop {
                let read = invariants::read(self.orders.messaging().db()).await;
                let (orders, wrong) = read.expect("the database answers");
                assert!(orders.iter().all(|(id, _)| ids.contains(id)), "no order that was sent away is there");
                let approved = orders.iter().filter(|(_, truth)| truth.state == OrderState::Approved).count();
                if approved == ids.len() && wrong.is_empty() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(DEADLINE, all).await.expect("every accepted order is decided");
    }

    async fn end(self) {
        self.stop.cancel();
        self.workers.close();
        self.workers.wait().await;
        self.orders.messaging().db().close().await;
        self.customers.db().close().await;
    }
}

fn new_id() -> OrderId {
    OrderId(SystemIds.next())
}

/// Whether the order was accepted. A refusal must be the one of a service that has too much.
fn accepted(answer: &Answer) -> bool {
    if answer.status == 202 {
        return true;
    }
    let problem: Problem = answer.json().expect("it is a problem");
    assert_eq!((answer.status.as_u16(), problem.code.as_str()), (503, "overloaded"));
    let seconds = answer.headers["retry-after"].to_str().expect("it is text").parse::<u64>().expect("a number");
    assert!((1..=60).contains(&seconds));
    false
}

#[tokio::test]
async fn a_flood_is_cut_to_what_is_in_flight_and_whoever_comes_back_is_served() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let world = World::start(folder.path(), Capacity { in_flight: 2, ..Capacity::default() }).await;
    world.answer_commands().await;
    let ids: BTreeSet<_> = (0..60).map(|_| new_id()).collect();
    let answers = futures_util::future::join_all(ids.iter().map(|id| world.place(*id))).await;
    let (taken, sent_away): (Vec<_>, Vec<_>) = ids.iter().zip(&answers).partition(|(_, answer)| accepted(answer));
    assert!(!taken.is_empty() && !sent_away.is_empty(), "{} were taken", taken.len());
    world.approved(&taken.iter().map(|(id, _)| **id).collect()).await;

    for (id, _) in sent_away {
        assert_eq!(world.place(*id).await.status, 202);
    }
    world.approved(&ids).await;
    world.end().await;
}

#[tokio::test]
async fn while_too_many_sagas_are_under_way_no_other_begins_and_those_come_to_their_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let world = World::start(folder.path(), Capacity { open_sagas: 5, ..Capacity::default() }).await;
    let mut taken = BTreeSet::new();
    for _ in 0..20 {
        let id = new_id();
        if accepted(&world.place(id).await) {
            taken.insert(id);
        }
    }
    assert_eq!(taken.len(), 5, "the customers service is away");
    // Another instance counts what this one has begun.
    let other =
        Orders::with_capacity(world.orders.messaging().clone(), Capacity { open_sagas: 5, ..Capacity::default() });
    let other = ServiceClient::in_process("orders", tramline_orders::routes(other));
    let order = json!({"id": new_id(), "customerId": CustomerId(SystemIds.next()), "total": "1.00"});
    assert!(!accepted(&other.post_json("/orders", &order).send().await.expect("it answers")));

    world.answer_commands().await;
    world.approved(&taken).await;
    let back = async {
        loop {
            let id = new_id();
            if accepted(&world.place(id).await) {
                return id;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    taken.insert(tokio::time::timeout(DEADLINE, back).await.expect("there is room again"));
    world.approved(&taken).await;
    world.end().await;
}

#[tokio::test]
async fn a_customers_orders_are_listed_newest_first_and_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let world = World::start(folder.path(), Capacity::default()).await;
    let customer = CustomerId(SystemIds.next());
    let ids: Vec<_> = (0..5).map(|_| new_id()).collect();
    for id in &ids {
        let order = json!({"id": id, "customerId": customer, "total": "2.50"});
        assert_eq!(world.client.post_json("/orders", &order).send().await.expect("it answers").status, 202);
        world.place(new_id()).await;
    }
    let list = async |query: &str| -> OrdersOfCustomer {
        let path = format!("/customers/{customer}/orders{query}");
        world.client.get(&path).json().await.expect("it is listed")
    };
    let listed = list("?limit=3").await;
    let newest: Vec<_> = listed.orders.iter().map(|order| order.id).collect();
    assert_eq!((newest, listed.order_count), (vec![ids[4], ids[3], ids[2]], 5));
    let order = &listed.orders[0];
    assert_eq!(
        (order.total.to_string(), order.state, order.customer_id),
        ("2.50".to_owned(), OrderState::Pending, customer)
    );
    assert_eq!(list("").await.orders.len(), 5);

    let nobody = format!("/customers/{}/orders", CustomerId(SystemIds.next()));
    let nothing: OrdersOfCustomer = world.client.get(&nobody).json().await.expect("it is listed");
    assert_eq!((nothing.orders.len(), nothing.order_count), (0, 0));
    for (path, status) in [("/customers/me/orders".to_owned(), 404), (format!("{nobody}?limit=101"), 422)] {
        assert_eq!(world.client.get(&path).send().await.expect("it answers").status, status, "{path}");
    }
    world.end().await;
}
