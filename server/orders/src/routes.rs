//! The service over HTTP.

use crate::{
    saga_routes,
    service::{NewOrder, Orders, Placing},
};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tramline_contract::{CreateOrder, FieldError, Problem};
use tramline_http::{ApiError, JsonBody, TraceParent};

/// `POST /orders`, `GET /sagas`, `GET /sagas/{id}`, `GET /ready`.
pub fn routes(orders: Orders) -> Router {
    Router::new()
        .route("/orders", post(place))
        .route("/sagas", get(saga_routes::list))
        .route("/sagas/{id}", get(saga_routes::find))
        .route("/ready", get(async || StatusCode::OK))
        .with_state(orders)
}

async fn place(State(orders): State<Orders>, trace: Option<TraceParent>, body: JsonBody) -> Result<Response, ApiError> {
    let CreateOrder { id, customer_id, total, coordination } = body.parse(CreateOrder::parse)?;
    let id = id.ok_or_else(id_required)?;
    let trace = trace.map(|trace| trace.to_string());
    let order = NewOrder { id, customer_id, total, coordination };
    match orders.place(trace, order).await.map_err(ApiError::internal)? {
        Placing::Accepted(accepted) => Ok((StatusCode::ACCEPTED, Json(accepted)).into_response()),
        Placing::IdInUse => Err(Problem::idempotency_conflict().into()),
    }
}

fn id_required() -> ApiError {
    Problem::invalid(vec![FieldError { field: "id".to_owned(), message: "is required".to_owned() }]).into()
}
