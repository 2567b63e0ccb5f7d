//! What the gateway does with good requests, and what it says when a service lets it down.

use crate::support::{DEADLINE, Reply, TestGateway};
use serde_json::json;
use tramline_gateway::{Limits, Pace, install_metrics};

const ID: &str = "018f0000-0000-7000-8000-000000000001";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn a_command_goes_to_its_service_with_an_id_and_the_trace() {
    let gateway = TestGateway::start().await;
    let body = json!({"customerId": ID, "total": 30.5}).to_string();
    let head = format!("POST /api/orders HTTP/1.1\nContent-Type: application/json\ntraceparent: {TRACE}");
    let reply = gateway.send(&head, body.as_bytes()).await;
    assert_eq!((reply.status, reply.json()["version"].as_i64()), (201, Some(1)));
    let named = gateway.post("/api/customers", &json!({"id": ID, "name": " Ada ", "creditLimit": "5.00"})).await;
    assert_eq!(named.json()["id"], ID);

    let done = gateway.stub.done.lock().expect("no test panics in there");
    let (path, sent, trace) = &done[0];
    assert_eq!((path.as_str(), &sent["id"], &sent["total"]), ("/orders", &reply.json()["id"], &json!("30.50")));
    assert!(sent["id"].as_str().is_some_and(|id| id.starts_with("00000000-0000-0007-")), "made by our source: {sent}");
    let trace = trace.expect("the trace goes on");
    assert_eq!(trace.trace_id(), &TRACE[3..35]);
    assert_ne!(trace.to_string(), TRACE, "the gateway is a span of its own");
    let (path, sent, trace) = &done[1];
    assert_eq!((path.as_str(), sent), ("/customers", &json!({"id": ID, "name": "Ada", "creditLimit": "5.00"})));
    assert!(trace.is_some(), "a trace is made where none was given");
}

