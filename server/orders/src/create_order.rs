//! The saga that decides a new order.
//!
//! ```text
//! create-order    compensatable  local      CreateOrder   undone by RejectOrder
//! reserve-credit  pivot          customers  ReserveCredit
//! approve-order   retriable      local      ApproveOrder
//! notify-customer retriable      told to notifications  NotifyCustomer
//! ```

use crate::notices::{Changed, notify};
use serde::{Deserialize, Serialize};
use tramline_contract::{Coordination, CustomerId, MailAbout, Money, OrderId, RejectionReason};
use tramline_messages::{
    channels::{CUSTOMER_COMMANDS, NOTIFICATION_COMMANDS},
    customers::{CreditRefused, ReserveCredit},
};
use tramline_messaging::Record;
use tramline_sagas::{Command, Definition, define, step};

pub use tramline_messages::protocols::CREATE_ORDER;

/// What the saga knows, input parameters first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateOrderData {
    /// The order.
    pub order_id: OrderId,
    /// Who buys.
    pub customer_id: CustomerId,
    /// What it costs.
    pub total: Money,
    /// Who leads its sagas.
    pub coordination: Coordination,
    /// Learnt from the customers service when it refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection_reason: Option<RejectionReason>,
    /// Learnt from the step before the last: the order since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
}

/// The steps.
#[must_use]
pub fn definition() -> Definition<CreateOrderData> {
    define(CREATE_ORDER)
        .compensatable(step("create-order").locally().does(create).undone_by(reject))
        .pivot(step("reserve-credit").at(CUSTOMER_COMMANDS).does(reserve).learns(refusal))
        .retriable(step("approve-order").locally().does(approve).learns(learn))
        .retriable(step("notify-customer").tells(NOTIFICATION_COMMANDS).does(tell))
        .build()
}

/// Local command: place the order, PENDING.
pub(crate) const CREATE: &str = "CreateOrder";
/// Local command: reject it, with the reason learnt.
pub(crate) const REJECT: &str = "RejectOrder";
/// Local command: approve it.
pub(crate) const APPROVE: &str = "ApproveOrder";

fn create(data: &CreateOrderData) -> Command {
    Command::new(CREATE, data.order_id.0, data)
}

fn reject(data: &CreateOrderData) -> Command {
    Command::new(REJECT, data.order_id.0, data)
}

fn approve(data: &CreateOrderData) -> Command {
    Command::new(APPROVE, data.order_id.0, data)
}

/// Keyed by the customer: commands on one customer are decided in the order in which their orders were accepted.
fn reserve(data: &CreateOrderData) -> Command {
    let CreateOrderData { order_id, customer_id, total, .. } = *data;
    Command::new(ReserveCredit::KIND, customer_id.0, &ReserveCredit { customer_id, order_id, amount: total })
}

fn refusal(data: &mut CreateOrderData, reply: &Record) {
    data.rejection_reason = reason_of(reply);
}

/// Why the customers service has refused, if that is what the reply says.
pub(crate) fn reason_of(reply: &Record) -> Option<RejectionReason> {
    let refused = || serde_json::from_str::<CreditRefused>(&reply.payload).map(|refused| refused.reason);
    // Without a readable reason the saga would roll back with none; the safest word is that credit was refused.
    (reply.headers.kind == CreditRefused::KIND).then(|| refused().unwrap_or(RejectionReason::InsufficientCredit))
}

fn learn(data: &mut CreateOrderData, reply: &Record) {
    data.changed = Changed::read(reply);
}

fn tell(data: &CreateOrderData) -> Command {
    notify(data.order_id, data.customer_id, MailAbout::Approved, data.changed)
}
