//! `tramline check` finds what was planted, says where, and makes nothing itself.

use crate::desk::{TestDesk, printed, tramline, tramline_on};
use std::sync::Arc;
use tramline_db::{Address, Db, Durability, SystemClock, SystemIds, sql};
use tramline_testing::DeskStores;

/// A database, what is done to it, and the kind of thing that is wrong then.
const PLANTS: [(&str, &str, &str); 12] = [
    ("customers", "update credit_reservation set amount = amount + 1", "credit accounts replayed"),
    ("customers", "delete from credit_reservation where outcome = 'RESERVED'", "credit accounts replayed"),
    ("customers", "update event set version = 9 where version = 3", "credit accounts replayed"),
    ("orders", "update customer_order set state = 'REJECTED' where state = 'APPROVED'", "orders against reservations"),
    ("orders", "update customer_order set total = total + 1 where state = 'APPROVED'", "orders against reservations"),
    ("orders", "update saga_instance set ended_at = null, phase = 'RUNNING'", "orders and their sagas"),
    ("orders", "update outbox_head set last_seq = last_seq + 1", "messages, numbered and handled"),
    ("orders", "delete from outbox where seq = (select max(seq) from outbox)", "messages, numbered and handled"),
    (
        "history",
        "update consumer_offset set last_seq = last_seq - 1 where last_seq > 0",
        "messages, numbered and handled",
    ),
    ("history", "update order_view set state = 'PENDING'", "orders in the view"),
    ("history", "update customer_order_count set order_count = 7", "customers in the view"),
    ("history", "delete from customer_view", "customers in the view"),
];

async fn plant(stores: &DeskStores, database: &'static str, text: &'static str) {
    let migrations = match database {
        "customers" => tramline_customers::migrations(),
        "orders" => tramline_orders::migrations(),
        _ => tramline_order_history::migrations(),
    };
    let address = Address::parse(&stores.database(database)).expect("it reads");
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let db = Db::open(database, &address, Durability::Process, &migrations, clock, ids).await.expect("it opens");
    let planted = db.write::<_, tramline_db::DbError, _>(move |tx| Box::pin(tx.execute(sql(text)))).await;
    assert!(planted.expect("it is good SQL") > 0, "{text} changes something");
    db.close().await;
}

fn check(stores: &DeskStores) -> std::process::Output {
    tramline_on(stores, ["check", "--wait", "0"])
}

#[tokio::test]
async fn whatever_is_wrong_is_found_and_named() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    desk.order(customer, "6.00").await;
    desk.order(customer, "5.00").await;
    let folder = desk.stop();
    let good = DeskStores::of(&folder.path().join("data"));
    for (database, text, section) in PLANTS {
        let copy = tempfile::tempdir().expect("a temporary folder");
        let bad = good.copy_to(copy.path());
        assert!(check(&bad).status.success());
        plant(&bad, database, text).await;
        let output = check(&bad);
        let (found, error) = printed(&output);
        assert_eq!(output.status.code(), Some(1), "{text}: {found}");
        let row = found.lines().find(|line| line.starts_with(section)).expect("every section has a row");
        assert_ne!(row.split_whitespace().last(), Some("0"), "{text}: {found}");
        assert!(found.contains(&format!("\n{section}:\n  ")), "{text}: {found}");
        assert!(error.contains("violations"), "{error}");
    }
    assert!(check(&good).status.success());
}

#[test]
fn a_folder_without_databases_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = tramline(["check", "--wait", "0", "--data", folder.path().to_str().expect("a plain path")]);
    assert_eq!(output.status.code(), Some(1));
    let error = printed(&output).1;
    assert!(error.contains("there is no") && error.contains("--data"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("it reads").count(), 0);
}

#[tokio::test]
async fn a_desk_at_work_is_checked_beside_it() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    desk.place(customer, "6.00").await;
    let output = tramline_on(&desk.stores(), ["check", "--wait", "20"]);
    assert!(output.status.success(), "{:?}", printed(&output));
}
