//! The view in Redis: one hash per customer and per order, lists as sorted sets, and scripts that change them in one step.
//!
//! Redis may forget all of it: the offsets lie beside the documents and are gone with them, so the events are read again.
//! It must not forget a part: give it a `maxmemory-policy` of `noeviction`. See `keys` for what lies where.

mod fields;
mod follow;
mod generations;
mod keys;
mod projector;
mod replay;

pub use generations::Rebuild;
pub use projector::RedisProjector;
pub(crate) use {follow::follow, projector::home};

use super::{
    OrderFilter, Slice, ViewCustomer, ViewError, ViewOrder,
    rows::{CustomerRow, OrderRow},
};
use crate::cursor::Place;
use fields::{Fields, corrupt, list, pairs, text};
use keys::{Keys, Scripts};
use std::{collections::HashMap, sync::Arc};
use tramline_contract::OrderState;
use tramline_messaging::invariants::{Offsets, Reading};
use tramline_redis::{Command, Redis, Script, Value};
use uuid::Uuid;

/// Places that one run of a script looks at: about a millisecond, in which Redis does nothing else.
const LOOKS_PER_RUN: usize = 1_000;
/// Runs that a request for a page may cost. A search that finds too little by then ends with a cursor to go on from.
const RUNS_PER_PAGE: usize = 20;
/// Documents that one run hands out when everything is read.
const READ_AT_ONCE: usize = 500;

/// The view in a Redis, to be read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RedisView {
    redis: Redis,
    keys: Keys,
    scripts: Arc<Scripts>,
}

/// What a list holds, and what narrows it.
#[derive(Default)]
struct Narrowing<'a> {
    state: Option<OrderState>,
    q: Option<&'a str>,
}

