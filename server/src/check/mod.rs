//! `tramline check`: holds the stores against each other and against what must always be true of them.
//!
//! It only reads, so it may run beside a server. What is under way in one is not wrong: it looks again for a while before
//! it says so. What must be true of one service's database, that service's crate says; here they are put side by side.

mod compare;
mod mails;

use crate::{
    cli::StoreFlags,
    compose::{self, Databases},
    config::Stores,
    stopwatch,
};
use anyhow::bail;
use clap::Args;
use std::time::{Duration, Instant};
use tramline_db::{Db, DbError};
use tramline_messages::{
    channels::{CUSTOMER_COMMANDS, CUSTOMER_EVENTS, NOTIFICATION_COMMANDS, ORDER_EVENTS, ORDER_REPLIES},
    services::{CUSTOMERS, HISTORY, NOTIFICATIONS, ORDERS, SEARCH},
};
use tramline_messaging::{
    Parked,
    invariants::{Heads, Reading, behind, heads, offsets, outbox},
};
use tramline_order_history::{RedisView, SEARCH_GROUP, Search, SqlView, ViewStore, read_offsets, read_view};

/// Who reads what: as the parts list connects them.
const READINGS: [Reading; 7] = [
    Reading { reader: CUSTOMERS, group: tramline_customers::GROUP, source: ORDERS, channel: CUSTOMER_COMMANDS },
    Reading { reader: ORDERS, group: tramline_orders::GROUP, source: CUSTOMERS, channel: ORDER_REPLIES },
    Reading {
        reader: NOTIFICATIONS,
        group: tramline_notifications::GROUP,
        source: ORDERS,
        channel: NOTIFICATION_COMMANDS,
    },
    Reading { reader: HISTORY, group: tramline_order_history::GROUP, source: CUSTOMERS, channel: CUSTOMER_EVENTS },
    Reading { reader: HISTORY, group: tramline_order_history::GROUP, source: ORDERS, channel: ORDER_EVENTS },
    Reading { reader: SEARCH, group: SEARCH_GROUP, source: CUSTOMERS, channel: CUSTOMER_EVENTS },
    Reading { reader: SEARCH, group: SEARCH_GROUP, source: ORDERS, channel: ORDER_EVENTS },
];
/// Between two looks at a desk that is at work.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Violations shown per kind; the first few tell what is wrong, the count how much.
const SHOWN_MAX: usize = 20;

/// What `check` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckFlags {
    #[command(flatten)]
    stores: StoreFlags,
    /// How long to look again for what a running server has under way
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=600))]
    wait: u64,
}

/// One kind of thing that was checked.
#[derive(Debug, PartialEq, Eq)]
struct Section {
    name: &'static str,
    count: usize,
    wrong: Vec<String>,
}

/// What a look saw, and when.
struct Seen {
    sections: Vec<Section>,
    /// When the views had been read. What holds, held then: everything else is read after them.
    views_read: Instant,
}

/// Checks until nothing is wrong or the wait is over, prints what was seen, and fails when something is.
pub(crate) async fn run(flags: CheckFlags) -> anyhow::Result<()> {
    let stores = Stores::load(flags.stores)?;
    let databases = open(&stores).await?;
    let view = view(&stores, &databases).await?;
    let Seen { sections, views_read } = look_until_calm(&databases, &view, Duration::from_secs(flags.wait)).await?;
    for database in databases.all() {
        database.close().await;
    }
    print(&sections);
    println!("the views were read {} ms ago", stopwatch::since(views_read).as_millis());
    match sections.iter().map(|section| section.wrong.len()).sum::<usize>() {
        0 => Ok(()),
        wrong => bail!("{wrong} violations; if a server is at work on these databases, check again when it is calm"),
    }
}

