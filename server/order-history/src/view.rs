//! The view as a whole: the projector that writes it, and the facade that reads it.

use crate::{
    cursor::Place,
    feed::Feed,
    projection::project,
    queries::{self, CustomerRow, OrderFilter, OrderRow},
    store::{self, Changed},
};
use serde::Serialize;
use serde_json::value::to_raw_value;
use std::{future::Future, sync::Arc, time::Duration};
use tramline_contract::{Customer, CustomerId, CustomerOrders, Order, OrderId, Page};
use tramline_db::{BoxFuture, Db, DbError};
use tramline_messages::feed::FeedKind;
use tramline_messaging::{Handler, HandlerError, Messaging, Record, UnitOfWork};
use uuid::Uuid;

/// How long a read waits for the version that it was asked for.
const MIN_VERSION_WAIT: Duration = Duration::from_millis(500);
/// Orders in a customer's history.
const CUSTOMER_ORDERS_MAX: i64 = 100;

/// The view. Cheap to clone.
#[derive(Clone, Debug)]
pub struct History {
    messaging: Messaging,
    feed: Arc<Feed>,
}

/// Keeps the view up to date.
#[derive(Debug)]
pub struct Projector {
    feed: Arc<Feed>,
}

impl Handler for Projector {
    type Effect = Effect;

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<Effect, HandlerError>> {
        Box::pin(async move { Ok(Effect(store::apply(work.tx, project(batch)?).await?)) })
    }

    fn committed(&self, effect: Effect) {
        let Changed { customers, orders } = effect.0;
        // Customers first: an order's frame may then show a name that its customer's frame has told.
        let customers = customers.iter().filter_map(|document| raw(FeedKind::Customer, document));
        let orders = orders.iter().filter_map(|document| raw(FeedKind::Order, document));
        self.feed.append(customers.chain(orders).collect());
    }
}

/// The documents that a batch changed.
#[derive(Debug)]
pub struct Effect(Changed);

fn raw<T: Serialize>(kind: FeedKind, document: &T) -> Option<(FeedKind, Box<serde_json::value::RawValue>)> {
    to_raw_value(document).ok().map(|raw| (kind, raw))
}

/// A document and whether it is older than asked for.
#[derive(Clone, Debug)]
pub(crate) struct Fresh<T> {
    pub(crate) document: T,
    pub(crate) stale: bool,
}

impl History {
    /// The view over its own database. `epoch` names this life of the process.
    #[must_use]
    pub fn new(messaging: Messaging, epoch: Uuid) -> Self {
        Self { messaging, feed: Arc::new(Feed::new(epoch)) }
    }

    /// The database with its offsets.
    #[must_use]
    pub const fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    /// What keeps this view up to date.
    #[must_use]
    pub fn projector(&self) -> Projector {
        Projector { feed: Arc::clone(&self.feed) }
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    fn db(&self) -> &Db {
        self.messaging.db()
    }

    pub(crate) async fn customer(&self, id: CustomerId, min_version: i64) -> Result<Option<Fresh<Customer>>, DbError> {
        self.at_least(
            min_version,
            |customer: &Customer| customer.version.0,
            || async {
                let row: Option<CustomerRow> =
                    self.db().optional(queries::customers_by_ids(std::iter::once(id.0))).await?;
                Ok(row.map(CustomerRow::into_customer))
            },
        )
        .await
    }

    pub(crate) async fn order(&self, id: OrderId, min_version: i64) -> Result<Option<Fresh<Order>>, DbError> {
        self.at_least(
            min_version,
            |order: &Order| order.version.0,
            || async {
                let row: Option<OrderRow> = self.db().optional(queries::orders_by_ids(std::iter::once(id.0))).await?;
                row.map(OrderRow::into_order).transpose()
            },
        )
        .await
    }

    /// Reads until the document has the version, or the wait is over.
    async fn at_least<T, R, F>(
        &self,
        min: i64,
        version: impl Fn(&T) -> i64,
        read: R,
    ) -> Result<Option<Fresh<T>>, DbError>
    where
        R: Fn() -> F,
        F: Future<Output = Result<Option<T>, DbError>>,
    {
        let mut news = self.feed.watch();
        let deadline = tokio::time::sleep(MIN_VERSION_WAIT);
        tokio::pin!(deadline);
        loop {
            news.mark_unchanged();
            let found = read().await?;
            let fresh = found.as_ref().map_or(min <= 0, |document| version(document) >= min);
            if fresh || deadline.is_elapsed() {
                return Ok(found.map(|document| Fresh { document, stale: !fresh }));
            }
            tokio::select! {
                () = &mut deadline => {}
                changed = news.changed() => if changed.is_err() { deadline.as_mut().await },
            }
        }
    }

    pub(crate) async fn customers(
        &self,
        q: Option<String>,
        after: Place,
        limit: i64,
    ) -> Result<Page<Customer>, DbError> {
        let rows: Vec<CustomerRow> = self.db().all(queries::customers(q.as_deref(), after, limit + 1)).await?;
        let (rows, next_cursor) = page(rows, limit, CustomerRow::place);
        Ok(Page { items: rows.into_iter().map(CustomerRow::into_customer).collect(), next_cursor })
    }

    pub(crate) async fn orders(&self, filter: OrderFilter, after: Place, limit: i64) -> Result<Page<Order>, DbError> {
        let rows: Vec<OrderRow> = self.db().all(queries::orders(&filter, after, limit + 1)).await?;
        let (rows, next_cursor) = page(rows, limit, OrderRow::place);
        Ok(Page { items: rows.into_iter().map(OrderRow::into_order).collect::<Result<_, _>>()?, next_cursor })
    }

    pub(crate) async fn customer_orders(&self, id: CustomerId) -> Result<Option<CustomerOrders>, DbError> {
        let Some(customer) = self.customer(id, 0).await? else { return Ok(None) };
        let filter = OrderFilter { customer_id: Some(id), ..OrderFilter::default() };
        let orders = self.orders(filter, Place::START, CUSTOMER_ORDERS_MAX).await?.items;
        Ok(Some(CustomerOrders {
            customer: Some(customer.document),
            orders,
            source: "view".to_owned(),
            complete: true,
            missing: Vec::new(),
        }))
    }
}

/// Cuts a list that was read one item too far, and says where the next page begins.
fn page<R>(mut rows: Vec<R>, limit: i64, place: impl Fn(&R) -> Place) -> (Vec<R>, Option<String>) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| place(row).to_string());
    (rows, next)
}