impl RedisView {
    /// The view under the prefix of the settings. Connects at the first use.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        let keys = Keys::new(redis.settings().prefix());
        Self { redis, keys, scripts: Arc::new(Scripts::new()) }
    }

    async fn run(&self, script: &Script, arguments: Vec<Vec<u8>>) -> Result<Value, ViewError> {
        let mut answers = self.redis.run_script(script, &[self.keys.call(arguments)]).await?;
        answers.pop().ok_or_else(|| corrupt("a script answers otherwise"))
    }

    async fn command(&self, command: Command) -> Result<Value, ViewError> {
        let mut answers = self.redis.run(vec![command]).await?;
        answers.pop().ok_or_else(|| corrupt("a command has no answer"))
    }

    async fn document(&self, kind: &str, id: Uuid) -> Result<Option<Fields>, ViewError> {
        Fields::read(self.run(&self.scripts.read, words([kind, &id.simple().to_string()])).await?)
    }

    pub(super) async fn customer(&self, id: Uuid) -> Result<Option<CustomerRow>, ViewError> {
        self.document("customer", id).await?.map(Fields::into_customer).transpose()
    }

    pub(super) async fn order(&self, id: Uuid) -> Result<Option<OrderRow>, ViewError> {
        self.document("order", id).await?.map(Fields::into_order).transpose()
    }

    pub(super) async fn customers(
        &self,
        q: Option<&str>,
        after: Place,
        limit: usize,
    ) -> Result<Slice<CustomerRow>, ViewError> {
        let narrowing = Narrowing { state: None, q };
        self.list("customers", "customer", &narrowing, after, limit, Fields::into_customer, CustomerRow::place).await
    }

    pub(super) async fn orders(
        &self,
        filter: &OrderFilter,
        after: Place,
        limit: usize,
    ) -> Result<Slice<OrderRow>, ViewError> {
        let (name, state) = match (filter.customer_id, filter.state) {
            (Some(customer), state) => (format!("customer:{}:orders", customer.0.simple()), state),
            (None, Some(state)) => (format!("orders:{}", state.as_str()), None),
            (None, None) => ("orders".to_owned(), None),
        };
        let narrowing = Narrowing { state, q: filter.q.as_deref() };
        self.list(&name, "order", &narrowing, after, limit, Fields::into_order, OrderRow::place).await
    }

    /// A page of a list: one round trip, and one more for each [`LOOKS_PER_RUN`] documents that a search passes over.
    #[expect(
        clippy::too_many_arguments,
        reason = "one list of any kind, and the two lists that there are name them all"
    )]
    async fn list<T>(
        &self,
        name: &str,
        kind: &str,
        Narrowing { state, q }: &Narrowing<'_>,
        after: Place,
        limit: usize,
        read: impl Fn(Fields) -> Result<T, ViewError>,
        place: impl Fn(&T) -> Place,
    ) -> Result<Slice<T>, ViewError> {
        let folded = q.map(str::to_lowercase);
        let (searched, part) = (folded.as_ref().map_or("", |_| "q"), folded.as_deref().unwrap_or(""));
        let start = part.replace('-', "");
        let state = state.map_or("", OrderState::as_str);
        let mut at = keys::member(after);
        let mut items = Vec::new();
        for _ in 0..RUNS_PER_PAGE {
            // One more than asked for tells whether there is a next page.
            let (wanted, looks) = ((limit + 1 - items.len()).to_string(), LOOKS_PER_RUN.to_string());
            let arguments = words([name, kind, &at, &wanted, &looks, state, searched, part, &start]);
            let answer = list(self.run(&self.scripts.list, arguments).await?)?;
            let Ok([stopped, found]) = <[Value; 2]>::try_from(answer) else {
                return Err(corrupt("a script answers otherwise"));
            };
            for document in list(found)? {
                match Fields::read(document)? {
                    Some(fields) => items.push(read(fields)?),
                    None => tracing::error!(list = name, "a list names a document that is not there"),
                }
            }
            if items.len() > limit {
                items.truncate(limit);
                let next = items.last().map(&place);
                return Ok(Slice { items, next });
            }
            at = text(stopped)?;
            if at.is_empty() {
                return Ok(Slice { items, next: None });
            }
        }
        let next = keys::place(&at).ok_or_else(|| corrupt("a place in a list"))?;
        Ok(Slice { items, next: Some(next) })
    }

    /// Everything, as the lists name it.
    pub(super) async fn contents(&self) -> Result<(Vec<ViewCustomer>, Vec<ViewOrder>), ViewError> {
        let (mut customers, mut orders) = (Vec::new(), Vec::new());
        let mut next = Some(Place::START);
        while let Some(after) = next {
            let slice = self.customers(None, after, READ_AT_ONCE).await?;
            customers.extend(slice.items.into_iter().map(ViewCustomer::from));
            next = slice.next;
        }
        next = Some(Place::START);
        while let Some(after) = next {
            let slice = self.orders(&OrderFilter::default(), after, READ_AT_ONCE).await?;
            orders.extend(slice.items.into_iter().map(ViewOrder::from));
            next = slice.next;
        }
        customers.sort_by_key(|customer| customer.id.0);
        orders.sort_by_key(|order| order.id.0);
        Ok((customers, orders))
    }

    pub(super) async fn offsets(&self, Reading { source, channel, .. }: Reading) -> Result<Offsets, ViewError> {
        let Some(generation) = self.current().await? else { return Ok(Offsets::new()) };
        let mut command = Command::new();
        command.arg("HGETALL").arg(self.keys.of(&generation, "offsets"));
        let known = pairs(self.command(command).await?)?;
        let of_channel = known.iter().filter_map(|(stream, value)| {
            let partition = stream.strip_prefix(source)?.strip_prefix('/')?.strip_prefix(channel)?.strip_prefix('/')?;
            Some((partition, value.split_once(' ')?.0))
        });
        let number = |text: &str| text.parse::<i64>().map_err(|_| corrupt(format!("an offset reads {text:?}")));
        of_channel.map(|(partition, offset)| Ok((number(partition)?, number(offset)?))).collect()
    }

    /// The generation that is read, if there is one.
    async fn current(&self) -> Result<Option<String>, ViewError> {
        Ok(self.root().await?.remove("current"))
    }

    async fn root(&self) -> Result<HashMap<String, String>, ViewError> {
        let mut command = Command::new();
        command.arg("HGETALL").arg(&self.keys.root);
        Ok(pairs(self.command(command).await?)?.into_iter().collect())
    }
}

/// Arguments of a script.
fn words<const N: usize>(words: [&str; N]) -> Vec<Vec<u8>> {
    words.map(|word| word.as_bytes().to_vec()).to_vec()
}
