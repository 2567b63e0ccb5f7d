//! The view as a whole: the facade that reads it, whichever store it lies in.

use crate::{
    GROUP,
    cursor::Place,
    feed::Feed,
    projector::Projector,
    rebuild::sweep_view,
    store::{
        OrderFilter, RedisView, SqlView, ViewError, ViewStore,
        redis::{RedisProjector, follow, home},
        sql::SqlProjector,
    },
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use tramline_contract::{Customer, CustomerId, CustomerOrders, Order, OrderId, Page};
use tramline_db::DbError;
use tramline_messaging::{Messaging, Transactional};
use tramline_redis::Redis;
use uuid::Uuid;

/// How long a read waits for the version that it was asked for.
const MIN_VERSION_WAIT: Duration = Duration::from_millis(500);
/// Orders in a customer's history.
const CUSTOMER_ORDERS_MAX: usize = 100;
/// How long clients go on with the feed of a generation of tables that was replaced: it tells nothing wrong meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two sweeps.
const SWEEP_LOOKS: u64 = 60;

/// The view. Cheap to clone.
#[derive(Clone, Debug)]
pub struct History {
    messaging: Messaging,
    store: ViewStore,
    feed: Arc<Feed>,
    /// Names the database of the leases to a view that lies elsewhere.
    home: Uuid,
    /// Names this life of the feed of a view in tables.
    epoch: Uuid,
}

/// A document and whether it is older than asked for.
#[derive(Clone, Debug)]
pub(crate) struct Fresh<T> {
    pub(crate) document: T,
    pub(crate) stale: bool,
}

impl History {
    /// The view in the service's own database, whose feed ends with this life of the process: `epoch` names it.
    #[must_use]
    pub fn in_database(messaging: Messaging, epoch: Uuid) -> Self {
        let store = ViewStore::Sql(SqlView::new(messaging.db().clone()));
        let feed = Feed::new();
        feed.restart(epoch.simple().to_string(), 0);
        Self { messaging, store, feed: Arc::new(feed), home: Uuid::nil(), epoch }
    }

    /// The view in Redis, shared by any number of processes. Leases and parked messages stay in the database.
    ///
    /// # Errors
    /// When the database fails. Redis may come later.
    pub async fn in_redis(messaging: Messaging, redis: Redis) -> Result<Self, DbError> {
        let home = home(messaging.db()).await?;
        let store = ViewStore::Redis(RedisView::new(redis));
        Ok(Self { messaging, store, feed: Arc::new(Feed::followed()), home, epoch: Uuid::nil() })
    }

    /// The database with its leases and its parked messages.
    #[must_use]
    pub const fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    /// Where the view lies.
    #[must_use]
    pub const fn store(&self) -> &ViewStore {
        &self.store
    }

    /// What keeps this view up to date.
    #[must_use]
    pub fn projector(&self) -> Projector {
        match &self.store {
            ViewStore::Sql(_) => {
                Projector::sql(Transactional::new(GROUP, self.messaging.clone(), Arc::new(self.table_projector())))
            }
            ViewStore::Redis(view) => {
                Projector::redis(RedisProjector::current(view.clone(), self.messaging.clone(), self.home))
            }
        }
    }

    /// What changes the tables of a view in a database, for a consumer of another kind. It does not move the offsets.
    #[must_use]
    pub fn table_projector(&self) -> SqlProjector {
        SqlProjector::new(Arc::clone(&self.feed))
    }

    /// Answers whoever waits at the feed, so that a process that stops need not wait for them.
    pub fn close_feed(&self) {
        self.feed.close();
    }

    /// Keeps the feed of this process up to date with what others do to the view. To be run until it ends.
    pub async fn follow(self, stop: CancellationToken) {
        match self.store.clone() {
            ViewStore::Redis(view) => follow(view, &self.feed, stop).await,
            ViewStore::Sql(view) => {
                stop.run_until_cancelled(self.follow_generations(&view)).await;
            }
        }
    }

    /// Begins the feed anew when another process has put another generation in place, and clears away what is retired.
    async fn follow_generations(&self, view: &SqlView) {
        let mut known = None;
        for look in 0_u64.. {
            match view.generation().await {
                Ok(generation) => {
                    if known.is_some_and(|known| known != generation) {
                        tracing::info!(generation, "another generation of the view is read");
                        self.feed.restart(format!("{}-{generation}", self.epoch.simple()), 0);
                    }
                    known = Some(generation);
                }
                Err(error) => tracing::warn!(error = ?error, "the generation of the view could not be read"),
            }
            if look.is_multiple_of(SWEEP_LOOKS)
                && let Err(error) = sweep_view(self).await
            {
                tracing::debug!(error = %error, "what is retired stays for now");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    pub(crate) async fn customer(
        &self,
        id: CustomerId,
        min_version: i64,
    ) -> Result<Option<Fresh<Customer>>, ViewError> {
        self.at_least(min_version, |customer: &Customer| customer.version.0, || self.store.customer(id)).await
    }

    pub(crate) async fn order(&self, id: OrderId, min_version: i64) -> Result<Option<Fresh<Order>>, ViewError> {
        self.at_least(min_version, |order: &Order| order.version.0, || self.store.order(id)).await
    }

    /// Reads until the document has the version, or the wait is over.
    async fn at_least<T, R, F>(
        &self,
        min: i64,
        version: impl Fn(&T) -> i64,
        read: R,
    ) -> Result<Option<Fresh<T>>, ViewError>
    where
        R: Fn() -> F,
        F: Future<Output = Result<Option<T>, ViewError>>,
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
        limit: usize,
    ) -> Result<Page<Customer>, ViewError> {
        self.store.customers(q.as_deref(), after, limit).await
    }

    pub(crate) async fn orders(
        &self,
        filter: OrderFilter,
        after: Place,
        limit: usize,
    ) -> Result<Page<Order>, ViewError> {
        self.store.orders(&filter, after, limit).await
    }

    pub(crate) async fn customer_orders(&self, id: CustomerId) -> Result<Option<CustomerOrders>, ViewError> {
        let Some(customer) = self.store.customer(id).await? else { return Ok(None) };
        let filter = OrderFilter { customer_id: Some(id), ..OrderFilter::default() };
        let orders = self.store.orders(&filter, Place::START, CUSTOMER_ORDERS_MAX).await?.items;
        Ok(Some(CustomerOrders {
            customer: Some(customer),
            orders,
            source: "view".to_owned(),
            complete: true,
            missing: Vec::new(),
        }))
    }
}
