//! `/api/search`: customers and orders by their words.

use super::with_query;
use crate::App;
use axum::{Extension, extract::State};
use http::Uri;
use std::sync::Arc;
use tramline_contract::{Page, SearchHit};
use tramline_http::{Answer, ApiError, QueryFields, TraceParent};

/// What may be searched for.
const MAX_SEARCH_CHARS: usize = 200;

/// Finds customers and orders by their words, newest first.
#[utoipa::path(get, path = "/api/search", tag = "Search",
    params(
        ("q" = String, Query, description = "Words: of names, order states, totals, ids. A hit has, for each, a word that \
            begins so. At most 16 words; without any there is no hit", max_length = 200),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "How many at most; 20 when absent", minimum = 1, maximum = 100)),
    responses((status = 200, description = "A page of customers and orders", body = Page<SearchHit>)))]
pub(crate) async fn search(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    uri: Uri,
    mut query: QueryFields,
) -> Result<Answer, ApiError> {
    query.text("q", MAX_SEARCH_CHARS);
    query.cursor();
    query.limit();
    query.finish()?;
    Ok(app.services.history.get(&with_query("/search", &uri)).traced(Some(trace)).send().await?)
}
