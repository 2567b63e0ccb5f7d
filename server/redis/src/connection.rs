//! Connections: one that all commands share, which is made anew when it breaks, and others for reads that wait.

use crate::{Command, RedisError, RedisSettings, Value, error::is_lost};
use futures_util::future::join_all;
use redis::{
    AsyncConnectionConfig, Client, Pipeline, RedisError as ClientError,
    aio::MultiplexedConnection,
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::timeout};

/// How long a connection may take to come about.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(1);
/// How long the answer to a command may take: far more than a busy server needs, and little enough to be waited for.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// Both of them, and the wait for others who connect at the same time.
const ALL_MAX: Duration = Duration::from_millis(2_500);
/// Tries of a command in a cluster that has moved the key: each goes to where the last was told to.
const CLUSTER_RETRIES: u32 = 3;

/// A Redis, or a cluster of them. Cheap to clone; all clones share a connection, which is made when it is needed.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    settings: RedisSettings,
    servers: Servers,
    slot: Mutex<Slot>,
}

enum Servers {
    One(Box<Client>),
    Cluster(Box<ClusterClient>),
}

/// The shared connection, if there is one.
#[derive(Default)]
struct Slot {
    /// Counts connections, so that only the one that broke is thrown away.
    life: u64,
    link: Option<Link>,
}

#[derive(Clone)]
enum Link {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Redis {
    /// Prepares to talk to Redis; connects at the first command.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn open(settings: RedisSettings) -> Result<Self, RedisError> {
        #[cfg(feature = "tls")]
        install_cryptography();
        let wrong = |error: ClientError| RedisError::new(&settings.shown, &error);
        let servers = match settings.nodes.as_slice() {
            [node] if !settings.is_cluster() => Servers::One(Box::new(Client::open(node.clone()).map_err(wrong)?)),
            nodes => {
                let builder = ClusterClientBuilder::new(nodes.to_vec());
                let builder = builder.connection_timeout(CONNECT_MAX).response_timeout(ANSWER_MAX);
                Servers::Cluster(Box::new(builder.retries(CLUSTER_RETRIES).build().map_err(wrong)?))
            }
        };
        Ok(Self { shared: Arc::new(Shared { settings, servers, slot: Mutex::default() }) })
    }

    /// Prepares to talk to Redis, and sees that it answers and lets us in.
    ///
    /// # Errors
    /// When the settings cannot be used, Redis cannot be reached, or the password is wrong.
    pub async fn connect(settings: RedisSettings) -> Result<Self, RedisError> {
        let redis = Self::open(settings)?;
        redis.run(vec![redis::cmd("PING")]).await?;
        Ok(redis)
    }

    /// Where it is, and the prefix.
    #[must_use]
    pub fn settings(&self) -> &RedisSettings {
        &self.shared.settings
    }

    /// Carries out commands in one round trip and answers in their order. In a cluster each goes to where its key is,
    /// and those of different keys may be carried out in any order.
    ///
    /// # Errors
    /// When Redis cannot be reached or refuses one of them. Others may have been carried out.
    pub async fn run(&self, commands: Vec<Command>) -> Result<Vec<Value>, RedisError> {
        let answers = self.ask(commands).await?;
        self.all(answers)
    }

    /// A connection of one's own to a single server, for commands that wait. A cluster has none: a read that waits
    /// there could only wait for keys of one hash tag.
    ///
    /// # Errors
    /// When Redis cannot be reached, or is a cluster.
    pub async fn dedicated(&self) -> Result<Dedicated, RedisError> {
        let Servers::One(client) = &self.shared.servers else {
            return Err(RedisError::Settings("a cluster has no connection to wait at".to_owned()));
        };
        // Whoever waits says how long; the library's own limit would end every wait.
        Ok(Dedicated { connection: self.connect_to(client, None).await?, address: self.address().to_owned() })
    }

    pub(crate) fn address(&self) -> &str {
        &self.shared.settings.shown
    }

    pub(crate) fn error(&self, error: &ClientError) -> RedisError {
        RedisError::new(self.address(), error)
    }

