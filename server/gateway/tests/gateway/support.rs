//! A gateway on a port of its own, services that do what a test wants, and a client that can send anything.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{StatusCode, Uri};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tramline_contract::Problem;
use tramline_gateway::{Gateway, GatewayConfig, HostRule, Limits, Pace, PrometheusHandle, Services};
use tramline_http::{JsonBody, ServiceClient, TraceParent, problem};
use tramline_messages::feed::{FeedBatch, FeedItem, FeedKind};
use uuid::Uuid;

/// No test waits longer than this for anything.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// A gateway at work.
pub struct TestGateway {
    pub address: SocketAddr,
    pub stub: Arc<Stub>,
    pub shutdown: CancellationToken,
    pub gateway: Option<Gateway>,
}

impl TestGateway {
    pub async fn start() -> Self {
        Self::with(Limits::default(), Pace::default()).await
    }

    pub async fn with(limits: Limits, pace: Pace) -> Self {
        Self::over(Stub::default(), limits, pace).await
    }

    pub async fn over(stub: Stub, limits: Limits, pace: Pace) -> Self {
        Self::launch(stub, limits, pace, None).await
    }

    /// With a recorder of the process's numbers.
    pub async fn measured(metrics: PrometheusHandle) -> Self {
        Self::launch(Stub::default(), Limits::default(), Pace::default(), Some(metrics)).await
    }

    async fn launch(stub: Stub, limits: Limits, pace: Pace, metrics: Option<PrometheusHandle>) -> Self {
        let stub = Arc::new(stub);
        let client = |name: &str| ServiceClient::in_process(name, stub.router());
        let services = Services {
            customers: client("customers"),
            orders: client("orders"),
            history: client("history"),
            notifications: client("notifications"),
        };
        Self::before(services, stub, limits, pace, metrics).await
    }

