//! Holds what clients were told against what the databases say: a checker of histories. [`judge`] is pure.

use crate::load::Placed;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tramline_contract::{CustomerId, OrderId, OrderState};
use tramline_customers::{AccountEvent, invariants::Replayed};
use tramline_db::{Address, Db, Durability, Migration, SystemClock, SystemIds, sql};
use tramline_messages::{
    channels::{CUSTOMER_COMMANDS, ORDER_EVENTS, ORDER_REPLIES},
    customers::ReserveCredit,
};
use tramline_messaging::Headers;
use tramline_orders::invariants::Truth;
use uuid::Uuid;

/// Of one kind of violation; the first few tell what is wrong.
const SHOWN_MAX: usize = 5;

/// What the databases say once it is calm.
#[derive(Default)]
pub struct Facts {
    pub orders: HashMap<OrderId, Truth>,
    /// The saga that each order's acceptance has named.
    pub sagas: HashMap<OrderId, Uuid>,
    pub accounts: HashMap<CustomerId, Replayed>,
    /// Per customer, the orders of the commands, in the order of the outbox.
    pub commands: HashMap<CustomerId, Vec<OrderId>>,
    /// Per customer, the orders decided, by the version of the event.
    pub decisions: HashMap<CustomerId, Vec<OrderId>>,
    /// Per order, the versions of its events, in the order of the outbox.
    pub events: HashMap<OrderId, Vec<i64>>,
    /// Per saga, how many replies were sent to it.
    pub replies: HashMap<Uuid, u32>,
    /// What the services find wrong with themselves.
    pub wrong: Vec<String>,
}

/// The stores of a running desk, to read.
pub struct Databases {
    customers: Db,
    orders: Db,
}

impl Databases {
    pub async fn open(address: &str) -> Self {
        let open = async |name: &'static str, migrations: Vec<Migration>| {
            let address = Address::parse(address).expect("it reads");
            let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
            Db::open(name, &address, Durability::Full, &migrations, clock, ids).await.expect("it opens")
        };
        Self {
            customers: open("customers", tramline_customers::migrations()).await,
            orders: open("orders", tramline_orders::migrations()).await,
        }
    }

    pub async fn facts(&self) -> Facts {
        let Self { customers, orders } = self;
        let (truth, mut wrong) = tramline_orders::invariants::read(orders).await.expect("it reads");
        let (accounts, faults) = tramline_customers::invariants::replay(customers).await.expect("it reads");
        wrong.extend(faults);
        for db in [customers, orders] {
            let parked = tramline_messaging::Parked::list(db).await.expect("it reads");
            wrong.extend(parked.into_iter().map(|message| format!("{message:?} is parked")));
        }
        let mut facts = Facts { orders: truth.into_iter().collect(), accounts, wrong, ..Facts::default() };
        let rows: Vec<(Uuid, Uuid)> =
            orders.all(sql("select order_id, placed_saga_id from customer_order")).await.expect("it reads");
        facts.sagas = rows.into_iter().map(|(order, saga)| (OrderId(order), saga)).collect();
        for (headers, payload) in outbox(orders, CUSTOMER_COMMANDS).await {
            assert_eq!(headers.kind, ReserveCredit::KIND);
            let command: ReserveCredit = serde_json::from_str(&payload).expect("a command");
            facts.commands.entry(command.customer_id).or_default().push(command.order_id);
        }
        for (headers, _) in outbox(orders, ORDER_EVENTS).await {
            let order = OrderId(headers.aggregate_id.expect("an event says whose it is"));
            facts.events.entry(order).or_default().push(headers.aggregate_version.expect("and of which version"));
        }
        for (headers, _) in outbox(customers, ORDER_REPLIES).await {
            *facts.replies.entry(headers.saga_id.expect("a reply says to whom")).or_default() += 1;
        }
        for (customer, payload) in events(customers).await {
            let decided = match serde_json::from_str(&payload).expect("an event") {
                AccountEvent::CustomerCreated { .. }
                | AccountEvent::CreditLimitChanged { .. }
                | AccountEvent::PaymentRecorded { .. } => continue,
                AccountEvent::CreditReserved { order_id, .. }
                | AccountEvent::CreditRefused { order_id, .. }
                | AccountEvent::CreditReleased { order_id, .. }
                | AccountEvent::ReservationChanged { order_id, .. }
                | AccountEvent::ReservationChangeRefused { order_id, .. } => order_id,
            };
            facts.decisions.entry(CustomerId(customer)).or_default().push(decided);
        }
        facts
    }
}

