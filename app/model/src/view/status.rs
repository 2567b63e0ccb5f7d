//! An order's status in words: shape and colour follow from the kind, and the words alone must suffice.

use crate::{
    model::Model,
    pending::{Operation, Stage},
    time::{Millis, SECOND_MS},
};
use tramline_contract::{Order, OrderId, OrderState, RejectionReason};

/// From here on a waiting order is shown as being processed.
const PROCESSING_AFTER_MS: Millis = 1_000;
/// From here on a waiting order needs a word of comfort.
pub const LONG_AFTER_MS: Millis = 10_000;

/// What an order's badge looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusKind {
    /// On its way to the server.
    Sending,
    /// Nobody knows whether it arrived.
    Checking,
    /// Taken, and waiting for its decision.
    Pending,
    /// Waiting for longer than a moment.
    Processing,
    /// Its credit is reserved.
    Approved,
    /// Refused.
    Rejected,
    /// Its new total is being decided.
    Revising,
    /// Being cancelled.
    Cancelling,
    /// Not decided yet, and to be cancelled once it is.
    WillCancel,
    /// Cancelled.
    Cancelled,
}

impl StatusKind {
    /// The name in the style sheet.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Checking => "checking",
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Revising => "revising",
            Self::Cancelling | Self::WillCancel => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An order's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What its badge looks like.
    pub kind: StatusKind,
    /// What its badge says.
    pub label: String,
    /// A word of comfort or warning, when there is need for one.
    pub note: Option<&'static str>,
}

impl Status {
    fn plain(kind: StatusKind, label: &str) -> Self {
        Self { kind, label: label.to_owned(), note: None }
    }
}

impl Model {
    /// The status of an order, be it confirmed or on its way.
    #[must_use]
    pub fn status(&self, id: OrderId) -> Option<Status> {
        // The last thing that the user wants of it is what its badge tells.
        if let Some(change) = self.pending.changes_of(id.0).next_back() {
            return Some(change_status(change, self.orders.get(id)));
        }
        if let Some(order) = self.orders.get(id) {
            return Some(self.confirmed_status(order));
        }
        let operation = self.pending.order(id)?;
        Some(match operation.stage {
            Stage::Accepted { .. } => self.waiting_status(id),
            _ if operation.in_doubt => Status {
                kind: StatusKind::Checking,
                label: "Checking…".to_owned(),
                note: Some("We couldn't confirm this order. Checking now, so don't place it again."),
            },
            _ => Status::plain(StatusKind::Sending, "Sending"),
        })
    }

    fn confirmed_status(&self, order: &Order) -> Status {
        match order.state {
            OrderState::Pending => self.waiting_status(order.id),
            OrderState::Approved => {
                let was_refused = order.last_refusal.is_some();
                Status::plain(
                    StatusKind::Approved,
                    if was_refused { "Approved · revision refused" } else { "Approved" },
                )
            }
            OrderState::Rejected => Status::plain(
                StatusKind::Rejected,
                match order.rejection_reason {
                    Some(RejectionReason::InsufficientCredit) => "Rejected: credit",
                    Some(RejectionReason::UnknownCustomer) => "Rejected: customer",
                    None => "Rejected",
                },
            ),
            OrderState::RevisionPending => Status::plain(StatusKind::Revising, "Revising"),
            OrderState::CancelPending => Status::plain(StatusKind::Cancelling, "Cancelling"),
            OrderState::Cancelled => Status::plain(StatusKind::Cancelled, "Cancelled"),
        }
    }

    fn waiting_status(&self, id: OrderId) -> Status {
        let waited_ms = self.now_ms.saturating_sub(self.waiting_since(id));
        if waited_ms < PROCESSING_AFTER_MS {
            return Status::plain(StatusKind::Pending, "Pending");
        }
        Status {
            kind: StatusKind::Processing,
            label: format!("Processing · {}", crate::time::age(waited_ms / SECOND_MS * SECOND_MS, 0)),
            note: (waited_ms >= LONG_AFTER_MS).then_some("Taking longer than usual. You can leave; we'll keep going."),
        }
    }
}

/// The status of an order that the user changes. `order` is what is confirmed of it.
fn change_status(change: &Operation, order: Option<&Order>) -> Status {
    let cancels = change.command.revision().is_none();
    let is_decided = order.is_some_and(|order| order.state.is_settled());
    match change.stage {
        Stage::Accepted { .. } if cancels => Status::plain(StatusKind::Cancelling, "Cancelling"),
        Stage::Accepted { .. } => Status::plain(StatusKind::Revising, "Revising"),
        _ if change.in_doubt => Status {
            kind: StatusKind::Checking,
            label: "Checking…".to_owned(),
            note: Some("We couldn't confirm this change. Checking now, so don't make it again."),
        },
        Stage::Locked { .. } if cancels => Status::plain(StatusKind::WillCancel, "Will cancel once decided"),
        _ if cancels && !is_decided => Status::plain(StatusKind::WillCancel, "Will cancel once decided"),
        _ if cancels => Status::plain(StatusKind::Cancelling, "Cancelling"),
        _ => Status::plain(StatusKind::Revising, "Revising"),
    }
}
