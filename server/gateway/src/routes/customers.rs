//! `/api/customers`: commands to the customers service, reads from the view.

use super::with_query;
use crate::{App, Services, composition};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::Uri;
use std::sync::Arc;
use tramline_contract::{
    CreateCustomer, Created, Customer, CustomerId, CustomerOrders, Page, PaymentId, Problem, RecordPayment,
    SetCreditLimit,
};
use tramline_http::{Answer, ApiError, JsonBody, PathId, QueryFields, TraceParent};

/// What is searched for is part of a name.
const MAX_SEARCH_CHARS: usize = 200;

/// Creates a customer.
#[utoipa::path(post, path = "/api/customers", tag = "Customers", request_body = CreateCustomer,
    responses((status = 201, description = "Created, now or by an earlier request with the same id and body", body = Created)))]
pub(crate) async fn create_customer(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    body: JsonBody,
) -> Result<Answer, ApiError> {
    let mut command = body.parse(CreateCustomer::parse)?;
    command.id.get_or_insert_with(|| CustomerId((app.new_id)()));
    // Its id is the idempotency key.
    let call = app.services.customers.post_json("/customers", &command).repeatable();
    app.commands.send(call.traced(Some(trace))).await
}

/// Changes a customer's credit limit, also below what is reserved.
#[utoipa::path(post, path = "/api/customers/{id}/credit-limit", tag = "Customers", request_body = SetCreditLimit,
    params(("id" = CustomerId, Path, description = "The customer")),
    responses((status = 200, description = "The customer has that limit, in this version", body = Created),
        (status = 409, description = "`version-conflict`: the customer is not at `expectedVersion`", body = Problem,
            content_type = "application/problem+json")))]
pub(crate) async fn set_credit_limit(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    id: PathId,
    body: JsonBody,
) -> Result<Answer, ApiError> {
    let id: CustomerId = id.of("customer")?;
    let command = body.parse(SetCreditLimit::parse)?;
    let call = app.services.customers.post_json(&format!("/customers/{id}/credit-limit"), &command);
    // Without a version that was seen, sent twice it could undo what another has set in between.
    let call = if command.expected_version.is_some() { call.repeatable() } else { call };
    app.commands.send(call.traced(Some(trace))).await
}

/// Records a payment. What was paid is available again.
#[utoipa::path(post, path = "/api/customers/{id}/payments", tag = "Customers", request_body = RecordPayment,
    params(("id" = CustomerId, Path, description = "Who paid")),
    responses((status = 201, body = Created,
        description = "Recorded, now or by an earlier request with the same id and body: the payment's id and the customer's version")))]
pub(crate) async fn record_payment(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    id: PathId,
    body: JsonBody,
) -> Result<Answer, ApiError> {
    let id: CustomerId = id.of("customer")?;
    let mut command = body.parse(RecordPayment::parse)?;
    command.id.get_or_insert_with(|| PaymentId((app.new_id)()));
    // Its id is the idempotency key.
    let call = app.services.customers.post_json(&format!("/customers/{id}/payments"), &command).repeatable();
    app.commands.send(call.traced(Some(trace))).await
}

/// Finds customers, newest first.
#[utoipa::path(get, path = "/api/customers", tag = "Customers",
    params(
        ("q" = Option<String>, Query, description = "Part of the name", max_length = 200),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "How many at most; 20 when absent", minimum = 1, maximum = 100)),
    responses((status = 200, description = "A page of customers", body = Page<Customer>)))]
pub(crate) async fn list_customers(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    uri: Uri,
    mut query: QueryFields,
) -> Result<Answer, ApiError> {
    query.text("q", MAX_SEARCH_CHARS);
    query.cursor();
    query.limit();
    query.finish()?;
    Ok(app.services.history.get(&with_query("/customers", &uri)).traced(Some(trace)).send().await?)
}

/// Shows a customer.
#[utoipa::path(get, path = "/api/customers/{id}", tag = "Customers",
    params(
        ("id" = CustomerId, Path, description = "The customer"),
        ("minVersion" = Option<i64>, Query, description = "Wait up to 500 ms for the view to reach this version", minimum = 0)),
    responses((status = 200, description = "The customer", body = Customer,
        headers(("Tramline-Stale" = Option<String>, description = "`true` when the view is still behind `minVersion`")))))]
pub(crate) async fn show_customer(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    uri: Uri,
    id: PathId,
    mut query: QueryFields,
) -> Result<Answer, ApiError> {
    let id: CustomerId = id.of("customer")?;
    query.min_version();
    query.finish()?;
    let path = with_query(&format!("/customers/{id}"), &uri);
    Ok(app.services.history.get(&path).traced(Some(trace)).send().await?)
}

/// Shows a customer with the newest orders, as the view has them or as the services that own them do.
#[utoipa::path(get, path = "/api/customers/{id}/orders", tag = "Customers",
    params(
        ("id" = CustomerId, Path, description = "The customer"),
        ("source" = Option<String>, Query, description = "`view`, the default, or `composition`")),
    responses((status = 200, body = CustomerOrders, description = "The customer and the newest orders, newest first. When \
        a service has not answered a composition, `complete` is false and `missing` names it")))]
pub(crate) async fn list_orders_of_customer(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    id: PathId,
    mut query: QueryFields,
) -> Result<Response, ApiError> {
    let id: CustomerId = id.of("customer")?;
    let composed = query.optional("source", |text| match text {
        "view" => Ok(false),
        "composition" => Ok(true),
        _ => Err("must be \"view\" or \"composition\"".to_owned()),
    });
    query.finish()?;
    let Services { customers, orders, history, .. } = &app.services;
    if composed == Some(true) {
        let composed = composition::customer_with_orders(customers, orders, id, trace).await?;
        return Ok(Json(composed).into_response());
    }
    Ok(history.get(&format!("/customers/{id}/orders")).traced(Some(trace)).send().await?.into_response())
}
