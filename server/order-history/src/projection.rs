//! From events to the changes of the view. Pure.

use crate::heal::{Aggregate, Jump, jump, needs};
use std::{collections::HashMap, sync::Arc};
use tramline_contract::{CustomerId, OrderId};
use tramline_messages::{
    customers::{CustomerChanged, CustomerSnapshot, CustomerUnknown},
    export::Exported,
    orders::{OrderChanged, OrderSnapshot},
};
use tramline_messaging::{HandlerError, Record};
use uuid::Uuid;

/// What a batch of events makes of the view: per aggregate only the newest version counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Customers with their version.
    pub customers: HashMap<CustomerId, (i64, CustomerSnapshot)>,
    /// Orders with their version.
    pub orders: HashMap<OrderId, (i64, OrderSnapshot)>,
    /// Of what events speak of: the version that the view must have so that it has missed none. What owners export needs none.
    pub needs: HashMap<Aggregate, i64>,
}

/// Folds events, in whatever order they came.
///
/// # Errors
/// When an event does not read: it is parked, not guessed at.
pub fn project(batch: &[Arc<Record>]) -> Result<Changes, HandlerError> {
    let mut changes = Changes::default();
    let mut heard = Vec::with_capacity(batch.len());
    for record in batch {
        match record.headers.kind.as_str() {
            "CustomerCreated"
            | "CreditReserved"
            | "CreditRefused"
            | "CreditReleased"
            | "ReservationChanged"
            | "ReservationChangeRefused"
            | "CreditLimitChanged"
            | "PaymentRecorded" => {
                let (id, version) = aggregate(record)?;
                let CustomerChanged { after, .. } = read(record)?;
                heard.push((Aggregate::Customer(CustomerId(id)), version));
                keep_newer(&mut changes.customers, CustomerId(id), version, after);
            }
            "OrderCreated"
            | "OrderApproved"
            | "OrderRejected"
            | "OrderCancelBegun"
            | "OrderCancelUndone"
            | "OrderCancelled"
            | "OrderRevisionBegun"
            | "OrderRevisionRefused"
            | "OrderRevised" => {
                let (id, version) = aggregate(record)?;
                let OrderChanged { after, .. } = read(record)?;
                heard.push((Aggregate::Order(OrderId(id)), version));
                keep_newer(&mut changes.orders, OrderId(id), version, after);
            }
            // Of no aggregate: it answers a saga, and changes nothing that is shown.
            CustomerUnknown::KIND => {}
            other => return Err(HandlerError::Permanent(format!("the event {other} is not known here"))),
        }
    }
    changes.needs = needs(heard);
    Ok(changes)
}

fn aggregate(record: &Record) -> Result<(Uuid, i64), HandlerError> {
    match (record.headers.aggregate_id, record.headers.aggregate_version) {
        (Some(id), Some(version)) if version > 0 => Ok((id, version)),
        _ => Err(HandlerError::Permanent("the event names no aggregate and version".to_owned())),
    }
}

fn read<T: serde::de::DeserializeOwned>(record: &Record) -> Result<T, HandlerError> {
    serde_json::from_str(&record.payload)
        .map_err(|error| HandlerError::Permanent(format!("the body of {} does not read: {error}", record.headers.kind)))
}

fn keep_newer<K: std::hash::Hash + Eq, S>(newest: &mut HashMap<K, (i64, S)>, id: K, version: i64, state: S) {
    if newest.get(&id).is_none_or(|(known, _)| *known < version) {
        newest.insert(id, (version, state));
    }
}

impl Changes {
    /// Customers as their service exports them.
    #[must_use]
    pub fn of_customers(items: Vec<Exported<CustomerSnapshot>>) -> Self {
        let customers = items.into_iter().map(|item| (CustomerId(item.id), (item.version, item.after))).collect();
        Self { customers, ..Self::default() }
    }

    /// Orders as their service exports them.
    #[must_use]
    pub fn of_orders(items: Vec<Exported<OrderSnapshot>>) -> Self {
        let orders = items.into_iter().map(|item| (OrderId(item.id), (item.version, item.after))).collect();
        Self { orders, ..Self::default() }
    }

    /// What a view that knows these versions has missed.
    pub(crate) fn jumps(&self, known: impl Fn(Aggregate) -> Option<i64>) -> Vec<Jump> {
        let judge = |(aggregate, needs): (&Aggregate, &i64)| {
            jump(*aggregate, known(*aggregate), *needs, self.version_of(*aggregate))
        };
        self.needs.iter().filter_map(judge).collect()
    }

    fn version_of(&self, aggregate: Aggregate) -> i64 {
        let version = match aggregate {
            Aggregate::Customer(id) => self.customers.get(&id).map(|(version, _)| *version),
            Aggregate::Order(id) => self.orders.get(&id).map(|(version, _)| *version),
        };
        version.unwrap_or(0)
    }
}
