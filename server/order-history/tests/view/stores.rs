//! The stores that each story is told to, and the instances of the service over them.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tramline_db::{Address, Db, Durability, IdSource as _, SystemClock, SystemIds};
use tramline_http::ServiceClient;
use tramline_messages::feed::FeedBatch;
use tramline_messaging::{Effects as _, HandlerError, Messaging, Move, Record, StreamId};
use tramline_order_history::{History, Projector, ViewStore, migrations, read_view, routes};
use tramline_redis::{Redis, RedisSettings};
use tramline_testing::{POSTGRES, PrivateRedis, REDIS, RedisOptions, database_on, store_address};

/// Where the view lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
    Redis,
    Cluster,
}

/// A store of one test.
pub struct TestStore {
    pub messaging: Messaging,
    pub redis: Option<Redis>,
    pub server: Option<PrivateRedis>,
    _folder: TempDir,
}

/// Tells a story to every store.
macro_rules! on_every_store {
    ($($story:ident),+ $(,)?) => { $(mod $story {
        use crate::stores::{Kind, TestStore};

        #[tokio::test]
        async fn on_sqlite() {
            super::$story(TestStore::open(Kind::Sqlite).await.expect("it is built in")).await;
        }

        #[tokio::test]
        async fn on_postgres() {
            if let Some(store) = TestStore::open(Kind::Postgres).await { super::$story(store).await; }
        }

        #[tokio::test]
        async fn on_redis() {
            if let Some(store) = TestStore::open(Kind::Redis).await { super::$story(store).await; }
        }

        #[tokio::test]
        async fn on_a_cluster() {
            if let Some(store) = TestStore::open(Kind::Cluster).await { super::$story(store).await; }
        }
    })+ };
}
pub(crate) use on_every_store;

impl TestStore {
    /// `None` where the store cannot be had; then that was said aloud.
    pub async fn open(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let address = format!("sqlite:{}", folder.path().join("history.db").display());
                Some(Self::over(&address, None, None, folder).await)
            }
            Kind::Postgres => {
                let Ok(server) = std::env::var(POSTGRES) else {
                    eprintln!("SKIPPED: {POSTGRES} names no server");
                    return None;
                };
                let folder = tempfile::tempdir().expect("a temporary folder");
                Some(Self::over(&database_on(&server, None), None, None, folder).await)
            }
            Kind::Redis => match std::env::var(REDIS) {
                Ok(url) => Some(Self::in_redis(&url, None).await),
                Err(_) => Self::in_private_redis(RedisOptions::default()).await,
            },
            Kind::Cluster => Self::in_private_redis(RedisOptions { cluster: true, ..RedisOptions::default() }).await,
        }
    }

    pub async fn in_private_redis(options: RedisOptions) -> Option<Self> {
        let server = PrivateRedis::start_with(options).await?;
        Some(Self::in_redis(&server.url(), Some(server)).await)
    }

    async fn in_redis(url: &str, server: Option<PrivateRedis>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let prefix = format!("t{}", SystemIds.next().simple());
        let redis = Redis::connect(RedisSettings::parse(url, &prefix).expect("it reads")).await.expect("it answers");
        Self::over(&store_address(folder.path(), "history"), Some(redis), server, folder).await
    }

    async fn over(address: &str, redis: Option<Redis>, server: Option<PrivateRedis>, folder: TempDir) -> Self {
        let messaging = Messaging::open(database("history", address).await).await.expect("it has offsets");
        Self { messaging, redis, server, _folder: folder }
    }

    /// The private server of this store.
    pub fn server(&mut self) -> &mut PrivateRedis {
        self.server.as_mut().expect("it is a private one")
    }

    pub async fn history(&self) -> History {
        match &self.redis {
            Some(redis) => History::in_redis(self.messaging.clone(), redis.clone()).await.expect("it has a name"),
            None => History::in_database(self.messaging.clone(), SystemIds.next()),
        }
    }

    /// The service, which owns the partitions 0 and 1.
    pub async fn instance(&self) -> Instance {
        Instance::of(self.history().await, 1).await
    }
}

pub async fn database(name: &'static str, address: &str) -> Db {
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let address = Address::parse(address).expect("it reads");
    Db::open(name, &address, Durability::Process, &migrations(), clock, ids).await.expect("it opens")
}

/// A process of the service.
pub struct Instance {
    pub history: History,
    pub projector: Projector,
    pub client: ServiceClient,
    offset: AtomicI64,
    epoch: i64,
    _following: DropGuard,
}

pub fn stream(partition: u16) -> StreamId {
    StreamId { source: "orders", channel: "Order".into(), partition }
}

pub fn step(partition: u16, from: i64, to: i64, epoch: i64) -> Move {
    Move { stream: stream(partition), from, to, epoch }
}

impl Instance {
    pub async fn of(history: History, epoch: i64) -> Self {
        let projector = history.projector();
        let streams = [(stream(0), epoch), (stream(1), epoch)];
        let claimed = projector.claim(&streams).await.expect("it is reached");
        let stop = CancellationToken::new();
        tokio::spawn(history.clone().follow(stop.clone()));
        let client = ServiceClient::in_process("history", routes(history.clone()));
        let offset = AtomicI64::new(claimed.first().map_or(0, |(_, offset)| *offset));
        Self { history, projector, client, offset, epoch, _following: stop.drop_guard() }
    }

    /// Applies a batch as the next message of partition 0.
    pub async fn tell(&self, batch: &[Arc<Record>]) {
        let from = self.offset.fetch_add(1, Ordering::SeqCst);
        self.apply(&[step(0, from, from + 1, self.epoch)], batch).await.expect("it is applied");
    }

    pub async fn apply(&self, moves: &[Move], batch: &[Arc<Record>]) -> Result<(), HandlerError> {
        let effect = self.projector.apply(moves, batch).await?;
        self.projector.committed(effect);
        Ok(())
    }

    /// The text of an answer that must be good.
    pub async fn text(&self, path: &str) -> String {
        let answer = self.client.get(path).send().await.expect("it answers");
        assert_eq!(answer.status, 200, "{path}");
        String::from_utf8(answer.body.to_vec()).expect("it is text")
    }

    pub async fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.text(path).await).expect("it is JSON")
    }

    pub async fn poll(&self, epoch: &str, after: u64, wait_ms: u64) -> FeedBatch {
        serde_json::from_str(&self.text(&format!("/feed?epoch={epoch}&after={after}&waitMs={wait_ms}")).await)
            .expect("it is JSON")
    }

    /// The epoch and the head of the feed.
    pub async fn head(&self) -> (String, u64) {
        let batch: FeedBatch = serde_json::from_str(&self.text("/feed?after=0").await).expect("it is JSON");
        (batch.epoch, batch.head)
    }

    pub async fn contents(
        &self,
    ) -> (Vec<tramline_order_history::ViewCustomer>, Vec<tramline_order_history::ViewOrder>) {
        read_view(self.history.store()).await.expect("it reads")
    }

    pub fn is_in_redis(&self) -> bool {
        matches!(self.history.store(), ViewStore::Redis(_))
    }
}
