//! What the notifications service takes. It tells nothing: what it does cannot be undone, and nobody waits for it.

use serde::{Deserialize, Serialize};
use tramline_contract::{CustomerId, MailAbout, Money, OrderId, RejectionReason, Version};

/// Command: tell a customer what became of an order. Keyed by the order. Repeating it for the same version of the order changes
/// nothing, whoever repeats it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotifyCustomer {
    /// The order.
    pub order_id: OrderId,
    /// The version that the order has since: with its id, the name of what is told.
    pub order_version: Version,
    /// Whom.
    pub customer_id: CustomerId,
    /// What became of it.
    pub about: MailAbout,
    /// The order's total since.
    pub total: Money,
    /// Why not, when it was rejected or not revised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RejectionReason>,
}

impl NotifyCustomer {
    /// The command's kind.
    pub const KIND: &'static str = "NotifyCustomer";
}
