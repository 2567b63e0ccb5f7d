//! A service's parking lot over HTTP, for whoever mends what is stuck. The same for every service.
//!
//! It translates between the lot and the wire, and decides nothing. It must not know what any message means.

mod cursor;
mod mend;
mod read;
mod shapes;

use axum::{
    Router,
    routing::{get, post},
};
use tramline_http::ApiError;
use tramline_messaging::ParkingLot;

/// `GET /parked`, `GET /parked/kinds`, `GET /audit`, `POST /parked/{group}/{id}/{action}`: to be merged with the service's own.
pub fn routes(lot: ParkingLot) -> Router {
    Router::new()
        .route("/parked", get(read::keys))
        .route("/parked/kinds", get(read::kinds))
        .route("/parked/{group}/{id}/inspect", post(mend::inspect))
        .route("/parked/{group}/{id}/edit", post(mend::edit))
        .route("/parked/{group}/{id}/dry-run", post(mend::dry_run))
        .route("/parked/{group}/{id}/retry", post(mend::retry))
        .route("/parked/{group}/{id}/skip", post(mend::skip))
        .route("/audit", get(read::audit))
        .with_state(lot)
}

/// A database that is only busy is no fault of ours.
fn failed(error: tramline_db::DbError) -> ApiError {
    if error.may_pass() { ApiError::passing(error) } else { ApiError::internal(error) }
}
