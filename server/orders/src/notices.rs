//! What customers are told of their orders, as commands to the notifications service.
//!
//! Of what a saga has brought about it tells in its last step, behind the point of no return: nothing undoes a mail. Of what was
//! refused there is no such step, since a saga that is undone has none ahead; the transaction that lets the order go tells it.
//! Pure but for [`tell_of_refusal`].

use crate::order::Order;
use serde::{Deserialize, Serialize};
use tramline_contract::{CustomerId, MailAbout, Money, OrderId, RejectionReason, Version};
use tramline_db::DbError;
use tramline_messages::{channels::NOTIFICATION_COMMANDS, notifications::NotifyCustomer, orders::OrderEvent};
use tramline_messaging::{Headers, Record, UnitOfWork};
use tramline_sagas::Command;

/// What the saga learns from its local steps: the order as it stands since. It names what the customer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The version.
    pub version: Version,
    /// The total.
    pub total: Money,
}

impl Changed {
    /// What a local step replies.
    pub(crate) const fn of(order: &Order) -> Self {
        Self { version: order.version, total: order.total }
    }

    /// What such a reply says.
    pub(crate) fn read(reply: &Record) -> Option<Self> {
        serde_json::from_str(&reply.payload).ok()
    }
}

/// The last step of a saga. Without having learnt what the order is, which no step before it forgets, the version is one that
/// tells of nothing else.
pub(crate) fn notify(order_id: OrderId, customer_id: CustomerId, about: MailAbout, since: Option<Changed>) -> Command {
    let Changed { version, total } = since.unwrap_or(Changed { version: Version::FIRST, total: Money::ZERO });
    let told = NotifyCustomer { order_id, order_version: version, customer_id, about, total, reason: None };
    Command::new(NotifyCustomer::KIND, order_id.0, &told)
}

/// Tells of an order that was rejected, or not revised, in the unit of work that writes it.
pub(crate) fn tell_of_refusal(work: &mut UnitOfWork<'_>, order: &Order, event: OrderEvent) -> Result<(), DbError> {
    let Some((about, reason)) = refused(event) else { return Ok(()) };
    let told = NotifyCustomer {
        order_id: order.id,
        order_version: order.version,
        customer_id: order.customer_id,
        about,
        total: order.total,
        reason: Some(reason),
    };
    let headers =
        Headers { kind: NotifyCustomer::KIND.to_owned(), saga_id: order.saga_id.map(|id| id.0), ..Headers::default() };
    let payload = serde_json::to_string(&told).map_err(|error| DbError::corrupt("a command", error))?;
    work.send(NOTIFICATION_COMMANDS, order.id.0, headers, payload);
    Ok(())
}

const fn refused(event: OrderEvent) -> Option<(MailAbout, RejectionReason)> {
    match event {
        OrderEvent::OrderRejected { reason } => Some((MailAbout::Rejected, reason)),
        OrderEvent::OrderRevisionRefused { reason } => Some((MailAbout::RevisionRefused, reason)),
        _ => None,
    }
}
