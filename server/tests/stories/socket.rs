//! The socket against the whole desk: what a browser learns, when it goes away and when the desk restarts.

use crate::desk::{DEADLINE, TestDesk, printed, tramline_on};
use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::HashMap;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use tramline_contract::{
    OrderId, OrderState,
    live::{ClientFrame, Cursor, ResyncReason, ServerFrame},
};
use uuid::Uuid;

struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    epoch: String,
    cursor: Cursor,
    /// The newest version heard of, per aggregate.
    versions: HashMap<Uuid, i64>,
}

impl Socket {
    /// Connects, says hello and reads the greeting.
    async fn greet(desk: &TestDesk, hello: Option<(String, Cursor)>) -> (Self, ServerFrame) {
        let (stream, _) = connect_async(format!("ws://{}/api/live", desk.address)).await.expect("the desk lets us in");
        let mut socket = Self { stream, epoch: String::new(), cursor: 0, versions: HashMap::new() };
        let (epoch, cursor) = hello.unzip();
        let hello = serde_json::to_string(&ClientFrame::Hello { epoch, cursor }).expect("it is JSON");
        socket.stream.send(Message::text(hello)).await.expect("the socket is open");
        let greeting = socket.frame().await;
        let (ServerFrame::Resumed { epoch, cursor } | ServerFrame::Resync { epoch, cursor, .. }) = &greeting else {
            panic!("{greeting:?} is no greeting")
        };
        (socket.epoch, socket.cursor) = (epoch.clone(), *cursor);
        (socket, greeting)
    }

    async fn frame(&mut self) -> ServerFrame {
        let next = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Text(text))) => match serde_json::from_str(&text).expect("a known frame") {
                        ServerFrame::Heartbeat {} => {}
                        frame => return frame,
                    },
                    Some(Ok(Message::Ping(_))) => {}
                    other => panic!("a frame was expected, not {other:?}"),
                }
            }
        };
        tokio::time::timeout(DEADLINE, next).await.expect("a frame in time")
    }

    /// The next change: it follows the one before it, brings news, and the view shows it already.
    async fn change(&mut self, desk: &TestDesk) -> ServerFrame {
        let frame = self.frame().await;
        let (cursor, prev, kind, id, version) = match &frame {
            ServerFrame::Order { cursor, prev, order } => (*cursor, *prev, "orders", order.id.0, order.version.0),
            ServerFrame::Customer { cursor, prev, customer } => {
                (*cursor, *prev, "customers", customer.id.0, customer.version.0)
            }
            other => panic!("a change was expected, not {other:?}"),
        };
        assert_eq!(prev, self.cursor, "no frame is missing or repeated");
        self.cursor = cursor;
        let known = self.versions.insert(id, version).unwrap_or_default();
        assert!(version > known, "version {version} after {known}");
        let shown = desk.json(&format!("/api/{kind}/{id}")).await;
        assert!(shown["version"].as_i64() >= Some(version), "{shown} is older than its frame");
        frame
    }

    /// Reads on until an order is decided.
    async fn outcome(&mut self, desk: &TestDesk, id: OrderId) -> OrderState {
        loop {
            if let ServerFrame::Order { order, .. } = self.change(desk).await
                && order.id == id
                && order.state.is_settled()
            {
                return order.state;
            }
        }
    }
}

#[tokio::test]
async fn a_first_visit_is_told_to_read_and_then_hears_every_outcome() {
    let desk = TestDesk::start();
    let (mut socket, greeting) = Socket::greet(&desk, None).await;
    assert!(matches!(greeting, ServerFrame::Resync { reason: ResyncReason::FirstVisit, .. }), "{greeting:?}");
    let customer = desk.customer("Ada", "10.00").await;
    for (total, state) in [("10.00", OrderState::Approved), ("0.01", OrderState::Rejected)] {
        let id = desk.place(customer, total).await.id;
        assert_eq!(socket.outcome(&desk, id).await, state);
    }
}

