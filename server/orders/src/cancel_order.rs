//! The saga that cancels an order.
//!
//! ```text
//! begin-cancel    compensatable  local      BeginCancel    undone by UndoCancel
//! release-credit  pivot          customers  ReleaseCredit
//! confirm-cancel  retriable      local      ConfirmCancel
//! notify-customer retriable      told to notifications  NotifyCustomer
//! ```

use crate::notices::{Changed, notify};
use serde::{Deserialize, Serialize};
use tramline_contract::{CustomerId, MailAbout, OrderId};
use tramline_messages::{
    channels::{CUSTOMER_COMMANDS, NOTIFICATION_COMMANDS},
    customers::ReleaseCredit,
};
use tramline_messaging::Record;
use tramline_sagas::{Command, Definition, define, step};

pub use tramline_messages::protocols::CANCEL_ORDER;

/// What the saga knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelOrderData {
    /// The order.
    pub order_id: OrderId,
    /// Whose credit is released.
    pub customer_id: CustomerId,
    /// Learnt from the step before the last: the order since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
}

/// The steps.
#[must_use]
pub fn definition() -> Definition<CancelOrderData> {
    define(CANCEL_ORDER)
        .compensatable(step("begin-cancel").locally().does(begin).undone_by(undo))
        .pivot(step("release-credit").at(CUSTOMER_COMMANDS).does(release))
        .retriable(step("confirm-cancel").locally().does(confirm).learns(learn))
        .retriable(step("notify-customer").tells(NOTIFICATION_COMMANDS).does(tell))
        .build()
}

/// Local command: lock the order, CANCEL_PENDING.
pub(crate) const BEGIN: &str = "BeginCancel";
/// Local command: let it go as it was.
pub(crate) const UNDO: &str = "UndoCancel";
/// Local command: it is cancelled.
pub(crate) const CONFIRM: &str = "ConfirmCancel";

fn begin(data: &CancelOrderData) -> Command {
    Command::new(BEGIN, data.order_id.0, data)
}

fn undo(data: &CancelOrderData) -> Command {
    Command::new(UNDO, data.order_id.0, data)
}

fn confirm(data: &CancelOrderData) -> Command {
    Command::new(CONFIRM, data.order_id.0, data)
}

/// Keyed by the customer, like every command on credit: they are decided in the order in which they were accepted.
fn release(data: &CancelOrderData) -> Command {
    let CancelOrderData { order_id, customer_id, .. } = *data;
    Command::new(ReleaseCredit::KIND, customer_id.0, &ReleaseCredit { customer_id, order_id })
}

fn learn(data: &mut CancelOrderData, reply: &Record) {
    data.changed = Changed::read(reply);
}

fn tell(data: &CancelOrderData) -> Command {
    notify(data.order_id, data.customer_id, MailAbout::Cancelled, data.changed)
}
