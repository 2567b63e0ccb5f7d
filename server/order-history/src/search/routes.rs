//! The search view over HTTP.

use super::{Search, words::Words};
use crate::cursor::Place;
use axum::{Json, Router, extract::State, routing::get};
use tramline_contract::{Page, SearchHit};
use tramline_http::{ApiError, QueryFields};

/// The longest text that is searched for.
const Q_MAX_CHARS: usize = 200;

/// `GET /search`.
pub fn search_routes(search: Search) -> Router {
    Router::new().route("/search", get(find)).with_state(search)
}

async fn find(State(search): State<Search>, mut query: QueryFields) -> Result<Json<Page<SearchHit>>, ApiError> {
    let q = query.text("q", Q_MAX_CHARS);
    let words = match q.as_deref().map(Words::parse) {
        Some(Ok(words)) => words,
        Some(Err(fault)) => {
            query.refuse("q", fault);
            Words::default()
        }
        None => Words::default(),
    };
    let after = query.optional("cursor", Place::parse).unwrap_or(Place::START);
    let limit = query.limit() as usize;
    query.finish()?;
    let found = search.find(&words, after, limit).await;
    found.map(Json).map_err(|error| if error.may_pass() { ApiError::passing(error) } else { ApiError::internal(error) })
}
