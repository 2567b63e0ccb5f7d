//! The database's server goes away: whoever asks is told to come back, for it is no fault of the program.

use serde_json::json;
use std::sync::Arc;
use tramline_contract::{CustomerId, OrderId, Problem};
use tramline_db::{Address, Db, Durability, IdSource as _, SystemClock, SystemIds};
use tramline_http::ServiceClient;
use tramline_messaging::Messaging;
use tramline_orders::{Orders, migrations, routes};
use tramline_testing::{Disk, PrivatePostgres, required};

#[tokio::test]
async fn a_database_that_is_away_is_answered_with_503_and_not_as_a_fault() {
    let Some(server) = required("PostgreSQL", PrivatePostgres::start(Disk::Unsynced)) else { return };
    let address = Address::parse(&server.database()).expect("it reads");
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let db = Db::open("orders", &address, Durability::Full, &migrations(), clock, ids).await.expect("it opens");
    let orders = Orders::new(Messaging::open(db.clone()).await.expect("it has an outbox"));
    let client = ServiceClient::in_process("orders", routes(orders));
    let customer = CustomerId(SystemIds.next());
    let order = || json!({"id": OrderId(SystemIds.next()), "customerId": customer, "total": "1.00"});
    assert_eq!(client.post_json("/orders", &order()).send().await.expect("it answers").status, 202);

    drop(server);
    // The first meets a session that breaks, the later ones find no server.
    for _ in 0..3 {
        let list = client.get(&format!("/customers/{customer}/orders"));
        for call in [client.post_json("/orders", &order()), client.get("/sagas"), list] {
            let answer = call.send().await.expect("it answers");
            let problem: Problem = answer.json().expect("it is a problem");
            assert_eq!((answer.status.as_u16(), problem.code.as_str()), (503, "unavailable"));
            assert_eq!(answer.headers["retry-after"], "1");
        }
    }
    db.close().await;
}
