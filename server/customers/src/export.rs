//! Everything that this service owns, page by page, as its events carry it.

use crate::{account::Account, publish::snapshot, routes::db_failed, service::Customers};
use axum::{Json, extract::State};
use tramline_contract::{CustomerId, Problem};
use tramline_db::{Db, DbError, sql};
use tramline_eventsourcing::{Aggregate as _, EventStore};
use tramline_http::{ApiError, PathId, QueryFields};
use tramline_messages::{
    channels::CUSTOMER_EVENTS,
    customers::CustomerSnapshot,
    export::{EXPORT_LIMIT, ExportPage, ExportPosition, Exported},
};
use tramline_messaging::outbox_heads;
use uuid::Uuid;

/// `GET /export`.
pub(crate) async fn export(
    State(customers): State<Customers>,
    mut query: QueryFields,
) -> Result<Json<ExportPage<CustomerSnapshot>>, ApiError> {
    let after = query.id::<Uuid>("after").unwrap_or(Uuid::nil());
    let limit = query.number("limit", 1..=EXPORT_LIMIT).unwrap_or(EXPORT_LIMIT);
    query.finish()?;
    page(customers.messaging().db(), after, limit).await.map(Json).map_err(db_failed)
}

/// `GET /export/position`.
pub(crate) async fn position(State(customers): State<Customers>) -> Result<Json<ExportPosition>, ApiError> {
    let heads = outbox_heads(customers.messaging().db(), CUSTOMER_EVENTS).await.map_err(db_failed)?;
    Ok(Json(ExportPosition { last: heads.into_iter().map(|(_, head)| head).collect() }))
}

/// `GET /export/{id}`.
pub(crate) async fn one(
    State(customers): State<Customers>,
    id: PathId,
    query: QueryFields,
) -> Result<Json<Exported<CustomerSnapshot>>, ApiError> {
    let CustomerId(id) = id.of("customer")?;
    query.finish()?;
    let found = EventStore::<Account>::read(customers.messaging().db(), id).await.map_err(db_failed)?;
    let (account, version) = found.ok_or_else(|| Problem::not_found("customer"))?;
    Ok(Json(Exported { id, version, after: snapshot(&account) }))
}

async fn page(db: &Db, after: Uuid, limit: i64) -> Result<ExportPage<CustomerSnapshot>, DbError> {
    // Every customer has a first event.
    let ids: Vec<(Uuid,)> = db
        .all(
            sql("select aggregate_id from event where aggregate_kind = $1 and version = 1 and aggregate_id > $2 \
                 order by aggregate_id limit $3")
            .bind(Account::KIND)
            .bind(after)
            .bind(limit + 1),
        )
        .await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let next = ids.get(limit.saturating_sub(1)).filter(|_| ids.len() > limit).map(|(id,)| *id);
    let mut items = Vec::with_capacity(ids.len().min(limit));
    for (id,) in ids.into_iter().take(limit) {
        if let Some((account, version)) = EventStore::<Account>::read(db, id).await? {
            items.push(Exported { id, version, after: snapshot(&account) });
        }
    }
    Ok(ExportPage { items, next })
}
