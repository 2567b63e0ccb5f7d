//! Loads a generation with what the services own now (*extract, transform, load*).
//!
//! A service says how far its events went, and then hands out everything page by page: so the pages hold at least what those
//! events made, and only later ones are left to replay.

use crate::{compose::Databases, import::progress};
use anyhow::{Context as _, ensure};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tramline_customers::Customers;
use tramline_db::{Clock as _, SystemClock};
use tramline_http::{Caller, ServiceClient, Signer};
use tramline_messages::{
    export::{ExportPage, ExportPosition, Exported},
    services::{CUSTOMERS, ORDERS},
};
use tramline_messaging::{Messaging, Move, Position};
use tramline_order_history::{Changes, ViewRebuild};
use tramline_orders::Orders;

/// Where the services are, when they are asked and not their databases.
pub(super) struct Peers {
    pub(super) customers: Option<Vec<String>>,
    pub(super) orders: Option<Vec<String>>,
    pub(super) secret: Option<String>,
}

/// Loads both services' export, and sets the positions from which events must be replayed.
pub(super) async fn load(
    rebuild: &ViewRebuild,
    databases: &Databases,
    peers: &Peers,
    positions: &mut [Position],
) -> anyhow::Result<()> {
    let customers = match &peers.customers {
        Some(addresses) => remote(CUSTOMERS, addresses, peers)?,
        None => {
            let customers = Customers::new(Messaging::open(databases.customers.clone()).await?);
            ServiceClient::in_process(CUSTOMERS, tramline_customers::routes(customers))
        }
    };
    let orders = match &peers.orders {
        Some(addresses) => remote(ORDERS, addresses, peers)?,
        None => {
            let orders = Orders::new(Messaging::open(databases.orders.clone()).await?);
            ServiceClient::in_process(ORDERS, tramline_orders::routes(orders))
        }
    };
    load_service(rebuild, &customers, positions, Changes::of_customers).await.context("the customers service")?;
    load_service(rebuild, &orders, positions, Changes::of_orders).await.context("the orders service")
}

async fn load_service<S: DeserializeOwned>(
    rebuild: &ViewRebuild,
    service: &ServiceClient,
    positions: &mut [Position],
    changes: impl Fn(Vec<Exported<S>>) -> Changes,
) -> anyhow::Result<()> {
    // The position first: what happens while the pages are read is replayed.
    let ExportPosition { last } = service.get("/export/position").json().await?;
    let bar = progress::bar("loading from services", 0);
    let mut path = "/export".to_owned();
    loop {
        let page: ExportPage<S> = service.get(&path).json().await?;
        bar.inc_length(page.items.len() as u64);
        bar.inc(page.items.len() as u64);
        let next = page.next;
        rebuild.load(&[], changes(page.items)).await?;
        match next {
            Some(next) => path = format!("/export?after={next}"),
            None => break,
        }
    }
    bar.finish_and_clear();
    let own = positions.iter_mut().filter(|(stream, _)| stream.source == service.name());
    let mut moves = Vec::new();
    for (stream, at) in own {
        let to = last.get(usize::from(stream.partition)).copied();
        let to = to.with_context(|| format!("the service has no partition {}", stream.partition))?;
        ensure!(to >= 0, "the service says that its events end at {to}");
        if to > 0 {
            moves.push(Move { stream: stream.clone(), from: 0, to, epoch: 0 });
        }
        *at = to;
    }
    rebuild.load(&moves, Changes::default()).await?;
    Ok(())
}

fn remote(name: &str, addresses: &[String], peers: &Peers) -> anyhow::Result<ServiceClient> {
    let secret = peers.secret.as_deref().context("services in other processes need TRAMLINE_INTERNAL_SECRET")?;
    let caller = Caller::parse("rebuild").context("this command has a name")?;
    let clock = Arc::new(|| SystemClock.now().0.div_euclid(1_000_000));
    let signer = Signer::new(caller, secret.parse().context("TRAMLINE_INTERNAL_SECRET")?, clock);
    ServiceClient::internal(name, &addresses.join(","), signer).with_context(|| format!("--{name}-url"))
}
