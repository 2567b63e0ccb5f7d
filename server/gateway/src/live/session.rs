//! One socket: its hello, what it is sent, its pulse, and why it ends.
//!
//! A socket holds a place in the ring and no queue, so a slow one costs no memory; one that cannot be written to for a
//! while is closed and resumes.

use crate::live::hub::{Hub, Seat};
use crate::live::ring::Next;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use futures_util::SinkExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tramline_contract::live::ClientFrame;

/// A hello has some hundred bytes; a client sends nothing else of any size.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// Per socket and allocated at once, so small.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Gathers several frames into one write.
const WRITE_BUFFER_BYTES: usize = 4 * 1024;
/// The write buffer of a socket that cannot be written to ends here; far above the largest frame.
const MAX_WRITE_BUFFER_BYTES: usize = 256 * 1024;
/// How many frames are taken from the ring under one lock and written under one deadline.
const FRAMES_AT_ONCE: usize = 64;
/// A client has nothing to say after its hello; one that says more than this between two beats is broken or means harm.
const MAX_CHATTER: usize = 64;
/// A socket whose client answered none of so many pings is dead.
const MAX_MISSED_PONGS: usize = 2;
/// How long we wait for a client to close its side.
const GOODBYE: Duration = Duration::from_secs(1);

/// Browsers answer pings themselves and tell no page, so a page needs a frame that it can see.
const HEARTBEAT: Utf8Bytes = Utf8Bytes::from_static(r#"{"type":"heartbeat"}"#);

/// How patient a socket is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long the first frame may take, and how long its answer may wait for the feed.
    pub hello: Duration,
    /// Between two pings, each with a heartbeat frame.
    pub beat: Duration,
    /// How long a write may take before the client counts as too slow.
    pub write: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { hello: Duration::from_secs(5), beat: Duration::from_secs(15), write: Duration::from_secs(10) }
    }
}

/// Why a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The client closed it or went away.
    Gone,
    /// The first frame cannot be read.
    Unreadable,
    /// The first frame is no hello, or none came.
    NoHello,
    /// The client talks too much.
    Chatter,
    /// The feed is not there yet.
    NoFeed,
    /// The client reads too slowly.
    Slow,
    /// The client does not answer pings.
    Dead,
    /// The server stops.
    Restart,
}

impl End {
    /// The close code and the reason to tell.
    const fn farewell(self) -> Option<(u16, &'static str)> {
        match self {
            Self::Gone => None,
            Self::Unreadable => Some((close_code::INVALID, "the first frame cannot be read")),
            Self::NoHello => Some((close_code::POLICY, "the first frame must be a hello, soon")),
            Self::Chatter => Some((close_code::POLICY, "say hello and then listen")),
            Self::NoFeed => Some((close_code::AGAIN, "the feed is not ready; come back")),
            Self::Slow => Some((close_code::AGAIN, "too far behind; come back and resume")),
            Self::Dead => Some((close_code::AGAIN, "no pong; come back and resume")),
            Self::Restart => Some((close_code::RESTART, "the server restarts; come back and resume")),
        }
    }
}

/// Bounds what an upgraded connection may hold.
pub(crate) fn upgrade(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
}

/// Serves a socket to its end.
pub(crate) async fn converse(
    mut socket: WebSocket,
    hub: Arc<Hub>,
    pace: Pace,
    shutdown: CancellationToken,
    seat: Seat,
) {
    let end = shutdown.run_until_cancelled(serve(&mut socket, &hub, pace)).await.unwrap_or(End::Restart);
    tracing::debug!(?end, "a socket ends");
    if let Some((code, reason)) = end.farewell() {
        let farewell = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let _ = timeout(GOODBYE, say_goodbye(&mut socket, farewell)).await;
    }
    drop(seat);
}

async fn serve(socket: &mut WebSocket, hub: &Hub, pace: Pace) -> End {
    match listen(socket, hub, pace).await {
        Ok(never) => match never {},
        Err(end) => end,
    }
}

async fn listen(socket: &mut WebSocket, hub: &Hub, pace: Pace) -> Result<std::convert::Infallible, End> {
    let hello = timeout(pace.hello, hello(socket)).await.unwrap_or(Err(End::NoHello))?;
    let mut changes = hub.changes();
    let greeting = timeout(pace.hello, hub.greet(&hello)).await.map_err(|_| End::NoFeed)?;
    send(socket, pace, [Message::Text(greeting.frame)]).await?;

    let mut place = greeting.place;
    let mut beats = interval(pace.beat);
    // The first beat comes after one period, not at once.
    beats.reset();
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut missed_pongs, mut chatter) = (0, 0);
    // There may be frames since the greeting.
    let mut behind = true;
    loop {
        tokio::select! {
            biased;
            _ = beats.tick() => {
                if missed_pongs >= MAX_MISSED_PONGS {
                    return Err(End::Dead);
                }
                (missed_pongs, chatter) = (missed_pongs + 1, 0);
                send(socket, pace, [Message::Ping(bytes::Bytes::new()), Message::Text(HEARTBEAT)]).await?;
            }
            message = socket.recv() => match message {
                None | Some(Err(_) | Ok(Message::Close(_))) => return Err(End::Gone),
                Some(Ok(Message::Pong(_))) => missed_pongs = 0,
                Some(Ok(Message::Text(_) | Message::Binary(_) | Message::Ping(_))) => {
                    chatter += 1;
                    if chatter > MAX_CHATTER {
                        return Err(End::Chatter);
                    }
                }
            },
            changed = changes.changed(), if !behind => behind = changed.is_ok(),
            () = std::future::ready(()), if behind => match hub.after(&place, FRAMES_AT_ONCE) {
                Next::Wait => behind = false,
                Next::Frames(frames, next) => {
                    send(socket, pace, frames.into_iter().map(Message::Text)).await?;
                    place = next;
                }
                Next::Resync(greeting) => {
                    send(socket, pace, [Message::Text(greeting.frame)]).await?;
                    place = greeting.place;
                }
                Next::Outrun => return Err(End::Slow),
            },
        }
    }
}

/// The client's first frame.
async fn hello(socket: &mut WebSocket) -> Result<ClientFrame, End> {
    for _ in 0..MAX_CHATTER {
        match socket.recv().await {
            None | Some(Ok(Message::Close(_))) => return Err(End::Gone),
            // Too large, not UTF-8 or no WebSocket at all; if the connection broke, telling does no harm.
            Some(Err(_)) => return Err(End::Unreadable),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_))) => return Err(End::NoHello),
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).map_err(|_| End::NoHello),
        }
    }
    Err(End::Chatter)
}

/// Writes messages and sends them off together, all within one deadline.
async fn send(socket: &mut WebSocket, pace: Pace, messages: impl IntoIterator<Item = Message>) -> Result<(), End> {
    let writing = async {
        for message in messages {
            socket.feed(message).await?;
        }
        socket.flush().await
    };
    timeout(pace.write, writing).await.map_err(|_| End::Slow)?.map_err(|_| End::Gone)
}

/// Tells the client why and lets it close its side, so that the reason is not lost in a reset connection.
async fn say_goodbye(socket: &mut WebSocket, farewell: CloseFrame) {
    if socket.send(Message::Close(Some(farewell))).await.is_ok() {
        for _ in 0..MAX_CHATTER {
            if !matches!(socket.recv().await, Some(Ok(_))) {
                return;
            }
        }
    }
}