/// Looks until nothing is wrong or the wait is over. Everything is read only once no message is under way: before that a look could
/// but fail, and would slow down what it waits for.
async fn look_until_calm(databases: &Databases, view: &ViewStore, wait: Duration) -> anyhow::Result<Seen> {
    let start = stopwatch::now();
    loop {
        let is_last = stopwatch::since(start) >= wait;
        if is_last || !is_under_way(databases, view).await? {
            let seen = look(databases, view).await?;
            if is_last || seen.sections.iter().all(|section| section.wrong.is_empty()) {
                return Ok(seen);
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Opens what is there. A check makes nothing.
async fn open(stores: &Stores) -> anyhow::Result<Databases> {
    compose::must_be_there(stores)?;
    Databases::open(stores).await
}

/// The view lies where the settings say.
async fn view(stores: &Stores, databases: &Databases) -> anyhow::Result<ViewStore> {
    Ok(match &stores.redis {
        Some(address) => ViewStore::Redis(RedisView::new(compose::redis(address).await?)),
        None => ViewStore::Sql(SqlView::new(databases.history.clone())),
    })
}

async fn look(databases: &Databases, view: &ViewStore) -> anyhow::Result<Seen> {
    let Databases { customers, orders, notifications, .. } = databases;
    // The views first: what they show, the services must have said before.
    let (view_customers, view_orders) = read_view(view).await?;
    let hits = match &databases.search {
        Some(search) => Some(Search::read_contents(search).await?),
        None => None,
    };
    let views_read = stopwatch::now();
    let (truth, order_faults) = tramline_orders::invariants::read(orders).await?;
    let (accounts, account_faults) = tramline_customers::invariants::replay(customers).await?;
    // Mails after orders: of what an order is by now, they may only know more.
    let (told, mail_faults) = tramline_notifications::invariants::read(notifications).await?;
    let counted = compare::count_orders(&truth);
    let sections = vec![
        Section { name: "credit accounts replayed", count: accounts.len(), wrong: account_faults },
        Section { name: "orders and their sagas", count: truth.len(), wrong: order_faults },
        Section {
            name: "orders against reservations",
            count: truth.len(),
            wrong: compare::reservations(&truth, &accounts),
        },
        Section {
            name: "customers in the view",
            count: view_customers.len(),
            wrong: compare::customers(&accounts, &counted, &view_customers),
        },
        Section { name: "orders in the view", count: view_orders.len(), wrong: compare::orders(&truth, &view_orders) },
        Section {
            name: "documents in the search view",
            count: hits.as_ref().map_or(0, Vec::len),
            wrong: hits.map_or_else(Vec::new, |hits| compare::search(&truth, &accounts, &hits)),
        },
        Section { name: "mails", count: told.values().map(Vec::len).sum(), wrong: mail_faults },
        Section { name: "orders against mails", count: truth.len(), wrong: mails::against_orders(&truth, &told) },
        streams(databases, view).await?,
        parked(databases).await?,
    ];
    Ok(Seen { sections, views_read })
}

/// Every message was numbered without a gap and handled by every group.
async fn streams(databases: &Databases, view: &ViewStore) -> anyhow::Result<Section> {
    let Databases { customers, orders, .. } = databases;
    let (mut heads, mut wrong) = (Heads::new(), Vec::new());
    for (db, source) in [(customers, CUSTOMERS), (orders, ORDERS)] {
        let (own, faults) = outbox(db, source).await?;
        heads.extend(own);
        wrong.extend(faults);
    }
    wrong.extend(unhandled(databases, view, &heads).await?);
    let count = heads.values().map(|head| usize::try_from(*head).unwrap_or(0)).sum();
    Ok(Section { name: "messages, numbered and handled", count, wrong })
}

/// Whether a group has yet to handle something.
async fn is_under_way(databases: &Databases, view: &ViewStore) -> anyhow::Result<bool> {
    let mut all = heads(&databases.customers, CUSTOMERS).await?;
    all.extend(heads(&databases.orders, ORDERS).await?);
    Ok(!unhandled(databases, view, &all).await?.is_empty())
}

/// The groups that do not stand at the heads.
async fn unhandled(databases: &Databases, view: &ViewStore, heads: &Heads) -> anyhow::Result<Vec<String>> {
    let Databases { customers, orders, notifications, .. } = databases;
    let mut wrong = Vec::new();
    for reading in READINGS {
        let handled = match reading.reader {
            CUSTOMERS => offsets(customers, reading).await?,
            ORDERS => offsets(orders, reading).await?,
            SEARCH => match &databases.search {
                Some(search) => offsets(search, reading).await?,
                None => continue,
            },
            NOTIFICATIONS => offsets(notifications, reading).await?,
            _ => read_offsets(view, reading).await?,
        };
        wrong.extend(behind(reading, &handled, heads));
    }
    Ok(wrong)
}

/// What waits for a human.
async fn parked(databases: &Databases) -> Result<Section, DbError> {
    let mut wrong = Vec::new();
    for db in databases.all() {
        wrong.extend(Parked::list(db).await?.into_iter().map(|message| describe(db, &message)));
    }
    Ok(Section { name: "parked messages", count: wrong.len(), wrong })
}

fn describe(db: &Db, message: &Parked) -> String {
    let Parked { consumer_group, source, channel, seq, message_id, reason, attempts, .. } = message;
    format!(
        "{}: group {consumer_group} parked message {message_id} ({source}/{channel} {seq}) after {attempts} tries: {reason}",
        db.name()
    )
}

fn print(sections: &[Section]) {
    println!("{:<34}{:>10}{:>10}", "checked", "count", "wrong");
    for Section { name, count, wrong } in sections {
        println!("{name:<34}{count:>10}{:>10}", wrong.len());
    }
    for Section { name, wrong, .. } in sections.iter().filter(|section| !section.wrong.is_empty()) {
        println!("\n{name}:");
        wrong.iter().take(SHOWN_MAX).for_each(|fault| println!("  {fault}"));
        if wrong.len() > SHOWN_MAX {
            println!("  and {} more", wrong.len() - SHOWN_MAX);
        }
    }
}
