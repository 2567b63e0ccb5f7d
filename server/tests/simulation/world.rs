//! The desk's services as they are, with clients that ask for everything that can be asked for.
//!
//! A share of the runs each has orders that nobody leads, the mails, and the view: all three in every run would cost more time than
//! they would find.

use crate::{
    flaws::{Careless, Commands, LOCK_IGNORED, Turns},
    judge::{self, Judge},
    mails::Mails,
    view::View,
};
use std::sync::atomic::{AtomicBool, Ordering};
use tramline_contract::{Coordination, CustomerId, CustomerName, Money, OrderId, PaymentId, SetCreditLimit};
use tramline_customers::{CommandHandler, Customers, Payment};
use tramline_db::{BoxFuture, Db, DbError, sql};
use tramline_messages::{
    channels::{CUSTOMER_COMMANDS, CUSTOMER_EVENTS, ORDER_EVENTS, ORDER_REPLIES},
    services::{CUSTOMERS, ORDERS},
};
use tramline_messaging::{HandlerError, Messaging};
use tramline_orders::{Change, Changing, CustomerEventHandler, NewOrder, Orders, Placing, Refusal, ReplyRouter};
use tramline_simulator::{Chance, Group, Stage, World, Wrongs};
use uuid::Uuid;

/// Rare states of the desk.
pub const RARE: &[&str] = &[
    APPROVED,
    "an order was refused for want of credit",
    "an order of an unknown customer was rejected",
    "an order was cancelled",
    "an order was revised",
    "a revision was refused",
    "a reply came that no saga awaited",
    "a change met a lock",
    "a change met the lock of an undecided order that nobody leads",
    "a choreographed order was approved",
    "a choreographed order was rejected",
    "a choreographed order was cancelled",
    "a choreographed order was revised",
    "a conversation heard an event again",
];
const APPROVED: &str = "an order was approved";

/// What clients ask for, by small numbers.
#[derive(Clone, Copy, Debug)]
enum Request {
    Customer(u128),
    Limit(u128, i64),
    Pay(u128, u128, i64),
    Place(u128, u128, i64, Coordination),
    Cancel(u128),
    Revise(u128, i64),
}

pub struct Desk {
    customers: Customers,
    orders: Orders,
    mails: Option<Mails>,
    view: Option<View>,
    groups: Vec<Group>,
    requests: Vec<Request>,
    judge: Judge,
    ignores_locks: bool,
    met_a_lock: AtomicBool,
    met_an_undecided_order: AtomicBool,
}

/// What a run has beside orders that are led and their customers.
#[derive(Clone, Copy, Debug)]
struct Parts {
    choreography: bool,
    mails: bool,
    view: bool,
}

impl Parts {
    fn chosen(chance: &mut Chance) -> Self {
        Self { choreography: chance.once_in(2), mails: chance.once_in(3), view: chance.once_in(4) }
    }
}

/// Limits, payments and totals are of the same small size, so that about half of what is asked for can be had.
const LIMIT: u32 = 100;

fn requests(chance: &mut Chance, may_be_choreographed: bool) -> Vec<Request> {
    let money = |chance: &mut Chance| 1 + i64::from(chance.below(LIMIT));
    let customers = 1 + u128::from(chance.below(2));
    let mut requests: Vec<Request> = (1..=customers).map(Request::Customer).collect();
    let mut placed = 0;
    for number in 0..3 + u128::from(chance.below(10)) {
        // One that is not there, now and then.
        let customer = 1 + u128::from(chance.below(u32::try_from(customers).unwrap_or(1)));
        let customer = if chance.once_in(12) { 9 } else { customer };
        let known = 1 + u128::from(chance.below(u32::try_from(placed).unwrap_or(1).max(1)));
        requests.push(match chance.below(12) {
            0..=4 => {
                placed += 1;
                let coordination = match may_be_choreographed && chance.below(2) == 1 {
                    true => Coordination::Choreography,
                    false => Coordination::Orchestration,
                };
                Request::Place(placed, customer, money(chance), coordination)
            }
            5..=7 => Request::Cancel(known),
            8..=9 => Request::Revise(known, money(chance)),
            10 => Request::Pay(number, customer, money(chance)),
            _ => Request::Limit(customer, money(chance)),
        });
    }
    requests
}

