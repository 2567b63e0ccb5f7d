//! The socket as a client meets it: no loss, no repetition, an honest resync, and a clear word at its end.

use crate::support::{DEADLINE, Stub, TestGateway};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tramline_gateway::{Limits, Pace};

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(gateway: &TestGateway) -> Self {
        Self::try_connect(gateway, None).await.expect("the gateway lets us in")
    }

    async fn try_connect(gateway: &TestGateway, origin: Option<&str>) -> Result<Self, u16> {
        let mut request = format!("ws://{}/api/live", gateway.address).into_client_request().expect("a request");
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().expect("a header value"));
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Connects, says hello and reads the answer.
    async fn greet(gateway: &TestGateway, hello: Value) -> (Self, Value) {
        let mut client = Self::connect(gateway).await;
        client.say(hello.to_string()).await;
        let answer = client.frame().await;
        (client, answer)
    }

    async fn say(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.expect("the socket is open");
    }

    async fn next(&mut self) -> Option<Result<Message, Error>> {
        tokio::time::timeout(DEADLINE, self.0.next()).await.expect("something comes in time")
    }

    /// The next frame that is no heartbeat.
    async fn frame(&mut self) -> Value {
        loop {
            match self.next().await {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).expect("a frame is JSON");
                    if frame["type"] != "heartbeat" {
                        return frame;
                    }
                }
                Some(Ok(Message::Ping(_))) => {}
                other => panic!("a frame was expected, not {other:?}"),
            }
        }
    }

    /// Reads `count` frames and checks that they are chained to `prev`. Returns their cursors.
    async fn chain(&mut self, mut prev: u64, count: usize) -> Vec<u64> {
        let mut cursors = Vec::new();
        for _ in 0..count {
            let frame = self.frame().await;
            assert_eq!(frame["prev"], prev, "{frame}");
            let kind = frame["type"].as_str().expect("a kind");
            prev = frame["cursor"].as_u64().expect("a cursor");
            assert_eq!(frame[kind]["n"], prev, "the document is whole");
            cursors.push(prev);
        }
        cursors
    }

    /// The close code and reason, after whatever else comes.
    async fn end(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Some(Ok(Message::Close(Some(close)))) => return (close.code.into(), close.reason.to_string()),
                Some(Ok(_)) => {}
                other => panic!("a close was expected, not {other:?}"),
            }
        }
    }
}

fn hello(epoch: &str, cursor: u64) -> Value {
    json!({"type": "hello", "epoch": epoch, "cursor": cursor})
}

fn first_visit() -> Value {
    json!({"type": "hello"})
}

fn impatient() -> Pace {
    Pace { hello: Duration::from_millis(100), ..Pace::default() }
}

#[tokio::test]
async fn a_first_visit_reads_everything_once_and_then_listens() {
    let gateway = TestGateway::start().await;
    gateway.stub.publish(3);
    let (mut client, answer) = Client::greet(&gateway, first_visit()).await;
    assert_eq!(answer["type"], "resync");
    assert_eq!((&answer["epoch"], &answer["reason"]), (&json!("a"), &json!("first-visit")));
    let cursor = answer["cursor"].as_u64().expect("a cursor");
    gateway.stub.publish(300);
    let rest = usize::try_from(303 - cursor).expect("a small number");
    assert_eq!(client.chain(cursor, rest).await.last(), Some(&303));
}

