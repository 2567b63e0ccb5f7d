//! The order history: the view of customers and orders that their events make.

use crate::{
    cached::Cached,
    flaws::Projecting,
    judge::{Accounts, Truths},
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tramline_contract::CustomerId;
use tramline_db::DbError;
use tramline_messages::{
    channels::{CUSTOMER_EVENTS, ORDER_EVENTS},
    services::{CUSTOMERS, HISTORY, ORDERS},
};
use tramline_messaging::Messaging;
use tramline_order_history::{GROUP, History, ViewCustomer, ViewError, ViewOrder, read_view};
use tramline_simulator::{Group, Stage, Wrongs};
use uuid::Uuid;

pub const RARE: &[&str] = &[AHEAD];
const AHEAD: &str = "an order came into the view before its customer";

type Contents = (Vec<ViewCustomer>, Vec<ViewOrder>);

pub struct View {
    history: History,
    contents: Cached<Contents>,
    /// The newest version of each row that was shown.
    shown: Mutex<HashMap<Uuid, i64>>,
    ahead: AtomicBool,
}

impl View {
    pub fn open(stage: &Stage) -> Result<Self, DbError> {
        let messaging = stage.messaging(HISTORY, &tramline_order_history::migrations())?;
        let history = History::in_database(messaging, Uuid::nil());
        Ok(Self { history, contents: Cached::default(), shown: Mutex::default(), ahead: AtomicBool::new(false) })
    }

    pub const fn messaging(&self) -> &Messaging {
        self.history.messaging()
    }

    pub fn group(&self, stage: &Stage) -> Group {
        let channels = [(CUSTOMERS, CUSTOMER_EVENTS), (ORDERS, ORDER_EVENTS)];
        let projector = Projecting::new(stage, self.history.table_projector());
        Group::new(stage, GROUP, self.messaging(), &channels, projector)
    }

    async fn contents(&self) -> Result<Arc<Contents>, DbError> {
        let read = async {
            read_view(self.history.store()).await.map_err(|error| match error {
                ViewError::Db(error) => error,
                other => DbError::corrupt("the view", other),
            })
        };
        self.contents.get(self.messaging().db(), read).await
    }

    /// No row goes away, or back to an older version.
    pub async fn always(&self) -> Wrongs {
        let contents = self.contents().await?;
        let (customers, orders) = &*contents;
        let rows: HashMap<Uuid, i64> = customers
            .iter()
            .map(|customer| (customer.id.0, customer.version))
            .chain(orders.iter().map(|order| (order.id.0, order.version)))
            .collect();
        if orders.iter().any(|order| !rows.contains_key(&order.customer_id.0)) {
            self.ahead.store(true, Ordering::Relaxed);
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wrong = Vec::new();
        for (id, before) in shown.iter() {
            let now = rows.get(id).copied().unwrap_or(0);
            if now < *before {
                wrong.push(format!("the view showed version {before} of {id} and shows {now}"));
            }
        }
        wrong.sort_unstable();
        *shown = rows;
        Ok(wrong)
    }

    /// It shows what the services' truth says, and nothing else.
    pub async fn at_rest(&self, truths: &Truths, accounts: &Accounts) -> Wrongs {
        let contents = self.contents().await?;
        let (customers, orders) = &*contents;
        let mut wrong = self.always().await?;
        let mut placed: HashMap<CustomerId, i64> = HashMap::new();
        for (_, order) in truths {
            *placed.entry(order.customer_id).or_default() += 1;
        }
        let mut expected: Vec<ViewOrder> = truths
            .iter()
            .map(|(id, order)| ViewOrder {
                id: *id,
                customer_id: order.customer_id,
                total: order.total,
                state: order.state.as_str().to_owned(),
                last_refusal: order.last_refusal.map(|reason| reason.as_str().to_owned()),
                version: order.version.0,
            })
            .collect();
        expected.sort_unstable_by_key(|order| order.id.0);
        if *orders != expected {
            wrong.push(format!("the view shows {orders:?}, but the orders are {expected:?}"));
        }
        let mut expected: Vec<ViewCustomer> = accounts
            .iter()
            .map(|(id, replayed)| ViewCustomer {
                id: *id,
                name: replayed.account.name.clone(),
                credit_limit: replayed.account.credit_limit,
                reserved: replayed.account.reserved,
                paid: replayed.account.paid,
                version: replayed.version,
                order_count: placed.get(id).copied().unwrap_or(0),
            })
            .collect();
        expected.sort_unstable_by_key(|customer| customer.id.0);
        if *customers != expected {
            wrong.push(format!("the view shows {customers:?}, but the customers are {expected:?}"));
        }
        Ok(wrong)
    }

    pub fn reached(&self) -> Vec<&'static str> {
        if self.ahead.load(Ordering::Relaxed) { vec![AHEAD] } else { Vec::new() }
    }
}
