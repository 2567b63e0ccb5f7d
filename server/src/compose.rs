//! The parts list: every service, relay and consumer of one process, and how they fit together.

use std::{path::Path, sync::Arc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tramline_customers::{CommandHandler, Customers};
use tramline_db::{Db, Durability, SystemClock, SystemIds};
use tramline_gateway::{Gateway, GatewayConfig, HostRule, Limits, Pace, PrometheusHandle, Services};
use tramline_http::ServiceClient;
use tramline_messages::{
    channels::{CUSTOMER_COMMANDS, CUSTOMER_EVENTS, ORDER_EVENTS, ORDER_REPLIES},
    services::{CUSTOMERS, HISTORY, ORDERS},
};
use tramline_messaging::{Broker, Consumer, EmbeddedBroker, Messaging, Relay};
use tramline_order_history::History;
use tramline_orders::{Orders, ReplyRouter};
use uuid::Uuid;

/// Every part, at work.
pub(crate) struct Desk {
    pub(crate) gateway: Gateway,
    databases: [Db; 3],
    workers: TaskTracker,
    stop_workers: CancellationToken,
}

/// The databases of the services, in their folder.
pub(crate) struct Databases {
    pub(crate) customers: Db,
    pub(crate) orders: Db,
    pub(crate) history: Db,
}

impl Databases {
    pub(crate) async fn open(folder: &Path) -> anyhow::Result<Self> {
        // The view can be rebuilt, so it need not wait for the disk.
        let view = Durability::Process;
        Ok(Self {
            customers: open(CUSTOMERS, folder, Durability::Full, tramline_customers::migrations()).await?,
            orders: open(ORDERS, folder, Durability::Full, tramline_orders::migrations()).await?,
            history: open(HISTORY, folder, view, tramline_order_history::migrations()).await?,
        })
    }
}

async fn open(
    name: &'static str,
    folder: &Path,
    durability: Durability,
    migrations: Vec<tramline_db::Migration>,
) -> anyhow::Result<Db> {
    let path = folder.join(format!("{name}.db"));
    Ok(Db::open_sqlite(name, &path, durability, &migrations, Arc::new(SystemClock), Arc::new(SystemIds)).await?)
}

impl Desk {
    /// Starts everything but the listener. `stop_gateway` ends the sockets and background tasks of the gateway.
    pub(crate) async fn start(
        folder: &Path,
        metrics: Option<PrometheusHandle>,
        stop_gateway: CancellationToken,
    ) -> anyhow::Result<Self> {
        let Databases { customers, orders, history } = Databases::open(folder).await?;
        let databases = [customers.clone(), orders.clone(), history.clone()];
        let epoch = history.new_id();
        let customers = Customers::new(Messaging::open(customers).await?);
        let orders = Orders::new(Messaging::open(orders).await?);
        let history = History::new(Messaging::open(history).await?, epoch);

        let (workers, stop_workers) = (TaskTracker::new(), CancellationToken::new());
        let embedded = EmbeddedBroker::new();
        embedded.attach(customers.messaging().db()).await?;
        embedded.attach(orders.messaging().db()).await?;
        let broker: Arc<dyn Broker> = Arc::new(embedded);

        for messaging in [customers.messaging(), orders.messaging()] {
            let relay = Relay::resume(messaging.clone(), Arc::clone(&broker)).await?;
            workers.spawn(relay.run(stop_workers.clone()));
        }
        let commands = Consumer::resume(
            tramline_customers::GROUP,
            customers.messaging().clone(),
            &*broker,
            &[(ORDERS, CUSTOMER_COMMANDS)],
            Arc::new(CommandHandler),
        );
        workers.spawn(commands.await?.run(stop_workers.clone()));
        let replies = Consumer::resume(
            tramline_orders::GROUP,
            orders.messaging().clone(),
            &*broker,
            &[(CUSTOMERS, ORDER_REPLIES)],
            Arc::new(ReplyRouter::new(&orders)),
        );
        workers.spawn(replies.await?.run(stop_workers.clone()));
        let events = Consumer::resume(
            tramline_order_history::GROUP,
            history.messaging().clone(),
            &*broker,
            &[(CUSTOMERS, CUSTOMER_EVENTS), (ORDERS, ORDER_EVENTS)],
            Arc::new(history.projector()),
        );
        workers.spawn(events.await?.run(stop_workers.clone()));
        workers.spawn(count_statements(databases.clone(), stop_workers.clone()));

        let gateway = Gateway::new(GatewayConfig {
            services: Services {
                customers: ServiceClient::in_process(CUSTOMERS, tramline_customers::routes(customers)),
                orders: ServiceClient::in_process(ORDERS, tramline_orders::routes(orders)),
                history: ServiceClient::in_process(HISTORY, tramline_order_history::routes(history)),
            },
            new_id: new_ids(),
            hosts: HostRule::Loopback,
            limits: Limits::default(),
            pace: Pace::default(),
            metrics,
            shutdown: stop_gateway,
        });
        Ok(Self { gateway, databases, workers, stop_workers })
    }

    /// Stops in the order of the flow: sockets, then relays and consumers, then databases.
    pub(crate) async fn stop(self) {
        self.gateway.stopped().await;
        self.stop_workers.cancel();
        self.workers.close();
        self.workers.wait().await;
        for database in &self.databases {
            database.close().await;
        }
    }
}

fn new_ids() -> Arc<dyn Fn() -> Uuid + Send + Sync> {
    use tramline_db::IdSource as _;
    Arc::new(|| SystemIds.next())
}

/// Shows what the databases were asked to do: the cost of a saga is counted in these.
async fn count_statements(databases: [Db; 3], shutdown: CancellationToken) {
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
