//! The view in the tables of the service's own database, in memory of nothing else: SQLite or PostgreSQL.

mod contents;
mod queries;
pub(crate) mod write;

use super::{
    OrderFilter, Slice, Target, ViewCustomer, ViewOrder,
    rows::{CustomerRow, OrderRow},
};
use crate::{
    GROUP,
    cursor::Place,
    document,
    feed::Feed,
    heal,
    projection::{Changes, project},
};
use std::sync::Arc;
use tramline_db::{BoxFuture, Db, DbError, sql};
use tramline_messages::feed::FeedKind;
use tramline_messaging::{
    Handler, HandlerError, ParkedMessage, Record, UnitOfWork,
    invariants::{self, Offsets, Reading},
};
use uuid::Uuid;
use write::Changed;

/// The view in a database, to be read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqlView {
    db: Db,
}

impl SqlView {
    /// The view in the history service's database.
    #[must_use]
    pub const fn new(db: Db) -> Self {
        Self { db }
    }

    pub(super) async fn customer(&self, id: Uuid) -> Result<Option<CustomerRow>, DbError> {
        self.db.optional(queries::customers_by_ids(std::iter::once(id))).await
    }

    pub(super) async fn order(&self, id: Uuid) -> Result<Option<OrderRow>, DbError> {
        self.db.optional(queries::orders_by_ids(std::iter::once(id))).await
    }

    pub(super) async fn customers(
        &self,
        q: Option<&str>,
        after: Place,
        limit: usize,
    ) -> Result<Slice<CustomerRow>, DbError> {
        let rows = self.db.all(queries::customers(q, after, one_more(limit))).await?;
        Ok(cut(rows, limit, CustomerRow::place))
    }

    pub(super) async fn orders(
        &self,
        filter: &OrderFilter,
        after: Place,
        limit: usize,
    ) -> Result<Slice<OrderRow>, DbError> {
        let rows = self.db.all(queries::orders(filter, after, one_more(limit))).await?;
        Ok(cut(rows, limit, OrderRow::place))
    }

    pub(super) async fn contents(&self) -> Result<(Vec<ViewCustomer>, Vec<ViewOrder>), DbError> {
        contents::contents(&self.db).await
    }

    /// The number of the generation that is read.
    pub(crate) async fn generation(&self) -> Result<i64, DbError> {
        let row: Option<(i64,)> = self.db.optional(sql("select current from view_generation where id = 1")).await?;
        row.map(|(current,)| current).ok_or_else(|| DbError::corrupt("the generations of a view", "there is none"))
    }

    pub(super) async fn offsets(&self, reading: Reading) -> Result<Offsets, DbError> {
        invariants::offsets(&self.db, reading).await
    }
}

/// One more than asked for tells whether there is a next page.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// Cuts a list that was read one item too far, and says where the next page begins.
fn cut<R>(mut items: Vec<R>, limit: usize, place: impl Fn(&R) -> Place) -> Slice<R> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(place);
    Slice { items, next }
}

/// Keeps the tables up to date, and tells the feed of this process.
#[derive(Debug)]
pub struct SqlProjector {
    feed: Arc<Feed>,
}

impl SqlProjector {
    pub(crate) const fn new(feed: Arc<Feed>) -> Self {
        Self { feed }
    }
}

/// The documents that a batch changed.
#[derive(Debug)]
pub struct Effect(Changed);

/// Applies changes to the generation that is read.
pub(crate) async fn apply(work: &mut UnitOfWork<'_>, changes: Changes) -> Result<Effect, HandlerError> {
    Ok(Effect(write::apply(work.tx, Target::Current, changes).await?))
}

impl Handler for SqlProjector {
    type Effect = Effect;

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<Effect, HandlerError>> {
        Box::pin(async move { apply(work, project(batch)?).await })
    }

    fn skipped<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        message: &'a ParkedMessage,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(async move { heal::put(work.tx, heal::unheard(message).as_slice()).await })
    }

    fn committed(&self, effect: Effect) {
        let Changed { customers, orders, jumps } = effect.0;
        heal::tell(GROUP, &jumps);
        // Customers first: an order's frame may then show a name that its customer's frame has told.
        let customers = customers.iter().filter_map(|customer| document::frame(FeedKind::Customer, customer));
        let orders = orders.iter().filter_map(|order| document::frame(FeedKind::Order, order));
        self.feed.append(customers.chain(orders).collect());
    }
}
