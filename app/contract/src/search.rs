//! What a search finds.

use crate::{CustomerId, Money, OrderId, OrderState, Timestamp, Version};
use serde::{Deserialize, Serialize};

/// One hit of `GET /api/search`: enough to draw a line and to lead to the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", rename_all_fields = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SearchHit {
    /// A customer.
    Customer {
        /// Names the customer.
        id: CustomerId,
        /// What the customer is called.
        name: String,
        /// The events that the hit includes.
        version: Version,
        /// When the customer was created.
        created_at: Timestamp,
    },
    /// An order.
    Order {
        /// Names the order.
        id: OrderId,
        /// Who buys.
        customer_id: CustomerId,
        /// What the customer is called; absent while the view has not heard of the customer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer_name: Option<String>,
        /// What the order costs.
        total: Money,
        /// Where it stands.
        state: OrderState,
        /// The events that the hit includes.
        version: Version,
        /// When it was placed.
        created_at: Timestamp,
    },
}
