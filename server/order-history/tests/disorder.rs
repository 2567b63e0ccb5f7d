//! The same events repeated, shuffled and cut into batches at will lead to the same view.

use proptest::prelude::*;
use std::sync::Arc;
use tramline_contract::{Coordination, CustomerId, Money, OrderId, OrderState, RejectionReason};
use tramline_db::{Address, Db, Durability, SystemClock, SystemIds, UtcMicros};
use tramline_messages::{
    customers::{CustomerChanged, CustomerEvent, CustomerSnapshot},
    orders::{OrderChanged, OrderEvent, OrderSnapshot},
};
use tramline_messaging::{Handler as _, HandlerError, Headers, Messaging, Record};
use tramline_order_history::{History, ViewCustomer, ViewOrder, migrations, read_view};
use uuid::Uuid;

fn record(kind: &str, id: Uuid, version: i64, payload: &impl serde::Serialize) -> Arc<Record> {
    Arc::new(Record {
        seq: 0,
        id: Uuid::nil(),
        key: id,
        headers: Headers {
            kind: kind.to_owned(),
            aggregate_id: Some(id),
            aggregate_version: Some(version),
            ..Headers::default()
        },
        payload: serde_json::to_string(payload).expect("it is JSON"),
        recorded_at: UtcMicros(0),
    })
}

/// The events of a few customers and their orders, as the services would send them.
fn history() -> Vec<Arc<Record>> {
    let mut events = Vec::new();
    for customer in 0..3_u128 {
        let customer_id = CustomerId(Uuid::from_u128(customer));
        let mut after = CustomerSnapshot {
            name: format!("Customer {customer}"),
            credit_limit: Money::from_minor(1_000),
            reserved: Money::ZERO,
            paid: Money::ZERO,
            created_at_micros: 1,
        };
        let created = CustomerChanged { event: CustomerEvent::CustomerCreated, after: after.clone() };
        events.push(record("CustomerCreated", customer_id.0, 1, &created));
        for number in 0..4_u128 {
            let order_id = OrderId(Uuid::from_u128(100 + customer * 10 + number));
            let amount = Money::from_minor(300);
            let mut order = OrderSnapshot {
                customer_id,
                total: amount,
                state: OrderState::Pending,
                rejection_reason: None,
                coordination: Coordination::Orchestration,
                saga_id: None,
                created_at_micros: 10,
                updated_at_micros: 10,
            };
            let placed = OrderChanged { event: OrderEvent::OrderCreated, after: order.clone() };
            events.push(record("OrderCreated", order_id.0, 1, &placed));
            let version = i64::try_from(number).expect("it is small") + 2;
            let reason = RejectionReason::InsufficientCredit;
            let (customer_event, order_event) = if number < 3 {
                after.reserved = Money::from_minor(after.reserved.minor() + 300);
                order.state = OrderState::Approved;
                (CustomerEvent::CreditReserved { order_id, amount }, OrderEvent::OrderApproved)
            } else {
                (order.state, order.rejection_reason) = (OrderState::Rejected, Some(reason));
                (CustomerEvent::CreditRefused { order_id, amount }, OrderEvent::OrderRejected { reason })
            };
            let changed = CustomerChanged { event: customer_event, after: after.clone() };
            events.push(record(changed.event.kind(), customer_id.0, version, &changed));
            events.push(record(order_event.kind(), order_id.0, 2, &OrderChanged { event: order_event, after: order }));
        }
    }
    events
}

/// The view that the batches lead to.
async fn view_of(batches: Vec<Vec<Arc<Record>>>) -> (Vec<ViewCustomer>, Vec<ViewOrder>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = Address::parse(&tramline_testing::store_address(folder.path(), "history")).expect("it reads");
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let db = Db::open("history", &address, Durability::Process, &migrations(), clock, ids).await.expect("it opens");
    let messaging = Messaging::open(db).await.expect("it has offsets");
    let projector = Arc::new(History::new(messaging.clone(), Uuid::nil()).projector());
    for batch in batches {
        let handler = Arc::clone(&projector);
        let applied = messaging.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move { handler.handle(work, &batch).await })
        });
        projector.committed(applied.await.expect("it is applied"));
    }
    let view = read_view(messaging.db()).await.expect("it reads");
    messaging.db().close().await;
    view
}

/// An order of events with repetitions, and the size of the batches.
fn disorder() -> impl Strategy<Value = (Vec<usize>, usize)> {
    let count = history().len();
    let repeated = prop::collection::vec(0..count, 0..40);
    let shuffled = repeated.prop_flat_map(move |more| Just((0..count).chain(more).collect::<Vec<_>>()).prop_shuffle());
    (shuffled, 1_usize..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_any_repetition_lead_to_the_same_view((sequence, size) in disorder()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let events = history();
        let straight = runtime.block_on(view_of(vec![events.clone()]));
        let jumbled: Vec<_> = sequence.iter().map(|index| Arc::clone(&events[*index])).collect();
        let batches = jumbled.chunks(size).map(<[_]>::to_vec).collect();
        prop_assert_eq!(runtime.block_on(view_of(batches)), straight);
    }
}

#[tokio::test]
async fn an_order_heard_of_before_its_customer_is_shown_and_counted() {
    let events = history();
    let order_first: Vec<_> = events.iter().rev().cloned().map(|event| vec![event]).collect();
    let (customers, orders) = view_of(order_first).await;
    assert_eq!(orders.len(), 12);
    assert!(customers.iter().all(|customer| customer.order_count == 4 && customer.reserved == Money::from_minor(900)));
}
