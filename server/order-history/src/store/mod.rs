//! Where the view lies: in the tables of the service's own database, or in Redis. Both give the same answers.

mod contents;
mod generations;
pub(crate) mod redis;
mod rows;
pub(crate) mod sql;

pub use contents::{ViewCustomer, ViewOrder, read_offsets, read_view};
pub use generations::Swap;
pub(crate) use generations::{GENERATIONS, Generations, Target, Versions, generation_and_versions, versions};
pub use redis::RedisView;
pub use sql::SqlView;

use crate::cursor::Place;
use rows::{CustomerRow, OrderRow};
use tramline_contract::{Customer, CustomerId, Order, OrderId, OrderState, Page};
use tramline_db::DbError;
use tramline_messaging::HandlerError;
use tramline_redis::RedisError;

/// The view, to be read. Cheap to clone.
#[derive(Clone, Debug)]
pub enum ViewStore {
    /// In tables.
    Sql(SqlView),
    /// In Redis.
    Redis(RedisView),
}

/// Why the view did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Redis failed.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// What lies in Redis does not read.
    #[error("the view in Redis does not read: {0}")]
    Corrupt(String),
}

impl From<ViewError> for HandlerError {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Db(error) => Self::Db(error),
            ViewError::Redis(_) | ViewError::Corrupt(_) => Self::Store(error.to_string()),
        }
    }
}

/// What a list of orders is narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct OrderFilter {
    pub(crate) state: Option<OrderState>,
    pub(crate) customer_id: Option<CustomerId>,
    /// Part of the customer's name, or the start of the order's id.
    pub(crate) q: Option<String>,
}

/// A part of a list.
struct Slice<T> {
    items: Vec<T>,
    /// The place after which the next part begins.
    next: Option<Place>,
}

impl<T> Slice<T> {
    fn into_page<D>(self, show: impl Fn(T) -> Result<D, DbError>) -> Result<Page<D>, ViewError> {
        let items = self.items.into_iter().map(show).collect::<Result<_, _>>()?;
        Ok(Page { items, next_cursor: self.next.map(|place| place.to_string()) })
    }
}

impl ViewStore {
    pub(crate) async fn customer(&self, id: CustomerId) -> Result<Option<Customer>, ViewError> {
        let row = match self {
            Self::Sql(view) => view.customer(id.0).await?,
            Self::Redis(view) => view.customer(id.0).await?,
        };
        Ok(row.map(CustomerRow::into_customer))
    }

    pub(crate) async fn order(&self, id: OrderId) -> Result<Option<Order>, ViewError> {
        let row = match self {
            Self::Sql(view) => view.order(id.0).await?,
            Self::Redis(view) => view.order(id.0).await?,
        };
        Ok(row.map(OrderRow::into_order).transpose()?)
    }

    pub(crate) async fn customers(
        &self,
        q: Option<&str>,
        after: Place,
        limit: usize,
    ) -> Result<Page<Customer>, ViewError> {
        let slice = match self {
            Self::Sql(view) => view.customers(q, after, limit).await?,
            Self::Redis(view) => view.customers(q, after, limit).await?,
        };
        slice.into_page(|row| Ok(row.into_customer()))
    }

    pub(crate) async fn orders(
        &self,
        filter: &OrderFilter,
        after: Place,
        limit: usize,
    ) -> Result<Page<Order>, ViewError> {
        let slice = match self {
            Self::Sql(view) => view.orders(filter, after, limit).await?,
            Self::Redis(view) => view.orders(filter, after, limit).await?,
        };
        slice.into_page(OrderRow::into_order)
    }
}
