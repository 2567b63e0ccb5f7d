//! `/api/orders`: commands to the orders service, reads from the view.

use super::with_query;
use crate::App;
use axum::Extension;
use axum::extract::State;
use http::Uri;
use std::sync::Arc;
use tramline_contract::{
    CancelOrder, CreateOrder, CustomerId, Order, OrderAccepted, OrderId, OrderState, Page, Problem, ReviseOrder,
};
use tramline_http::{Answer, ApiError, JsonBody, PathId, QueryFields, TraceParent};

/// What is searched for is part of a customer's name or of an id.
const MAX_SEARCH_CHARS: usize = 200;

/// Places an order. Its saga decides later; the socket tells the outcome.
#[utoipa::path(post, path = "/api/orders", tag = "Orders", request_body = CreateOrder,
    responses((status = 202, description = "Accepted, now or by an earlier request with the same id and body", body = OrderAccepted)))]
pub(crate) async fn create_order(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    body: JsonBody,
) -> Result<Answer, ApiError> {
    let mut command = body.parse(CreateOrder::parse)?;
    command.id.get_or_insert_with(|| OrderId((app.new_id)()));
    // Its id is the idempotency key.
    let call = app.services.orders.post_json("/orders", &command).repeatable();
    app.commands.send_saga(call.traced(Some(trace))).await
}

/// Cancels an approved order: its saga releases the credit.
#[utoipa::path(post, path = "/api/orders/{id}/cancel", tag = "Orders", request_body = CancelOrder,
    params(("id" = OrderId, Path, description = "The order")),
    responses((status = 202, description = "Begun; the saga named cancels it", body = OrderAccepted),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "`order-locked`: the saga `lockedBy` holds it. `order-not-cancellable`: it is rejected or cancelled")))]
pub(crate) async fn cancel_order(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    id: PathId,
    body: JsonBody,
) -> Result<Answer, ApiError> {
    let id: OrderId = id.of("order")?;
    let command = body.parse(CancelOrder::parse)?;
    // Sent once: a second one would find the order locked by the first and be told of a conflict that is none.
    let call = app.services.orders.post_json(&format!("/orders/{id}/cancel"), &command);
    app.commands.send_saga(call.traced(Some(trace))).await
}

/// Gives an approved order another total. Credit decides: the socket tells the new total, or the old one with `lastRefusal`.
#[utoipa::path(post, path = "/api/orders/{id}/revise", tag = "Orders", request_body = ReviseOrder,
    params(("id" = OrderId, Path, description = "The order")),
    responses((status = 202, description = "Begun; the saga named decides it", body = OrderAccepted),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "`order-locked`: the saga `lockedBy` holds it. `version-conflict`: it is not at `expectedVersion`. \
                `order-not-revisable`: it is rejected or cancelled")))]
pub(crate) async fn revise_order(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    id: PathId,
    body: JsonBody,
) -> Result<Answer, ApiError> {
    let id: OrderId = id.of("order")?;
    let command = body.parse(ReviseOrder::parse)?;
    let call = app.services.orders.post_json(&format!("/orders/{id}/revise"), &command);
    app.commands.send_saga(call.traced(Some(trace))).await
}

/// Finds orders, newest first.
#[utoipa::path(get, path = "/api/orders", tag = "Orders",
    params(
        ("state" = Option<OrderState>, Query, description = "Only orders in this state"),
        ("customerId" = Option<CustomerId>, Query, description = "Only orders of this customer"),
        ("q" = Option<String>, Query, description = "Part of the customer's name", max_length = 200),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "How many at most; 20 when absent", minimum = 1, maximum = 100)),
    responses((status = 200, description = "A page of orders", body = Page<Order>)))]
pub(crate) async fn list_orders(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    uri: Uri,
    mut query: QueryFields,
) -> Result<Answer, ApiError> {
    query.optional("state", |text| {
        OrderState::parse(text).ok_or_else(|| "must be the name of an order state".to_owned())
    });
    query.id::<CustomerId>("customerId");
    query.text("q", MAX_SEARCH_CHARS);
    query.cursor();
    query.limit();
    query.finish()?;
    Ok(app.services.history.get(&with_query("/orders", &uri)).traced(Some(trace)).send().await?)
}

/// Shows an order.
#[utoipa::path(get, path = "/api/orders/{id}", tag = "Orders",
    params(
        ("id" = OrderId, Path, description = "The order"),
        ("minVersion" = Option<i64>, Query, description = "Wait up to 500 ms for the view to reach this version", minimum = 0)),
    responses((status = 200, description = "The order", body = Order,
        headers(("Tramline-Stale" = Option<String>, description = "`true` when the view is still behind `minVersion`")))))]
pub(crate) async fn show_order(
    State(app): State<Arc<App>>,
    Extension(trace): Extension<TraceParent>,
    uri: Uri,
    id: PathId,
    mut query: QueryFields,
) -> Result<Answer, ApiError> {
    let id: OrderId = id.of("order")?;
    query.min_version();
    query.finish()?;
    let path = with_query(&format!("/orders/{id}"), &uri);
    Ok(app.services.history.get(&path).traced(Some(trace)).send().await?)
}