    /// A gateway before services of a test's own.
    pub async fn before(
        services: Services,
        stub: Arc<Stub>,
        limits: Limits,
        pace: Pace,
        metrics: Option<PrometheusHandle>,
    ) -> Self {
        let ids = AtomicU64::new(1);
        let shutdown = CancellationToken::new();
        let gateway = Gateway::new(GatewayConfig {
            services,
            new_id: Arc::new(move || Uuid::from_u64_pair(7, ids.fetch_add(1, Ordering::Relaxed))),
            hosts: HostRule::Loopback,
            limits,
            pace,
            metrics,
            shutdown: shutdown.clone(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let router = gateway.router.clone();
        tokio::spawn(tramline_http::serve(listener, router, CancellationToken::new()));
        Self { address, stub, shutdown, gateway: Some(gateway) }
    }

    /// Sends a request of those lines and that body, and reads the answer to its end.
    pub async fn send(&self, head: &str, body: &[u8]) -> Reply {
        let stream = self.begin(head, body).await;
        Reply::read(stream).await
    }

    /// Sends a request and does not wait for the answer.
    pub async fn begin(&self, head: &str, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("the gateway listens");
        let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
        if !lines.iter().any(|line| line.to_ascii_lowercase().starts_with("host:")) {
            lines.push(format!("Host: {}", self.address));
        }
        if !lines.iter().any(|line| line.to_ascii_lowercase().starts_with("transfer-encoding:")) && !body.is_empty() {
            lines.push(format!("Content-Length: {}", body.len()));
        }
        lines.push("Connection: close\r\n\r\n".to_owned());
        // Whoever is refused early may hang up before all is sent; then the answer is what counts.
        let _ = stream.write_all(lines.join("\r\n").as_bytes()).await;
        let _ = stream.write_all(body).await;
        stream
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(&format!("GET {path} HTTP/1.1"), b"").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        let head = format!("POST {path} HTTP/1.1\nContent-Type: application/json");
        self.send(&head, body.to_string().as_bytes()).await
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Reply {
    pub async fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        let reading = stream.read_to_end(&mut bytes);
        let _ = tokio::time::timeout(DEADLINE, reading).await.expect("the answer comes in time");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("the answer has a head");
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status line");
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self { status, headers, body: bytes[end + 4..].to_vec() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    /// `status code`, and the proof that a refusal is told as one.
    pub fn refusal(&self) -> String {
        assert_eq!(self.headers.get("content-type").map(String::as_str), Some("application/problem+json"), "{self:?}");
        let problem: Problem = serde_json::from_slice(&self.body).expect("it is a problem");
        assert_eq!((problem.status, problem.kind), (self.status, format!("urn:tramline:problem:{}", problem.code)));
        assert!(!problem.title.is_empty() && !problem.detail.is_empty());
        format!("{} {}", self.status, problem.code)
    }
}

/// All three services in one.
pub struct Stub {
    /// The commands carried out: path, body and trace.
    pub done: Mutex<Vec<(String, Value, Option<TraceParent>)>>,
    /// A command takes one permit; there are plenty unless a test takes them away.
    pub gate: Semaphore,
    pub feed: watch::Sender<Feed>,
}

/// What the stub's feed holds.
pub struct Feed {
    pub epoch: String,
    pub oldest: u64,
    pub items: Vec<FeedItem>,
    pub down: bool,
}

impl Default for Stub {
    fn default() -> Self {
        let feed = Feed { epoch: "a".to_owned(), oldest: 1, items: Vec::new(), down: false };
        Self { done: Mutex::default(), gate: Semaphore::new(1_000), feed: watch::Sender::new(feed) }
    }
}

impl Stub {
    pub fn router(self: &Arc<Self>) -> Router {
        let echo = get(async |uri: Uri| Json(json!({"items": [], "asked": uri.to_string()})));
        let stale = get(async |uri: Uri| ([("tramline-stale", "true")], Json(json!({"asked": uri.to_string()}))));
        let nothing = get(async || problem::answer(&Problem::not_found("saga")));
        Router::new()
            .route("/customers", post(command).merge(echo.clone()))
            .route("/orders", post(command).merge(echo.clone()))
            .route("/customers/{id}", stale)
            .route("/customers/{id}/orders", echo.clone())
            .route("/orders/{id}", get(buggy))
            .route("/sagas", echo.clone())
            .route("/mails", echo)
            .route("/mails/{id}/retry", post(command))
            .route("/sagas/{id}", nothing)
            .route("/ready", get(async || StatusCode::OK))
            .route("/feed", get(feed))
            .with_state(Arc::clone(self))
    }

    /// Adds changes to the feed.
    pub fn publish(&self, count: u64) {
        self.publish_sized(count, 10);
    }

    pub fn publish_sized(&self, count: u64, bytes: usize) {
        self.feed.send_modify(|feed| feed.grow(count, bytes));
    }

    /// Begins the feed anew, at once with so many changes.
    pub fn restart_feed(&self, epoch: &str, oldest: u64, count: u64) {
        self.feed.send_modify(|feed| {
            *feed = Feed { epoch: epoch.to_owned(), oldest, items: Vec::new(), down: false };
            feed.grow(count, 10);
        });
    }
}

impl Feed {
    fn grow(&mut self, count: u64, bytes: usize) {
        for _ in 0..count {
            let cursor = self.items.last().map_or(self.oldest, |item| item.cursor + 1);
            let document = json!({"n": cursor, "filler": "x".repeat(bytes)});
            let document = serde_json::value::to_raw_value(&document).expect("it is JSON");
            let kind = if cursor.is_multiple_of(2) { FeedKind::Order } else { FeedKind::Customer };
            self.items.push(FeedItem { cursor, kind, document });
        }
    }
}

async fn command(State(stub): State<Arc<Stub>>, uri: Uri, trace: Option<TraceParent>, body: JsonBody) -> Response {
    let permit = stub.gate.acquire().await.expect("the gate is never closed");
    if body.0["name"] == "conflict" {
        return problem::answer(&Problem::idempotency_conflict());
    }
    let id = body.0["id"].clone();
    stub.done.lock().expect("no test panics in here").push((uri.path().to_owned(), body.0, trace));
    drop(permit);
    (StatusCode::CREATED, Json(json!({"id": id, "version": 1}))).into_response()
}

async fn buggy() -> StatusCode {
    panic!("a bug with a secret")
}

async fn feed(State(stub): State<Arc<Stub>>, Query(query): Query<HashMap<String, String>>) -> Response {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    let after = number("after");
    let epoch = query.get("epoch").cloned();
    let mut feeds = stub.feed.subscribe();
    let news = feeds.wait_for(|feed| {
        feed.down || Some(&feed.epoch) != epoch.as_ref() || feed.items.iter().any(|item| item.cursor > after)
    });
    let _ = tokio::time::timeout(Duration::from_millis(number("waitMs")), news).await;
    let feed = stub.feed.borrow();
    if feed.down {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let head = feed.items.last().map_or(feed.oldest - 1, |item| item.cursor);
    let mut items = Vec::new();
    if Some(&feed.epoch) == epoch.as_ref() {
        items = feed.items.iter().filter(|item| item.cursor > after).take(256).cloned().collect();
    }
    Json(FeedBatch { epoch: feed.epoch.clone(), head, oldest: feed.oldest, items }).into_response()
}