fn customer(number: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(0xc000 + number))
}

fn order(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(0x0d00 + number))
}

impl Desk {
    pub fn open(stage: &Stage) -> Result<Self, DbError> {
        let customers = stage.messaging(CUSTOMERS, &tramline_customers::migrations())?;
        let orders = stage.messaging(ORDERS, &tramline_orders::migrations())?;
        let (customers, orders) = (Customers::new(customers), Orders::new(orders));
        let replies = Careless::new(stage, ReplyRouter::new(&orders));
        let commands = Commands::new(stage, CommandHandler);
        let parts = stage.choose(Parts::chosen);
        let mut groups = vec![
            Group::new(stage, "orders", orders.messaging(), &[(CUSTOMERS, ORDER_REPLIES)], replies),
            Group::new(stage, "customers", customers.messaging(), &[(ORDERS, CUSTOMER_COMMANDS)], commands),
        ];
        if parts.choreography {
            let (told, asked) = (CustomerEventHandler, Turns::new(stage));
            let group = tramline_orders::CHOREOGRAPHY_GROUP;
            groups.push(Group::new(stage, group, orders.messaging(), &[(CUSTOMERS, CUSTOMER_EVENTS)], told));
            let group = tramline_customers::CHOREOGRAPHY_GROUP;
            groups.push(Group::new(stage, group, customers.messaging(), &[(ORDERS, ORDER_EVENTS)], asked));
        }
        let mails = parts.mails.then(|| Mails::open(stage)).transpose()?;
        groups.extend(mails.iter().flat_map(Mails::groups));
        let view = parts.view.then(|| View::open(stage)).transpose()?;
        groups.extend(view.iter().map(|view| view.group(stage)));
        Ok(Self {
            customers,
            orders,
            mails,
            view,
            groups,
            requests: stage.choose(|chance| requests(chance, parts.choreography)),
            judge: Judge::default(),
            ignores_locks: stage.has(LOCK_IGNORED),
            met_a_lock: AtomicBool::new(false),
            met_an_undecided_order: AtomicBool::new(false),
        })
    }

    /// Whether the order of that number is led by nobody.
    fn is_choreographed(&self, number: u128) -> bool {
        let is_it = |request: &Request| matches!(request, Request::Place(placed, _, _, Coordination::Choreography) if *placed == number);
        self.requests.iter().any(is_it)
    }

    async fn is_undecided(&self, id: OrderId) -> Result<bool, DbError> {
        let pending = sql("select order_id from customer_order where order_id = $1 and state = 'PENDING'").bind(id.0);
        let pending: Option<(Uuid,)> = self.orders.messaging().db().optional(pending).await?;
        Ok(pending.is_some())
    }

    /// The databases whose truth the others are held against.
    fn truth(&self) -> (&Db, &Db) {
        (self.orders.messaging().db(), self.customers.messaging().db())
    }

    async fn change(&self, number: u128, change: Change) -> Result<(), HandlerError> {
        let id = order(number);
        if self.ignores_locks {
            let free = sql("update customer_order set state = 'APPROVED' where order_id = $1 and state = 'PENDING'");
            let freed =
                self.orders.messaging().db().write::<_, DbError, _>(move |tx| Box::pin(tx.execute(free.bind(id.0))));
            freed.await?;
        }
        match self.orders.change(None, id, change).await? {
            Changing::Refused(Refusal::Locked { .. }) => {
                self.met_a_lock.store(true, Ordering::Relaxed);
                if self.is_choreographed(number) && self.is_undecided(id).await? {
                    self.met_an_undecided_order.store(true, Ordering::Relaxed);
                }
                Err(HandlerError::Transient("the order is locked".to_owned()))
            }
            Changing::Overloaded { .. } => Err(HandlerError::Transient("too much is under way".to_owned())),
            Changing::Accepted(_) | Changing::UnknownOrder | Changing::Refused(_) => Ok(()),
        }
    }

