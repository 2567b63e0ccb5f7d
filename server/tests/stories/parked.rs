//! A message that cannot be handled holds up its own key and nobody else, until an operator mends it.

use crate::desk::{DEADLINE, TestDesk, new_id, printed, tramline};
use serde_json::{Value, json};
use std::{future::Future, sync::Arc, time::Duration};
use tempfile::TempDir;
use tramline_contract::{CustomerId, OrderState};
use tramline_db::{Address, Db, DbError, Durability, SystemClock, SystemIds, sql};
use tramline_messaging::partition_of;
use tramline_testing::DeskStores;
use uuid::Uuid;

/// What parking says in the log.
const PARKED: &[&str] = &["a message is parked", "a parked message failed again"];

/// A message as it lies in an outbox.
struct Planted {
    channel: &'static str,
    key: Uuid,
    headers: String,
    payload: String,
}

/// The outbox of the orders service, of a desk that does not run.
async fn orders(folder: &TempDir) -> Db {
    let stores = DeskStores::of(&folder.path().join("data"));
    let address = Address::parse(&stores.database("orders")).expect("it reads");
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let migrations = tramline_orders::migrations();
    Db::open("orders", &address, Durability::Full, &migrations, clock, ids).await.expect("it opens")
}

/// Sends a message as the orders service would: the next number of its stream, and the row.
async fn plant(db: &Db, Planted { channel, key, headers, payload }: Planted) {
    let planted = db.write::<_, DbError, _>(move |tx| {
        Box::pin(async move {
            let partition = i64::from(partition_of(key));
            let head: Option<(i64,)> = tx
                .optional(
                    sql("insert into outbox_head (channel, partition_no, last_seq) values ($1, $2, 1) \
                         on conflict (channel, partition_no) do update set last_seq = outbox_head.last_seq + 1 \
                         returning last_seq")
                    .bind(channel)
                    .bind(partition),
                )
                .await?;
            tx.execute(
                sql("insert into outbox (channel, partition_no, seq, message_id, message_key, headers, payload, recorded_at) \
                     values ($1, $2, $3, $4, $5, $6, $7, 0)")
                .bind(channel)
                .bind(partition)
                .bind(head.map_or(0, |(seq,)| seq))
                .bind(new_id())
                .bind(key)
                .bind(headers)
                .bind(payload),
            )
            .await
        })
    });
    planted.await.expect("it is sent");
}

/// The command that reserved credit for a customer's first order, and the same with a body that nobody can read.
async fn poison(db: &Db, customer: CustomerId) -> (Planted, Value) {
    let (headers, payload): (String, String) = db
        .optional(
            sql("select headers, payload from outbox where channel = $1 and message_key = $2 order by seq limit 1")
                .bind("customers.commands")
                .bind(customer.0),
        )
        .await
        .expect("it reads")
        .expect("it was sent");
    let good: Value = serde_json::from_str(&payload).expect("it is JSON");
    let mut bad = good.clone();
    bad["amount"] = json!("a lot");
    (Planted { channel: "customers.commands", key: customer.0, headers, payload: bad.to_string() }, good)
}

async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, looking).await.unwrap_or_else(|_| panic!("{what} in time"))
}

/// Waits until the only key that waits has so many messages, and returns it.
async fn waiting(desk: &TestDesk, count: i64) -> Value {
    until("it is parked", async || {
        let page = desk.json("/api/operations/parked").await;
        assert_eq!((&page["complete"], page.get("nextCursor")), (&json!(true), None));
        page["items"].as_array().expect("a list").iter().find(|key| key["waiting"] == json!(count)).cloned()
    })
    .await
}

fn address(key: &Value) -> String {
    let part = |name: &str| key[name].as_str().expect("a text").to_owned();
    format!("{}/{}/{}", part("service"), part("group"), key["first"]["id"].as_str().expect("an id"))
}

fn parked<const N: usize>(desk: &TestDesk, arguments: [&str; N]) -> std::process::Output {
    let arguments: Vec<_> = ["parked"].into_iter().chain(arguments).chain(["--url"]).collect();
    let url = desk.url();
    crate::desk::program().args(arguments).arg(url).output().expect("the program starts")
}

