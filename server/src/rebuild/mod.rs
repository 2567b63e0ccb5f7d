//! `tramline rebuild-view`: builds a view anew beside the one that is read, and puts it in its place.
//!
//! It may run beside a server. Killed at any moment it leaves the view as it was; the next run begins anew and clears away
//! what was left.

mod etl;
mod replay;

use crate::{
    cli::StoreFlags,
    compose::{self, Databases},
    config::Stores,
};
use anyhow::{Context as _, bail};
use clap::Args;
use tramline_db::Db;
use tramline_messages::channels::{CUSTOMER_EVENTS, ORDER_EVENTS};
use tramline_messaging::{Channel, Messaging};
use tramline_order_history::{History, Search, ViewRebuild, sweep_search, sweep_view};

/// What `rebuild-view` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct RebuildFlags {
    #[command(flatten)]
    stores: StoreFlags,
    /// Which view
    #[arg(long, value_name = "VIEW", default_value = "history")]
    view: View,
    /// What it is built from: every event ever sent, or what the services own now and the events since
    #[arg(long, value_name = "SOURCE", default_value = "events")]
    from: Origin,
    /// Addresses of the customers service, for `--from services`; without them its database is read in this process
    #[arg(long, value_name = "URLS", value_delimiter = ',', env = "TRAMLINE_CUSTOMERS_URL")]
    customers_url: Option<Vec<String>>,
    /// Addresses of the orders service, likewise
    #[arg(long, value_name = "URLS", value_delimiter = ',', env = "TRAMLINE_ORDERS_URL")]
    orders_url: Option<Vec<String>>,
    /// Secret that processes of one desk share; better by environment than by flag
    #[arg(long, value_name = "SECRET", env = "TRAMLINE_INTERNAL_SECRET", hide_env_values = true)]
    internal_secret: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum View {
    /// Lists and documents.
    History,
    /// Words.
    Search,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Origin {
    /// The outboxes, from their beginning.
    Events,
    /// The services' export, page by page.
    Services,
}

/// The outboxes that views are made of.
type Sources<'d> = [(&'d Db, Channel); 2];

/// Builds, catches up, swaps, and clears away.
pub(crate) async fn run(flags: RebuildFlags) -> anyhow::Result<()> {
    let RebuildFlags { stores, view, from, customers_url, orders_url, internal_secret } = flags;
    let peers = etl::Peers { customers: customers_url, orders: orders_url, secret: internal_secret };
    let stores = Stores::load(stores)?;
    compose::must_be_there(&stores)?;
    let databases = Databases::open(&stores).await?;
    let built = build(&stores, &databases, view, from, &peers).await;
    for database in databases.all() {
        database.close().await;
    }
    built
}

async fn build(
    stores: &Stores,
    databases: &Databases,
    view: View,
    from: Origin,
    peers: &etl::Peers,
) -> anyhow::Result<()> {
    let sources = [(&databases.customers, CUSTOMER_EVENTS), (&databases.orders, ORDER_EVENTS)];
    match view {
        View::History => {
            let messaging = Messaging::open(databases.history.clone()).await?;
            let history = match &stores.redis {
                Some(address) => History::in_redis(messaging, compose::redis(address).await?).await?,
                None => History::in_database(messaging, databases.history.new_id()),
            };
            fill(&ViewRebuild::of_view(&history).await?, &sources, databases, from, peers).await?;
            sweep_view(&history).await?;
        }
        View::Search => {
            let Some(database) = &databases.search else {
                bail!("there is no search view yet; start the desk once, and it is filled");
            };
            let search = Search::new(Messaging::open(database.clone()).await?);
            fill(&ViewRebuild::of_search(&search).await?, &sources, databases, from, peers).await?;
            sweep_search(&search).await?;
        }
    }
    Ok(())
}

async fn fill(
    rebuild: &ViewRebuild,
    sources: &Sources<'_>,
    databases: &Databases,
    from: Origin,
    peers: &etl::Peers,
) -> anyhow::Result<()> {
    let mut positions = replay::claim(rebuild, sources).await.context("the new generation cannot be begun")?;
    if from == Origin::Services {
        etl::load(rebuild, databases, peers, &mut positions).await?;
    }
    let replayed = replay::catch_up_and_swap(rebuild, sources, &mut positions).await?;
    println!("the view is built anew: {replayed} events replayed");
    Ok(())
}
