//! The client over both of its transports: the same router, called directly and over TCP, gives the same answers.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use std::time::Duration;
use tramline_contract::Problem;
use tramline_http::problem::{answer, overloaded};
use tramline_http::{ApiError, CallError, JsonBody, ServiceClient, TraceParent};

fn router() -> Router {
    Router::new()
        .route("/echo", post(async |body: JsonBody| axum::Json(body.0)))
        .route(
            "/trace",
            get(async |trace: Option<TraceParent>| trace.map(|trace| trace.to_string()).unwrap_or_default()),
        )
        .route("/query", get(async |uri: http::Uri| uri.query().unwrap_or_default().to_owned()))
        .route("/refused", get(async || answer(&Problem::not_found("thing"))))
        .route("/stale", get(async || [("tramline-stale", "true"), ("x-inner", "1")]))
        .route("/internal", get(async || (StatusCode::BAD_GATEWAY, "password=hunter2")))
        .route("/never", get(std::future::pending::<Response>))
        .route("/huge", get(async || vec![b'x'; 5 * 1024 * 1024]))
}

async fn both() -> [ServiceClient; 2] {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("a bound socket has an address");
    tokio::spawn(async move { axum::serve(listener, router()).await });
    let remote = ServiceClient::remote("remote", &format!("http://{address}/")).expect("that is an address");
    [ServiceClient::in_process("inner", router()), remote]
}

#[tokio::test]
async fn json_goes_there_and_back() {
    for client in both().await {
        let sent = json!({"total": "30.00"});
        let back: Value = client.post_json("/echo", &sent).json().await.expect("it is echoed");
        assert_eq!(back, sent, "{client:?}");
        let query = client.get("/query?q=a%20b&limit=2").send().await.expect("it answers");
        assert_eq!(query.body, "q=a%20b&limit=2", "{client:?}");
    }
}

#[tokio::test]
async fn the_trace_is_carried() {
    for client in both().await {
        let trace = TraceParent::from_unique([7; 16]);
        let answer = client.get("/trace").traced(Some(trace)).send().await.expect("it answers");
        assert_eq!(answer.body, trace.to_string());
    }
}

#[tokio::test]
async fn a_problem_is_read_and_handed_on_unchanged() {
    for client in both().await {
        let problem = Problem::not_found("thing");
        let refused = client.get("/refused").json::<Value>().await.expect_err("it refuses");
        assert!(matches!(refused, CallError::Refused(told) if *told == problem));
        let handed_on = client.get("/refused").send().await.expect("it answers").into_response();
        assert_eq!(handed_on.status(), StatusCode::NOT_FOUND);
        assert_eq!(handed_on.headers()[CONTENT_TYPE], "application/problem+json");
    }
}

#[tokio::test]
async fn only_the_headers_meant_for_the_caller_are_handed_on() {
    for client in both().await {
        let handed_on = client.get("/stale").send().await.expect("it answers").into_response();
        assert_eq!(handed_on.headers()["tramline-stale"], "true");
        assert!(!handed_on.headers().contains_key("x-inner"));
    }
}

#[tokio::test]
async fn an_error_that_is_no_problem_stays_inside() {
    for client in both().await {
        let response = client.get("/internal").send().await.expect("it answers").into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("the body is whole");
        assert_eq!(serde_json::from_slice::<Problem>(&body).expect("it is a problem"), Problem::internal());
    }
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_unavailable() {
    let nobody = ServiceClient::remote("nobody", "http://127.0.0.1:1").expect("that is an address");
    let mut failures = vec![nobody.get("/").send().await.expect_err("nobody listens")];
    for client in both().await {
        failures
            .push(client.get("/never").within(Duration::from_millis(20)).send().await.expect_err("it never answers"));
    }
    for failure in failures {
        match ApiError::from(failure) {
            ApiError::Refused(problem) => assert_eq!(*problem, Problem::unavailable()),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_beyond_all_bounds_is_not_read() {
    for client in both().await {
        let error = client.get("/huge").send().await.expect_err("it is too large");
        assert!(matches!(error, CallError::TooLarge), "{error}");
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_called_is_refused_at_once() {
    for address in
        ["", ",", "http://a,https://b", "http://a?b=c", "127.0.0.1:3000", "https://127.0.0.1", "ftp://x", "http://"]
    {
        assert!(matches!(ServiceClient::remote("x", address), Err(CallError::Address(_))), "{address}");
    }
    assert_eq!(overloaded().status, 503);
}
