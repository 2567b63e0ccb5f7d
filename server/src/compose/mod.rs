//! The parts list: every service, relay and consumer of one process, and how they fit together.

mod databases;
mod interfaces;
mod mails;
mod workers;

pub(crate) use databases::{Databases, must_be_there, orders_as_they_are};

use crate::config::{Config, RedisAddress, Role};
use anyhow::{Context as _, bail};
use axum::Router;
use databases::OwnDatabases;
use interfaces::Interfaces;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tramline_customers::{CommandHandler, Customers, OrderEventHandler};
use tramline_db::{Address, Db, ExclusiveUse, IdSource as _, SystemIds};
use tramline_gateway::{Gateway, GatewayConfig, HostRule, Limits, Pace, PrometheusHandle};
use tramline_messages::{
    channels::{CUSTOMER_COMMANDS, CUSTOMER_EVENTS, ORDER_EVENTS, ORDER_REPLIES},
    services::{CUSTOMERS, ORDERS},
};
use tramline_messaging::{Broker, Channel, EmbeddedBroker, Messaging, ParkingLot, RedisBroker, Sharing, Transactional};
use tramline_order_history::{
    EventBodies, Healer, History, Owners, SEARCH_GROUP, Search, SearchProjector, search_routes,
};
use tramline_orders::{CustomerEventHandler, Orders, ReplyRouter};
use tramline_redis::{Redis, RedisError, RedisSettings};
use tramline_sagas::remember_plans;
use uuid::Uuid;
use workers::Workers;

/// Every part of this process, at work.
pub(crate) struct Desk {
    /// What the listener answers with.
    pub(crate) router: Router,
    gateway: Option<Gateway>,
    databases: Vec<Db>,
    workers: Workers,
    /// Databases that nobody else may use meanwhile.
    _claims: Vec<ExclusiveUse>,
}

impl Desk {
    /// Starts everything but the listener. `stop_gateway` ends the sockets and background tasks of the gateway.
    pub(crate) async fn start(
        config: &Config,
        metrics: Option<PrometheusHandle>,
        stop_gateway: CancellationToken,
    ) -> anyhow::Result<Self> {
        let own = OwnDatabases::open(config).await?;
        let databases = own.all();
        let sharing = sharing(config);
        let claims = match sharing {
            Sharing::Alone => claim(&databases).await?,
            Sharing::Among(_) => Vec::new(),
        };
        let redis = match &config.stores.redis {
            Some(address) => Some(redis(address).await?),
            None => None,
        };
        let workers = Workers::new(broker(redis.as_ref(), &own).await?, sharing, config.relay);
        let interfaces = services(own, redis, config, &workers, stop_gateway.clone()).await?;
        let counted = databases.clone();
        workers.spawn(|stop| Box::pin(count_statements(counted, stop)));
        let router = interfaces.clone();
        if !config.roles.contains(&Role::Gateway) {
            let router = router.alone(config, metrics)?;
            return Ok(Self { router, gateway: None, databases, workers, _claims: claims });
        }
        let gateway = Gateway::new(GatewayConfig {
            services: interfaces.clients(config)?,
            new_id: Arc::new(|| SystemIds.next()),
            hosts: HostRule::Loopback,
            limits: Limits::default(),
            pace: Pace::default(),
            metrics,
            shutdown: stop_gateway,
        });
        let router = router.beside(config, gateway.router.clone())?;
        Ok(Self { router, gateway: Some(gateway), databases, workers, _claims: claims })
    }

    /// Stops in the order of the flow: sockets, then relays and consumers, then databases.
    pub(crate) async fn stop(self) {
        if let Some(gateway) = self.gateway {
            gateway.stopped().await;
        }
        self.workers.stop().await;
        for database in &self.databases {
            database.close().await;
        }
    }
}

/// Several processes can only share work over Redis, and only in databases that several processes can use.
fn sharing(config: &Config) -> Sharing {
    let servers = config.stores.all().iter().all(|address| matches!(address, Address::Postgres(_)));
    if config.stores.redis.is_some() && servers { Sharing::Among(SystemIds.next()) } else { Sharing::Alone }
}

async fn claim(databases: &[Db]) -> anyhow::Result<Vec<ExclusiveUse>> {
    let mut claims = Vec::new();
    for database in databases {
        match database.claim().await? {
            Some(claim) => claims.push(claim),
            None => bail!(
                "the database of {} is in use by another tramline; give both --redis and they share the work",
                database.name()
            ),
        }
    }
    Ok(claims)
}

async fn broker(redis: Option<&Redis>, own: &OwnDatabases) -> anyhow::Result<Arc<dyn Broker>> {
    if let Some(redis) = redis {
        return Ok(Arc::new(RedisBroker::new(redis.clone())));
    }
    let embedded = EmbeddedBroker::new();
    for database in [&own.customers, &own.orders].into_iter().flatten() {
        embedded.attach(database).await?;
    }
    Ok(Arc::new(embedded))
}

/// A Redis that is away now may come later; one that refuses us will go on to.
pub(crate) async fn redis(address: &RedisAddress) -> anyhow::Result<Redis> {
    let settings = RedisSettings::parse(&address.url, &address.prefix).context("--redis")?;
    match Redis::connect(settings.clone()).await {
        Err(error @ RedisError::Unreachable { .. }) => {
            tracing::warn!(error = %error, "Redis cannot be reached yet");
            Ok(Redis::open(settings)?)
        }
        other => other.context("--redis"),
    }
}