    /// Every answer, or the first error.
    pub(crate) fn all(&self, answers: Vec<Result<Value, ClientError>>) -> Result<Vec<Value>, RedisError> {
        answers.into_iter().collect::<Result<_, _>>().map_err(|error| self.error(&error))
    }

    /// The answer to each command, refusals included.
    pub(crate) async fn ask(&self, commands: Vec<Command>) -> Result<Vec<Result<Value, ClientError>>, RedisError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        timeout(ALL_MAX, self.ask_over_link(commands)).await.unwrap_or_else(|_| Err(RedisError::late(self.address())))
    }

    async fn ask_over_link(&self, commands: Vec<Command>) -> Result<Vec<Result<Value, ClientError>>, RedisError> {
        let (life, link) = self.link().await?;
        let answered = match link {
            Link::One(mut connection) => {
                let mut pipeline = Pipeline::with_capacity(commands.len());
                for command in commands {
                    pipeline.add_command(command);
                }
                pipeline.ignore_errors().query_async::<Vec<Result<Value, ClientError>>>(&mut connection).await
            }
            Link::Cluster(connection) => {
                let answers = commands.iter().map(|command| {
                    let mut connection = connection.clone();
                    async move { command.query_async::<Value>(&mut connection).await }
                });
                Ok(join_all(answers).await)
            }
        };
        let lost = answered
            .as_ref()
            .map_or_else(is_lost, |answers| answers.iter().flat_map(|a| a.as_ref().err()).any(is_lost));
        if lost {
            self.discard(life).await;
        }
        answered.map_err(|error| self.error(&error))
    }

    /// The shared connection, made now if there is none.
    async fn link(&self) -> Result<(u64, Link), RedisError> {
        let mut slot = self.shared.slot.lock().await;
        if let Some(link) = &slot.link {
            return Ok((slot.life, link.clone()));
        }
        let link = match &self.shared.servers {
            Servers::One(client) => Link::One(self.connect_to(client, Some(ANSWER_MAX)).await?),
            Servers::Cluster(client) => {
                let connected = timeout(CONNECT_MAX, client.get_async_connection()).await;
                let connected = connected.map_err(|_| RedisError::late(self.address()))?;
                Link::Cluster(connected.map_err(|error| self.error(&error))?)
            }
        };
        slot.life += 1;
        slot.link = Some(link.clone());
        Ok((slot.life, link))
    }

    async fn discard(&self, life: u64) {
        let mut slot = self.shared.slot.lock().await;
        if slot.life == life {
            slot.link = None;
        }
    }

    async fn connect_to(
        &self,
        client: &Client,
        answer_max: Option<Duration>,
    ) -> Result<MultiplexedConnection, RedisError> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_MAX)).set_response_timeout(answer_max);
        let connected = client.get_multiplexed_async_connection_with_config(&config).await;
        connected.map_err(|error| self.error(&error))
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Redis").field(&self.shared.settings).finish()
    }
}

/// A connection that nobody shares. Dropping it closes it, whatever is under way on it.
pub struct Dedicated {
    connection: MultiplexedConnection,
    address: String,
}

impl Dedicated {
    /// Carries out a command that may wait for up to `at_most`. After an error, or when the future was dropped before
    /// it was done, throw the connection away: an answer may still be under way on it.
    ///
    /// # Errors
    /// When Redis cannot be reached, does not answer in time, or refuses.
    pub async fn run(&mut self, command: &Command, at_most: Duration) -> Result<Value, RedisError> {
        let answered = timeout(at_most, command.query_async::<Value>(&mut self.connection)).await;
        let answered = answered.map_err(|_| RedisError::late(&self.address))?;
        answered.map_err(|error| RedisError::new(&self.address, &error))
    }
}

impl std::fmt::Debug for Dedicated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dedicated").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The one place that says whose cryptography TLS uses. Whoever was first keeps it.
#[cfg(feature = "tls")]
fn install_cryptography() {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("another part of the program has chosen the cryptography");
    }
}
