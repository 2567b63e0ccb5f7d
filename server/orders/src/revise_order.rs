//! The saga that gives an order another total.
//!
//! ```text
//! begin-revision      compensatable  local      BeginRevision      undone by UndoRevision
//! change-reservation  pivot          customers  ChangeReservation
//! confirm-revision    retriable      local      ConfirmRevision
//! notify-customer     retriable      told to notifications  NotifyCustomer
//! ```

use crate::{
    create_order::reason_of,
    notices::{Changed, notify},
};
use serde::{Deserialize, Serialize};
use tramline_contract::{CustomerId, MailAbout, Money, OrderId, RejectionReason};
use tramline_messages::{
    channels::{CUSTOMER_COMMANDS, NOTIFICATION_COMMANDS},
    customers::ChangeReservation,
};
use tramline_messaging::Record;
use tramline_sagas::{Command, Definition, define, step};

pub use tramline_messages::protocols::REVISE_ORDER;

/// What the saga knows, input parameters first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviseOrderData {
    /// The order.
    pub order_id: OrderId,
    /// Whose credit.
    pub customer_id: CustomerId,
    /// What the order shall cost.
    pub total: Money,
    /// Learnt from the customers service when it refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RejectionReason>,
    /// Learnt from the step before the last: the order since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
}

/// The steps.
#[must_use]
pub fn definition() -> Definition<ReviseOrderData> {
    define(REVISE_ORDER)
        .compensatable(step("begin-revision").locally().does(begin).undone_by(undo))
        .pivot(step("change-reservation").at(CUSTOMER_COMMANDS).does(change).learns(refusal))
        .retriable(step("confirm-revision").locally().does(confirm).learns(learn))
        .retriable(step("notify-customer").tells(NOTIFICATION_COMMANDS).does(tell))
        .build()
}

/// Local command: lock the order, REVISION_PENDING.
pub(crate) const BEGIN: &str = "BeginRevision";
/// Local command: let it go with its old total, and the reason learnt.
pub(crate) const UNDO: &str = "UndoRevision";
/// Local command: it has the new total.
pub(crate) const CONFIRM: &str = "ConfirmRevision";

fn begin(data: &ReviseOrderData) -> Command {
    Command::new(BEGIN, data.order_id.0, data)
}

fn undo(data: &ReviseOrderData) -> Command {
    Command::new(UNDO, data.order_id.0, data)
}

fn confirm(data: &ReviseOrderData) -> Command {
    Command::new(CONFIRM, data.order_id.0, data)
}

/// Keyed by the customer, like every command on credit: they are decided in the order in which they were accepted.
fn change(data: &ReviseOrderData) -> Command {
    let ReviseOrderData { order_id, customer_id, total, .. } = *data;
    Command::new(ChangeReservation::KIND, customer_id.0, &ChangeReservation { customer_id, order_id, amount: total })
}

fn refusal(data: &mut ReviseOrderData, reply: &Record) {
    data.refusal = reason_of(reply);
}

fn learn(data: &mut ReviseOrderData, reply: &Record) {
    data.changed = Changed::read(reply);
}

fn tell(data: &ReviseOrderData) -> Command {
    notify(data.order_id, data.customer_id, MailAbout::Revised, data.changed)
}
