//! What this process answers to others, and how it reaches the services that are elsewhere.

use crate::config::{Config, Peers};
use anyhow::Context as _;
use axum::{Router, routing::get};
use std::sync::Arc;
use tramline_db::{Clock as _, SystemClock};
use tramline_gateway::{PrometheusHandle, Services, metrics_text};
use tramline_http::{Caller, InternalSecret, ServiceClient, Signer, WallClock, internal, internal_process};
use tramline_messages::services::{CUSTOMERS, HISTORY, NOTIFICATIONS, ORDERS};

/// The HTTP interfaces of the services that run in this process.
#[derive(Clone, Default)]
pub(super) struct Interfaces {
    pub(super) customers: Option<Router>,
    pub(super) orders: Option<Router>,
    pub(super) history: Option<Router>,
    pub(super) notifications: Option<Router>,
}

impl Interfaces {
    fn named(&self) -> Vec<(&'static str, Router)> {
        let all = [
            (CUSTOMERS, &self.customers),
            (ORDERS, &self.orders),
            (HISTORY, &self.history),
            (NOTIFICATIONS, &self.notifications),
        ];
        all.into_iter().filter_map(|(name, router)| Some((name, router.clone()?))).collect()
    }

    /// What a process with a gateway answers besides, to gateways of other processes that know the secret.
    pub(super) fn beside(&self, config: &Config, gateway: Router) -> anyhow::Result<Router> {
        Ok(match secret(&config.peers)? {
            Some(secret) => gateway.merge(internal(self.named(), secret, wall_clock())),
            None => gateway,
        })
    }

    /// What a process without a gateway answers.
    pub(super) fn alone(&self, config: &Config, metrics: Option<PrometheusHandle>) -> anyhow::Result<Router> {
        let secret = secret(&config.peers)?.context("a process without a gateway needs TRAMLINE_INTERNAL_SECRET")?;
        let show = move || std::future::ready(metrics_text(metrics.as_ref()));
        Ok(internal_process(self.named(), secret, wall_clock()).route("/metrics", get(show)))
    }

    /// How a gateway reaches each service: called directly when it is here, over HTTP when it is not.
    pub(super) fn clients(self, config: &Config) -> anyhow::Result<Services> {
        let secret = secret(&config.peers)?;
        let client = |name: &'static str, router: Option<Router>, addresses: &[String]| {
            if let Some(router) = router {
                return Ok(ServiceClient::in_process(name, router));
            }
            let secret = secret.clone().context("services in other processes need TRAMLINE_INTERNAL_SECRET")?;
            let caller = Caller::parse("gateway").context("the gateway has a name")?;
            let signer = Signer::new(caller, secret, wall_clock());
            ServiceClient::internal(name, &addresses.join(","), signer).with_context(|| format!("--{name}-url"))
        };
        Ok(Services {
            customers: client(CUSTOMERS, self.customers, &config.peers.customers)?,
            orders: client(ORDERS, self.orders, &config.peers.orders)?,
            history: client(HISTORY, self.history, &config.peers.history)?,
            notifications: client(NOTIFICATIONS, self.notifications, &config.peers.notifications)?,
        })
    }
}

fn secret(peers: &Peers) -> anyhow::Result<Option<InternalSecret>> {
    peers.secret.as_deref().map(|text| text.parse().context("TRAMLINE_INTERNAL_SECRET")).transpose()
}

fn wall_clock() -> WallClock {
    Arc::new(|| SystemClock.now().0.div_euclid(1_000_000))
}
