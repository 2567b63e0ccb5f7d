//! Sagas that are overdue or stuck, as an operator mends them.

use crate::desk::TestDesk;
use serde_json::{Value, json};
use std::sync::Arc;
use tramline_contract::SagaState;
use tramline_db::{Address, Db, Durability, Statement, SystemClock, SystemIds, sql};
use tramline_testing::DeskStores;

/// Changes the orders database of a desk that has stopped.
async fn plant(stores: &DeskStores, statement: Statement) {
    let address = Address::parse(&stores.database("orders")).expect("it reads");
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let db = Db::open("orders", &address, Durability::Full, &tramline_orders::migrations(), clock, ids).await;
    let db = db.expect("it opens");
    let changed = db.write::<_, tramline_db::DbError, _>(|tx| Box::pin(async move { tx.execute(statement).await }));
    assert_eq!(changed.await.expect("it is a good statement"), 1);
    db.close().await;
}

async fn saga_of(desk: &TestDesk, order: &str) -> Value {
    let order = desk.json(&format!("/api/orders/{order}")).await;
    desk.json(&format!("/api/sagas/{}", order["sagaId"].as_str().expect("its saga"))).await
}

#[tokio::test]
async fn a_parked_saga_is_resumed_by_an_operator_and_says_who_it_was() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    let (order, _) = desk.order(customer, "10.00").await;
    let order = order.to_string();
    let saga = saga_of(&desk, &order).await["id"].as_str().expect("an id").to_owned();
    let retry = format!("/api/operations/sagas/{saga}/retry");
    let wish = json!({"operator": "Ada", "reason": "the database was mended"});
    let answer = desk.post(&retry, &wish).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json::<Value>().expect("a problem")["code"].clone()),
        (409, json!("saga-not-parked"))
    );
    let stores = desk.stores();
    let folder = desk.stop();
    // As if the approval had been refused: the order stands as before it, the saga is stuck at it.
    plant(&stores, sql("update customer_order set state = 'PENDING', version = 1")).await;
    plant(&stores, sql("update saga_instance set phase = 'PARKED', step_no = 2, refused_step = 2, progress = 'ddA.', ended_at = null")).await;
    let desk = TestDesk::over(folder);
    assert_eq!(saga_of(&desk, &order).await["state"], json!("PARKED"));
    let answer = desk.post(&retry, &json!({"operator": "", "force": 1})).await;
    assert_eq!(answer.status.as_u16(), 422);
    let answer = desk.post(&retry, &wish).await;
    assert_eq!(answer.status.as_u16(), 202);
    assert_eq!(answer.json::<Value>().expect("a saga")["state"], json!(SagaState::Completed));
    let saga = saga_of(&desk, &order).await;
    let audit = saga["messages"].as_array().expect("a list").iter().find(|entry| entry["kind"] == "operator");
    let payload = &audit.expect("it is written down")["payload"];
    assert_eq!(payload, &json!({"who": "Ada", "why": "the database was mended", "step": "approve-order"}));
    let unknown = format!("/api/operations/sagas/{}/retry", crate::desk::new_id());
    assert_eq!(desk.post(&unknown, &wish).await.status.as_u16(), 404);
}

#[tokio::test]
async fn a_saga_whose_answer_was_lost_asks_again_and_ends() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    let (order, _) = desk.order(customer, "10.00").await;
    let order = order.to_string();
    let overdue = desk.json("/api/operations/sagas/overdue?limit=1").await;
    assert_eq!(overdue["items"], json!([]));
    let stores = desk.stores();
    let folder = desk.stop();
    // As if the reply to its command had never come.
    plant(&stores, sql("update customer_order set state = 'PENDING', version = 1")).await;
    plant(
        &stores,
        sql("update saga_instance set phase = 'RUNNING', step_no = 1, progress = 'da..', ended_at = null, due_at = 1, \
             resent = 0, awaits = null, pending_command = (select message_id from saga_log where channel = 'customers.commands')"),
    )
    .await;
    let desk = TestDesk::over(folder);
    let id: uuid::Uuid = order.parse().expect("an id");
    let settled = desk.settled(tramline_contract::OrderId(id)).await;
    assert_eq!(settled.state, tramline_contract::OrderState::Approved);
    let ended = async { while saga_of(&desk, &order).await["state"] != json!("COMPLETED") {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), ended).await.expect("the saga ends");
    let saga = saga_of(&desk, &order).await;
    let again = saga["messages"].as_array().expect("a list").iter().filter(|entry| entry["kind"] == "command-again");
    assert_eq!(again.count(), 1, "{saga}");
}
