//! Its turns in sagas that nobody leads: it hears what became of an order, and has a mail written. It tells nothing.

use crate::{service::Notifications, store};
use std::sync::Arc;
use tramline_contract::{MailAbout, OrderId, RejectionReason, Version};
use tramline_db::BoxFuture;
use tramline_messages::{
    notifications::NotifyCustomer,
    orders::{OrderChanged, OrderEvent},
};
use tramline_messaging::{Handler, HandlerError, Record, UnitOfWork};

/// Hears the events of orders whose sagas nobody leads.
#[derive(Clone, Debug)]
pub struct OrderEventHandler {
    notifications: Notifications,
}

/// Every event that a customer is told of.
pub(crate) const TOLD: [&str; 5] =
    ["OrderApproved", "OrderRejected", "OrderCancelled", "OrderRevised", "OrderRevisionRefused"];

/// Whether an event is one upon which this service has a turn: the end of a saga that is not led. One that is led sends a command.
#[must_use]
pub fn is_our_turn(event: &Record) -> bool {
    event.headers.saga_type.is_some() && TOLD.contains(&event.headers.kind.as_str())
}

impl OrderEventHandler {
    /// A handler that wakes the service's sender.
    #[must_use]
    pub const fn new(notifications: Notifications) -> Self {
        Self { notifications }
    }
}

impl Handler for OrderEventHandler {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            let ours = batch.iter().filter(|event| is_our_turn(event));
            let told = ours.filter_map(|event| mail_of(event).transpose()).collect::<Result<Vec<_>, _>>()?;
            store::insert(work.tx, &told, work.now).await?;
            Ok(())
        })
    }

    fn committed(&self, (): ()) {
        self.notifications.tell_sender();
    }
}

fn mail_of(record: &Record) -> Result<Option<NotifyCustomer>, HandlerError> {
    let OrderChanged { event, after } = serde_json::from_str(&record.payload)
        .map_err(|error| HandlerError::Permanent(format!("the body does not read: {error}")))?;
    let (Some(id), Some(version)) = (record.headers.aggregate_id, record.headers.aggregate_version) else {
        return Err(HandlerError::Permanent("the event names no order and version".to_owned()));
    };
    Ok(about(event).map(|(about, reason)| NotifyCustomer {
        order_id: OrderId(id),
        order_version: Version(version),
        customer_id: after.customer_id,
        about,
        total: after.total,
        reason,
    }))
}

const fn about(event: OrderEvent) -> Option<(MailAbout, Option<RejectionReason>)> {
    match event {
        OrderEvent::OrderApproved => Some((MailAbout::Approved, None)),
        OrderEvent::OrderRejected { reason } => Some((MailAbout::Rejected, Some(reason))),
        OrderEvent::OrderCancelled => Some((MailAbout::Cancelled, None)),
        OrderEvent::OrderRevised { .. } => Some((MailAbout::Revised, None)),
        OrderEvent::OrderRevisionRefused { reason } => Some((MailAbout::RevisionRefused, Some(reason))),
        OrderEvent::OrderCreated
        | OrderEvent::OrderCancelBegun
        | OrderEvent::OrderCancelUndone
        | OrderEvent::OrderRevisionBegun { .. } => None,
    }
}
