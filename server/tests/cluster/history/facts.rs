//! What the databases say once it is calm, read from them.

use std::{collections::HashMap, sync::Arc};
use tramline_contract::{Coordination, CustomerId, MailAbout, Money, OrderId, Version};
use tramline_customers::{AccountEvent, invariants::Replayed};
use tramline_db::{Address, Db, Durability, Migration, Record, SystemClock, SystemIds, sql};
use tramline_messages::{
    channels::{CUSTOMER_COMMANDS, ORDER_EVENTS, ORDER_REPLIES},
    customers::{ChangeReservation, ReleaseCredit, ReserveCredit},
    orders::{OrderChanged, OrderEvent},
};
use tramline_messaging::Headers;
use tramline_orders::invariants::Truth;
use uuid::Uuid;

/// What the databases say.
#[derive(Clone, Default)]
pub struct Facts {
    pub orders: HashMap<OrderId, Truth>,
    /// What happened to each order, in the order of the outbox.
    pub events: HashMap<OrderId, Vec<Happened>>,
    pub sagas: HashMap<Uuid, Run>,
    /// What was asked of each customer's credit, in the order in which the outbox numbered it: by sagas that are led, with a
    /// command, and by those that nobody leads, with an event.
    pub commanded: HashMap<CustomerId, Vec<Asked>>,
    pub told: HashMap<CustomerId, Vec<Asked>>,
    pub accounts: HashMap<CustomerId, Replayed>,
    /// What happened to each customer, by version.
    pub account_events: HashMap<CustomerId, Vec<AccountEvent>>,
    /// Commands on credit and replies to them, per saga.
    pub commands: HashMap<Uuid, u32>,
    pub replies: HashMap<Uuid, u32>,
    pub mails: HashMap<OrderId, Vec<(Version, MailAbout)>>,
    /// What the services find wrong with themselves.
    pub wrong: Vec<String>,
}

/// An event of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happened {
    pub version: i64,
    pub event: OrderEvent,
    pub saga: Uuid,
    pub customer: CustomerId,
    /// What the order costs since.
    pub total: Money,
    pub coordination: Coordination,
}

/// A run of a saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub kind: String,
    pub order: OrderId,
    pub phase: String,
}

/// Something that is decided about a customer's credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub order: OrderId,
    pub saga: Uuid,
    pub what: Credit,
}

/// What is asked of credit, and decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credit {
    Reserve(Money),
    Release,
    Change(Money),
}

/// The stores of a running desk, to read.
pub struct Databases {
    customers: Db,
    orders: Db,
    notifications: Db,
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
            notifications: open("notifications", tramline_notifications::migrations()).await,
        }
    }

    pub async fn facts(&self) -> Facts {
        let Self { customers, orders, notifications } = self;
        let (truth, mut wrong) = tramline_orders::invariants::read(orders).await.expect("it reads");
        let (accounts, faults) = tramline_customers::invariants::replay(customers).await.expect("it reads");
        let (mails, unsent) = tramline_notifications::invariants::read(notifications).await.expect("it reads");
        wrong.extend(faults.into_iter().chain(unsent));
        for db in [customers, orders, notifications] {
            let parked = tramline_messaging::Parked::list(db).await.expect("it reads");
            wrong.extend(parked.into_iter().map(|message| format!("{message:?} is parked")));
        }
        let mut facts = Facts { orders: truth.into_iter().collect(), accounts, mails, wrong, ..Facts::default() };
        facts.sagas = runs(orders).await;
        for (headers, payload) in outbox(orders, CUSTOMER_COMMANDS).await {
            facts.take_command(&headers, &payload);
        }
        for (headers, payload) in outbox(orders, ORDER_EVENTS).await {
            facts.take_event(&headers, &payload);
        }
        for (headers, _) in outbox(customers, ORDER_REPLIES).await {
            *facts.replies.entry(headers.saga_id.expect("a reply says to whom")).or_default() += 1;
        }
        for (customer, payload) in account_events(customers).await {
            let event = serde_json::from_str(&payload).expect("an event");
            facts.account_events.entry(CustomerId(customer)).or_default().push(event);
        }
        facts
    }
}

impl Facts {
    fn take_command(&mut self, headers: &Headers, payload: &str) {
        let saga = headers.saga_id.expect("a command says for whom");
        let (customer, order, what) = match headers.kind.as_str() {
            ReserveCredit::KIND => {
                let ReserveCredit { customer_id, order_id, amount } = read(payload);
                (customer_id, order_id, Credit::Reserve(amount))
            }
            ReleaseCredit::KIND => {
                let ReleaseCredit { customer_id, order_id } = read(payload);
                (customer_id, order_id, Credit::Release)
            }
            ChangeReservation::KIND => {
                let ChangeReservation { customer_id, order_id, amount } = read(payload);
                (customer_id, order_id, Credit::Change(amount))
            }
            other => panic!("{other} is no command on credit"),
        };
        let sent = self.commands.entry(saga).or_default();
        *sent += 1;
        // One whose answer was overdue is sent again: the same command, decided the first time that it arrives.
        if *sent == 1 {
            let asked = Asked { order, saga, what };
            self.commanded.entry(customer).or_default().push(asked);
        }
    }

    fn take_event(&mut self, headers: &Headers, payload: &str) {
        let order = OrderId(headers.aggregate_id.expect("an event says whose it is"));
        let version = headers.aggregate_version.expect("and of which version");
        let saga = headers.saga_id.expect("and of which saga");
        let OrderChanged { event, after } = read(payload);
        let (customer, total, coordination) = (after.customer_id, after.total, after.coordination);
        let happened = Happened { version, event, saga, customer, total, coordination };
        self.events.entry(order).or_default().push(happened);
        let what = match event {
            OrderEvent::OrderCreated => Credit::Reserve(total),
            OrderEvent::OrderCancelBegun => Credit::Release,
            OrderEvent::OrderRevisionBegun { total } => Credit::Change(total),
            OrderEvent::OrderApproved
            | OrderEvent::OrderRejected { .. }
            | OrderEvent::OrderCancelUndone
            | OrderEvent::OrderCancelled
            | OrderEvent::OrderRevisionRefused { .. }
            | OrderEvent::OrderRevised { .. } => return,
        };
        // Of an order whose sagas are led, a command asks.
        if coordination == Coordination::Choreography {
            self.told.entry(customer).or_default().push(Asked { order, saga, what });
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(payload: &str) -> T {
    serde_json::from_str(payload).expect("a body")
}

async fn runs(db: &Db) -> HashMap<Uuid, Run> {
    let rows: Vec<(Uuid, String, Uuid, String)> =
        all(db, "select saga_id, saga_type, aggregate_id, phase from saga_instance").await;
    let run = |(saga, kind, order, phase)| (saga, Run { kind, order: OrderId(order), phase });
    rows.into_iter().map(run).collect()
}

/// A channel of an outbox, each partition in its order.
async fn outbox(db: &Db, channel: &str) -> Vec<(Headers, String)> {
    let rows: Vec<(String, String)> = db
        .all(sql("select headers, payload from outbox where channel = $1 order by partition_no, seq").bind(channel))
        .await
        .expect("it reads");
    rows.into_iter().map(|(headers, payload)| (serde_json::from_str(&headers).expect("headers"), payload)).collect()
}

async fn account_events(db: &Db) -> Vec<(Uuid, String)> {
    all(db, "select aggregate_id, payload from event where aggregate_kind = 'Customer' order by aggregate_id, version")
        .await
}

async fn all<T: Record>(db: &Db, text: &'static str) -> Vec<T> {
    db.all(sql(text)).await.expect("it reads")
}
