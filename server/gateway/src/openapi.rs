//! `/api/openapi.json`: what the API is, made from the handlers themselves.
//!
//! The refusals that follow from the shape of a call alone are added here by rule, so that no handler can forget one.

use axum::response::IntoResponse;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use std::sync::LazyLock;
use tramline_contract::Problem;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tramline",
        description = "An order desk on trade credit. Ids are UUIDs that a client may make itself: the same id with the same \
            body answers as the first time, so every command can be repeated safely."
    ),
    components(schemas(Problem)),
    modifiers(&Refusals),
    paths(
        crate::routes::create_customer,
        crate::routes::set_credit_limit,
        crate::routes::record_payment,
        crate::routes::list_customers,
        crate::routes::show_customer,
        crate::routes::list_orders_of_customer,
        crate::routes::create_order,
        crate::routes::cancel_order,
        crate::routes::revise_order,
        crate::routes::list_orders,
        crate::routes::show_order,
        crate::routes::list_sagas,
        crate::routes::show_saga,
        crate::routes::list_overdue_sagas,
        crate::routes::retry_saga,
        crate::routes::search,
        crate::routes::list_parked,
        crate::routes::list_parked_kinds,
        crate::routes::show_parked,
        crate::routes::edit_parked,
        crate::routes::dry_run_parked,
        crate::routes::retry_parked,
        crate::routes::skip_parked,
        crate::routes::list_audit,
        crate::routes::list_mails,
        crate::routes::show_mail,
        crate::routes::retry_mail,
        crate::routes::open_socket,
        crate::routes::health,
        crate::routes::readiness,
        crate::routes::show_metrics,
        show_document,
    )
)]
pub(crate) struct Document;

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    serde_json::to_vec(&Document::openapi()).expect("the document holds only texts and numbers").into()
});

/// Shows this document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "Operations",
    responses((status = 200, description = "The OpenAPI document", content_type = "application/json")))]
pub(crate) async fn show_document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}

/// Adds the refusals.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            for operation in operations(item) {
                for (status, description) in refusals(path, operation) {
                    let answer = ResponseBuilder::new().description(description).content(
                        tramline_http::problem::PROBLEM_JSON,
                        ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build(),
                    );
                    operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(answer.build()));
                }
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten()
}

fn refusals(path: &str, operation: &Operation) -> Vec<(&'static str, &'static str)> {
    let has = |place: ParameterIn| {
        let mut parameters = operation.parameters.iter().flatten();
        parameters.any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == place))
    };
    let mut refusals =
        vec![("421", "`host-not-allowed`: the Host header names another host"), ("500", "`internal-error`: our fault")];
    if path.starts_with("/api/") && path != "/api/openapi.json" {
        refusals.push(("503", "`unavailable`, `service-unavailable` or `overloaded`: try again with the same id after `Retry-After` seconds"));
    }
    if has(ParameterIn::Path) {
        refusals.push(("404", "`not-found`: there is no such thing"));
    }
    if has(ParameterIn::Query) || operation.request_body.is_some() {
        refusals.push(("422", "`invalid-request`: `errors` names every field at fault"));
    }
    if operation.request_body.is_some() {
        refusals.extend([
            ("400", "`malformed-json`: the body is not JSON"),
            ("403", "`cross-origin`: a page of another site asked"),
            ("408", "`body-too-slow`: the body took too long"),
            ("409", "`idempotency-conflict`: the id was used before, with another body"),
            ("413", "`body-too-large`: the body has more than 64 KiB"),
            ("415", "`unsupported-media-type`: the body is not said to be JSON"),
        ]);
    }
    if path == "/api/live" {
        refusals.extend([
            ("403", "`cross-origin`: a page of another site asked"),
            ("426", "`upgrade-required`: this is a WebSocket"),
        ]);
    }
    refusals
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn document() -> Value {
        serde_json::from_slice(&DOCUMENT).expect("the document is JSON")
    }

    #[test]
    fn every_address_is_in_the_document_and_every_address_of_the_document_is_served() {
        let served: BTreeSet<String> = crate::routes::api().into_iter().map(|(path, _)| path.to_owned()).collect();
        let told: BTreeSet<String> = document()["paths"].as_object().expect("an object").keys().cloned().collect();
        assert_eq!(served, told);
    }

    #[test]
    fn every_reference_leads_to_a_schema() {
        let document = document();
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().expect("an object");
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().expect("a reference has an end");
            assert!(schemas.contains_key(name), "{name}");
        }
        for name in [
            "Problem",
            "Order",
            "Customer",
            "SagaDetail",
            "CreateOrder",
            "OrderAccepted",
            "ReviseOrder",
            "RecordPayment",
        ] {
            assert!(schemas.contains_key(name), "{name}");
        }
    }

    #[test]
    fn every_operation_says_what_it_answers_and_refuses() {
        for (path, item) in document()["paths"].as_object().expect("an object") {
            for (method, operation) in item.as_object().expect("an object") {
                let responses = operation["responses"].as_object().expect("an object");
                assert!(responses.keys().any(|status| status < &"300".to_owned()), "{method} {path}");
                assert!(responses.contains_key("500"), "{method} {path}");
                let has_body = operation.get("requestBody").is_some();
                assert_eq!(responses.contains_key("413"), has_body, "{method} {path}");
            }
        }
    }
}