#[tokio::test]
async fn a_command_that_nobody_can_read_is_mended_and_those_behind_it_follow_in_order() {
    let desk = TestDesk::start();
    let (ada, eve) = (desk.customer("Ada", "100.00").await, desk.customer("Eve", "100.00").await);
    desk.order(ada, "10.00").await;
    let folder = desk.stop();
    let db = orders(&folder).await;
    let (planted, good) = poison(&db, ada).await;
    plant(&db, planted).await;
    db.close().await;

    let desk = TestDesk::over(folder).expecting(PARKED);
    let key = waiting(&desk, 1).await;
    assert_eq!(
        (&key["service"], &key["key"], &key["first"]["kind"]),
        (&json!("customers"), &json!(ada), &json!("ReserveCredit"))
    );
    // Others go on, and what is Ada's waits in order: the second order takes what the first leaves.
    assert_eq!(desk.order(eve, "5.00").await.1, OrderState::Approved);
    let (first, second) = (desk.place(ada, "60.00").await.id, desk.place(ada, "40.00").await.id);
    let key = waiting(&desk, 3).await;
    assert_eq!(desk.json(&format!("/api/orders/{first}")).await["state"], "PENDING");
    until("the gauge tells", async || {
        let text = String::from_utf8(desk.get("/metrics").await.body.to_vec()).expect("it is text");
        text.contains("tramline_parked_messages{group=\"customers\"} 3").then_some(())
    })
    .await;

    let path = format!("/api/operations/parked/{}", address(&key));
    let shown = desk.json(&path).await;
    assert_eq!((&shown["payload"]["amount"], shown["line"].as_array().map(Vec::len)), (&json!("a lot"), Some(3)));
    let failed: Value = desk.post(&format!("{path}/retry"), &json!({})).await.json().expect("it was tried");
    assert_eq!((&failed["handled"], &failed["failed"], &failed["left"]), (&json!([]), &key["first"]["id"], &json!(3)));
    let refused = desk.post(&format!("{path}/edit"), &json!({"payload": {"amount": "1.00"}})).await;
    assert_eq!(
        (refused.status.as_u16(), refused.problem().map(|p| p.errors[0].field.clone())),
        (422, Some("payload".to_owned()))
    );
    let edited = desk.post(&format!("{path}/edit"), &json!({"payload": good, "reason": "as it was meant"})).await;
    assert_eq!(edited.status, 200);
    let rehearsed: Value = desk.post(&format!("{path}/dry-run"), &json!({})).await.json().expect("it was tried");
    assert_eq!((&rehearsed["handled"], &rehearsed["sends"][0]["channel"]), (&json!(true), &json!("orders.replies")));
    assert_eq!(desk.json(&format!("/api/orders/{first}")).await["state"], "PENDING", "a rehearsal changes nothing");
    let retried: Value =
        desk.post(&format!("{path}/retry"), &json!({"reason": "mended"})).await.json().expect("it was tried");
    assert_eq!((retried["handled"].as_array().map(Vec::len), &retried["left"]), (Some(3), &json!(0)));

    assert_eq!(desk.settled(first).await.state, OrderState::Approved);
    assert_eq!(desk.settled(second).await.state, OrderState::Rejected, "10 and 60 of 100 were taken before");
    assert_eq!(desk.order(ada, "30.00").await.1, OrderState::Approved, "the key goes on by itself");
    assert_eq!(desk.post(&format!("{path}/retry"), &json!({})).await.status, 404);
    let audit = desk.json("/api/operations/audit?limit=100").await;
    let deeds: Vec<_> = audit["items"]
        .as_array()
        .expect("a list")
        .iter()
        .rev()
        .map(|entry| {
            assert_eq!((&entry["operator"], &entry["service"]), (&json!("local"), &json!("customers")));
            (entry["action"].as_str().expect("a text"), entry["outcome"].as_str().expect("a text").split(':').next())
        })
        .collect();
    let expected = [
        "inspect shown",
        "retry failed",
        "edit changed",
        "dry-run would be handled and send 1 messages",
        "retry handled",
        "retry handled",
        "retry handled",
    ];
    assert_eq!(
        deeds,
        expected.map(|deed| {
            let (action, outcome) = deed.split_once(' ').expect("two words");
            (action, Some(outcome))
        })
    );
}

