//! Events as the services would send them.

use std::sync::Arc;
use tramline_contract::{Coordination, CustomerId, Money, OrderId, OrderState, RejectionReason, SagaId};
use tramline_db::UtcMicros;
use tramline_messages::{
    customers::{CustomerChanged, CustomerEvent, CustomerSnapshot},
    orders::{OrderChanged, OrderEvent, OrderSnapshot},
};
use tramline_messaging::{Headers, Record};
use uuid::Uuid;

pub fn record(kind: &str, id: Uuid, version: i64, payload: &impl serde::Serialize) -> Arc<Record> {
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

pub const fn customer_id(number: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(number))
}

pub const fn order_id(number: u128) -> OrderId {
    OrderId(Uuid::from_u128((7 << 124) | number))
}

/// A customer of that name, as of a version; made `number` microseconds after 1970.
pub fn customer(number: u128, version: i64, name: &str) -> Arc<Record> {
    let after = CustomerSnapshot {
        name: name.to_owned(),
        credit_limit: Money::from_minor(100_000),
        reserved: Money::from_minor(version * 100),
        paid: Money::ZERO,
        created_at_micros: i64::try_from(number).expect("it is small"),
    };
    let event = CustomerEvent::CustomerCreated;
    record("CustomerCreated", customer_id(number).0, version, &CustomerChanged { event, after })
}

/// An order of a customer in its first version: pending.
pub fn placed(number: u128, customer: u128, created_at: i64) -> Arc<Record> {
    let after = snapshot(customer, OrderState::Pending, created_at);
    let event = OrderEvent::OrderCreated;
    record("OrderCreated", order_id(number).0, 1, &OrderChanged { event, after })
}

/// The same order in its second version.
pub fn approved(number: u128, customer: u128, created_at: i64) -> Arc<Record> {
    let after = snapshot(customer, OrderState::Approved, created_at);
    let event = OrderEvent::OrderApproved;
    record("OrderApproved", order_id(number).0, 2, &OrderChanged { event, after })
}

/// The same order in its second version.
pub fn rejected(number: u128, customer: u128, created_at: i64) -> Arc<Record> {
    let reason = RejectionReason::InsufficientCredit;
    let after =
        OrderSnapshot { rejection_reason: Some(reason), ..snapshot(customer, OrderState::Rejected, created_at) };
    let event = OrderEvent::OrderRejected { reason };
    record("OrderRejected", order_id(number).0, 2, &OrderChanged { event, after })
}

fn snapshot(customer: u128, state: OrderState, created_at: i64) -> OrderSnapshot {
    OrderSnapshot {
        customer_id: customer_id(customer),
        total: Money::from_minor(12_50),
        state,
        rejection_reason: None,
        last_refusal: None,
        coordination: Coordination::Orchestration,
        saga_id: (state != OrderState::Pending).then_some(SagaId(Uuid::from_u128(5))),
        created_at_micros: created_at,
        updated_at_micros: created_at + i64::from(state != OrderState::Pending),
    }
}
