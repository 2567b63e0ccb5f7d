//! The view over HTTP.

use crate::{
    cursor::Place,
    store::{OrderFilter, ViewError},
    view::{Fresh, History},
};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use std::time::Duration;
use tramline_contract::{Customer, CustomerId, CustomerOrders, Order, OrderId, OrderState, Page, Problem};
use tramline_http::{ApiError, PathId, QueryFields};
use tramline_messages::feed::FeedBatch;
use uuid::Uuid;

/// Tells that the view did not reach `minVersion` in time.
const STALE: HeaderName = HeaderName::from_static("tramline-stale");
/// The longest search text.
const Q_MAX_CHARS: usize = 200;
/// The longest wait of a poll.
const POLL_MAX_MS: i64 = 30_000;

/// `GET /customers`, `/customers/{id}`, `/customers/{id}/orders`, `/orders`, `/orders/{id}`, `/feed`, `/ready`.
pub fn routes(history: History) -> Router {
    Router::new()
        .route("/customers", get(customers))
        .route("/customers/{id}", get(customer))
        .route("/customers/{id}/orders", get(customer_orders))
        .route("/orders", get(orders))
        .route("/orders/{id}", get(order))
        .route("/feed", get(feed))
        .route("/ready", get(ready))
        .with_state(history)
}

async fn customers(State(history): State<History>, mut query: QueryFields) -> Result<Json<Page<Customer>>, ApiError> {
    let q = query.text("q", Q_MAX_CHARS);
    let after = query.optional("cursor", Place::parse).unwrap_or(Place::START);
    let limit = query.limit() as usize;
    query.finish()?;
    history.customers(q, after, limit).await.map(Json).map_err(failed)
}

async fn customer(State(history): State<History>, id: PathId, mut query: QueryFields) -> Result<Response, ApiError> {
    let id: CustomerId = id.of("customer")?;
    let min_version = query.min_version().unwrap_or(0);
    query.finish()?;
    answer("customer", history.customer(id, min_version).await.map_err(failed)?)
}

async fn customer_orders(
    State(history): State<History>,
    id: PathId,
    mut query: QueryFields,
) -> Result<Json<CustomerOrders>, ApiError> {
    let id: CustomerId = id.of("customer")?;
    query.optional("source", |source| if source == "view" { Ok(()) } else { Err("must be \"view\"".to_owned()) });
    query.finish()?;
    let found = history.customer_orders(id).await.map_err(failed)?;
    found.map(Json).ok_or_else(|| Problem::not_found("customer").into())
}

async fn orders(State(history): State<History>, mut query: QueryFields) -> Result<Json<Page<Order>>, ApiError> {
    let filter = OrderFilter {
        state: query
            .optional("state", |text| OrderState::parse(text).ok_or_else(|| "is not a state of an order".to_owned())),
        customer_id: query.id("customerId"),
        q: query.text("q", Q_MAX_CHARS),
    };
    let after = query.optional("cursor", Place::parse).unwrap_or(Place::START);
    let limit = query.limit() as usize;
    query.finish()?;
    history.orders(filter, after, limit).await.map(Json).map_err(failed)
}

async fn order(State(history): State<History>, id: PathId, mut query: QueryFields) -> Result<Response, ApiError> {
    let id: OrderId = id.of("order")?;
    let min_version = query.min_version().unwrap_or(0);
    query.finish()?;
    answer("order", history.order(id, min_version).await.map_err(failed)?)
}

async fn feed(State(history): State<History>, mut query: QueryFields) -> Result<Json<FeedBatch>, ApiError> {
    let epoch = query.text("epoch", 64);
    let after = query.number("after", 0..=i64::MAX).and_then(|after| u64::try_from(after).ok()).unwrap_or(0);
    let wait_ms = query.number("waitMs", 0..=POLL_MAX_MS).unwrap_or(0).unsigned_abs();
    query.finish()?;
    let batch = history.feed().poll(epoch.as_deref(), after, Duration::from_millis(wait_ms)).await;
    batch.map(Json).ok_or_else(|| ApiError::passing("the feed was not read yet"))
}

/// A store that is away or only busy may be there soon, and a caller who knows that tries again.
fn failed(error: ViewError) -> ApiError {
    match error {
        ViewError::Redis(_) => ApiError::passing(error),
        ViewError::Db(error) if error.may_pass() => ApiError::passing(error),
        other => ApiError::internal(other),
    }
}

fn answer<T: Serialize>(what: &str, found: Option<Fresh<T>>) -> Result<Response, ApiError> {
    let Some(Fresh { document, stale }) = found else { return Err(Problem::not_found(what).into()) };
    let mut response = Json(document).into_response();
    if stale {
        response.headers_mut().insert(STALE, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Ready while the view can be read.
async fn ready(State(history): State<History>) -> StatusCode {
    match history.store().customer(CustomerId(Uuid::nil())).await {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
