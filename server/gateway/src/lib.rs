//! The backend-for-frontend: REST, the socket, the pages, and what an operator asks of a process.
//!
//! It reaches a service only over that service's HTTP interface ([`ServiceClient`]), in one process or in several. It holds
//! no state that matters: what it keeps of the feed heals itself from the history service.

mod commands;
mod composition;
mod edge;
mod guard;
mod headers;
mod live;
mod metrics;
mod openapi;
mod parked;
mod routes;
mod site;

pub use commands::Pressure;
pub use guard::HostRule;
pub use live::Pace;
pub use metrics::{install_metrics, metrics_text};
pub use metrics_exporter_prometheus::PrometheusHandle;

use crate::commands::Commands;
use crate::edge::Edge;
use crate::live::Hub;
use axum::Router;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tramline_http::ServiceClient;
use uuid::Uuid;

/// A source of ids that are new each time, UUIDv7 by custom.
pub type NewId = Arc<dyn Fn() -> Uuid + Send + Sync>;

/// The services behind the gateway.
#[derive(Clone, Debug)]
pub struct Services {
    /// Owns the credit accounts.
    pub customers: ServiceClient,
    /// Owns the orders and their sagas.
    pub orders: ServiceClient,
    /// Shows both.
    pub history: ServiceClient,
    /// Tells customers by e-mail.
    pub notifications: ServiceClient,
}

/// How much the gateway takes on at once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Commands under way; more are answered with 503. Beyond this a queue would only add waiting.
    pub commands: usize,
    /// New orders among them: fewer, so that other commands find a place when new orders come in floods.
    pub new_orders: usize,
    /// Sheds new orders when something else says that it is too much.
    pub pressure: Pressure,
    /// Open sockets; each costs some 20 KiB.
    pub sockets: usize,
    /// Frames kept for sockets that come back; at 600 bytes each the default takes 10 MB.
    pub kept_frames: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { commands: 256, new_orders: 192, pressure: Pressure::default(), sockets: 10_000, kept_frames: 16_384 }
    }
}

/// What a gateway is made of.
pub struct GatewayConfig {
    /// The services behind it.
    pub services: Services,
    /// Names what a client left unnamed, and every trace.
    pub new_id: NewId,
    /// Which names it answers to.
    pub hosts: HostRule,
    /// How much it takes on at once.
    pub limits: Limits,
    /// How patient its sockets are.
    pub pace: Pace,
    /// What [`install_metrics`] gave, if it was called.
    pub metrics: Option<PrometheusHandle>,
    /// Ends the background tasks and closes every socket when it is cancelled.
    pub shutdown: CancellationToken,
}

/// A gateway at work: serve [`Gateway::router`], and after the shutdown await [`Gateway::stopped`].
pub struct Gateway {
    /// Everything that the gateway serves.
    pub router: Router,
    tasks: TaskTracker,
}

impl Gateway {
    /// Starts the background tasks. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(config: GatewayConfig) -> Self {
        let GatewayConfig { services, new_id, hosts, limits, pace, metrics, shutdown } = config;
        let hub = Arc::new(Hub::new(limits.kept_frames, limits.sockets));
        let tasks = TaskTracker::new();
        tasks.spawn(live::read_feed(services.history.clone(), Arc::clone(&hub), shutdown.clone()));
        if let Some(metrics) = metrics.clone() {
            tasks.spawn(metrics::upkeep(metrics, shutdown.clone()));
        }
        let app = App {
            services,
            commands: Commands::new(&limits),
            new_id: Arc::clone(&new_id),
            hub,
            pace,
            metrics,
            shutdown,
            tasks: tasks.clone(),
        };
        let router = routes::router(Arc::new(app), Edge { hosts, new_id });
        Self { router, tasks }
    }

    /// Waits until the background tasks and all sockets are done; they begin to end when the shutdown token is cancelled.
    pub async fn stopped(self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// What the handlers share.
struct App {
    services: Services,
    commands: Commands,
    new_id: NewId,
    hub: Arc<Hub>,
    pace: Pace,
    metrics: Option<PrometheusHandle>,
    shutdown: CancellationToken,
    /// Sockets outlive the requests that opened them.
    tasks: TaskTracker,
}