/// What views are made of.
const EVENTS: [(&str, Channel); 2] = [(CUSTOMERS, CUSTOMER_EVENTS), (ORDERS, ORDER_EVENTS)];

/// Starts the services of this process.
async fn services(
    own: OwnDatabases,
    redis: Option<Redis>,
    config: &Config,
    workers: &Workers,
    stopping: CancellationToken,
) -> anyhow::Result<Interfaces> {
    let mut interfaces = Interfaces::default();
    if let Some(database) = own.customers {
        let customers = Customers::new(Messaging::open(database).await?);
        let messaging = customers.messaging().clone();
        workers.relay(&messaging).await?;
        let group = tramline_customers::GROUP;
        let effects = || Transactional::new(group, messaging.clone(), Arc::new(CommandHandler));
        workers.consume(group, messaging.db(), &[(ORDERS, CUSTOMER_COMMANDS)], effects()).await?;
        let (others, wanted) = (tramline_customers::CHOREOGRAPHY_GROUP, tramline_customers::is_our_turn);
        let turns = || Transactional::new(others, messaging.clone(), Arc::new(OrderEventHandler));
        workers.consume_only(others, messaging.db(), &[(ORDERS, ORDER_EVENTS)], turns(), wanted).await?;
        let lot = ParkingLot::new(messaging.clone()).group(group, tramline_customers::bodies(), effects());
        let lot = lot.group(others, tramline_customers::turn_bodies(), turns());
        interfaces.customers = Some(tramline_customers::routes(customers).merge(workers.mend(lot)));
    }
    if let Some(database) = own.orders {
        let orders = Orders::new(Messaging::open(database).await?);
        let messaging = orders.messaging().clone();
        workers.relay(&messaging).await?;
        remember_plans(messaging.db(), &tramline_orders::plans()).await?;
        let deadlines = orders.deadlines();
        workers.spawn(|stop| Box::pin(deadlines.run(stop)));
        let router = Arc::new(ReplyRouter::new(&orders));
        let group = tramline_orders::GROUP;
        let effects = || Transactional::new(group, messaging.clone(), Arc::clone(&router));
        workers.consume(group, messaging.db(), &[(CUSTOMERS, ORDER_REPLIES)], effects()).await?;
        let (others, wanted) = (tramline_orders::CHOREOGRAPHY_GROUP, tramline_orders::is_our_turn);
        let turns = || Transactional::new(others, messaging.clone(), Arc::new(CustomerEventHandler));
        workers.consume_only(others, messaging.db(), &[(CUSTOMERS, CUSTOMER_EVENTS)], turns(), wanted).await?;
        let lot = ParkingLot::new(messaging.clone()).group(group, tramline_orders::bodies(), effects());
        let lot = lot.group(others, tramline_orders::turn_bodies(), turns());
        interfaces.orders = Some(tramline_orders::routes(orders).merge(workers.mend(lot)));
    }
    let owners = if own.history.is_some() { interfaces.owners(config)? } else { Owners::default() };
    if let Some(database) = own.history {
        let epoch: Uuid = database.new_id();
        let messaging = Messaging::open(database).await?;
        let history = match redis {
            Some(redis) => History::in_redis(messaging, redis).await?,
            None => History::in_database(messaging, epoch),
        };
        let group = tramline_order_history::GROUP;
        workers.consume(group, history.messaging().db(), &EVENTS, history.projector()).await?;
        let healer = Healer::of_view(&history, owners.clone());
        workers.spawn(|stop| Box::pin(healer.run(stop)));
        let (followed, closed) = (history.clone(), history.clone());
        workers.spawn(|stop| Box::pin(followed.follow(stop)));
        workers.spawn(|_| {
            Box::pin(async move {
                stopping.cancelled().await;
                closed.close_feed();
            })
        });
        let lot = ParkingLot::new(history.messaging().clone()).group(group, EventBodies, history.projector());
        interfaces.history = Some(tramline_order_history::routes(history).merge(workers.mend(lot)));
    }
    if let (Some(database), Some(history)) = (own.search, &mut interfaces.history) {
        let search = Search::new(Messaging::open(database).await?);
        let messaging = search.messaging().clone();
        let effects = || Transactional::new(SEARCH_GROUP, messaging.clone(), Arc::new(SearchProjector));
        workers.consume_resting(SEARCH_GROUP, messaging.db(), &EVENTS, effects()).await?;
        let healer = Healer::of_search(&search, owners);
        workers.spawn(|stop| Box::pin(healer.run(stop)));
        let lot = ParkingLot::new(messaging.clone()).group(SEARCH_GROUP, EventBodies, effects());
        let routes = std::mem::take(history).merge(search_routes(search));
        // It has a database of its own, and so a parking lot of its own, beside that of the service.
        *history = routes.nest("/search-lot", workers.mend(lot));
    }
    if let Some(database) = own.notifications {
        interfaces.notifications = Some(mails::notifications(database, config, workers).await?);
    }
    Ok(interfaces)
}

/// Shows what the databases were asked to do: the cost of a saga is counted in these.
async fn count_statements(databases: Vec<Db>, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(250));
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        for database in &databases {
            let counters = database.counters();
            metrics::counter!("tramline_sql_statements_total", "database" => database.name())
                .absolute(counters.statements());
            metrics::counter!("tramline_sql_commits_total", "database" => database.name()).absolute(counters.commits());
        }
    }
}
