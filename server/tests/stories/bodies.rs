//! What the parking lots know of messages, held against every message that a desk has sent: whatever a service handles, an operator can
//! mend there.

use crate::{
    coordination::{BOTH, scenarios},
    desk::TestDesk,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tramline_db::{Address, Db, Durability, SystemClock, SystemIds, UtcMicros, sql};
use tramline_messages::channels::{
    CUSTOMER_COMMANDS, CUSTOMER_EVENTS, NOTIFICATION_COMMANDS, ORDER_EVENTS, ORDER_REPLIES,
};
use tramline_messaging::{BodySchema, Record};
use tramline_order_history::EventBodies;
use tramline_testing::DeskStores;
use uuid::Uuid;

/// The messages of a channel, as a service has sent them.
async fn sent(stores: &DeskStores, service: &'static str, channel: &'static str) -> Vec<Record> {
    let address = Address::parse(&stores.database(service)).expect("it reads");
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let db = Db::open(service, &address, Durability::Process, &[], clock, ids).await.expect("it opens");
    let read = sql("select message_id, headers, payload from outbox where channel = $1").bind(channel);
    let rows: Vec<(Uuid, String, String)> = db.all(read).await.expect("it reads");
    db.close().await;
    let record = |(id, headers, payload): (Uuid, String, String)| {
        let headers = serde_json::from_str(&headers).expect("they read");
        Record { seq: 1, id, key: id, headers, payload, recorded_at: UtcMicros(0) }
    };
    rows.into_iter().map(record).collect()
}

/// Holds messages against a group's schema of bodies; tells the kinds that it handles.
fn judged(group: &str, bodies: &dyn BodySchema, handled: impl Iterator<Item = Record>) -> BTreeSet<String> {
    handled
        .map(|message| {
            let kind = message.headers.kind;
            if let Err(reason) = bodies.check(&kind, &message.payload) {
                panic!("{group} handles a body that its parking lot refuses: it {reason}: {}", message.payload);
            }
            assert!(bodies.check("Nothing", &message.payload).is_err(), "{group} would take whatever nobody handles");
            kind
        })
        .collect()
}

#[tokio::test]
async fn every_message_that_a_service_handles_reads_in_its_parking_lot() {
    let desk = TestDesk::start();
    for way in BOTH {
        scenarios(&desk, way).await;
    }
    let ada = desk.customer("Ada", "1.00").await;
    for (what, body) in [("credit-limit", r#"{"creditLimit":"2.00"}"#), ("payments", r#"{"amount":"1.00"}"#)] {
        let body = serde_json::from_str(body).expect("it is JSON");
        let answer = desk.post(&format!("/api/customers/{ada}/{what}"), &body).await;
        assert!(answer.status.is_success(), "{what}");
    }
    let stores = desk.stores();
    // The folder holds the databases of a desk on SQLite.
    let _folder = desk.stop();

    let commands = sent(&stores, "orders", CUSTOMER_COMMANDS).await;
    let replies = sent(&stores, "customers", ORDER_REPLIES).await;
    let mails = sent(&stores, "orders", NOTIFICATION_COMMANDS).await;
    let of_orders = sent(&stores, "orders", ORDER_EVENTS).await;
    let of_customers = sent(&stores, "customers", CUSTOMER_EVENTS).await;
    let of_both = of_orders.iter().chain(&of_customers).cloned();
    let ours = |events: &[Record], wanted: fn(&Record) -> bool| {
        events.iter().filter(|event| wanted(event)).cloned().collect::<Vec<_>>().into_iter()
    };
    use {tramline_customers as customers, tramline_notifications as notifications, tramline_orders as orders};
    let mut found = BTreeMap::new();
    found.insert("customers", judged("customers", &customers::bodies(), commands.into_iter()));
    found.insert("orders", judged("orders", &orders::bodies(), replies.into_iter()));
    found.insert("notifications", judged("notifications", &notifications::bodies(), mails.into_iter()));
    found.insert("order-history and search", judged("order-history and search", &EventBodies, of_both));
    let turns = ours(&of_orders, customers::is_our_turn);
    found.insert("customers' turns", judged("customers' turns", &customers::turn_bodies(), turns));
    let turns = ours(&of_customers, orders::is_our_turn);
    found.insert("orders' turns", judged("orders' turns", &orders::turn_bodies(), turns));
    let turns = ours(&of_orders, notifications::is_our_turn);
    found.insert("notifications' turns", judged("notifications' turns", &notifications::turn_bodies(), turns));

    // A kind that is new here has to be put into a scenario first, or the above says nothing of it.
    let expected = [
        ("customers", "ChangeReservation ReleaseCredit ReserveCredit"),
        ("orders", "CreditRefused CreditReleased CreditReserved ReservationChanged"),
        ("notifications", "NotifyCustomer"),
        ("customers' turns", "OrderCancelBegun OrderCreated OrderRevisionBegun"),
        (
            "orders' turns",
            "CreditRefused CreditReleased CreditReserved CustomerUnknown ReservationChangeRefused ReservationChanged",
        ),
        ("notifications' turns", "OrderApproved OrderCancelled OrderRejected OrderRevised OrderRevisionRefused"),
        (
            "order-history and search",
            "CreditLimitChanged CreditRefused CreditReleased CreditReserved CustomerCreated CustomerUnknown \
             OrderApproved OrderCancelBegun OrderCancelled OrderCreated OrderRejected OrderRevised OrderRevisionBegun \
             OrderRevisionRefused PaymentRecorded ReservationChangeRefused ReservationChanged",
        ),
    ];
    let expected: BTreeMap<_, BTreeSet<String>> =
        expected.map(|(group, kinds)| (group, kinds.split(' ').map(str::to_owned).collect())).into();
    assert_eq!(found, expected);
}