#[tokio::test]
async fn an_event_that_nobody_knows_is_skipped_at_a_prompt() {
    let desk = TestDesk::start();
    let ada = desk.customer("Ada", "100.00").await;
    desk.order(ada, "10.00").await;
    let folder = desk.stop();
    let db = orders(&folder).await;
    let (key, headers) = (new_id(), json!({"type": "OrderTeleported", "aggregateVersion": 1}).to_string());
    plant(&db, Planted { channel: "Order", key, headers, payload: "{\"to\":\"Mars\"}".to_owned() }).await;
    db.close().await;

    let desk = TestDesk::over(folder).expecting(PARKED);
    // Both views hear of it, each with a parking lot of its own.
    let messages: Vec<String> = until("both have parked it", async || {
        let page = desk.json("/api/operations/parked").await;
        let items = page["items"].as_array().expect("a list");
        (items.len() == 2).then(|| items.iter().map(address).collect())
    })
    .await;
    let message = messages.first().expect("two").as_str();
    assert!(message.starts_with("history/") && messages[1].starts_with("search/"), "{messages:?}");
    assert_eq!(desk.order(ada, "5.00").await.1, OrderState::Approved);
    let (listed, _) = printed(&parked(&desk, ["list"]));
    assert!(
        messages.iter().all(|message| listed.contains(message))
            && listed.contains("OrderTeleported")
            && listed.contains("not known"),
        "{listed}"
    );
    let (kinds, _) = printed(&parked(&desk, ["kinds"]));
    assert!(kinds.contains("order-history"), "{kinds}");
    let (shown, _) = printed(&parked(&desk, ["show", message]));
    assert!(shown.contains("{\"to\":\"Mars\"}"), "{shown}");
    let body = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(body.path(), "{}").expect("it is written");
    let edited = parked(&desk, ["edit", message, "--body", body.path().to_str().expect("a plain path")]);
    assert!(!edited.status.success() && printed(&edited).1.contains("not known"), "{:?}", printed(&edited));
    let rehearsed = parked(&desk, ["dry-run", message]);
    assert!(
        !rehearsed.status.success() && printed(&rehearsed).0.contains("It would fail"),
        "{:?}",
        printed(&rehearsed)
    );
    assert!(!parked(&desk, ["skip", message]).status.success(), "a reason is needed");
    for message in &messages {
        let skipped = parked(&desk, ["skip", message, "--reason", "nobody teleports here"]);
        assert!(skipped.status.success(), "{:?}", printed(&skipped));
    }
    assert!(printed(&parked(&desk, ["list"])).0.contains("Nothing is parked."));
    let (audit, _) = printed(&parked(&desk, ["audit"]));
    assert!(audit.contains("nobody teleports here") && audit.contains("skip"), "{audit}");
}

#[tokio::test]
async fn whatever_is_asked_wrongly_about_parked_messages_is_refused() {
    let desk = TestDesk::start();
    let (id, reason) = (new_id(), json!({"reason": "why not"}));
    for path in [
        format!("customers/customers/{id}"),
        format!("nobody/customers/{id}"),
        format!("customers/nobody/{id}"),
        "customers/customers/x".to_owned(),
    ] {
        let answers = [
            desk.get(&format!("/api/operations/parked/{path}")).await,
            desk.post(&format!("/api/operations/parked/{path}/skip"), &reason).await,
            desk.post(&format!("/api/operations/parked/{path}/retry"), &json!({})).await,
        ];
        for answer in answers {
            assert_eq!(
                (answer.status.as_u16(), answer.problem().map(|problem| problem.code)),
                (404, Some("not-found".to_owned())),
                "{path}"
            );
        }
    }
    for query in ["limit=0", "cursor=x", "cursor=customers:x", "service=nobody", "group=%26", "more=1"] {
        assert_eq!(desk.get(&format!("/api/operations/parked?{query}")).await.status, 422, "{query}");
    }
    assert_eq!(desk.get("/api/operations/audit?cursor=x").await.status, 422);
    let skip = format!("/api/operations/parked/customers/customers/{id}/skip");
    for body in [json!({}), json!({"reason": ""}), json!({"reason": "x", "operator": "eve"}), json!([])] {
        assert_eq!(desk.post(&skip, &body).await.status, 422, "{body}");
    }
    let nobody = tramline(["parked", "list", "--url", "http://127.0.0.1:1"]);
    assert!(!nobody.status.success() && !printed(&nobody).1.is_empty());
    let misnamed = tramline(["parked", "show", "../../orders"]);
    assert!(printed(&misnamed).1.contains("SERVICE/GROUP/ID"), "{:?}", printed(&misnamed));
}
