//! Calls to several instances of a service over real connections: dead ones, hanging ones, and ones that come back.

use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::header::RETRY_AFTER;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;
use tramline_contract::Problem;
use tramline_http::{ApiError, BreakerRules, CallError, ServiceClient, serve};

/// No test waits longer than this for anything.
const DEADLINE: Duration = Duration::from_secs(10);

/// Never opens, so that a test sees what happens without it.
const PATIENT: BreakerRules = BreakerRules { failures: u32::MAX, open_for: Duration::ZERO };

async fn bound() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

/// An instance that counts and echoes; `/slow` takes its time.
fn instance(calls: &Arc<AtomicUsize>) -> Router {
    let (seen, sent) = (Arc::clone(calls), Arc::clone(calls));
    let count = move || {
        seen.fetch_add(1, Ordering::Relaxed);
        async { "here" }
    };
    let echo = move |body: Json<Value>| {
        sent.fetch_add(1, Ordering::Relaxed);
        async { body }
    };
    let slow = async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "news"
    };
    Router::new().route("/", get(count).merge(post(echo))).route("/slow", get(slow))
}

/// An instance that works.
async fn alive() -> (SocketAddr, Arc<AtomicUsize>) {
    let (listener, address) = bound().await;
    let calls = Arc::default();
    tokio::spawn(serve(listener, instance(&calls), CancellationToken::new()));
    (address, calls)
}

/// An address where nobody listens, and that nobody else can take while the socket lives.
fn dead() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("there are sockets");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port is free");
    let address = socket.local_addr().expect("a bound socket has an address");
    (socket, address)
}

/// An instance that reads every request and then hangs, or hangs up. Returns how many it received.
async fn broken(hangs: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let (listener, address) = bound().await;
    let received: Arc<AtomicUsize> = Arc::default();
    let count = Arc::clone(&received);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("it accepts");
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                if matches!(stream.read(&mut bytes).await, Ok(1..)) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                if hangs {
                    std::future::pending::<()>().await;
                }
                let _ = stream.shutdown().await;
            });
        }
    });
    (address, received)
}

fn client(addresses: &[SocketAddr], rules: BreakerRules) -> ServiceClient {
    let list: Vec<_> = addresses.iter().map(|address| format!("http://{address}/")).collect();
    ServiceClient::remote_with("parcels", &list.join(", "), rules).expect("those are addresses")
}

#[tokio::test]
async fn instances_are_called_in_turn() {
    let ((first, first_calls), (second, second_calls)) = (alive().await, alive().await);
    let client = client(&[first, second], BreakerRules::default());
    for _ in 0..10 {
        client.get("/").send().await.expect("it answers");
    }
    assert_eq!((first_calls.load(Ordering::Relaxed), second_calls.load(Ordering::Relaxed)), (5, 5));
}

#[tokio::test]
async fn every_read_succeeds_while_one_instance_is_dead() {
    let ((living, calls), (_socket, dead)) = (alive().await, dead());
    let client = client(&[dead, living], BreakerRules::default());
    for call in 0..100 {
        let answer = client.get("/").send().await;
        assert_eq!(answer.unwrap_or_else(|error| panic!("call {call}: {error}")).body, "here");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 100);
}

#[tokio::test]
async fn a_hanging_instance_is_given_up_in_time() {
    let (hanging, _) = broken(true).await;
    let alone = client(&[hanging], PATIENT);
    let call = alone.get("/").within(Duration::from_millis(200)).send();
    let error = tokio::time::timeout(DEADLINE, call).await.expect("it is given up").expect_err("nothing came");
    assert!(matches!(error, CallError::TimedOut { .. }), "{error}");

    let (living, _) = alive().await;
    let both = client(&[hanging, living], PATIENT);
    for _ in 0..4 {
        let answer = both.get("/").within(Duration::from_millis(400)).send().await.expect("the other one answers");
        assert_eq!(answer.body, "here");
    }
}

#[tokio::test]
async fn when_every_instance_is_away_calls_fail_at_once_until_one_is_back() {
    let (socket, gone) = dead();
    let rules = BreakerRules { failures: 2, open_for: Duration::from_millis(300) };
    let client = client(&[gone], rules);
    for _ in 0..2 {
        let error = client.get("/").send().await.expect_err("nobody listens");
        assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
    }
    let error = client.get("/").send().await.expect_err("it is left alone");
    assert!(matches!(error, CallError::LeftAlone { .. }), "{error}");
    let response = ApiError::from(error).into_response();
    assert_eq!((response.status().as_u16(), &response.headers()[RETRY_AFTER]), (503, &"1".parse().expect("a value")));
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.expect("the body is whole");
    let problem: Problem = serde_json::from_slice(&body).expect("it is a problem");
    assert_eq!(problem.code, "service-unavailable");
    assert!(problem.detail.contains("parcels"), "{}", problem.detail);

    let listener = socket.listen(16).expect("the port is ours");
    let calls = Arc::default();
    tokio::spawn(serve(listener, instance(&calls), CancellationToken::new()));
    let back = async {
        while client.get("/").send().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, back).await.expect("it is called again");
    for _ in 0..10 {
        client.get("/").send().await.expect("it stays so");
    }
}

