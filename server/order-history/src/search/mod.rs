//! The second view: customers and orders by their words, in a store of its own that knows full-text search.
//!
//! SQLite finds by FTS5, PostgreSQL by `tsvector`. It has its own database and consumer group, so it may be behind the first
//! view, be lost or be built anew without that one noticing. It must not know the first view.

mod projector;
mod queries;
mod routes;
mod schema;
mod words;

pub use projector::SearchProjector;
pub(crate) use projector::apply;
pub use routes::search_routes;
pub use schema::search_migrations;

use crate::{cursor::Place, document::timestamp};
use tramline_contract::{CustomerId, Money, OrderId, OrderState, Page, SearchHit, Version};
use tramline_db::{Db, DbError};
use tramline_messaging::Messaging;
use words::Words;

/// The consumer group of this view.
pub const SEARCH_GROUP: &str = "search";

/// The search view. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Search {
    messaging: Messaging,
}

impl Search {
    /// The view over its own database, whose schema is [`search_migrations`].
    #[must_use]
    pub const fn new(messaging: Messaging) -> Self {
        Self { messaging }
    }

    /// Its database, with its leases and its parked messages.
    #[must_use]
    pub const fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    /// What has all these words, or words that begin so, newest first. Without a word, nothing.
    async fn find(&self, words: &Words, after: Place, limit: usize) -> Result<Page<SearchHit>, DbError> {
        if words.is_empty() {
            return Ok(Page { items: Vec::new(), next_cursor: None });
        }
        // One more than asked for tells whether there is a next page.
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let db = self.messaging.db();
        let mut rows: Vec<Row> = db.all(queries::find(db.engine(), words, after, wanted)).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|row| row.place().to_string());
        Ok(Page { items: rows.into_iter().map(Row::into_hit).collect::<Result<_, _>>()?, next_cursor })
    }

    /// Every document that the current generation holds, as it would be shown, by kind and id: to be held against the truth.
    /// Read-only.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read_contents(db: &Db) -> Result<Vec<SearchHit>, DbError> {
        let rows: Vec<Row> = db.all(queries::everything()).await?;
        rows.into_iter().map(Row::into_hit).collect()
    }
}

tramline_db::record! {
    struct Row {
        kind: String,
        id: uuid::Uuid,
        customer_id: uuid::Uuid,
        name: Option<String>,
        total: Option<i64>,
        state: Option<String>,
        version: i64,
        created_at: i64,
    }
}

impl Row {
    const fn place(&self) -> Place {
        Place { created_at: self.created_at, id: self.id }
    }

    fn into_hit(self) -> Result<SearchHit, DbError> {
        let (version, created_at) = (Version(self.version), timestamp(self.created_at));
        if self.kind == projector::CUSTOMER {
            let name = self.name.unwrap_or_default();
            return Ok(SearchHit::Customer { id: CustomerId(self.id), name, version, created_at });
        }
        let state = self.state.unwrap_or_default();
        Ok(SearchHit::Order {
            id: OrderId(self.id),
            customer_id: CustomerId(self.customer_id),
            customer_name: self.name,
            total: Money::from_minor(self.total.unwrap_or_default()),
            state: OrderState::parse(&state).ok_or_else(|| DbError::corrupt("an order's state", state))?,
            version,
            created_at,
        })
    }
}