/// A channel of an outbox, each partition in its order.
async fn outbox(db: &Db, channel: &str) -> Vec<(Headers, String)> {
    let rows: Vec<(String, String)> = db
        .all(sql("select headers, payload from outbox where channel = $1 order by partition_no, seq").bind(channel))
        .await
        .expect("it reads");
    rows.into_iter().map(|(headers, payload)| (serde_json::from_str(&headers).expect("headers"), payload)).collect()
}

async fn events(db: &Db) -> Vec<(Uuid, String)> {
    let events = sql("select aggregate_id, payload from event where aggregate_kind = 'Customer' \
         order by aggregate_id, version");
    db.all(events).await.expect("it reads")
}

/// Everything that is wrong; nothing when the desk has kept its word.
pub fn judge(facts: &Facts, placed: &[Placed]) -> Vec<String> {
    let mut wrong: Vec<String> = facts.wrong.iter().take(SHOWN_MAX).cloned().collect();
    let mut tell = |found: Vec<String>| wrong.extend(found.into_iter().take(SHOWN_MAX));
    tell(placed.iter().filter_map(|one| order_of(facts, one)).collect());
    let ids: HashSet<Uuid> = placed.iter().map(|one| one.id).collect();
    let strangers = facts.orders.keys().filter(|id| !ids.contains(&id.0));
    tell(strangers.map(|id| format!("order {id} was placed by nobody")).collect());
    tell(decisions(facts));
    tell(credit(facts));
    tell(precedence(facts, placed));
    wrong
}

/// An accepted order is there as it was placed, was decided once, and has exactly two events and one reply.
fn order_of(facts: &Facts, placed: &Placed) -> Option<String> {
    let id = OrderId(placed.id);
    let Some(order) = facts.orders.get(&id) else {
        return placed.accepted.map(|_| format!("order {id} was accepted and is lost"));
    };
    if (order.customer_id, order.total) != (placed.customer, placed.total) {
        return Some(format!("order {id} is not what was placed: {order:?}"));
    }
    if !order.state.is_settled() || order.version.0 != 2 {
        return Some(format!("order {id} is {:?} in version {}", order.state, order.version.0));
    }
    let saga = facts.sagas.get(&id).copied();
    if placed.saga.is_some() && placed.saga != saga {
        return Some(format!("order {id} was accepted with saga {:?}, but has {saga:?}", placed.saga));
    }
    let events = facts.events.get(&id).map(Vec::as_slice).unwrap_or_default();
    if events != [1, 2] {
        return Some(format!("order {id} has events of the versions {events:?}"));
    }
    let replies = saga.and_then(|saga| facts.replies.get(&saga)).copied().unwrap_or_default();
    (replies != 1).then(|| format!("order {id} was replied to {replies} times"))
}

/// Commands on a customer are decided once each, in the order in which the outbox numbered them.
fn decisions(facts: &Facts) -> Vec<String> {
    let known = facts.commands.iter().filter(|(customer, _)| facts.accounts.contains_key(customer));
    let compare = |(customer, commands): (&CustomerId, &Vec<OrderId>)| {
        let decided = facts.decisions.get(customer).map(Vec::as_slice).unwrap_or_default();
        let place = commands.iter().zip(decided).position(|(command, decision)| command != decision);
        let (sent, done) = (commands.len(), decided.len());
        (place.is_some() || sent != done)
            .then(|| format!("customer {customer}: {sent} commands and {done} decisions part at {place:?}"))
    };
    known.filter_map(compare).collect()
}

/// Credit is held for exactly the approved orders, at their totals.
fn credit(facts: &Facts) -> Vec<String> {
    let held: HashMap<OrderId, _> =
        facts.accounts.values().flat_map(|account| account.reservations.iter().map(|(id, sum)| (*id, *sum))).collect();
    let wrong = facts.orders.iter().filter_map(|(id, order)| {
        let expected = (order.state == OrderState::Approved).then_some(order.total);
        let found = held.get(id).copied();
        (expected != found).then(|| format!("order {id} is {:?}, and {found:?} is held for it", order.state))
    });
    wrong.collect()
}

