//! The service over HTTP.

use crate::{
    export,
    ledger::Payment,
    operations::Operation,
    service::{Creation, Customers},
};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tramline_contract::{
    CreateCustomer, Created, CustomerId, FieldError, PaymentId, Problem, RecordPayment, SetCreditLimit,
};
use tramline_db::DbError;
use tramline_http::{ApiError, JsonBody, PathId, QueryFields, TraceParent};
use tramline_messages::parts::CustomerAccount;
use tramline_messaging::HandlerError;
use uuid::Uuid;

/// `POST /customers`, `POST /customers/{id}/credit-limit`, `POST /customers/{id}/payments`, `GET /customers/{id}`,
/// `GET /export`, `GET /export/position`, `GET /export/{id}`, `GET /ready`.
pub fn routes(customers: Customers) -> Router {
    Router::new()
        .route("/customers", post(create))
        .route("/customers/{id}/credit-limit", post(set_credit_limit))
        .route("/customers/{id}/payments", post(record_payment))
        .route("/customers/{id}", get(show))
        .route("/export", get(export::export))
        .route("/export/position", get(export::position))
        .route("/export/{id}", get(export::one))
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
    match customers.create(trace, id, name, credit_limit).await.map_err(db_failed)? {
        Creation::Done(created) => Ok((StatusCode::CREATED, Json(created)).into_response()),
        Creation::IdInUse => Err(Problem::idempotency_conflict().into()),
    }
}

async fn set_credit_limit(
    State(customers): State<Customers>,
    trace: Option<TraceParent>,
    id: PathId,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let id: CustomerId = id.of("customer")?;
    let wanted = body.parse(SetCreditLimit::parse)?;
    let trace = trace.map(|trace| trace.to_string());
    answer(StatusCode::OK, id.0, customers.set_credit_limit(trace, id, wanted).await)
}

async fn record_payment(
    State(customers): State<Customers>,
    trace: Option<TraceParent>,
    id: PathId,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let customer_id: CustomerId = id.of("customer")?;
    let RecordPayment { id, amount, reference } = body.parse(RecordPayment::parse)?;
    let id: PaymentId = id.ok_or_else(id_required)?;
    let trace = trace.map(|trace| trace.to_string());
    let payment = Payment { id, customer_id, amount, reference };
    answer(StatusCode::CREATED, id.0, customers.record_payment(trace, payment).await)
}

/// What an operation on an account is answered with; `id` names what it has made or changed.
fn answer(done: StatusCode, id: Uuid, operation: Result<Operation, HandlerError>) -> Result<Response, ApiError> {
    let problem = match operation.map_err(failed)? {
        Operation::Done(version) => return Ok((done, Json(Created { id, version })).into_response()),
        Operation::UnknownCustomer => Problem::not_found("customer"),
        Operation::VersionConflict(current) => Problem::version_conflict(current),
        Operation::IdInUse => Problem::idempotency_conflict(),
        Operation::TooMuch => Problem::invalid(vec![FieldError {
            field: "amount".to_owned(),
            message: "would make the sum of all payments too large".to_owned(),
        }]),
    };
    Err(problem.into())
}

async fn show(
    State(customers): State<Customers>,
    id: PathId,
    query: QueryFields,
) -> Result<Json<CustomerAccount>, ApiError> {
    let id: CustomerId = id.of("customer")?;
    query.finish()?;
    let account = customers.account(id).await.map_err(db_failed)?;
    account.map(Json).ok_or_else(|| Problem::not_found("customer").into())
}

pub(crate) fn db_failed(error: DbError) -> ApiError {
    failed(error.into())
}

/// A database that is only busy is no fault of ours.
fn failed(error: HandlerError) -> ApiError {
    if error.may_pass() { ApiError::passing(error) } else { ApiError::internal(error) }
}

fn id_required() -> ApiError {
    Problem::invalid(vec![FieldError { field: "id".to_owned(), message: "is required".to_owned() }]).into()
}

async fn ready(State(customers): State<Customers>) -> StatusCode {
    if customers.messaging().db().is_there().await { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
