//! A client at a gateway's socket for as long as a test runs: it comes back after every break, says how far it came, reads again
//! when it is told to, and notes every outcome that it learns of, as a page would.

use crate::gateway::Gateway;
use futures_util::{SinkExt as _, StreamExt as _};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use tramline_contract::{
    Order, OrderState,
    live::{ClientFrame, Cursor, ServerFrame},
};
use uuid::Uuid;

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(100);
/// A gateway that accepts a connection and says nothing for so long is given up; it may stand still.
const SILENCE_MAX: Duration = Duration::from_secs(20);
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Orders read at once when all are read again.
const READ_AT_ONCE: usize = 8;

/// What a client has learnt.
#[derive(Debug, Default)]
pub struct Learnt {
    /// Orders that it has to hear of, and that it reads again when it is told to.
    awaited: HashSet<Uuid>,
    /// The newest of each order, by frame or by reading again.
    newest: HashMap<Uuid, (i64, OrderState)>,
    /// The newest version in this epoch of every document.
    versions: HashMap<Uuid, i64>,
    pub wrong: Vec<String>,
    pub frames: u64,
    /// Frames that told a version again.
    pub repeated: u64,
    pub resumed: u64,
    pub resyncs: u64,
}

/// The client's side that a test looks at.
#[derive(Clone)]
pub struct Socket {
    pub gateway: Gateway,
    learnt: Arc<Mutex<Learnt>>,
    hang_up: Arc<tokio::sync::Notify>,
}

impl Socket {
    /// Connects, and stays until the runtime ends.
    pub fn open(gateway: Gateway) -> Self {
        let socket = Self { gateway, learnt: Arc::default(), hang_up: Arc::default() };
        tokio::spawn(socket.clone().stay());
        socket
    }

    /// Says, before an order is placed, that its outcome must come.
    pub fn awaits(&self, order: Uuid) {
        self.learnt().awaited.insert(order);
    }

    /// Breaks the connection; the client comes back by itself.
    pub fn hang_up(&self) {
        self.hang_up.notify_one();
    }

    pub fn learnt(&self) -> MutexGuard<'_, Learnt> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that these orders change no more, so that they need not be read again.
    pub fn lets_go(&self, orders: impl Iterator<Item = Uuid>) {
        let mut learnt = self.learnt();
        for order in orders {
            learnt.awaited.remove(&order);
        }
    }

    /// Of which of these it knows no outcome.
    pub fn missing(&self, orders: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
        let learnt = self.learnt();
        let knows = |order: &Uuid| learnt.newest.get(order).is_some_and(|(_, state)| state.is_settled());
        orders.filter(|order| !knows(order)).collect()
    }

    /// Which of these it knows otherwise than they are, with what it knows.
    pub fn differing(
        &self,
        truth: impl Iterator<Item = (Uuid, (i64, OrderState))>,
    ) -> Vec<(Uuid, Option<(i64, OrderState)>)> {
        let learnt = self.learnt();
        let known = |order| learnt.newest.get(&order).copied();
        truth.filter(|(order, is)| known(*order) != Some(*is)).map(|(order, _)| (order, known(order))).collect()
    }

    async fn stay(self) {
        let mut place = None;
        loop {
            self.visit(&mut place).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One connection, from hello to its end.
    async fn visit(&self, place: &mut Option<(String, Cursor)>) {
        let connecting = connect_async(format!("ws://{}/api/live", self.gateway.address));
        let Ok(Ok((mut stream, _))) = tokio::time::timeout(CONNECT_MAX, connecting).await else { return };
        let (epoch, cursor) = place.clone().unzip();
        let hello = serde_json::to_string(&ClientFrame::Hello { epoch, cursor }).expect("it is JSON");
        if stream.send(Message::text(hello)).await.is_err() {
            return;
        }
        while let Some(frame) = self.next(&mut stream).await {
            match frame {
                ServerFrame::Heartbeat {} => {}
                ServerFrame::Resumed { epoch, cursor } => {
                    if place.as_ref() != Some(&(epoch.clone(), cursor)) {
                        self.learnt().wrong.push(format!("resumed at {epoch} {cursor} in place of {place:?}"));
                    }
                    self.learnt().resumed += 1;
                }
                ServerFrame::Resync { epoch, cursor, .. } => {
                    *place = None;
                    self.learnt().versions.clear();
                    if !self.read_again().await {
                        return;
                    }
                    *place = Some((epoch, cursor));
                    self.learnt().resyncs += 1;
                }
                ServerFrame::Order { cursor, prev, order } => {
                    self.follows(place, prev, cursor, order.id.0, order.version.0);
                    self.note(&order);
                }
                ServerFrame::Customer { cursor, prev, customer } => {
                    self.follows(place, prev, cursor, customer.id.0, customer.version.0);
                }
            }
        }
    }

    async fn next(&self, stream: &mut Stream) -> Option<ServerFrame> {
        loop {
            let next = tokio::select! {
                () = self.hang_up.notified() => return None,
                next = tokio::time::timeout(SILENCE_MAX, stream.next()) => next,
            };
            match next {
                Ok(Some(Ok(Message::Text(text)))) => {
                    return Some(serde_json::from_str(&text).expect("a known frame"));
                }
                Ok(Some(Ok(Message::Ping(_)))) => {}
                _ => return None,
            }
        }
    }

    /// Each frame follows the one before it, and none is older than what was told before.
    fn follows(&self, place: &mut Option<(String, Cursor)>, prev: Cursor, cursor: Cursor, id: Uuid, version: i64) {
        let mut learnt = self.learnt();
        learnt.frames += 1;
        let known = learnt.versions.insert(id, version).unwrap_or_default();
        if version < known {
            learnt.wrong.push(format!("{id}: version {version} came after {known}"));
        }
        // A reader of the feed that lags finds the newest document at each of its entries; a page takes it once.
        learnt.repeated += u64::from(version == known);
        match place {
            Some((_, at)) if *at == prev => *at = cursor,
            at => learnt.wrong.push(format!("frame {cursor} follows {prev}, but the client stands at {at:?}")),
        }
    }

    /// What is read may be newer than a frame that comes after it, and is kept then.
    fn note(&self, order: &Order) {
        let mut learnt = self.learnt();
        let told = (order.version.0, order.state);
        match learnt.newest.get(&order.id.0).copied() {
            Some(known) if known.0 == told.0 && known != told => {
                learnt.wrong.push(format!("order {} is {told:?}, but was {known:?} before", order.id));
            }
            Some(known) if known.0 >= told.0 => {}
            Some(_) | None => {
                learnt.newest.insert(order.id.0, told);
            }
        }
    }

    /// Reads every order that is awaited, whatever is known of it. `false`: the gateway does not answer.
    async fn read_again(&self) -> bool {
        let awaited: Vec<Uuid> = self.learnt().awaited.iter().copied().collect();
        for orders in awaited.chunks(READ_AT_ONCE) {
            if !futures_util::future::join_all(orders.iter().map(|order| self.read(*order)))
                .await
                .iter()
                .all(|read| *read)
            {
                return false;
            }
        }
        true
    }

    async fn read(&self, order: Uuid) -> bool {
        match self.gateway.get(&format!("/api/orders/{order}")).await {
            Ok(answer) if answer.status == 200 => self.note(&answer.json().expect("an order")),
            // The view does not know it yet: a frame will tell.
            Ok(answer) if answer.status == 404 => {}
            _ => return false,
        }
        true
    }
}
