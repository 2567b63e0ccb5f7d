//! `tramline check` finds what was planted, says where, and makes nothing itself.

use crate::desk::{TestDesk, printed, tramline};
use std::{path::Path, sync::Arc};
use tramline_db::{Db, Durability, SystemClock, SystemIds, sql};

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

async fn plant(data: &Path, database: &'static str, text: &'static str) {
    let migrations = match database {
        "customers" => tramline_customers::migrations(),
        "orders" => tramline_orders::migrations(),
        _ => tramline_order_history::migrations(),
    };
    let (path, clock, ids) = (data.join(format!("{database}.db")), Arc::new(SystemClock), Arc::new(SystemIds));
    let db = Db::open_sqlite(database, &path, Durability::Process, &migrations, clock, ids).await.expect("it opens");
    let planted = db.write::<_, tramline_db::DbError, _>(move |tx| Box::pin(tx.execute(sql(text)))).await;
    assert!(planted.expect("it is good SQL") > 0, "{text} changes something");
    db.close().await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("it is made");
    for entry in std::fs::read_dir(from).expect("it reads") {
        let entry = entry.expect("it reads");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("it is copied");
    }
}

fn check(data: &Path) -> std::process::Output {
    tramline(["check", "--wait", "0", "--data", data.to_str().expect("a plain path")])
}

#[tokio::test]
async fn whatever_is_wrong_is_found_and_named() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    desk.order(customer, "6.00").await;
    desk.order(customer, "5.00").await;
    let folder = desk.stop();
    let (good, bad) = (folder.path().join("data"), folder.path().join("bad"));
    for (database, text, section) in PLANTS {
        copy(&good, &bad);
        assert!(check(&bad).status.success());
        plant(&bad, database, text).await;
        let output = check(&bad);
        let (found, error) = printed(&output);
        assert_eq!(output.status.code(), Some(1), "{text}: {found}");
        let row = found.lines().find(|line| line.starts_with(section)).expect("every section has a row");
        assert_ne!(row.split_whitespace().last(), Some("0"), "{text}: {found}");
        assert!(found.contains(&format!("\n{section}:\n  ")), "{text}: {found}");
        assert!(error.contains("violations in"), "{error}");
        std::fs::remove_dir_all(&bad).expect("it is removed");
    }
    assert!(check(&good).status.success());
}

#[test]
fn a_folder_without_databases_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = check(folder.path());
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
    let data = desk.data();
    let output = tramline(["check", "--wait", "20", "--data", data.to_str().expect("a plain path")]);
    assert!(output.status.success(), "{:?}", printed(&output));
}
