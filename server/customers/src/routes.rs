//! The service over HTTP.

use crate::service::{Creation, Customers};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tramline_contract::{CreateCustomer, CustomerId, FieldError, Problem};
use tramline_db::DbError;
use tramline_http::{ApiError, JsonBody, PathId, QueryFields, TraceParent};
use tramline_messages::parts::CustomerAccount;

/// `POST /customers`, `GET /customers/{id}`, `GET /ready`.
pub fn routes(customers: Customers) -> Router {
    Router::new()
        .route("/customers", post(create))
        .route("/customers/{id}", get(show))
        .route("/ready", get(ready))
        .with_state(customers)
}

async fn create(
    State(customers): State<Customers>,
    trace: Option<TraceParent>,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let CreateCustomer { id, name, credit_limit } = body.parse(CreateCustomer::parse)?;
    let id: CustomerId = id.ok_or_else(id_required)?;
    let trace = trace.map(|trace| trace.to_string());
    match customers.create(trace, id, name, credit_limit).await.map_err(failed)? {
        Creation::Done(created) => Ok((StatusCode::CREATED, Json(created)).into_response()),
        Creation::IdInUse => Err(Problem::idempotency_conflict().into()),
    }
}

async fn show(
    State(customers): State<Customers>,
    id: PathId,
    query: QueryFields,
) -> Result<Json<CustomerAccount>, ApiError> {
    let id: CustomerId = id.of("customer")?;
    query.finish()?;
    let account = customers.account(id).await.map_err(failed)?;
    account.map(Json).ok_or_else(|| Problem::not_found("customer").into())
}

/// A database that is only busy is no fault of ours.
fn failed(error: DbError) -> ApiError {
    if error.may_pass() { ApiError::passing(error) } else { ApiError::internal(error) }
}

fn id_required() -> ApiError {
    Problem::invalid(vec![FieldError { field: "id".to_owned(), message: "is required".to_owned() }]).into()
}

async fn ready(State(customers): State<Customers>) -> StatusCode {
    if customers.messaging().db().is_there().await { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
