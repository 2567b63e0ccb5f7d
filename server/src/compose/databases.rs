//! The databases of the services.

use crate::config::{Config, Role, Stores};
use std::sync::Arc;
use tramline_db::{Address, Db, Durability, Migration, SystemClock, SystemIds};
use tramline_messages::services::{CUSTOMERS, HISTORY, NOTIFICATIONS, ORDERS, SEARCH};

/// What commands beside a server read: every database.
pub(crate) struct Databases {
    pub(crate) customers: Db,
    pub(crate) orders: Db,
    pub(crate) history: Db,
    /// A desk of an older version has none yet, and who only looks makes none.
    pub(crate) search: Option<Db>,
    pub(crate) notifications: Db,
}

impl Databases {
    pub(crate) async fn open(stores: &Stores) -> anyhow::Result<Self> {
        let is_there = match &stores.search {
            Address::Sqlite(file) => file.is_file(),
            Address::Postgres(_) => true,
        };
        Ok(Self {
            customers: customers(stores).await?,
            orders: orders(stores).await?,
            history: history(stores).await?,
            search: if is_there { Some(search(stores).await?) } else { None },
            notifications: notifications(stores).await?,
        })
    }

    pub(crate) fn all(&self) -> Vec<&Db> {
        let Self { customers, orders, history, notifications, search } = self;
        [customers, orders, history, notifications].into_iter().chain(search).collect()
    }
}

/// The databases of the roles of this process.
#[derive(Default)]
pub(crate) struct OwnDatabases {
    pub(crate) customers: Option<Db>,
    pub(crate) orders: Option<Db>,
    pub(crate) history: Option<Db>,
    pub(crate) search: Option<Db>,
    pub(crate) notifications: Option<Db>,
}

impl OwnDatabases {
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        let mut own = Self::default();
        for role in &config.roles {
            match role {
                Role::Customers => own.customers = Some(customers(&config.stores).await?),
                Role::Orders => own.orders = Some(orders(&config.stores).await?),
                Role::History => {
                    own.history = Some(history(&config.stores).await?);
                    own.search = Some(search(&config.stores).await?);
                }
                Role::Notifications => own.notifications = Some(notifications(&config.stores).await?),
                Role::Gateway => {}
            }
        }
        Ok(own)
    }

    pub(crate) fn all(&self) -> Vec<Db> {
        let Self { customers, orders, history, search, notifications } = self;
        [customers, orders, history, search, notifications].into_iter().flatten().cloned().collect()
    }
}

/// A command beside a server makes no databases.
pub(crate) fn must_be_there(stores: &Stores) -> anyhow::Result<()> {
    for address in stores.all() {
        if let Address::Sqlite(file) = address {
            anyhow::ensure!(
                file.is_file(),
                "there is no {}; name the folder of the databases with --data",
                file.display()
            );
        }
    }
    Ok(())
}

async fn customers(stores: &Stores) -> anyhow::Result<Db> {
    open(CUSTOMERS, &stores.customers, Durability::Full, tramline_customers::migrations()).await
}

async fn orders(stores: &Stores) -> anyhow::Result<Db> {
    open(ORDERS, &stores.orders, Durability::Full, tramline_orders::migrations()).await
}

/// The database of orders with whatever schema it has, for a program that only looks.
pub(crate) async fn orders_as_they_are(stores: &Stores) -> anyhow::Result<Db> {
    open(ORDERS, &stores.orders, Durability::Full, Vec::new()).await
}

async fn history(stores: &Stores) -> anyhow::Result<Db> {
    // A view in tables can be rebuilt, so it need not wait for the disk. Beside a view in Redis the tables hold what must outlive it:
    // parked messages, past which the offsets in Redis have moved.
    let durability = if stores.redis.is_some() { Durability::Full } else { Durability::Process };
    open(HISTORY, &stores.history, durability, tramline_order_history::migrations()).await
}

/// The database of the search view. It can be rebuilt too.
async fn search(stores: &Stores) -> anyhow::Result<Db> {
    let migrations = tramline_order_history::search_migrations(&stores.search);
    open(SEARCH, &stores.search, Durability::Process, migrations).await
}

async fn notifications(stores: &Stores) -> anyhow::Result<Db> {
    // A mail that was forgotten is sent again.
    open(NOTIFICATIONS, &stores.notifications, Durability::Full, tramline_notifications::migrations()).await
}

async fn open(
    name: &'static str,
    address: &Address,
    durability: Durability,
    migrations: Vec<Migration>,
) -> anyhow::Result<Db> {
    use anyhow::Context as _;
    let opened = Db::open(name, address, durability, &migrations, Arc::new(SystemClock), Arc::new(SystemIds)).await;
    opened.with_context(|| format!("the database of {name} cannot be opened"))
}