#[tokio::test]
async fn a_read_goes_to_the_view_with_its_query_and_comes_back_as_it_is() {
    let gateway = TestGateway::start().await;
    for (path, asked) in [
        ("/api/customers?q=a%20b&cursor=&limit=100".to_owned(), "/customers?q=a%20b&cursor=&limit=100".to_owned()),
        ("/api/orders?state=CANCEL_PENDING".to_owned(), "/orders?state=CANCEL_PENDING".to_owned()),
        (
            "/api/sagas?state=ROLLED_BACK&type=CreateOrder".to_owned(),
            "/sagas?state=ROLLED_BACK&type=CreateOrder".to_owned(),
        ),
        (format!("/api/customers/{}?minVersion=3", ID.to_uppercase()), format!("/customers/{ID}?minVersion=3")),
        (format!("/api/customers/{ID}/orders?source=view"), format!("/customers/{ID}/orders")),
    ] {
        let reply = gateway.get(&path).await;
        assert_eq!((reply.status, &reply.json()["asked"]), (200, &json!(asked)), "{path}");
        assert_eq!(reply.headers["cache-control"], "no-store");
    }
    let stale = gateway.get(&format!("/api/customers/{ID}")).await;
    assert_eq!(stale.headers["tramline-stale"], "true");
    let head = gateway.send("HEAD /api/customers HTTP/1.1", b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn a_refusal_of_a_service_is_handed_on_unchanged() {
    let gateway = TestGateway::start().await;
    let reply = gateway.post("/api/customers", &json!({"name": "conflict", "creditLimit": 1})).await;
    assert_eq!(reply.refusal(), "409 idempotency-conflict");
    assert_eq!(gateway.get(&format!("/api/sagas/{ID}")).await.refusal(), "404 not-found");
}

#[tokio::test]
async fn a_panic_answers_500_and_tells_nothing() {
    let gateway = TestGateway::start().await;
    let reply = gateway.get(&format!("/api/orders/{ID}")).await;
    assert_eq!(reply.refusal(), "500 internal-error");
    assert!(!String::from_utf8_lossy(&reply.body).contains("secret"));
    assert!(reply.headers.contains_key("content-security-policy"));
}

#[tokio::test]
async fn a_command_ends_even_when_its_caller_hangs_up() {
    let gateway = TestGateway::start().await;
    let closed = gateway.stub.gate.acquire_many(1_000).await.expect("the gate is never closed");
    let body = json!({"customerId": ID, "total": "1.00"}).to_string();
    let mut waiting = gateway.begin("POST /api/orders HTTP/1.1\nContent-Type: application/json", body.as_bytes()).await;
    // The caller has gone once the gateway has closed its side in turn.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    tokio::io::AsyncWriteExt::shutdown(&mut waiting).await.expect("the connection is open");
    drop(waiting);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    drop(closed);
    let done = async {
        while gateway.stub.done.lock().expect("no test panics in there").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, done).await.expect("the command is carried out");
}

#[tokio::test]
async fn more_commands_than_we_take_are_told_to_come_back() {
    let gateway = TestGateway::with(Limits { commands: 1, ..Limits::default() }, Pace::default()).await;
    let closed = gateway.stub.gate.acquire_many(1_000).await.expect("the gate is never closed");
    let order = json!({"customerId": ID, "total": "1.00"});
    let head = "POST /api/orders HTTP/1.1\nContent-Type: application/json";
    let mut waiting = Vec::new();
    let refused = loop {
        let stream = gateway.begin(head, order.to_string().as_bytes()).await;
        match tokio::time::timeout(std::time::Duration::from_millis(500), stream.readable()).await {
            Ok(_) => break Reply::read(stream).await,
            Err(_) => waiting.push(stream),
        }
    };
    assert_eq!((waiting.len(), refused.refusal().as_str()), (1, "503 overloaded"));
    assert_eq!(refused.headers["retry-after"], "1");
    drop(closed);
    for stream in waiting {
        assert_eq!(Reply::read(stream).await.status, 201);
    }
    assert_eq!(gateway.post("/api/orders", &order).await.status, 201, "its seat is free again");
}

#[tokio::test]
async fn an_operator_sees_life_readiness_and_numbers() {
    let gateway = TestGateway::start().await;
    assert_eq!(gateway.get("/healthz").await.status, 200);
    let ready = async {
        loop {
            let reply = gateway.get("/readyz").await;
            if reply.status == 200 {
                return reply.json();
            }
        }
    };
    let ready = tokio::time::timeout(DEADLINE, ready).await.expect("it is ready soon");
    let entry = |name: &str| json!({"name": name, "ready": true});
    let all = ["customers", "orders", "history", "feed", "notifications"].map(entry);
    assert_eq!(ready, json!({"ready": true, "dependencies": all}));
    let numbers = gateway.get("/metrics").await;
    assert!(numbers.headers["content-type"].starts_with("text/plain"));
    assert!(String::from_utf8_lossy(&numbers.body).contains("process_cpu_seconds_total"));
    assert_eq!(gateway.get("/api/openapi.json").await.json()["info"]["title"], "Tramline");
    gateway.shutdown.cancel();
    assert_eq!(gateway.get("/readyz").await.status, 503, "not while it stops");
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_what_a_caller_made_up() {
    let gateway = TestGateway::measured(install_metrics().expect("only this test installs it")).await;
    for path in [format!("/api/customers/{ID}"), "/api/customers/me".to_owned(), "/api/made-up".to_owned()] {
        gateway.get(&path).await;
    }
    gateway.send("BREW /api/orders HTTP/1.1", b"").await;
    let numbers = String::from_utf8(gateway.get("/metrics").await.body).expect("it is text");
    for line in [
        r#"http_requests_total{method="GET",route="/api/customers/{id}",status="200"} 1"#,
        r#"http_requests_total{method="GET",route="/api/customers/{id}",status="404"} 1"#,
        r#"http_requests_total{method="GET",route="other",status="404"} 1"#,
        r#"http_requests_total{method="other",route="/api/orders",status="405"} 1"#,
        r#"http_request_duration_seconds_count{method="GET",route="/api/customers/{id}",status="200"} 1"#,
    ] {
        assert!(numbers.lines().any(|told| told == line), "{line} in {numbers}");
    }
    assert!(!numbers.contains(ID) && !numbers.contains("made-up") && !numbers.contains("BREW"), "{numbers}");
}

#[tokio::test]
async fn every_answer_is_hardened() {
    let gateway = TestGateway::start().await;
    for path in ["/", "/orders", "/api/orders", "/api/nothing", "/healthz", "/pkg/missing"] {
        let reply = gateway.get(path).await;
        for (name, part) in [
            ("content-security-policy", "default-src 'none'; script-src 'self' 'wasm-unsafe-eval';"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=()"),
        ] {
            assert!(reply.headers.get(name).is_some_and(|value| value.contains(part)), "{path} {name}");
        }
        let cached = if ["/", "/orders"].contains(&path) { "no-cache" } else { "no-store" };
        assert_eq!(reply.headers["cache-control"], cached, "{path}");
    }
}
