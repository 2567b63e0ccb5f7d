//! The service over HTTP.

use crate::{
    queries, saga_routes,
    service::{NewOrder, Orders, Placing},
};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tramline_contract::{CreateOrder, CustomerId, FieldError, Problem};
use tramline_http::{ApiError, JsonBody, PathId, QueryFields, TraceParent};
use tramline_messages::parts::OrdersOfCustomer;
use tramline_messaging::HandlerError;

/// `POST /orders`, `GET /customers/{id}/orders`, `GET /sagas`, `GET /sagas/{id}`, `GET /ready`.
pub fn routes(orders: Orders) -> Router {
    Router::new()
        .route("/orders", post(place))
        .route("/customers/{id}/orders", get(of_customer))
        .route("/sagas", get(saga_routes::list))
        .route("/sagas/{id}", get(saga_routes::find))
        .route("/ready", get(ready))
        .with_state(orders)
}

async fn place(State(orders): State<Orders>, trace: Option<TraceParent>, body: JsonBody) -> Result<Response, ApiError> {
    let CreateOrder { id, customer_id, total, coordination } = body.parse(CreateOrder::parse)?;
    let id = id.ok_or_else(id_required)?;
    let trace = trace.map(|trace| trace.to_string());
    let order = NewOrder { id, customer_id, total, coordination };
    match orders.place(trace, order).await.map_err(failed)? {
        Placing::Accepted(accepted) => Ok((StatusCode::ACCEPTED, Json(accepted)).into_response()),
        Placing::IdInUse => Err(Problem::idempotency_conflict().into()),
        Placing::Overloaded { retry_after } => Err(ApiError::overloaded(retry_after)),
    }
}

async fn of_customer(
    State(orders): State<Orders>,
    id: PathId,
    mut query: QueryFields,
) -> Result<Json<OrdersOfCustomer>, ApiError> {
    let id: CustomerId = id.of("customer")?;
    let limit = i64::from(query.limit());
    query.finish()?;
    queries::of_customer(orders.messaging().db(), id, limit).await.map(Json).map_err(|error| failed(error.into()))
}

/// A database that is only busy is no fault of ours.
pub(crate) fn failed(error: HandlerError) -> ApiError {
    if error.may_pass() { ApiError::passing(error) } else { ApiError::internal(error) }
}

fn id_required() -> ApiError {
    Problem::invalid(vec![FieldError { field: "id".to_owned(), message: "is required".to_owned() }]).into()
}

async fn ready(State(orders): State<Orders>) -> StatusCode {
    if orders.messaging().db().is_there().await { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