/// What was accepted before another order was even asked for comes before it at their customer.
fn precedence(facts: &Facts, placed: &[Placed]) -> Vec<String> {
    let times: HashMap<OrderId, &Placed> = placed.iter().map(|one| (OrderId(one.id), one)).collect();
    let mut wrong = Vec::new();
    for commands in facts.commands.values() {
        let mut latest: Option<(Duration, OrderId)> = None;
        for id in commands {
            let Some(one) = times.get(id) else { continue };
            if let (Some((invoked, before)), Some(accepted)) = (latest, one.accepted)
                && accepted < invoked
            {
                wrong.push(format!("order {id} was accepted before {before} was asked for, and numbered after it"));
            }
            latest = latest.max(Some((one.invoked, *id)));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use tramline_contract::{Money, Version};

    const CUSTOMER: CustomerId = CustomerId(Uuid::from_u128(1));
    const TOTAL: Money = Money::from_minor(30_00);

    fn order(number: u128) -> OrderId {
        OrderId(Uuid::from_u128(number))
    }

    /// Two orders of a customer, one after the other; the second is refused.
    fn good() -> (Facts, Vec<Placed>) {
        let truth = |state| Truth {
            customer_id: CUSTOMER,
            total: TOTAL,
            proposed: None,
            state,
            last_refusal: None,
            version: Version(2),
        };
        let reservations = HashMap::from([(order(10), TOTAL)]);
        let account = Replayed { version: 3, reservations, ..Replayed::default() };
        let saga = |number: u128| Uuid::from_u128(100 + number);
        let facts = Facts {
            orders: HashMap::from([(order(10), truth(OrderState::Approved)), (order(11), truth(OrderState::Rejected))]),
            sagas: HashMap::from([(order(10), saga(10)), (order(11), saga(11))]),
            accounts: HashMap::from([(CUSTOMER, account)]),
            commands: HashMap::from([(CUSTOMER, vec![order(10), order(11)])]),
            decisions: HashMap::from([(CUSTOMER, vec![order(10), order(11)])]),
            events: HashMap::from([(order(10), vec![1, 2]), (order(11), vec![1, 2])]),
            replies: HashMap::from([(saga(10), 1), (saga(11), 1)]),
            wrong: Vec::new(),
        };
        let placed = |number: u128, at: u64| Placed {
            id: order(number).0,
            customer: CUSTOMER,
            total: TOTAL,
            invoked: Duration::from_secs(at),
            accepted: Some(Duration::from_secs(at + 1)),
            saga: Some(saga(number)),
            tries: 1,
        };
        (facts, vec![placed(10, 1), placed(11, 5)])
    }

    fn found(plant: impl FnOnce(&mut Facts, &mut Vec<Placed>)) -> String {
        let (mut facts, mut placed) = good();
        plant(&mut facts, &mut placed);
        judge(&facts, &placed).join("\n")
    }

    #[test]
    fn a_history_as_it_should_be_is_passed() {
        assert_eq!(found(|_, _| {}), "");
    }

    #[test]
    fn every_planted_fault_is_found() {
        let lost = found(|facts, _| facts.orders.retain(|id, _| *id != order(11)));
        assert!(lost.contains("accepted and is lost"), "{lost}");
        let twice = found(|facts, _| facts.events.entry(order(10)).or_default().push(2));
        assert!(twice.contains("[1, 2, 2]"), "{twice}");
        let decided_twice = found(|facts, _| facts.decisions.entry(CUSTOMER).or_default().push(order(11)));
        assert!(decided_twice.contains("2 commands and 3 decisions"), "{decided_twice}");
        let swapped = found(|facts, _| facts.decisions.entry(CUSTOMER).or_default().swap(0, 1));
        assert!(swapped.contains("part at Some(0)"), "{swapped}");
        let unheld = found(|facts, _| facts.accounts.get_mut(&CUSTOMER).expect("there").reservations.clear());
        assert!(unheld.contains("None is held"), "{unheld}");
        let replied_twice = found(|facts, _| facts.replies.values_mut().for_each(|count| *count = 2));
        assert!(replied_twice.contains("replied to 2 times"), "{replied_twice}");
        let stranger = found(|_, placed| placed.truncate(1));
        assert!(stranger.contains("placed by nobody"), "{stranger}");
        let overtaken = found(|_, placed| {
            (placed[1].invoked, placed[1].accepted) = (Duration::ZERO, Some(Duration::from_millis(1)));
        });
        assert!(overtaken.contains("numbered after it"), "{overtaken}");
    }
}
