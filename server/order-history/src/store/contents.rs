//! The view as it stands, to be held against the truth.

use super::{ViewError, ViewStore};
use tramline_contract::{CustomerId, Money, OrderId};
use tramline_messaging::invariants::{Offsets, Reading};

/// What the view says of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewOrder {
    /// Which.
    pub id: OrderId,
    /// Who buys.
    pub customer_id: CustomerId,
    /// What it costs.
    pub total: Money,
    /// Where it stands.
    pub state: String,
    /// Why the last revision was refused.
    pub last_refusal: Option<String>,
    /// The events included.
    pub version: i64,
}

/// What the view says of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewCustomer {
    /// Which.
    pub id: CustomerId,
    /// What the customer is called.
    pub name: String,
    /// How much may be owed at most.
    pub credit_limit: Money,
    /// Held by orders.
    pub reserved: Money,
    /// Paid so far.
    pub paid: Money,
    /// The events included.
    pub version: i64,
    /// How many orders.
    pub order_count: i64,
}

/// Everything that the view says, wherever it lies. Read-only.
///
/// # Errors
/// When the store fails.
pub async fn read_view(store: &ViewStore) -> Result<(Vec<ViewCustomer>, Vec<ViewOrder>), ViewError> {
    match store {
        ViewStore::Sql(view) => Ok(view.contents().await?),
        ViewStore::Redis(view) => view.contents().await,
    }
}

/// How far the view has come in a channel, as its store says. Read-only.
///
/// # Errors
/// When the store fails.
pub async fn read_offsets(store: &ViewStore, reading: Reading) -> Result<Offsets, ViewError> {
    match store {
        ViewStore::Sql(view) => Ok(view.offsets(reading).await?),
        ViewStore::Redis(view) => view.offsets(reading).await,
    }
}
