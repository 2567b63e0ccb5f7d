//! `tramline sagas verify`: what a new program says of the sagas that an old one left under way.

use crate::desk::{TestDesk, printed, tramline_on};
use std::sync::Arc;
use tramline_db::{Address, Db, DbError, Durability, SystemClock, SystemIds, sql};
use tramline_testing::DeskStores;

/// The database of orders as it is: nothing is migrated.
async fn orders(stores: &DeskStores) -> Db {
    let address = Address::parse(&stores.database("orders")).expect("it reads");
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    Db::open("orders", &address, Durability::Process, &[], clock, ids).await.expect("it opens")
}

async fn change(stores: &DeskStores, text: &'static str) {
    let db = orders(stores).await;
    let changed = db.write::<_, DbError, _>(move |tx| Box::pin(tx.execute(sql(text)))).await;
    assert!(changed.expect("it is good SQL") > 0, "{text} changes something");
    db.close().await;
}

/// The exit code, and what was printed.
fn verify(stores: &DeskStores) -> (Option<i32>, String, String) {
    let output = tramline_on(stores, ["sagas", "verify"]);
    let (found, error) = printed(&output);
    (output.status.code(), found, error)
}

#[tokio::test]
async fn a_saga_that_the_program_could_not_resume_is_named_before_it_is_deployed() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    desk.order(customer, "6.00").await;
    let folder = desk.stop();
    let stores = DeskStores::of(&folder.path().join("data"));
    let (code, found, error) = verify(&stores);
    assert_eq!((code, found.trim()), (Some(0), "no saga is under way"), "{error}");

    change(&stores, "update saga_instance set ended_at = null, phase = 'RUNNING'").await;
    let (code, found, error) = verify(&stores);
    assert_eq!(code, Some(0), "{error}");
    assert!(found.contains("CreateOrder") && found.contains("same plan"), "{found}");

    // As if it had begun under a definition whose step had another name.
    change(
        &stores,
        "insert into saga_plan (fingerprint, saga_type, plan, first_seen_at) \
         select 'older', saga_type, replace(plan, 'reserve-credit', 'ask-for-credit'), 0 \
         from saga_plan where saga_type = 'CreateOrder'",
    )
    .await;
    change(&stores, "update saga_instance set fingerprint = 'older'").await;
    let (code, found, error) = verify(&stores);
    assert_eq!(code, Some(1), "{found}");
    assert!(found.contains("cannot be resumed: the step ask-for-credit is missing"), "{found}");
    assert!(error.contains("1 running sagas could not be resumed"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_older_than_plans_is_said_to_be_and_left_as_it_is() {
    let desk = TestDesk::start();
    let folder = desk.stop();
    let stores = DeskStores::of(&folder.path().join("data"));
    change(&stores, "delete from schema_migration where version = 232").await;
    let (code, _, error) = verify(&stores);
    assert_eq!(code, Some(1));
    assert!(error.contains("older than plans"), "{error}");
    let db = orders(&stores).await;
    let steps: Vec<(i64,)> =
        db.all(sql("select version from schema_migration where version = 232")).await.expect("it reads");
    assert!(steps.is_empty(), "verify has migrated the database");
    db.close().await;
}
