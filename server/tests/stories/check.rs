//! `tramline check` finds what was planted, says where, and makes nothing itself.

use crate::desk::{TestDesk, printed, tramline, tramline_on};
use std::sync::Arc;
use tramline_db::{Address, Db, Durability, SystemClock, SystemIds, sql};
use tramline_redis::{Command, Redis, RedisSettings, Value};
use tramline_testing::DeskStores;

/// A database, what is done to it, and the kind of thing that is wrong then.
const PLANTS: [(&str, &str, &str); 12] = [
    ("customers", "update credit_reservation set held = held + 1 where held > 0", "credit accounts replayed"),
    ("customers", "delete from credit_reservation where outcome = 'RESERVED'", "credit accounts replayed"),
    ("customers", "update event set version = 9 where version = 3", "credit accounts replayed"),
    ("customers", "update payment set amount = amount + 1", "credit accounts replayed"),
    ("customers", "delete from payment", "credit accounts replayed"),
    ("orders", "update customer_order set state = 'APPROVED' where state = 'CANCELLED'", "orders against reservations"),
    ("orders", "update customer_order set state = 'CANCEL_PENDING' where state = 'APPROVED'", "orders and their sagas"),
    ("orders", "update customer_order set state = 'REJECTED' where state = 'APPROVED'", "orders against reservations"),
    ("orders", "update customer_order set total = total + 1 where state = 'APPROVED'", "orders against reservations"),
    ("orders", "update saga_instance set ended_at = null, phase = 'RUNNING'", "orders and their sagas"),
    ("orders", "update outbox_head set last_seq = last_seq + 1", "messages, numbered and handled"),
    ("orders", "delete from outbox where seq = (select max(seq) from outbox)", "messages, numbered and handled"),
];

/// The same for the view, which lies in tables or in Redis: the statement, or what is done to the root of the view there.
const VIEW_PLANTS: [(&str, &str, &str); 4] = [
    (
        "update consumer_offset set last_seq = last_seq - 1 where last_seq > 0",
        "for stream, offset, epoch in each('offsets', '^(%d+) (%d+)$') do
           if offset ~= '0' then redis.call('HSET', key('offsets'), stream, (offset - 1) .. ' ' .. epoch) done = done + 1 end
         end",
        "messages, numbered and handled",
    ),
    (
        "update order_view set state = 'PENDING'",
        "for id in documents('orders') do redis.call('HSET', key('order:' .. id), 'state', 'PENDING') done = done + 1 end",
        "orders in the view",
    ),
    (
        "update customer_order_count set order_count = 7",
        "for id in documents('customers') do redis.call('HSET', key('customer:' .. id), 'order_count', 7) done = done + 1 end",
        "customers in the view",
    ),
    (
        "delete from customer_view",
        "for id in documents('customers') do done = done + redis.call('DEL', key('customer:' .. id)) end
         redis.call('DEL', key('customers'))",
        "customers in the view",
    ),
];

/// What the plants in Redis are written in.
const IN_REDIS: &str = "local prefix, done = string.sub(KEYS[1], 1, -5), 0
    local generation = redis.call('HGET', KEYS[1], 'current')
    local function key(name) return prefix .. generation .. ':' .. name end
    local function documents(list)
      local places, at = redis.call('ZRANGE', key(list), 0, -1), 0
      return function() at = at + 1 return places[at] and string.sub(places[at], 17) end
    end
    local function each(hash, pattern)
      local found, at = redis.call('HGETALL', key(hash)), -1
      return function()
        at = at + 2
        if found[at] then return found[at], string.match(found[at + 1], pattern) end
      end
    end ";

async fn plant_in_view(stores: &DeskStores, text: &'static str, script: &str) {
    let (Some(url), Some(prefix)) = (stores.setting("TRAMLINE_REDIS"), stores.setting("TRAMLINE_REDIS_PREFIX")) else {
        return plant(stores, "history", text).await;
    };
    let settings = RedisSettings::parse(url, prefix).expect("the address reads");
    let redis = Redis::connect(settings).await.expect("it answers");
    let mut command = Command::new();
    command.arg("EVAL").arg(format!("{IN_REDIS}{script} return done")).arg(1).arg(format!("{prefix}:{{view}}:root"));
    let planted = redis.run(vec![command]).await.expect("it is a good script");
    assert!(matches!(planted[..], [Value::Int(1..)]), "{script} changes something");
}

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

/// The check fails, and names what was planted in its section.
fn assert_found(bad: &DeskStores, planted: &str, section: &str) {
    let output = check(bad);
    let (found, error) = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{planted}: {found}");
    let row = found.lines().find(|line| line.starts_with(section)).expect("every section has a row");
    assert_ne!(row.split_whitespace().last(), Some("0"), "{planted}: {found}");
    assert!(found.contains(&format!("\n{section}:\n  ")), "{planted}: {found}");
    assert!(error.contains("violations"), "{error}");
}

#[tokio::test]
async fn whatever_is_wrong_is_found_and_named() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    desk.order(customer, "6.00").await;
    desk.order(customer, "5.00").await;
    let (cancelled, _) = desk.order(customer, "1.00").await;
    let answer = desk.post(&format!("/api/orders/{cancelled}/cancel"), &serde_json::json!({})).await;
    assert_eq!(answer.status, 202);
    desk.settled_at(cancelled, 4).await;
    let paid = desk.post(&format!("/api/customers/{customer}/payments"), &serde_json::json!({"amount": "2.00"})).await;
    assert_eq!(paid.status, 201);
    let folder = desk.stop();
    let good = DeskStores::of(&folder.path().join("data"));
    for (database, text, section) in PLANTS {
        let copy = tempfile::tempdir().expect("a temporary folder");
        let bad = good.copy_to(copy.path());
        assert!(check(&bad).status.success());
        plant(&bad, database, text).await;
        assert_found(&bad, text, section);
    }
    for (text, script, section) in VIEW_PLANTS {
        let copy = tempfile::tempdir().expect("a temporary folder");
        let bad = good.copy_to(copy.path());
        assert!(check(&bad).status.success());
        plant_in_view(&bad, text, script).await;
        assert_found(&bad, text, section);
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
