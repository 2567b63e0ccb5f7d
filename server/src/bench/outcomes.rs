//! The one socket that tells every client what became of its order.

use crate::stopwatch;
use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::oneshot};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use tramline_contract::{OrderId, OrderState, live::ClientFrame};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long the server may take to greet us.
const GREETING_WITHIN: Duration = Duration::from_secs(10);

/// Who waits for which order.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcomes {
    waiting: Arc<Mutex<HashMap<OrderId, oneshot::Sender<Instant>>>>,
}

/// The part of a frame that a benchmark needs; reading less of it leaves more of the machine to the server.
#[derive(Deserialize)]
struct Frame {
    order: Option<Settled>,
}

#[derive(Deserialize)]
struct Settled {
    id: OrderId,
    state: OrderState,
}

impl Outcomes {
    /// Opens the socket and listens until the program ends.
    pub(super) async fn connect(url: &str) -> anyhow::Result<Self> {
        let address = format!("{}/api/live", url.trim_end_matches('/').replacen("http", "ws", 1));
        let socket = tokio::time::timeout(GREETING_WITHIN, greeted(&address)).await;
        let socket = socket.context("the server does not greet us on its socket")??;
        let outcomes = Self::default();
        tokio::spawn(outcomes.clone().listen(socket));
        Ok(outcomes)
    }

    /// Tells the moment at which the order's outcome reaches us. To be called before the order is placed.
    pub(super) fn of(&self, order: OrderId) -> oneshot::Receiver<Instant> {
        let (tell, told) = oneshot::channel();
        self.lock().insert(order, tell);
        told
    }

    /// Nobody waits for this order any more.
    pub(super) fn forget(&self, order: OrderId) {
        self.lock().remove(&order);
    }

    async fn listen(self, mut socket: Socket) {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => self.take(&text),
                Some(Ok(Message::Close(farewell))) => {
                    let reason = farewell.map(|farewell| farewell.reason.to_string()).unwrap_or_default();
                    eprintln!("tramline: the server closed its socket: {reason}");
                    break;
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    eprintln!("tramline: the socket broke: {error}");
                    break;
                }
                None => break,
            }
        }
        // Whoever still waits learns at once that nothing will come.
        self.lock().clear();
    }

    fn take(&self, text: &str) {
        let arrived = stopwatch::now();
        let Ok(Frame { order: Some(order) }) = serde_json::from_str(text) else { return };
        if order.state.is_settled()
            && let Some(tell) = self.lock().remove(&order.id)
        {
            // A client that gave up is no longer there to hear it.
            let _ = tell.send(arrived);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrderId, oneshot::Sender<Instant>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that has been greeted: every frame from here on reaches us.
async fn greeted(address: &str) -> anyhow::Result<Socket> {
    let (mut socket, _) = connect_async(address).await.context("the server's socket cannot be opened")?;
    let hello = serde_json::to_string(&ClientFrame::Hello { epoch: None, cursor: None })?;
    socket.send(Message::text(hello)).await.context("the server's socket broke")?;
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(_))) => return Ok(socket),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => bail!("the server's socket says {other:?} instead of a greeting"),
        }
    }
}
