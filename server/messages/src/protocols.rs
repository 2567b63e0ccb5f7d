//! What services tell after what when nobody leads: the declared protocols of the choreographed sagas.
//!
//! ```text
//!                orders                customers                       orders
//! CreateOrder    OrderCreated       ─► CreditReserved              ─►  OrderApproved
//!                                      CreditRefused, CustomerUnknown ► OrderRejected
//! CancelOrder    OrderCancelBegun   ─► CreditReleased              ─►  OrderCancelled
//! ReviseOrder    OrderRevisionBegun ─► ReservationChanged          ─►  OrderRevised
//!                                      ReservationChangeRefused    ─►  OrderRevisionRefused
//! ```
//!
//! They lead to the same outcomes as the definitions that the orders service leads. An event of such a saga names it in the header
//! `sagaType`; one that is told of a saga that is led does not, so nobody acts on it.

use crate::services::{CUSTOMERS, ORDERS};
use std::sync::LazyLock;
use tramline_sagas::choreography::{Protocol, protocol, turn};

/// The kind of the saga that decides a new order.
pub const CREATE_ORDER: &str = "CreateOrder";
/// The kind of the saga that cancels an order.
pub const CANCEL_ORDER: &str = "CancelOrder";
/// The kind of the saga that revises an order.
pub const REVISE_ORDER: &str = "ReviseOrder";

static ALL: LazyLock<[Protocol; 3]> = LazyLock::new(|| {
    let create = protocol(CREATE_ORDER)
        .compensatable(turn("create-order", ORDERS, "OrderCreated").undone_by("OrderRejected"))
        .pivot(turn("reserve-credit", CUSTOMERS, "CreditReserved").or("CreditRefused").or("CustomerUnknown"))
        .retriable(turn("approve-order", ORDERS, "OrderApproved"))
        .build();
    let cancel = protocol(CANCEL_ORDER)
        .compensatable(turn("begin-cancel", ORDERS, "OrderCancelBegun").undone_by("OrderCancelUndone"))
        .pivot(turn("release-credit", CUSTOMERS, "CreditReleased"))
        .retriable(turn("confirm-cancel", ORDERS, "OrderCancelled"))
        .build();
    let revise = protocol(REVISE_ORDER)
        .compensatable(turn("begin-revision", ORDERS, "OrderRevisionBegun").undone_by("OrderRevisionRefused"))
        .pivot(turn("change-reservation", CUSTOMERS, "ReservationChanged").or("ReservationChangeRefused"))
        .retriable(turn("confirm-revision", ORDERS, "OrderRevised"))
        .build();
    [create, cancel, revise]
});

/// The protocol of that kind.
#[must_use]
pub fn find(kind: &str) -> Option<&'static Protocol> {
    ALL.iter().find(|protocol| protocol.kind() == kind)
}
