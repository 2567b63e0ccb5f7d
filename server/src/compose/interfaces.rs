//! What this process answers to others, and how it reaches the services that are elsewhere.

use crate::config::{Config, Peers};
use anyhow::Context as _;
use axum::{Router, routing::get};
use std::sync::Arc;
use tramline_db::{Clock as _, SystemClock};
use tramline_gateway::{PrometheusHandle, Services, metrics_text};
use tramline_http::{Caller, InternalSecret, ServiceClient, Signer, WallClock, internal, internal_process};
use tramline_messages::services::{CUSTOMERS, HISTORY, NOTIFICATIONS, ORDERS};
use tramline_order_history::Owners;

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

    /// How the views of this process reach the owners of what they show, as far as anybody has said where those are.
    pub(super) fn owners(&self, config: &Config) -> anyhow::Result<Owners> {
        let client = |name: &'static str, router: &Option<Router>, addresses: &[String]| match router {
            Some(router) => Ok(Some(ServiceClient::in_process(name, router.clone()))),
            None if addresses.is_empty() => {
                tracing::warn!("views cannot heal what they miss of the {name} service: add --{name}-url");
                Ok(None)
            }
            None => remote(HISTORY, name, addresses, &config.peers).map(Some),
        };
        Ok(Owners {
            customers: client(CUSTOMERS, &self.customers, &config.peers.customers)?,
            orders: client(ORDERS, &self.orders, &config.peers.orders)?,
        })
    }

    /// How a gateway reaches each service: called directly when it is here, over HTTP when it is not.
    pub(super) fn clients(self, config: &Config) -> anyhow::Result<Services> {
        let client = |name: &'static str, router: Option<Router>, addresses: &[String]| {
            router.map_or_else(
                || remote("gateway", name, addresses, &config.peers),
                |router| Ok(ServiceClient::in_process(name, router)),
            )
        };
        Ok(Services {
            customers: client(CUSTOMERS, self.customers, &config.peers.customers)?,
            orders: client(ORDERS, self.orders, &config.peers.orders)?,
            history: client(HISTORY, self.history, &config.peers.history)?,
            notifications: client(NOTIFICATIONS, self.notifications, &config.peers.notifications)?,
        })
    }
}

fn remote(caller: &str, name: &'static str, addresses: &[String], peers: &Peers) -> anyhow::Result<ServiceClient> {
    let secret = secret(peers)?.context("services in other processes need TRAMLINE_INTERNAL_SECRET")?;
    let caller = Caller::parse(caller).context("a caller has a name")?;
    let signer = Signer::new(caller, secret, wall_clock());
    ServiceClient::internal(name, &addresses.join(","), signer).with_context(|| format!("--{name}-url"))
}

fn secret(peers: &Peers) -> anyhow::Result<Option<InternalSecret>> {
    peers.secret.as_deref().map(|text| text.parse().context("TRAMLINE_INTERNAL_SECRET")).transpose()
}

fn wall_clock() -> WallClock {
    Arc::new(|| SystemClock.now().0.div_euclid(1_000_000))
}