/// Every state that an order passes through is told, and its customer's credit as it moves.
#[tokio::test]
async fn a_cancellation_is_told_state_by_state() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    let (id, _) = desk.order(customer, "10.00").await;
    let (mut socket, _) = Socket::greet(&desk, None).await;
    let answer = desk.post(&format!("/api/orders/{id}/cancel"), &serde_json::json!({})).await;
    assert_eq!(answer.status, 202);
    let (mut last, mut free) = (None, false);
    while last != Some(OrderState::Cancelled) || !free {
        match socket.change(&desk).await {
            ServerFrame::Order { order, .. } if order.id == id => last = Some(order.state),
            ServerFrame::Customer { customer, .. } => free = customer.available_credit.to_string() == "10.00",
            other => panic!("nothing else happens: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_comes_back_is_told_exactly_what_it_missed() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "100.00").await;
    let (mut socket, _) = Socket::greet(&desk, None).await;
    let id = desk.place(customer, "1.00").await.id;
    socket.outcome(&desk, id).await;
    for _ in 0..5 {
        let place = (socket.epoch.clone(), socket.cursor);
        drop(socket);
        let (missed, _) = desk.order(customer, "1.00").await;
        let greeting;
        (socket, greeting) = Socket::greet(&desk, Some(place.clone())).await;
        assert_eq!(greeting, ServerFrame::Resumed { epoch: place.0, cursor: place.1 });
        assert_eq!(socket.outcome(&desk, missed).await, OrderState::Approved);
        assert!(socket.versions.contains_key(&missed.0));
        assert!(!socket.versions.contains_key(&id.0), "what was told before is not told again");
    }
}

/// A feed in memory ends with the desk, so its clients read again; one in Redis outlives it, and they go on where they were.
#[tokio::test]
async fn a_restart_of_the_desk_begins_a_new_epoch_unless_its_feed_lies_elsewhere() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    let (mut socket, _) = Socket::greet(&desk, None).await;
    let before = desk.place(customer, "1.00").await.id;
    socket.outcome(&desk, before).await;
    let place = (socket.epoch.clone(), socket.cursor);
    let desk = desk.restart();
    let (mut socket, greeting) = Socket::greet(&desk, Some(place.clone())).await;
    if desk.stores().setting("TRAMLINE_REDIS").is_some() {
        assert_eq!(greeting, ServerFrame::Resumed { epoch: place.0, cursor: place.1 });
    } else {
        assert!(matches!(greeting, ServerFrame::Resync { reason: ResyncReason::EpochChanged, .. }), "{greeting:?}");
        assert_ne!(socket.epoch, place.0);
    }
    let id = desk.place(customer, "1.00").await.id;
    assert_eq!(socket.outcome(&desk, id).await, OrderState::Approved);
}

#[tokio::test]
async fn every_socket_hears_of_every_order_under_load() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "1000.00").await;
    let (mut one, _) = Socket::greet(&desk, None).await;
    let (mut other, _) = Socket::greet(&desk, None).await;
    let placed = futures_util::future::join_all((0..50).map(|_| desk.place(customer, "1.00"))).await;
    for socket in [&mut one, &mut other] {
        let mut left: Vec<_> = placed.iter().map(|order| order.id).collect();
        while !left.is_empty() {
            if let ServerFrame::Order { order, .. } = socket.change(&desk).await
                && order.state.is_settled()
            {
                left.retain(|id| *id != order.id);
            }
        }
    }
}

/// What a client has heard of may be of another generation of the view: it is told to read again.
#[tokio::test]
async fn an_open_socket_is_told_to_read_again_after_a_rebuild() {
    let desk = TestDesk::start();
    let customer = desk.customer("Ada", "10.00").await;
    desk.order(customer, "1.00").await;
    let (mut socket, _) = Socket::greet(&desk, None).await;
    let stores = desk.stores();
    let output = tokio::task::spawn_blocking(move || tramline_on(&stores, ["rebuild-view"]));
    let output = output.await.expect("it does not panic");
    assert!(output.status.success(), "{:?}", printed(&output));
    // Frames of before the rebuild may come first.
    let (epoch, cursor) = loop {
        if let ServerFrame::Resync { epoch, cursor, .. } = socket.frame().await {
            break (epoch, cursor);
        }
    };
    assert_ne!(epoch, socket.epoch, "its places mean something else since");
    (socket.epoch, socket.cursor) = (epoch, cursor);
    let id = desk.place(customer, "1.00").await.id;
    assert_eq!(socket.outcome(&desk, id).await, OrderState::Approved);
}
