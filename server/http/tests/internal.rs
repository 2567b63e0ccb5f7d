//! Services for other processes: signed calls come in, all others stay out.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tramline_http::{
    ApiError, CallError, Caller, InternalSecret, ServiceClient, Signer, TRAMLINE_SIGNATURE, WallClock, internal,
    internal_process, serve,
};

const SECRET: &str = "a secret of at least thirty-two characters";
const NOW: i64 = 1_764_000_000;

fn secret(text: &str) -> InternalSecret {
    text.parse().expect("it is long enough")
}

fn clock() -> WallClock {
    Arc::new(|| NOW)
}

fn parcels() -> Router {
    Router::new()
        .route("/whoami", get(async |caller: Extension<Caller>| caller.name().to_owned()))
        .route("/query", get(async |uri: http::Uri| uri.to_string()))
        .route("/bug", get(async || -> StatusCode { panic!("a bug with a secret") }))
        .route("/ready", get(async || StatusCode::OK))
}

fn broken() -> Router {
    Router::new().route("/ready", get(async || StatusCode::SERVICE_UNAVAILABLE))
}

async fn process(clock: WallClock) -> String {
    let router = internal_process(vec![("parcels", parcels())], secret(SECRET), clock);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("a bound socket has an address");
    tokio::spawn(serve(listener, router, CancellationToken::new()));
    format!("http://{address}")
}

fn client(address: &str, text: &str) -> ServiceClient {
    let caller = Caller::parse("gateway").expect("a name");
    ServiceClient::internal("parcels", address, Signer::new(caller, secret(text), clock())).expect("an address")
}

async fn refusal(response: Response) -> String {
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("the body is whole");
    let problem: tramline_contract::Problem = serde_json::from_slice(&body).expect("it is a problem");
    format!("{} {}", status.as_u16(), problem.code)
}

#[tokio::test]
async fn a_signed_call_comes_in_and_is_known_by_name() {
    let client = client(&process(clock()).await, SECRET);
    assert_eq!(client.get("/whoami").send().await.expect("it answers").body, "gateway");
    let query = client.get("/query?q=a%20b&limit=2").send().await.expect("it answers");
    assert_eq!(query.body, "/query?q=a%20b&limit=2", "the service sees its own path");
    let unknown = client.get("/nothing").send().await.expect("it answers");
    assert_eq!(refusal(unknown.into_response()).await, "404 not-found");
    let bug = client.get("/bug").send().await.expect("it answers");
    assert!(!String::from_utf8_lossy(&bug.body).contains("secret"));
    assert_eq!(refusal(bug.into_response()).await, "500 internal-error");
}

#[tokio::test]
async fn a_caller_with_another_secret_or_another_time_is_not_trusted_and_says_so_as_a_fault_of_ours() {
    let strangers = [
        client(&process(clock()).await, "another secret of thirty-two characters"),
        client(&process(Arc::new(|| NOW + 61)).await, SECRET),
    ];
    for stranger in strangers {
        let error = stranger.get("/whoami").send().await.expect_err("it is refused");
        assert!(matches!(error, CallError::NotTrusted { .. }), "{error}");
        // A browser that hears 401 would ask its user to sign in.
        assert_eq!(refusal(ApiError::from(error).into_response()).await, "500 internal-error");
    }
}

#[tokio::test]
async fn an_unsigned_call_is_told_nothing_but_life_and_readiness() {
    let address = process(clock()).await;
    let unsigned = ServiceClient::remote("parcels", &address).expect("an address");
    for path in ["/internal/parcels/whoami", "/internal/parcels/nothing", "/internal/letters/whoami", "/internal/x"] {
        let answer = unsigned.get(path).send().await.expect("it answers");
        assert_eq!(refusal(answer.into_response()).await, "401 not-signed-in", "{path}");
    }
    assert_eq!(unsigned.get("/healthz").send().await.expect("it answers").status, 200);
    let ready = unsigned.get("/readyz").send().await.expect("it answers");
    let told: serde_json::Value = ready.json().expect("it is JSON");
    assert_eq!(told, serde_json::json!({"ready": true, "dependencies": [{"name": "parcels", "ready": true}]}));
    assert_eq!(refusal(unsigned.get("/x").send().await.expect("it answers").into_response()).await, "404 not-found");
}

#[tokio::test]
async fn a_process_with_a_gateway_serves_both() {
    let gateway = Router::new().route("/api", get(async || "api")).fallback(async || "site");
    let both = gateway.merge(internal(vec![("parcels", parcels())], secret(SECRET), clock()));
    for (path, status) in [("/api", 200), ("/elsewhere", 200), ("/internal/parcels/ready", 401), ("/internal/x", 401)] {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let answer = both.clone().oneshot(request).await.expect("a router always answers");
        assert_eq!(answer.status(), status, "{path}");
    }
}

#[tokio::test]
async fn a_process_without_the_service_is_passed_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let other = listener.local_addr().expect("a bound socket has an address");
    let letters = internal_process(vec![("letters", broken())], secret(SECRET), clock());
    tokio::spawn(serve(listener, letters, CancellationToken::new()));
    let right = process(clock()).await;
    let client = client(&format!("http://{other},{right}"), SECRET);
    for _ in 0..20 {
        assert_eq!(client.get("/whoami").send().await.expect("the right one answers").body, "gateway");
    }
    let alone = self::client(&format!("http://{other}"), SECRET);
    let error = alone.post_json("/whoami", &1).send().await.expect_err("it is not there");
    assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_process_is_ready_when_each_of_its_services_is() {
    let router = internal_process(vec![("parcels", parcels()), ("letters", broken())], secret(SECRET), clock());
    let request = Request::get("/readyz").body(Body::empty()).expect("a request");
    let answer = router.oneshot(request).await.expect("a router always answers");
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_call_that_was_overheard_is_good_for_a_minute_and_for_itself_alone() {
    let overheard = Router::new().fallback(async |headers: http::HeaderMap| {
        headers.get(&TRAMLINE_SIGNATURE).map(|value| value.as_bytes().to_vec()).unwrap_or_default()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("a bound socket has an address");
    tokio::spawn(serve(listener, overheard, CancellationToken::new()));
    let answer = client(&format!("http://{address}"), SECRET).get("/whoami").send().await.expect("it answers");
    let signature = HeaderValue::from_bytes(&answer.body).expect("a header value");

    let now = Arc::new(AtomicI64::new(NOW));
    let told = Arc::clone(&now);
    let clock: WallClock = Arc::new(move || told.load(Ordering::Relaxed));
    let router = internal(vec![("parcels", parcels())], secret(SECRET), clock);
    let replay = async |path: &str| {
        let request = Request::get(path).header(TRAMLINE_SIGNATURE, signature.clone()).body(Body::empty());
        router.clone().oneshot(request.expect("a request")).await.expect("a router always answers")
    };
    assert_eq!(replay("/internal/parcels/whoami").await.status(), StatusCode::OK);
    for tampered in ["/internal/parcels/whoami?x", "/internal/parcels/query", "/internal/parcels/whoam%69"] {
        assert_eq!(refusal(replay(tampered).await).await, "401 not-signed-in", "{tampered}");
    }
    now.store(NOW + 61, Ordering::Relaxed);
    assert_eq!(refusal(replay("/internal/parcels/whoami").await).await, "401 not-signed-in");
}