#[tokio::test]
async fn a_client_that_comes_back_again_and_again_misses_nothing_and_sees_nothing_twice() {
    let gateway = TestGateway::start().await;
    let (first, answer) = Client::greet(&gateway, first_visit()).await;
    assert_eq!(answer["cursor"], 0);
    drop(first);
    let mut seen: Vec<u64> = Vec::new();
    for round in 0..40_usize {
        gateway.stub.publish(5);
        let cursor = seen.last().copied().unwrap_or_default();
        let (mut client, answer) = Client::greet(&gateway, hello("a", cursor)).await;
        assert_eq!(answer, json!({"type": "resumed", "epoch": "a", "cursor": cursor}));
        // Hangs up in the middle of things, each time elsewhere.
        seen.extend(client.chain(cursor, round % 6).await);
    }
    let cursor = seen.last().copied().unwrap_or_default();
    let (mut client, _) = Client::greet(&gateway, hello("a", cursor)).await;
    let rest = 200 - seen.len();
    seen.extend(client.chain(cursor, rest).await);
    assert_eq!(seen, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn all_sockets_are_sent_the_same() {
    let gateway = TestGateway::start().await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let (client, answer) = Client::greet(&gateway, first_visit()).await;
        assert_eq!(answer["cursor"], 0);
        clients.push(client);
    }
    gateway.stub.publish(500);
    for client in &mut clients {
        assert_eq!(client.chain(0, 500).await, (1..=500).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_place_that_is_no_longer_kept_or_was_never_given_cannot_be_resumed() {
    let gateway = TestGateway::with(Limits { kept_frames: 5, ..Limits::default() }, Pace::default()).await;
    let (mut listener, _) = Client::greet(&gateway, first_visit()).await;
    gateway.stub.publish(1);
    listener.chain(0, 1).await;
    gateway.stub.publish(9);
    let told = async {
        loop {
            let (_, answer) = Client::greet(&gateway, first_visit()).await;
            if answer["cursor"] == 10 {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, told).await.expect("the feed is read soon");
    for (hello, reason) in
        [(hello("a", 4), "expired"), (hello("b", 9), "epoch-changed"), (hello("a", 11), "epoch-changed")]
    {
        let (_, answer) = Client::greet(&gateway, hello.clone()).await;
        assert_eq!(answer, json!({"type": "resync", "epoch": "a", "cursor": 10, "reason": reason}), "{hello}");
    }
    let (mut client, answer) = Client::greet(&gateway, hello("a", 5)).await;
    assert_eq!(answer["type"], "resumed");
    assert_eq!(client.chain(5, 5).await, [6, 7, 8, 9, 10]);
}

#[tokio::test]
async fn a_new_epoch_and_a_hole_in_the_feed_make_every_socket_read_again() {
    let gateway = TestGateway::start().await;
    gateway.stub.publish(3);
    let (mut client, answer) = Client::greet(&gateway, first_visit()).await;
    let cursor = answer["cursor"].as_u64().expect("a cursor");
    client.chain(cursor, usize::try_from(3 - cursor).expect("a small number")).await;

    gateway.stub.restart_feed("b", 1, 0);
    assert_eq!(client.frame().await, json!({"type": "resync", "epoch": "b", "cursor": 0, "reason": "epoch-changed"}));
    gateway.stub.publish(2);
    client.chain(0, 2).await;

    gateway.stub.restart_feed("b", 8, 1);
    let answer = client.frame().await;
    assert_eq!((&answer["type"], &answer["reason"]), (&json!("resync"), &json!("expired")));
    let cursor = answer["cursor"].as_u64().expect("a cursor");
    assert!(cursor == 7 || cursor == 8, "{answer}");
    gateway.stub.publish(1);
    assert_eq!(client.chain(cursor, usize::try_from(9 - cursor).expect("a small number")).await.last(), Some(&9));
}

#[tokio::test]
async fn a_new_epoch_that_is_further_along_than_the_old_one_is_not_taken_for_it() {
    let gateway = TestGateway::start().await;
    let (mut client, _) = Client::greet(&gateway, first_visit()).await;
    gateway.stub.publish(1);
    client.chain(0, 1).await;
    gateway.stub.restart_feed("b", 1, 5);
    assert_eq!(client.frame().await, json!({"type": "resync", "epoch": "b", "cursor": 5, "reason": "epoch-changed"}));
    gateway.stub.publish(1);
    assert_eq!(client.chain(5, 1).await, [6]);
}

#[tokio::test]
async fn a_gateway_that_starts_late_still_knows_what_the_service_keeps() {
    let stub = Stub::default();
    stub.publish(600);
    let gateway = TestGateway::over(stub, Limits::default(), Pace::default()).await;
    let (mut client, answer) = Client::greet(&gateway, hello("a", 0)).await;
    assert_eq!(answer["type"], "resumed");
    assert_eq!(client.chain(0, 600).await.len(), 600);
}

#[tokio::test]
async fn the_feed_is_taken_up_again_after_an_outage() {
    let gateway = TestGateway::start().await;
    let (mut client, _) = Client::greet(&gateway, first_visit()).await;
    gateway.stub.feed.send_modify(|feed| feed.down = true);
    gateway.stub.publish(2);
    tokio::time::sleep(Duration::from_millis(100)).await;
    gateway.stub.feed.send_modify(|feed| feed.down = false);
    assert_eq!(client.chain(0, 2).await, [1, 2]);
}

#[tokio::test]
async fn without_a_good_hello_there_is_no_conversation() {
    let gateway = TestGateway::with(Limits::default(), impatient()).await;
    let mut silent = Client::connect(&gateway).await;
    assert_eq!(silent.end().await.0, 1008);
    for text in [
        "",
        "hello",
        "{}",
        "null",
        r#"{"type":"order"}"#,
        r#"{"type":"hello","cursor":-1}"#,
        r#"{"type":"hello","cursor":"1"}"#,
        r#"{"type":"hello","epoch":7}"#,
    ] {
        let mut client = Client::connect(&gateway).await;
        client.say(text).await;
        let (code, reason) = client.end().await;
        assert_eq!(code, 1008, "{text}");
        assert!(reason.contains("hello"), "{reason}");
    }
    let mut binary = Client::connect(&gateway).await;
    binary.0.send(Message::binary(b"{\"type\":\"hello\"}".to_vec())).await.expect("the socket is open");
    assert_eq!(binary.end().await.0, 1008);
    let mut long = Client::connect(&gateway).await;
    long.say("x".repeat(20_000)).await;
    assert_eq!(long.end().await.0, 1007);
}

#[tokio::test]
async fn a_client_that_talks_on_is_shown_the_door() {
    let gateway = TestGateway::start().await;
    let (mut client, _) = Client::greet(&gateway, first_visit()).await;
    client.say("a word is overheard").await;
    gateway.stub.publish(1);
    client.chain(0, 1).await;
    for _ in 0..100 {
        let _ = client.0.send(Message::text("and another")).await;
    }
    assert_eq!(client.end().await.0, 1008);
}

#[tokio::test]
async fn a_hello_before_the_feed_is_there_is_told_to_come_back() {
    let stub = Stub::default();
    stub.feed.send_modify(|feed| feed.down = true);
    let gateway = TestGateway::over(stub, Limits::default(), impatient()).await;
    let mut client = Client::connect(&gateway).await;
    client.say(first_visit().to_string()).await;
    assert_eq!(client.end().await.0, 1013);
    assert_eq!(gateway.get("/readyz").await.json()["dependencies"][3], json!({"name": "feed", "ready": false}));
}

#[tokio::test]
async fn a_socket_has_a_pulse_and_a_dead_one_is_closed() {
    let pace = Pace { beat: Duration::from_millis(50), ..Pace::default() };
    let gateway = TestGateway::with(Limits { sockets: 1, ..Limits::default() }, pace).await;
    let (mut client, _) = Client::greet(&gateway, first_visit()).await;
    let (mut pings, mut heartbeats) = (0, 0);
    while pings < 5 || heartbeats < 5 {
        match client.next().await {
            Some(Ok(Message::Ping(_))) => pings += 1,
            Some(Ok(Message::Text(text))) => {
                assert_eq!(text.as_str(), r#"{"type":"heartbeat"}"#);
                heartbeats += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(Client::try_connect(&gateway, None).await.err(), Some(503), "the only seat is taken");
    // From here on it reads nothing, so it answers no ping, and its seat is free after two of them.
    freed(&gateway).await;
    drop(client);
}

#[tokio::test]
async fn a_client_that_reads_too_slowly_is_closed_and_can_resume() {
    let pace = Pace { write: Duration::from_millis(200), ..Pace::default() };
    let gateway = TestGateway::with(Limits { sockets: 1, ..Limits::default() }, pace).await;
    let (mut slow, _) = Client::greet(&gateway, first_visit()).await;
    // Far more than the network's buffers hold.
    gateway.stub.publish_sized(4_000, 10_000);
    freed(&gateway).await;
    let mut cursor = 0;
    while let Some(Ok(Message::Text(text))) = slow.next().await {
        let frame: Value = serde_json::from_str(&text).expect("a frame is JSON");
        assert_eq!(frame["prev"], cursor);
        cursor = frame["cursor"].as_u64().expect("a cursor");
    }
    assert!(cursor < 4_000, "it was closed before the end");
    let (mut client, answer) = Client::greet(&gateway, hello("a", cursor)).await;
    assert_eq!(answer["type"], "resumed");
    let rest = usize::try_from(4_000 - cursor).expect("a small number");
    assert_eq!(client.chain(cursor, rest).await.last(), Some(&4_000));
}

/// Waits until the gateway's only seat is free, and leaves it so.
async fn freed(gateway: &TestGateway) {
    let freed = async {
        while Client::try_connect(gateway, None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, freed).await.expect("the seat is given back");
}

#[tokio::test]
async fn a_restart_tells_every_socket_and_waits_for_them() {
    let mut gateway = TestGateway::start().await;
    let (mut client, _) = Client::greet(&gateway, first_visit()).await;
    let mut silent = Client::connect(&gateway).await;
    gateway.shutdown.cancel();
    let mut stopped = std::pin::pin!(gateway.gateway.take().expect("it was not taken").stopped());
    let early = tokio::time::timeout(Duration::from_millis(200), &mut stopped).await;
    assert!(early.is_err(), "the clients have not closed their side yet");
    assert_eq!(client.end().await.0, 1012);
    assert_eq!(silent.end().await.0, 1012);
    drop((client, silent));
    tokio::time::timeout(DEADLINE, stopped).await.expect("it ends");
    assert_eq!(Client::try_connect(&gateway, None).await.err(), Some(503), "nobody is let in any more");
}

#[tokio::test]
async fn pages_of_other_sites_and_plain_requests_get_no_socket() {
    let gateway = TestGateway::start().await;
    for origin in ["http://evil.test", "null", "http://localhost:1"] {
        assert_eq!(Client::try_connect(&gateway, Some(origin)).await.err(), Some(403), "{origin}");
    }
    let ours = format!("http://{}", gateway.address);
    assert!(Client::try_connect(&gateway, Some(&ours)).await.is_ok());
    let plain = gateway.get("/api/live").await;
    assert_eq!((plain.refusal().as_str(), plain.headers["upgrade"].as_str()), ("426 upgrade-required", "websocket"));
}
