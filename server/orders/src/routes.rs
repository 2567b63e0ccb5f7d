//! The service over HTTP.

use crate::{
    changes::{Change, Changing},
    export,
    order::Refusal,
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
use tramline_contract::{CancelOrder, CreateOrder, CustomerId, FieldError, OrderId, OrderState, Problem, ReviseOrder};
use tramline_http::{ApiError, JsonBody, PathId, QueryFields, TraceParent};
use tramline_messages::parts::OrdersOfCustomer;
use tramline_messaging::HandlerError;

/// `POST /orders`, `POST /orders/{id}/cancel`, `POST /orders/{id}/revise`, `GET /customers/{id}/orders`, `GET /sagas`, `GET /sagas/overdue`, `GET /sagas/{id}`, `POST /sagas/{id}/retry`,
/// `GET /export`, `GET /export/position`, `GET /export/{id}`, `GET /ready`.
pub fn routes(orders: Orders) -> Router {
    Router::new()
        .route("/orders", post(place))
        .route("/orders/{id}/cancel", post(cancel))
        .route("/orders/{id}/revise", post(revise))
        .route("/customers/{id}/orders", get(of_customer))
        .route("/sagas", get(saga_routes::list))
        .route("/sagas/overdue", get(saga_routes::overdue))
        .route("/sagas/{id}", get(saga_routes::find))
        .route("/sagas/{id}/retry", post(saga_routes::retry))
        .route("/export", get(export::export))
        .route("/export/position", get(export::position))
        .route("/export/{id}", get(export::one))
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

async fn cancel(
    State(orders): State<Orders>,
    trace: Option<TraceParent>,
    id: PathId,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let id: OrderId = id.of("order")?;
    let CancelOrder {} = body.parse(CancelOrder::parse)?;
    let trace = trace.map(|trace| trace.to_string());
    answer(orders.change(trace, id, Change::Cancel).await, Problem::order_not_cancellable)
}

async fn revise(
    State(orders): State<Orders>,
    trace: Option<TraceParent>,
    id: PathId,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let id: OrderId = id.of("order")?;
    let ReviseOrder { total, expected_version } = body.parse(ReviseOrder::parse)?;
    let trace = trace.map(|trace| trace.to_string());
    let change = Change::Revise { total, expected_version };
    answer(orders.change(trace, id, change).await, Problem::order_not_revisable)
}

/// What a change of an order is answered with; `ended` is the problem of an order at its end.
fn answer(
    changing: Result<Changing, HandlerError>,
    ended: impl FnOnce(OrderState) -> Problem,
) -> Result<Response, ApiError> {
    let problem = match changing.map_err(failed)? {
        Changing::Accepted(accepted) => return Ok((StatusCode::ACCEPTED, Json(accepted)).into_response()),
        Changing::Overloaded { retry_after } => return Err(ApiError::overloaded(retry_after)),
        Changing::UnknownOrder => Problem::not_found("order"),
        Changing::Refused(Refusal::Locked { by }) => Problem::order_locked(by),
        Changing::Refused(Refusal::State(state)) => ended(state),
        Changing::Refused(Refusal::Version(current)) => Problem::version_conflict(current),
    };
    Err(problem.into())
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
