//! Everything that this service owns, page by page, as its events carry it.

use crate::{
    routes::failed,
    service::Orders,
    store::{self, snapshot},
};
use axum::{Json, extract::State};
use tramline_contract::{OrderId, Problem};
use tramline_http::{ApiError, PathId, QueryFields};
use tramline_messages::{
    channels::ORDER_EVENTS,
    export::{EXPORT_LIMIT, ExportPage, ExportPosition, Exported},
    orders::OrderSnapshot,
};
use tramline_messaging::outbox_heads;
use uuid::Uuid;

/// `GET /export`.
pub(crate) async fn export(
    State(orders): State<Orders>,
    mut query: QueryFields,
) -> Result<Json<ExportPage<OrderSnapshot>>, ApiError> {
    let after = query.id::<Uuid>("after").unwrap_or(Uuid::nil());
    let limit = query.number("limit", 1..=EXPORT_LIMIT).unwrap_or(EXPORT_LIMIT);
    query.finish()?;
    let page = store::page(orders.messaging().db(), after, limit + 1).await;
    let mut page = page.map_err(|error| failed(error.into()))?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|order| order.id.0);
    let items = page.iter().map(|order| Exported { id: order.id.0, version: order.version.0, after: snapshot(order) });
    Ok(Json(ExportPage { items: items.collect(), next }))
}

/// `GET /export/position`.
pub(crate) async fn position(State(orders): State<Orders>) -> Result<Json<ExportPosition>, ApiError> {
    let heads = outbox_heads(orders.messaging().db(), ORDER_EVENTS).await.map_err(|error| failed(error.into()))?;
    Ok(Json(ExportPosition { last: heads.into_iter().map(|(_, head)| head).collect() }))
}

/// `GET /export/{id}`.
pub(crate) async fn one(
    State(orders): State<Orders>,
    id: PathId,
    query: QueryFields,
) -> Result<Json<Exported<OrderSnapshot>>, ApiError> {
    let id: OrderId = id.of("order")?;
    query.finish()?;
    let found = store::find(orders.messaging().db(), id).await.map_err(|error| failed(error.into()))?;
    let order = found.ok_or_else(|| Problem::not_found("order"))?;
    Ok(Json(Exported { id: order.id.0, version: order.version.0, after: snapshot(&order) }))
}
