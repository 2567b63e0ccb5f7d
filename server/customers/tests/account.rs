//! The account over HTTP, as its events made it.

use serde_json::json;
use std::sync::Arc;
use tramline_contract::{CustomerId, Money, OrderId};
use tramline_customers::{CommandHandler, Customers, migrations, routes};
use tramline_db::{Address, Db, Durability, IdSource as _, SystemClock, SystemIds, UtcMicros};
use tramline_http::ServiceClient;
use tramline_messages::{channels::ORDER_REPLIES, customers::ReserveCredit, parts::CustomerAccount};
use tramline_messaging::{Handler as _, HandlerError, Headers, Messaging, Record};
use uuid::Uuid;

async fn reserve(messaging: &Messaging, customer_id: CustomerId, minor: i64) {
    let command = ReserveCredit { customer_id, order_id: OrderId(SystemIds.next()), amount: Money::from_minor(minor) };
    let record = Arc::new(Record {
        seq: 1,
        id: SystemIds.next(),
        key: customer_id.0,
        headers: Headers {
            kind: ReserveCredit::KIND.to_owned(),
            reply_to: Some(ORDER_REPLIES.to_owned()),
            saga_id: Some(Uuid::from_u128(1)),
            ..Headers::default()
        },
        payload: serde_json::to_string(&command).expect("it is JSON"),
        recorded_at: UtcMicros(0),
    });
    let handled = messaging.transact::<_, HandlerError, _>(None, move |work| {
        Box::pin(async move { CommandHandler.handle(work, &[record]).await })
    });
    handled.await.expect("it is handled");
}

#[tokio::test]
async fn an_account_is_shown_up_to_its_newest_event() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = Address::parse(&tramline_testing::store_address(folder.path(), "customers")).expect("it reads");
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let db = Db::open("customers", &address, Durability::Full, &migrations(), clock, ids).await.expect("it opens");
    let customers = Customers::new(Messaging::open(db).await.expect("it has an outbox"));
    let client = ServiceClient::in_process("customers", routes(customers.clone()));
    let id = CustomerId(SystemIds.next());
    let path = format!("/customers/{id}");
    assert_eq!(client.get(&path).send().await.expect("it answers").status, 404);

    let created = client.post_json("/customers", &json!({"id": id, "name": "Ada", "creditLimit": "100.00"}));
    assert_eq!(created.send().await.expect("it answers").status, 201);
    // Beyond the first snapshot.
    for _ in 0..25 {
        reserve(customers.messaging(), id, 300).await;
    }
    reserve(customers.messaging(), id, 1_000_000).await;
    let account: CustomerAccount = client.get(&path).json().await.expect("it is there");
    assert_eq!((account.id, account.name.as_str(), account.version.0), (id, "Ada", 27));
    let sums = [account.credit_limit, account.reserved, account.paid, account.available_credit].map(|sum| sum.minor());
    assert_eq!(sums, [10_000, 7_500, 0, 2_500]);
    assert_eq!(account.created_at.0.len(), 27);
    assert_eq!(client.get("/customers/me").send().await.expect("it answers").status, 404);
    assert_eq!(client.get(&format!("{path}?x=1")).send().await.expect("it answers").status, 422);
    customers.messaging().db().close().await;
}
