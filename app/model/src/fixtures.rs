//! Documents for tests.

use tramline_contract::{
    Coordination, Customer, CustomerId, Money, Order, OrderId, OrderState, RejectionReason, Timestamp, Version,
};
use uuid::Uuid;

/// The version after which a fixture order is decided.
pub const DECIDED: i64 = 2;

/// An order that is pending at first and decided at version 2: approved when its id is even, else rejected.
pub fn order(id: u128, version: i64) -> Order {
    let state = match (version < DECIDED, id.is_multiple_of(2)) {
        (true, _) => OrderState::Pending,
        (false, true) => OrderState::Approved,
        (false, false) => OrderState::Rejected,
    };
    Order {
        id: OrderId(Uuid::from_u128(id)),
        customer_id: CustomerId(Uuid::from_u128(1_000)),
        customer_name: Some("Acme".to_owned()),
        total: Money::from_minor(90_000),
        state,
        rejection_reason: (state == OrderState::Rejected).then_some(RejectionReason::InsufficientCredit),
        last_refusal: None,
        coordination: Coordination::Orchestration,
        saga_id: None,
        version: Version(version),
        created_at: at(id),
        updated_at: at(id),
    }
}

/// A customer with a limit of 1,000.00, of which 350.00 are reserved.
pub fn customer(id: u128, version: i64) -> Customer {
    Customer {
        id: CustomerId(Uuid::from_u128(id)),
        name: "Acme".to_owned(),
        credit_limit: Money::from_minor(100_000),
        reserved: Money::from_minor(35_000),
        paid: Money::ZERO,
        available_credit: Money::from_minor(65_000),
        version: Version(version),
        created_at: at(id),
        order_count: 0,
    }
}

fn at(id: u128) -> Timestamp {
    Timestamp(format!("2026-01-01T00:{:02}:{:02}.000000Z", id / 60 % 60, id % 60))
}
