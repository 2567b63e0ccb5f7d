//! Events get lost for good, and the views come right by themselves.

use crate::desk::{DEADLINE, TestDesk, new_id};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use tramline_contract::CustomerId;
use tramline_customers::Customers;
use tramline_db::{Address, Db, DbError, Durability, SystemClock, SystemIds, sql};
use tramline_http::ServiceClient;
use tramline_messaging::{Messaging, partition_of};
use tramline_testing::DeskStores;

const VIEWS: [&str; 2] = ["order-history", "search"];

/// The customers service of a desk that does not run: nobody publishes what it does until the desk is started.
struct Alone {
    db: Db,
    client: ServiceClient,
}

impl Alone {
    async fn over(folder: &TempDir) -> Self {
        let stores = DeskStores::of(&folder.path().join("data"));
        let address = Address::parse(&stores.database("customers")).expect("it reads");
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        let migrations = tramline_customers::migrations();
        let db = Db::open("customers", &address, Durability::Full, &migrations, clock, ids).await.expect("it opens");
        let customers = Customers::new(Messaging::open(db.clone()).await.expect("it has an outbox"));
        Self { db, client: ServiceClient::in_process("customers", tramline_customers::routes(customers)) }
    }

    async fn set_credit_limit(&self, customer: CustomerId, limit: &str) -> i64 {
        let path = format!("/customers/{customer}/credit-limit");
        let answer = self.client.post_json(&path, &json!({"creditLimit": limit})).send().await.expect("it answers");
        assert_eq!(answer.status, 200);
        answer.json::<Value>().expect("it is JSON")["version"].as_i64().expect("a version")
    }

    /// What the event of that version says is lost: only an empty place of its stream is left.
    async fn lose(&self, customer: CustomerId, version: i64) {
        self.tamper(customer, version, "\"CreditLimitChanged\"", "\"CustomerUnknown\"", "{}").await;
    }

    /// Nobody can read what the event of that version says.
    async fn garble(&self, customer: CustomerId, version: i64) {
        self.tamper(customer, version, "", "", "{\"event\":7}").await;
    }

    async fn tamper(
        &self,
        customer: CustomerId,
        version: i64,
        from: &'static str,
        to: &'static str,
        payload: &'static str,
    ) {
        let changed =
            self.db.write::<_, DbError, _>(move |tx| {
                Box::pin(async move {
                    tx.execute(
                    sql("update outbox set headers = replace(headers, $1, $2), payload = $3 where channel = 'Customer' \
                         and partition_no = $4 and message_key = $5 and headers like $6")
                    .bind(from)
                    .bind(to)
                    .bind(payload)
                    .bind(i64::from(partition_of(customer.0)))
                    .bind(customer.0)
                    .bind(format!("%\"aggregateVersion\":{version}%")),
                )
                .await
                })
            });
        assert_eq!(changed.await.expect("it is written"), 1);
    }
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let looking = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, looking).await.unwrap_or_else(|_| panic!("{what} in time"));
}

/// Whether a number of each view stands at that.
async fn measured(desk: &TestDesk, name: &str, number: u32) -> bool {
    let text = String::from_utf8(desk.get("/metrics").await.body.to_vec()).expect("it is text");
    VIEWS.iter().all(|view| text.contains(&format!("{name}{{group=\"{view}\"}} {number}\n")))
}

async fn version_found(desk: &TestDesk, customer: CustomerId, name: &str) -> Value {
    let page = desk.json(&format!("/api/search?q={name}")).await;
    let hits = page["items"].as_array().expect("a list");
    hits.iter().find(|hit| hit["id"] == json!(customer)).map(|hit| hit["version"].clone()).unwrap_or_default()
}

#[tokio::test]
async fn views_that_have_missed_events_are_healed_from_the_owner() {
    let desk = TestDesk::start();
    let name = format!("ada{}", new_id().simple());
    let ada = desk.customer(&name, "100.00").await;
    let folder = desk.stop();
    let alone = Alone::over(&folder).await;
    for (limit, version) in [("200.00", 2), ("300.00", 3), ("400.00", 4)] {
        assert_eq!(alone.set_credit_limit(ada, limit).await, version);
    }
    alone.lose(ada, 2).await;
    alone.lose(ada, 4).await;
    alone.db.close().await;

    // The views hear of 3 after 1. Nothing ever tells them of 4.
    let desk = TestDesk::over(folder);
    until("both views have seen the jump", async || measured(&desk, "tramline_view_jumps_total", 1).await).await;
    until("both views are healed", async || measured(&desk, "tramline_view_healed_total", 1).await).await;
    let shown = desk.json(&format!("/api/customers/{ada}?minVersion=4")).await;
    assert_eq!((&shown["version"], &shown["creditLimit"]), (&json!(4), &json!("400.00")));
    assert_eq!(version_found(&desk, ada, &name).await, 4);
    until("nothing is left to heal", async || measured(&desk, "tramline_view_unhealed", 0).await).await;
    // What comes next follows: no jump.
    desk.order(ada, "350.00").await;
    until("it is found", async || version_found(&desk, ada, &name).await == 5).await;
    assert!(measured(&desk, "tramline_view_jumps_total", 1).await);
}

#[tokio::test]
async fn what_an_operator_skips_is_read_from_the_owner() {
    let desk = TestDesk::start();
    let name = format!("eve{}", new_id().simple());
    let eve = desk.customer(&name, "100.00").await;
    let folder = desk.stop();
    let alone = Alone::over(&folder).await;
    alone.set_credit_limit(eve, "200.00").await;
    alone.garble(eve, 2).await;
    alone.db.close().await;

    let desk = TestDesk::over(folder).expecting(&["a message is parked"]);
    let parked = async || desk.json("/api/operations/parked").await["items"].as_array().expect("a list").clone();
    until("both views have parked it", async || parked().await.len() == 2).await;
    assert_eq!(desk.json(&format!("/api/customers/{eve}")).await["creditLimit"], "100.00");
    for key in parked().await {
        let part = |name: &str| key[name].as_str().expect("a text");
        let id = key["first"]["id"].as_str().expect("an id");
        let path = format!("/api/operations/parked/{}/{}/{id}/skip", part("service"), part("group"));
        assert_eq!(desk.post(&path, &json!({"reason": "nobody can read it"})).await.status, 200);
    }
    until("both views are healed", async || measured(&desk, "tramline_view_healed_total", 1).await).await;
    let shown = desk.json(&format!("/api/customers/{eve}")).await;
    assert_eq!((&shown["version"], &shown["creditLimit"]), (&json!(2), &json!("200.00")));
    assert_eq!(version_found(&desk, eve, &name).await, 2);
}
