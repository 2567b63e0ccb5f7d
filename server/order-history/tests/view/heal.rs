//! A view that has missed an event reads the aggregate from its owner, and comes right by itself.

use crate::{
    events::{approved, customer, customer_id, order_id, placed, rejected},
    stores::{Instance, TestStore, on_every_store, step},
};
use axum::{Json, Router, extract::Path, http::StatusCode, routing::get};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tramline_db::{Db, DbError, sql};
use tramline_http::ServiceClient;
use tramline_messaging::{By, Effects as _, ParkingLot, Record, Unhandled};
use tramline_order_history::{EventBodies, GROUP, Healer, Owners};
use uuid::Uuid;

on_every_store!(
    a_jump_is_healed_from_the_owner,
    what_comes_early_late_or_twice_is_no_damage,
    an_owner_that_is_away_is_asked_again,
    a_view_that_is_newer_than_its_owners_answer_stays,
    what_an_operator_skips_is_read_from_the_owner,
    several_instances_heal_at_once,
);

/// What the owners of both kinds say, and how often they were asked.
#[derive(Clone, Default)]
pub struct TestOwners {
    items: Arc<Mutex<HashMap<Uuid, Value>>>,
    asked: Arc<AtomicUsize>,
}

impl TestOwners {
    /// From now on the owner says what this event says.
    pub fn know(&self, event: &Record) {
        let (id, version) =
            (event.headers.aggregate_id.expect("whose"), event.headers.aggregate_version.expect("which"));
        let body: Value = serde_json::from_str(&event.payload).expect("it is JSON");
        let item = json!({"id": id, "version": version, "after": body["after"]});
        self.items.lock().expect("nobody panicked").insert(id, item);
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub fn owners(&self) -> Owners {
        let (items, asked) = (Arc::clone(&self.items), Arc::clone(&self.asked));
        let one = move |Path(id): Path<Uuid>| {
            asked.fetch_add(1, Ordering::SeqCst);
            let item = items.lock().expect("nobody panicked").get(&id).cloned();
            std::future::ready(item.map(Json).ok_or(StatusCode::NOT_FOUND))
        };
        let router = Router::new().route("/export/{id}", get(one));
        let client = |name| Some(ServiceClient::in_process(name, router.clone()));
        Owners { customers: client("customers"), orders: client("orders") }
    }
}

pub async fn marks(db: &Db) -> i64 {
    let row: Option<(i64,)> = db.optional(sql("select count(*) from view_heal")).await.expect("it reads");
    row.map_or(0, |(count,)| count)
}

/// As if the wait for the next try were over.
pub async fn let_time_pass(db: &Db) {
    let passed = db.write::<_, DbError, _>(|tx| Box::pin(tx.execute(sql("update view_heal set due_at = 0"))));
    passed.await.expect("it is written");
}

async fn shown(desk: &Instance, number: u128) -> (i64, String) {
    let shown = desk.json(&format!("/customers/{}", customer_id(number))).await;
    (shown["version"].as_i64().expect("a number"), shown["reserved"].as_str().expect("a text").to_owned())
}

async fn a_jump_is_healed_from_the_owner(store: TestStore) {
    let (desk, owners) = (store.instance().await, TestOwners::default());
    let healer = Healer::of_view(&desk.history, owners.owners());
    let db = store.messaging.db();
    owners.know(&customer(1, 5, "Ada"));
    owners.know(&rejected(1, 1, 10));
    desk.tell(&[customer(1, 1, "Ada")]).await;
    assert_eq!(healer.heal().await.expect("it looks"), 0);
    // 2 is lost, and so are 4 and 5, of which nothing tells yet.
    desk.tell(&[customer(1, 3, "Ada")]).await;
    assert_eq!((shown(&desk, 1).await, marks(db).await), ((3, "3.00".to_owned()), 1), "a whole state, and a mark");
    // The first event of an order is lost.
    desk.tell(&[approved(1, 1, 10)]).await;
    let (_, told) = desk.head().await;
    assert_eq!(healer.heal().await.expect("it looks"), 2);
    assert_eq!(shown(&desk, 1).await, (5, "5.00".to_owned()));
    assert_eq!(desk.json(&format!("/customers/{}", customer_id(1))).await["orderCount"], 1);
    assert_eq!(desk.head().await.1, told + 1, "what has changed is told, and the order was not older");
    assert_eq!((marks(db).await, owners.asked()), (0, 2));
    // The events that were on their way are late now, and the next one follows.
    desk.tell(&[customer(1, 4, "Ada"), customer(1, 5, "Ada")]).await;
    desk.tell(&[customer(1, 6, "Ada")]).await;
    assert_eq!((healer.heal().await.expect("it looks"), owners.asked()), (0, 2));
}

async fn what_comes_early_late_or_twice_is_no_damage(store: TestStore) {
    let (desk, owners) = (store.instance().await, TestOwners::default());
    desk.tell(&[placed(1, 1, 10)]).await;
    desk.tell(&[approved(1, 1, 10), placed(1, 1, 10)]).await;
    desk.tell(&[customer(1, 3, "Ada"), customer(1, 1, "Ada"), customer(1, 2, "Ada")]).await;
    desk.tell(&[customer(1, 2, "Ada"), customer(1, 4, "Ada")]).await;
    assert_eq!(marks(store.messaging.db()).await, 0);
    let healer = Healer::of_view(&desk.history, owners.owners());
    assert_eq!((healer.heal().await.expect("it looks"), owners.asked()), (0, 0));
}

async fn an_owner_that_is_away_is_asked_again(store: TestStore) {
    let (desk, owners) = (store.instance().await, TestOwners::default());
    let away = ServiceClient::remote("customers", "http://127.0.0.1:1").expect("an address");
    let away = Healer::of_view(&desk.history, Owners { customers: Some(away), ..owners.owners() });
    let nowhere = Healer::of_view(&desk.history, Owners::default());
    let there = Healer::of_view(&desk.history, owners.owners());
    let db = store.messaging.db();
    owners.know(&customer(1, 4, "Ada"));
    owners.know(&approved(1, 1, 10));
    desk.tell(&[customer(1, 3, "Ada"), customer(2, 2, "Bob"), approved(1, 1, 10)]).await;
    assert_eq!(away.heal().await.expect("it looks"), 1, "the owner of the order is there");
    assert_eq!(away.heal().await.expect("it looks"), 0, "nothing is due");
    let_time_pass(db).await;
    assert_eq!((nowhere.heal().await.expect("it looks"), marks(db).await), (0, 2));
    assert_eq!((there.heal().await.expect("it looks"), owners.asked()), (0, 1), "not before the wait is over");
    // A later jump does not wait.
    desk.tell(&[customer(1, 6, "Ada")]).await;
    owners.know(&customer(1, 7, "Ada"));
    assert_eq!((there.heal().await.expect("it looks"), shown(&desk, 1).await.0), (1, 7));
    let_time_pass(db).await;
    // Its owner has no Bob: the event stands, and nobody is asked for ever.
    there.heal().await.expect("it looks");
    assert_eq!((shown(&desk, 2).await.0, marks(db).await), (2, 0));
}

async fn a_view_that_is_newer_than_its_owners_answer_stays(store: TestStore) {
    let (desk, owners) = (store.instance().await, TestOwners::default());
    owners.know(&customer(1, 2, "Ada"));
    desk.tell(&[customer(1, 5, "Ada")]).await;
    let healer = Healer::of_view(&desk.history, owners.owners());
    healer.heal().await.expect("it looks");
    assert_eq!((shown(&desk, 1).await.0, marks(store.messaging.db()).await), (5, 0));
}

async fn what_an_operator_skips_is_read_from_the_owner(store: TestStore) {
    let (desk, owners) = (store.instance().await, TestOwners::default());
    owners.know(&approved(1, 1, 10));
    desk.tell(&[placed(1, 1, 10)]).await;
    let unreadable = Record {
        seq: 2,
        id: Uuid::from_u128(2),
        payload: "{\"event\":7}".to_owned(),
        headers: tramline_messaging::Headers {
            aggregate_id: Some(order_id(1).0),
            aggregate_version: Some(2),
            kind: "OrderApproved".to_owned(),
            ..tramline_messaging::Headers::default()
        },
        ..Record::clone(&approved(1, 1, 10))
    };
    let unhandled = Unhandled { record: Arc::new(unreadable), reason: "planted".to_owned(), attempts: 1 };
    desk.projector.park(&step(0, 1, 2, 1), &unhandled).await.expect("it is parked");
    let healer = Healer::of_view(&desk.history, owners.owners());
    assert_eq!(healer.heal().await.expect("it looks"), 0, "what waits for an operator is not lost");
    let lot = ParkingLot::new(store.messaging.clone()).group(GROUP, EventBodies, desk.history.projector());
    let by = By { operator: "ada".to_owned(), reason: Some("nobody can read it".to_owned()) };
    lot.skip(GROUP, Uuid::from_u128(2), by).await.expect("it is skipped");
    assert_eq!(healer.heal().await.expect("it looks"), 1);
    let order = desk.json(&format!("/orders/{}", order_id(1))).await;
    assert_eq!((&order["state"], &order["version"]), (&json!("APPROVED"), &json!(2)), "no later event was needed");
}

async fn several_instances_heal_at_once(store: TestStore) {
    let (desk, owners) = (store.instance().await, TestOwners::default());
    let healers = [(); 3].map(|()| Healer::of_view(&desk.history, owners.owners()));
    let jumps: Vec<_> = (1..=20).map(|number| customer(number, 3, "Ada")).collect();
    (1..=20).for_each(|number| owners.know(&customer(number, 4, "Ada")));
    desk.tell(&jumps).await;
    let [first, second, third] = healers.each_ref().map(Healer::heal);
    let (first, second, third) = tokio::join!(first, second, third);
    let healed: usize = [first, second, third].map(|healed| healed.expect("it looks")).iter().sum();
    assert_eq!((healed, owners.asked(), marks(store.messaging.db()).await), (20, 20, 0), "each by one of them");
    assert_eq!(shown(&desk, 20).await.0, 4);
}
