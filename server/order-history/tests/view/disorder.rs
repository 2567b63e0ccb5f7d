//! The same events repeated, shuffled and cut into batches at will lead to the same view.

use crate::{
    events::record,
    stores::{Instance, Kind, TestStore},
};
use proptest::{prelude::*, test_runner::TestRunner};
use std::sync::Arc;
use tramline_contract::{Coordination, CustomerId, Money, OrderId, OrderState, RejectionReason};
use tramline_messages::{
    customers::{CustomerChanged, CustomerEvent, CustomerSnapshot},
    orders::{OrderChanged, OrderEvent, OrderSnapshot},
};
use tramline_messaging::Record;
use tramline_order_history::{ViewCustomer, ViewOrder};
use uuid::Uuid;

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
                last_refusal: None,
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

/// What must come out alike: the documents, and each list as it is paged.
type View = ((Vec<ViewCustomer>, Vec<ViewOrder>), Vec<serde_json::Value>);

/// The view that the batches lead to.
async fn view_of(store: TestStore, batches: Vec<Vec<Arc<Record>>>) -> View {
    let desk: Instance = store.instance().await;
    for batch in batches {
        desk.tell(&batch).await;
    }
    let mut lists = Vec::new();
    for path in ["/customers", "/orders", "/orders?state=PENDING", "/orders?state=APPROVED", "/orders?state=REJECTED"] {
        lists.push(desk.json(path).await);
    }
    (desk.contents().await, lists)
}

/// An order of events with repetitions, and the size of the batches.
fn disorder() -> impl Strategy<Value = (Vec<usize>, usize)> {
    let count = history().len();
    let repeated = prop::collection::vec(0..count, 0..40);
    let shuffled = repeated.prop_flat_map(move |more| Just((0..count).chain(more).collect::<Vec<_>>()).prop_shuffle());
    (shuffled, 1_usize..20)
}

fn any_order_and_any_repetition_lead_to_the_same_view(kind: Kind, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let events = history();
    let open = || runtime.block_on(TestStore::open(kind));
    let Some(store) = open() else { return };
    let straight = runtime.block_on(view_of(store, vec![events.clone()]));
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(cases);
    let mut runner = TestRunner::new(ProptestConfig { cases, ..ProptestConfig::default() });
    let outcome = runner.run(&disorder(), |(sequence, size)| {
        let jumbled: Vec<_> = sequence.iter().map(|index| Arc::clone(&events[*index])).collect();
        let batches = jumbled.chunks(size).map(<[_]>::to_vec).collect();
        prop_assert_eq!(&runtime.block_on(view_of(open().expect("as before"), batches)), &straight);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn any_order_and_any_repetition_lead_to_the_same_view_in_sqlite() {
    any_order_and_any_repetition_lead_to_the_same_view(Kind::Sqlite, 48);
}

#[test]
fn any_order_and_any_repetition_lead_to_the_same_view_in_postgres() {
    any_order_and_any_repetition_lead_to_the_same_view(Kind::Postgres, 8);
}

#[test]
fn any_order_and_any_repetition_lead_to_the_same_view_in_redis() {
    any_order_and_any_repetition_lead_to_the_same_view(Kind::Redis, 48);
}