#[tokio::test]
async fn what_must_not_happen_twice_is_not_sent_again_once_it_may_have_arrived() {
    for hangs in [false, true] {
        let ((broken, received), (living, calls)) = (broken(hangs).await, alive().await);
        let client = client(&[broken, living], PATIENT);
        let body = json!({"id": 7});
        let once = client.post_json("/", &body).within(Duration::from_millis(300)).send().await;
        once.expect_err("the first instance breaks it");
        assert_eq!((received.load(Ordering::Relaxed), calls.load(Ordering::Relaxed)), (1, 0));
        client.get("/").send().await.expect("the other one's turn");

        let again = client.post_json("/", &body).repeatable().within(Duration::from_millis(600)).send().await;
        assert_eq!(again.expect("the other one answers").json::<Value>().expect("it is JSON"), body);
        assert_eq!((received.load(Ordering::Relaxed), calls.load(Ordering::Relaxed)), (2, 2));
    }
}

#[tokio::test]
async fn what_surely_never_arrived_is_sent_to_another_instance() {
    let ((living, calls), (_socket, dead)) = (alive().await, dead());
    let client = client(&[dead, living], BreakerRules::default());
    for _ in 0..20 {
        client.post_json("/", &json!(1)).send().await.expect("the living one takes it");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 20);
}

#[tokio::test]
async fn only_about_one_call_in_ten_is_repeated() {
    let ((first, first_received), (second, second_received)) = (broken(false).await, broken(false).await);
    let client = client(&[first, second], PATIENT);
    for _ in 0..300 {
        client.get("/").send().await.expect_err("both are broken");
    }
    let received = first_received.load(Ordering::Relaxed) + second_received.load(Ordering::Relaxed);
    // Ten were put by before, thirty are earned, and one more for each second that this takes.
    assert!((330..=360).contains(&received), "{received}");
}

#[tokio::test]
async fn a_long_poll_is_neither_cut_nor_a_failure() {
    let (address, _) = alive().await;
    let client = client(&[address], BreakerRules { failures: 1, ..BreakerRules::default() });
    let poll = || client.get("/slow").within(Duration::from_millis(150)).long_poll(Duration::from_secs(2)).send();
    let (first, second) = tokio::join!(poll(), poll());
    for answer in [first, second] {
        assert_eq!(answer.expect("it is waited for").body, "news");
    }
    client.get("/").send().await.expect("it was no failure");
    let cut = client.get("/slow").within(Duration::from_millis(100)).send().await;
    assert!(matches!(cut, Err(CallError::TimedOut { .. })), "without the word it is cut");
}

#[tokio::test]
async fn a_refusal_is_no_failure() {
    let (listener, address) = bound().await;
    let busy = Router::new().route("/", get(async || ApiError::overloaded(Duration::from_secs(3))));
    tokio::spawn(serve(listener, busy, CancellationToken::new()));
    let client = client(&[address], BreakerRules { failures: 1, ..BreakerRules::default() });
    for _ in 0..3 {
        let answer = client.get("/").send().await.expect("it answers").into_response();
        assert_eq!((answer.status().as_u16(), &answer.headers()[RETRY_AFTER]), (503, &"3".parse().expect("a value")));
    }
}

#[tokio::test]
async fn a_probe_whose_caller_leaves_does_not_close_the_way_for_good() {
    let (hanging, _) = broken(true).await;
    let rules = BreakerRules { failures: 1, open_for: Duration::from_millis(50) };
    let client = client(&[hanging], rules);
    client.get("/").within(Duration::from_millis(50)).send().await.expect_err("nothing came");
    tokio::time::sleep(Duration::from_millis(60)).await;
    // The probe is dropped while it waits.
    let left = tokio::time::timeout(Duration::from_millis(50), client.get("/").send()).await;
    assert!(left.is_err(), "it would wait on");
    let error = client.get("/").within(Duration::from_millis(50)).send().await.expect_err("nothing came");
    assert!(matches!(error, CallError::TimedOut { .. }), "the next one is the probe: {error}");
}
