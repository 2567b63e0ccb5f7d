//! Messages that Redis keeps for nobody: who listens gets them, who does not has missed them.

use crate::{Redis, RedisError, connection::CONNECT_MAX};
use futures_util::StreamExt;
use redis::{
    Client,
    aio::{PubSubSink, PubSubStream},
};
use std::time::Duration;
use tokio::time::timeout;

/// How often a silent connection is asked whether it lives.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// An ear for what is published on some channels. Whoever connects again must expect to have missed something.
pub struct Listener {
    sink: PubSubSink,
    stream: PubSubStream,
    redis: Redis,
}

/// A message that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The channel.
    pub channel: String,
    /// What was said.
    pub payload: Vec<u8>,
}

impl Redis {
    /// Listens to channels whose names fit one of the patterns, on a connection of its own. In a cluster any server
    /// will do: each passes on what the others were told.
    ///
    /// # Errors
    /// When Redis cannot be reached, or refuses.
    pub async fn listen(&self, patterns: &[String]) -> Result<Listener, RedisError> {
        let mut failed = RedisError::late(self.address());
        for node in &self.settings().nodes {
            let client = Client::open(node.clone()).map_err(|error| self.error(&error))?;
            match timeout(CONNECT_MAX, client.get_async_pubsub()).await {
                Ok(Ok(pubsub)) => {
                    let (mut sink, stream) = pubsub.split();
                    let subscribed = timeout(CONNECT_MAX, sink.psubscribe(patterns)).await;
                    let subscribed = subscribed.map_err(|_| RedisError::late(self.address()))?;
                    subscribed.map_err(|error| self.error(&error))?;
                    return Ok(Listener { sink, stream, redis: self.clone() });
                }
                Ok(Err(error)) => failed = self.error(&error),
                Err(_) => {}
            }
        }
        Err(failed)
    }
}

impl Listener {
    /// The next message. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the connection is gone: listen again.
    pub async fn next(&mut self) -> Result<Published, RedisError> {
        loop {
            match timeout(ASK_EVERY, self.stream.next()).await {
                Ok(Some(message)) => {
                    let (channel, payload) = (message.get_channel_name(), message.get_payload_bytes());
                    return Ok(Published { channel: channel.to_owned(), payload: payload.to_vec() });
                }
                Ok(None) => return Err(RedisError::late(self.redis.address())),
                Err(_) => self.ask().await?,
            }
        }
    }

    async fn ask(&mut self) -> Result<(), RedisError> {
        let alive = timeout(CONNECT_MAX, self.sink.ping::<redis::Value>()).await;
        let alive = alive.map_err(|_| RedisError::late(self.redis.address()))?;
        alive.map(drop).map_err(|error| self.redis.error(&error))
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("redis", &self.redis).finish_non_exhaustive()
    }
}
