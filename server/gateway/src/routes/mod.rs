//! Every address that the gateway serves. Handlers extract, make one call and hand on its answer.

mod customers;
mod live;
mod mails;
pub(crate) mod operations;
mod orders;
mod parked;
mod sagas;
mod search;

pub(crate) use customers::*;
pub(crate) use live::*;
pub(crate) use mails::*;
pub(crate) use operations::*;
pub(crate) use orders::*;
pub(crate) use parked::*;
pub(crate) use sagas::*;
pub(crate) use search::*;

use crate::App;
use crate::edge::{Edge, edge};
use crate::{openapi, site};
use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use http::Uri;
use std::sync::Arc;
use tramline_http::problem;

/// The addresses of the API, as the OpenAPI document writes them. A test holds the two to each other.
pub(crate) fn api() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
    vec![
        ("/api/customers", get(list_customers).merge(post(create_customer))),
        ("/api/customers/{id}", get(show_customer)),
        ("/api/customers/{id}/credit-limit", post(set_credit_limit)),
        ("/api/customers/{id}/payments", post(record_payment)),
        ("/api/customers/{id}/orders", get(list_orders_of_customer)),
        ("/api/orders", get(list_orders).merge(post(create_order))),
        ("/api/orders/{id}", get(show_order)),
        ("/api/orders/{id}/cancel", post(cancel_order)),
        ("/api/orders/{id}/revise", post(revise_order)),
        ("/api/sagas", get(list_sagas)),
        ("/api/sagas/{id}", get(show_saga)),
        ("/api/operations/sagas/overdue", get(list_overdue_sagas)),
        ("/api/operations/sagas/{id}/retry", post(retry_saga)),
        ("/api/search", get(search)),
        ("/api/operations/parked", get(list_parked)),
        ("/api/operations/parked/kinds", get(list_parked_kinds)),
        ("/api/operations/parked/{service}/{group}/{id}", get(show_parked)),
        ("/api/operations/parked/{service}/{group}/{id}/edit", post(edit_parked)),
        ("/api/operations/parked/{service}/{group}/{id}/dry-run", post(dry_run_parked)),
        ("/api/operations/parked/{service}/{group}/{id}/retry", post(retry_parked)),
        ("/api/operations/parked/{service}/{group}/{id}/skip", post(skip_parked)),
        ("/api/operations/audit", get(list_audit)),
        ("/api/operations/mails", get(list_mails)),
        ("/api/operations/mails/{id}", get(show_mail)),
        ("/api/operations/mails/{id}/retry", post(retry_mail)),
        ("/api/live", get(open_socket)),
        ("/api/openapi.json", get(openapi::show_document)),
        ("/healthz", get(health)),
        ("/readyz", get(readiness)),
        ("/metrics", get(show_metrics)),
    ]
}

/// Everything that the gateway serves, behind its edge.
pub(crate) fn router(app: Arc<App>, conditions: Edge) -> Router {
    let mut router = Router::new();
    for (path, methods) in api() {
        router = router.route(path, methods);
    }
    router
        .fallback(elsewhere)
        .method_not_allowed_fallback(async || problem::answer(&problem::method_not_allowed()))
        .layer(from_fn_with_state(conditions, edge))
        .with_state(app)
}

/// What is no address of the API is a page or file of the site, or nothing.
async fn elsewhere(request: Request) -> Response {
    let path = request.uri().path();
    if path == "/api" || path.starts_with("/api/") {
        return problem::answer(&problem::no_such_route());
    }
    site::answer(site::embedded, request.method(), path, request.headers())
}

/// A service's path with the query of the request, which was judged before.
fn with_query(path: &str, uri: &Uri) -> String {
    match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}
