//! Keeps the search view up to date: a document only ever gives way to a newer version.
//!
//! An order is found by its customer's name too. Whichever is heard of first, the order has the name once both are there.

use super::{SEARCH_GROUP, words::indexed};
use crate::{
    heal::{self, Aggregate, Jump},
    projection::{Changes, project},
    store::{Target, Versions, generation_and_versions, versions},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use tramline_contract::RejectionReason;
use tramline_db::{BoxFuture, DbError, Tx, Value, sql, values};
use tramline_messages::{customers::CustomerSnapshot, orders::OrderSnapshot};
use tramline_messaging::{Handler, HandlerError, ParkedMessage, Record, UnitOfWork};
use uuid::Uuid;

pub(super) const CUSTOMER: &str = "customer";
pub(super) const ORDER: &str = "order";

/// Applies events to the generation of the search view that is read.
#[derive(Clone, Copy, Debug)]
pub struct SearchProjector;

impl Handler for SearchProjector {
    type Effect = Vec<Jump>;

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<Vec<Jump>, HandlerError>> {
        Box::pin(async move { apply(work.tx, Target::Current, project(batch)?).await })
    }

    fn skipped<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        message: &'a ParkedMessage,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(async move { heal::put(work.tx, heal::unheard(message).as_slice()).await })
    }

    fn committed(&self, jumps: Vec<Jump>) {
        heal::tell(SEARCH_GROUP, &jumps);
    }
}

/// Applies changes to a generation, and returns what it has missed; of one that is built, nothing.
pub(crate) async fn apply(tx: &mut Tx, target: Target, changes: Changes) -> Result<Vec<Jump>, HandlerError> {
    let customers = changes.customers.keys().map(|id| (CUSTOMER, id.0));
    let orders = changes.orders.keys().map(|id| (ORDER, id.0));
    let wanted: Vec<(&str, Uuid)> = customers.chain(orders).collect();
    let (generation, known) = generation_and_versions(tx, target, VERSIONS, wanted).await?;
    let is_news =
        |kind: &str, id: Uuid, version: i64| known.get(&(kind.to_owned(), id)).is_none_or(|known| *known < version);
    let customers: Vec<_> =
        changes.customers.iter().filter(|(id, (version, _))| is_news(CUSTOMER, id.0, *version)).collect();
    let new = customers.iter().filter(|(id, _)| !known.contains_key(&(CUSTOMER.to_owned(), id.0)));
    let new: HashMap<_, _> = new.map(|(id, (_, after))| (id.0, after)).collect();
    let buyers = changes.orders.values().map(|(_, after)| after.customer_id.0);
    take_turns(tx, generation, new.keys().copied().chain(buyers).collect()).await?;
    // In the order of the id, so that two transactions never wait for each other.
    let mut rows: Vec<_> = customers.iter().map(|(id, (version, after))| customer(id.0, *version, after)).collect();
    rows.sort_by_key(|(id, _)| *id);
    put(tx, generation, CUSTOMER, rows).await?;
    let orders = changes.orders.iter().filter(|(id, (version, _))| is_news(ORDER, id.0, *version));
    let mut rows: Vec<_> = orders.map(|(id, (version, after))| order(id.0, *version, after)).collect();
    rows.sort_by_key(|(id, _)| *id);
    put(tx, generation, ORDER, rows).await?;
    name_orders(tx, generation, new).await?;
    let jumps = match target {
        Target::Current => changes.jumps(|aggregate| match aggregate {
            Aggregate::Customer(id) => known.get(&(CUSTOMER.to_owned(), id.0)).copied(),
            Aggregate::Order(id) => known.get(&(ORDER.to_owned(), id.0)).copied(),
        }),
        Target::Building(_) => Vec::new(),
    };
    heal::put(tx, &jumps).await?;
    Ok(jumps)
}

