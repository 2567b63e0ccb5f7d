//! Customers and orders as they are, with clients that ask for everything that can be asked for.

use crate::{
    flaws::{Careless, Commands, LOCK_IGNORED},
    judge,
};
use std::sync::atomic::{AtomicBool, Ordering};
use tramline_contract::{Coordination, CustomerId, CustomerName, Money, OrderId, PaymentId, SetCreditLimit};
use tramline_customers::{CommandHandler, Customers, Payment};
use tramline_db::{BoxFuture, DbError, sql};
use tramline_messages::{
    channels::{CUSTOMER_COMMANDS, ORDER_REPLIES},
    services::{CUSTOMERS, ORDERS},
};
use tramline_messaging::{HandlerError, Messaging};
use tramline_orders::{Change, Changing, NewOrder, Orders, Placing, Refusal, ReplyRouter};
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
];
const APPROVED: &str = "an order was approved";

/// What clients ask for, by small numbers.
#[derive(Clone, Copy, Debug)]
enum Request {
    Customer(u128),
    Limit(u128, i64),
    Pay(u128, u128, i64),
    Place(u128, u128, i64),
    Cancel(u128),
    Revise(u128, i64),
}

pub struct Desk {
    customers: Customers,
    orders: Orders,
    groups: Vec<Group>,
    requests: Vec<Request>,
    ignores_locks: bool,
    met_a_lock: AtomicBool,
}

/// Limits, payments and totals are of the same small size, so that about half of what is asked for can be had.
const LIMIT: u32 = 100;

fn requests(chance: &mut Chance) -> Vec<Request> {
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
                Request::Place(placed, customer, money(chance))
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
        let groups = vec![
            Group::new(stage, "orders", orders.messaging(), &[(CUSTOMERS, ORDER_REPLIES)], replies),
            Group::new(stage, "customers", customers.messaging(), &[(ORDERS, CUSTOMER_COMMANDS)], commands),
        ];
        let requests = stage.choose(requests);
        let ignores_locks = stage.has(LOCK_IGNORED);
        Ok(Self { customers, orders, groups, requests, ignores_locks, met_a_lock: AtomicBool::new(false) })
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
                Err(HandlerError::Transient("the order is locked".to_owned()))
            }
            Changing::Overloaded { .. } => Err(HandlerError::Transient("too much is under way".to_owned())),
            Changing::Accepted(_) | Changing::UnknownOrder | Changing::Refused(_) => Ok(()),
        }
    }

    async fn place(&self, number: u128, customer_id: CustomerId, total: i64) -> Result<(), HandlerError> {
        let coordination = Coordination::Orchestration;
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
        vec![self.orders.messaging().clone(), self.customers.messaging().clone()]
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
                Request::Place(number, buyer, total) => self.place(number, customer(buyer), total).await,
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

    fn always(&self) -> BoxFuture<'_, Wrongs> {
        Box::pin(judge::always(self.orders.messaging().db(), self.customers.messaging().db()))
    }

    fn at_rest(&self) -> BoxFuture<'_, Wrongs> {
        Box::pin(judge::at_rest(self.orders.messaging().db(), self.customers.messaging().db()))
    }

    fn reached(&self) -> BoxFuture<'_, Result<Vec<&'static str>, DbError>> {
        Box::pin(async move {
            let mut reached = judge::reached(self.orders.messaging().db()).await?;
            if self.met_a_lock.load(Ordering::Relaxed) {
                reached.push("a change met a lock");
            }
            Ok(reached)
        })
    }
}
