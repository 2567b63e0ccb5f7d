//! The commands of sagas at the customers service: whatever is repeated is answered likewise and changes nothing.

use serde_json::{Value, json};
use std::sync::Arc;
use tramline_contract::{CustomerId, Money, OrderId};
use tramline_customers::{CommandHandler, Customers, invariants::replay, migrations, routes};
use tramline_db::{Address, Db, Durability, IdSource as _, SystemClock, SystemIds, UtcMicros, sql};
use tramline_http::ServiceClient;
use tramline_messages::{
    channels::ORDER_REPLIES,
    customers::{ChangeReservation, ReleaseCredit, ReserveCredit},
    parts::CustomerAccount,
};
use tramline_messaging::{Handler as _, HandlerError, Headers, Messaging, Record};
use uuid::Uuid;

struct World {
    customers: Customers,
    client: ServiceClient,
    id: CustomerId,
    _folder: tempfile::TempDir,
}

impl World {
    /// The service with a customer of that limit.
    async fn start(limit: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = Address::parse(&tramline_testing::store_address(folder.path(), "customers")).expect("it reads");
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        let db = Db::open("customers", &address, Durability::Full, &migrations(), clock, ids).await.expect("it opens");
        let customers = Customers::new(Messaging::open(db).await.expect("it has an outbox"));
        let client = ServiceClient::in_process("customers", routes(customers.clone()));
        let id = CustomerId(SystemIds.next());
        let body = json!({"id": id, "name": "Ada", "creditLimit": limit});
        assert_eq!(client.post_json("/customers", &body).send().await.expect("it answers").status, 201);
        Self { customers, client, id, _folder: folder }
    }

    /// Hands a saga's command over, and returns the reply's kind and outcome.
    async fn tell(&self, saga: u128, kind: &'static str, body: &Value) -> String {
        let record = Arc::new(Record {
            seq: 1,
            id: SystemIds.next(),
            key: self.id.0,
            headers: Headers {
                kind: kind.to_owned(),
                reply_to: Some(ORDER_REPLIES.to_owned()),
                saga_id: Some(Uuid::from_u128(saga)),
                ..Headers::default()
            },
            payload: body.to_string(),
            recorded_at: UtcMicros(0),
        });
        let handled = self.customers.messaging().transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move { CommandHandler.handle(work, &[record]).await })
        });
        handled.await.expect("it is handled");
        let db = self.customers.messaging().db();
        let saga = tramline_messaging::partition_of(Uuid::from_u128(saga));
        let last: Option<(String,)> = db
            .optional(
                sql("select headers from outbox where channel = $1 and partition_no = $2 order by seq desc limit 1")
                    .bind(ORDER_REPLIES)
                    .bind(i64::from(saga)),
            )
            .await
            .expect("it reads");
        let headers: Headers = serde_json::from_str(&last.expect("it has replied").0).expect("headers");
        format!("{} {}", headers.kind, headers.outcome.expect("a reply has one"))
    }

    async fn reserve(&self, order: u128, minor: i64) -> String {
        let body = ReserveCredit { customer_id: self.id, order_id: order_id(order), amount: Money::from_minor(minor) };
        self.tell(order, ReserveCredit::KIND, &json!(body)).await
    }

    async fn release(&self, saga: u128, order: u128) -> String {
        let body = ReleaseCredit { customer_id: self.id, order_id: order_id(order) };
        self.tell(saga, ReleaseCredit::KIND, &json!(body)).await
    }

    async fn change(&self, saga: u128, order: u128, minor: i64) -> String {
        let amount = Money::from_minor(minor);
        let body = ChangeReservation { customer_id: self.id, order_id: order_id(order), amount };
        self.tell(saga, ChangeReservation::KIND, &json!(body)).await
    }

    /// What is reserved, and the version. Nothing may be wrong with the tables.
    async fn stands(&self) -> (i64, i64) {
        let (_, wrong) = replay(self.customers.messaging().db()).await.expect("it reads");
        assert_eq!(wrong, Vec::<String>::new());
        let account: CustomerAccount =
            self.client.get(&format!("/customers/{}", self.id)).json().await.expect("it is there");
        (account.reserved.minor(), account.version.0)
    }
}

fn order_id(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(number))
}

#[tokio::test]
async fn credit_is_released_once_however_often_its_saga_asks() {
    let world = World::start("100.00").await;
    world.reserve(1, 6_000).await;
    world.reserve(2, 4_000).await;
    for _ in 0..3 {
        assert_eq!(world.release(50, 1).await, "CreditReleased done");
        assert_eq!(world.stands().await, (4_000, 4));
    }
    // Another saga finds nothing, which is what it wants; and the order's first answer stays what it was.
    assert_eq!(world.release(51, 1).await, "CreditReleased done");
    assert_eq!(world.reserve(1, 6_000).await, "CreditReserved done");
    assert_eq!(world.stands().await, (4_000, 4));
}

#[tokio::test]
async fn a_change_is_answered_alike_for_its_saga_whatever_came_in_between() {
    let world = World::start("100.00").await;
    world.reserve(1, 6_000).await;
    assert_eq!(world.change(50, 1, 10_001).await, "CreditRefused refused");
    assert_eq!(world.change(51, 1, 9_000).await, "ReservationChanged done");
    assert_eq!(world.stands().await, (9_000, 4));
    assert_eq!(world.release(52, 1).await, "CreditReleased done");
    // All three again, late: nothing is refused anew, held again or given back twice.
    assert_eq!(world.change(51, 1, 9_000).await, "ReservationChanged done");
    assert_eq!(world.change(50, 1, 10_001).await, "CreditRefused refused");
    assert_eq!(world.release(52, 1).await, "CreditReleased done");
    assert_eq!(world.stands().await, (0, 5));
}

#[tokio::test]
async fn what_was_never_held_is_neither_changed_nor_released() {
    let world = World::start("100.00").await;
    assert_eq!(world.reserve(1, 10_001).await, "CreditRefused refused");
    assert_eq!(world.release(50, 1).await, "CreditReleased done");
    assert_eq!(world.change(51, 1, 1).await, "CreditRefused refused");
    assert_eq!(world.stands().await.0, 0);
    let nobody = CustomerId(SystemIds.next());
    let body = json!(ChangeReservation { customer_id: nobody, order_id: order_id(9), amount: Money::from_minor(1) });
    for _ in 0..2 {
        assert_eq!(world.tell(53, ChangeReservation::KIND, &body).await, "CreditRefused refused");
    }
}