/// Whoever brings a customer that is not there, and whoever brings an order of one, take turns. Otherwise two that commit at once
/// would each miss what the other brings, and the order would stay without the name.
async fn take_turns(tx: &mut Tx, generation: i64, customers: BTreeSet<Uuid>) -> Result<(), DbError> {
    if customers.is_empty() {
        return Ok(());
    }
    let taken = tx.execute(
        sql("insert into search_turn (customer_id) select new.id from rows($1: id uuid) as new \
             where (select c.version from search_document as c \
             where c.kind = 'customer' and c.id = new.id and c.generation + 0 = $2) is null order by new.id \
             on conflict (customer_id) do update set customer_id = excluded.customer_id")
        .column(customers)
        .bind(generation),
    );
    taken.await.map(drop)
}

const VERSIONS: Versions = versions!(
    "(select d.version from search_document as d \
     where d.kind = wanted.kind and d.id = wanted.id and d.generation + 0 = g.written)"
);

fn customer(id: Uuid, version: i64, after: &CustomerSnapshot) -> (Uuid, Vec<Value>) {
    let (nothing, none): (Option<i64>, Option<String>) = (None, None);
    let own = indexed(&format!("customer {}", id.simple()));
    let name = (after.name.as_str(), indexed(&after.name));
    (id, values![id, id, name.0, nothing, none, version, after.created_at_micros, own, name.1])
}

fn order(id: Uuid, version: i64, after: &OrderSnapshot) -> (Uuid, Vec<Value>) {
    let none: Option<String> = None;
    let reason = after.rejection_reason.map_or("", RejectionReason::as_str);
    let own = indexed(&format!("order {} {} {} {reason}", id.simple(), after.total, after.state.as_str()));
    let customer = after.customer_id.0;
    (
        id,
        values![
            id,
            customer,
            none,
            after.total.minor(),
            after.state.as_str(),
            version,
            after.created_at_micros,
            own,
            ""
        ],
    )
}

/// Writes documents of a kind. An order takes the name from its customer, if that is there; by subqueries, like [`versions!`].
async fn put(tx: &mut Tx, generation: i64, kind: &str, rows: Vec<(Uuid, Vec<Value>)>) -> Result<(), DbError> {
    if rows.is_empty() {
        return Ok(());
    }
    tx.execute(
        sql(
            "insert into search_document (generation, kind, id, customer_id, name, total, state, version, created_at, \
             own_words, name_words) \
             select $2, $3, new.id, new.customer_id, coalesce(new.name, (select c.name from search_document as c \
             where c.kind = 'customer' and c.id = new.customer_id and c.generation + 0 = $2)), \
             new.total, new.state, new.version, new.created_at, new.own_words, \
             case when $3 = 'customer' then new.name_words else coalesce((select c.name_words from search_document as c \
             where c.kind = 'customer' and c.id = new.customer_id and c.generation + 0 = $2), '') end \
             from rows($1: id uuid, customer_id uuid, name text, total bigint, state text, version bigint, \
             created_at bigint, own_words text, name_words text) as new where true \
             on conflict (kind, id, generation) do update set name = excluded.name, total = excluded.total, \
             state = excluded.state, version = excluded.version, own_words = excluded.own_words, \
             name_words = excluded.name_words \
             where excluded.version > search_document.version",
        )
        .rows(rows.into_iter().map(|(_, row)| row))
        .bind(generation)
        .bind(kind),
    )
    .await?;
    Ok(())
}

/// Gives the orders that were heard of before their customers the names. A customer has one.
async fn name_orders(tx: &mut Tx, generation: i64, new: HashMap<Uuid, &CustomerSnapshot>) -> Result<(), DbError> {
    if new.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = new.iter().map(|(id, after)| values![*id, after.name.as_str(), indexed(&after.name)]).collect();
    tx.execute(
        sql("update search_document set name = new.name, name_words = new.words \
             from rows($1: id uuid, name text, words text) as new \
             where search_document.customer_id = new.id and search_document.generation + 0 = $2 \
             and search_document.name is null")
        .rows(rows)
        .bind(generation),
    )
    .await?;
    Ok(())
}