    async fn place(
        &self,
        number: u128,
        customer_id: CustomerId,
        total: i64,
        coordination: Coordination,
    ) -> Result<(), HandlerError> {
        let new = NewOrder { id: order(number), customer_id, total: Money::from_minor(total), coordination };
        match self.orders.place(None, new).await? {
            Placing::Accepted(_) => Ok(()),
            Placing::IdInUse => Err(HandlerError::Permanent("the order's id is in use".to_owned())),
            Placing::Overloaded { .. } => Err(HandlerError::Transient("too much is under way".to_owned())),
        }
    }
}

impl World for Desk {
    fn services(&self) -> Vec<Messaging> {
        let beside = self.mails.iter().map(Mails::messaging).chain(self.view.iter().map(View::messaging));
        [self.orders.messaging(), self.customers.messaging()].into_iter().chain(beside).cloned().collect()
    }

    fn groups(&self) -> Vec<Group> {
        self.groups.clone()
    }

    fn requests(&self) -> usize {
        self.requests.len()
    }

    fn request(&self, number: usize) -> BoxFuture<'_, Result<(), HandlerError>> {
        let money = Money::from_minor;
        Box::pin(async move {
            match self.requests[number] {
                Request::Customer(number) => {
                    let name =
                        CustomerName::parse("Ada").map_err(|error| HandlerError::Permanent(error.to_string()))?;
                    self.customers.create(None, customer(number), name, money(LIMIT.into())).await?;
                    Ok(())
                }
                Request::Limit(number, limit) => {
                    let wanted = SetCreditLimit { credit_limit: money(limit), expected_version: None };
                    self.customers.set_credit_limit(None, customer(number), wanted).await.map(drop)
                }
                Request::Pay(id, number, amount) => {
                    let id = PaymentId(Uuid::from_u128(0xfa00 + id));
                    let payment = Payment { id, customer_id: customer(number), amount: money(amount), reference: None };
                    self.customers.record_payment(None, payment).await.map(drop)
                }
                Request::Place(number, buyer, total, coordination) => {
                    self.place(number, customer(buyer), total, coordination).await
                }
                Request::Cancel(number) => self.change(number, Change::Cancel).await,
                Request::Revise(number, total) => {
                    self.change(number, Change::Revise { total: money(total), expected_version: None }).await
                }
            }
        })
    }

    fn time_passed(&self) -> BoxFuture<'_, Result<(), HandlerError>> {
        Box::pin(async move { Ok(self.orders.deadlines().look().await.map(drop)?) })
    }

    fn has_workers(&self) -> bool {
        self.mails.is_some()
    }

    fn work(&self) -> BoxFuture<'_, Result<(), HandlerError>> {
        Box::pin(async move {
            match &self.mails {
                Some(mails) => mails.send().await,
                None => Ok(()),
            }
        })
    }

    fn always(&self) -> BoxFuture<'_, Wrongs> {
        Box::pin(async move {
            let (orders, customers) = self.truth();
            let mut wrong = self.judge.always(orders, customers).await?;
            if let Some(mails) = &self.mails {
                wrong.extend(mails.always().await?);
            }
            if let Some(view) = &self.view {
                wrong.extend(view.always().await?);
            }
            Ok(wrong)
        })
    }

    fn at_rest(&self) -> BoxFuture<'_, Wrongs> {
        Box::pin(async move {
            let (orders, customers) = self.truth();
            let mut wrong = self.judge.at_rest(orders, customers).await?;
            let truths = self.judge.truths(orders).await?;
            if let Some(mails) = &self.mails {
                wrong.extend(mails.at_rest(&truths.0, &judge::revisions(orders).await?).await?);
            }
            if let Some(view) = &self.view {
                wrong.extend(view.at_rest(&truths.0, &self.judge.accounts(customers).await?.0).await?);
            }
            Ok(wrong)
        })
    }

    fn reached(&self) -> BoxFuture<'_, Result<Vec<&'static str>, DbError>> {
        Box::pin(async move {
            let mut reached = judge::reached(self.orders.messaging().db()).await?;
            if self.met_a_lock.load(Ordering::Relaxed) {
                reached.push("a change met a lock");
            }
            if self.met_an_undecided_order.load(Ordering::Relaxed) {
                reached.push("a change met the lock of an undecided order that nobody leads");
            }
            reached.extend(self.mails.iter().flat_map(Mails::reached));
            reached.extend(self.view.iter().flat_map(View::reached));
            Ok(reached)
        })
    }
}
