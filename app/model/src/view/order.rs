//! One order: as a row and as a page.

use super::{PageView, Status, StatusKind, Trouble};
use crate::{
    confirmed::Staleness,
    model::Model,
    text::{money, short_id},
    time::{age, unix_ms},
};
use tramline_contract::{Coordination, CustomerId, Money, Order, OrderId, OrderState, RejectionReason};

/// An order in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderRow {
    /// Which.
    pub id: OrderId,
    /// Its id, short.
    pub short_id: String,
    /// Who buys.
    pub customer_id: CustomerId,
    /// What the buyer is called.
    pub customer: String,
    /// What it costs, or shall cost as soon as that is confirmed.
    pub total: String,
    /// What it cost before, while a revision is not confirmed.
    pub was: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// Its version; none while it is not confirmed.
    pub version: Option<String>,
    /// How long ago it changed.
    pub updated: String,
    /// Whether something newer exists.
    pub stale: Option<StaleBadge>,
    /// Whether it was decided a moment ago.
    pub just_decided: bool,
}

/// Says that something newer exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleBadge {
    /// `Updating v3→v4`.
    pub text: String,
    /// Whether it has been so for long, so that refreshing by hand is offered.
    pub is_old: bool,
}

impl StaleBadge {
    pub(super) fn of(staleness: Staleness) -> Self {
        let text = if staleness.old {
            "Showing older data".to_owned()
        } else {
            format!("Updating v{}→v{}", staleness.have, staleness.known)
        };
        Self { text, is_old: staleness.old }
    }
}

/// How far a step of an order's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Done.
    Done,
    /// Under way.
    Current,
    /// Not begun.
    Ahead,
    /// Ended badly.
    Failed,
}

/// A step of an order's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is called.
    pub label: &'static str,
    /// How far it has come.
    pub state: StepState,
}

/// An order's own page.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderPage {
    /// What the row shows.
    pub row: OrderRow,
    /// The whole id.
    pub id: String,
    /// When it was placed, RFC 3339; none while it is not confirmed.
    pub placed_at: Option<String>,
    /// When it last changed, RFC 3339.
    pub updated_at: Option<String>,
    /// Who leads its sagas.
    pub coordination: Coordination,
    /// The saga that holds or last changed it.
    pub saga_id: Option<String>,
    /// Why it was rejected, or its last revision refused.
    pub sentence: Option<String>,
    /// Whether another order is the way out of that.
    pub is_rejected: bool,
    /// Whether its total may be revised.
    pub can_revise: bool,
    /// Whether it may be cancelled.
    pub can_cancel: bool,
    /// Whether its cancellation waits and may be taken back.
    pub can_keep: bool,
    /// Its life so far.
    pub steps: Vec<Step>,
}

impl Model {
    /// An order as a row.
    #[must_use]
    pub fn order_row(&self, id: OrderId) -> Option<OrderRow> {
        let status = self.status(id)?;
        let (customer_id, named, total, version, changed_ms) = match self.orders.get(id) {
            Some(order) => {
                let changed_ms = unix_ms(&order.updated_at);
                let version = Some(order.version.to_string());
                (order.customer_id, order.customer_name.as_deref(), order.total, version, changed_ms)
            }
            None => {
                let operation = self.pending.order(id)?;
                let (_, customer_id, total) = operation.command.placed()?;
                (customer_id, None, total, None, Some(operation.submitted_ms))
            }
        };
        let wanted = self.pending.wanted(id.0);
        let customer = named.or_else(|| self.customer_name(customer_id)).map(str::to_owned);
        Some(OrderRow {
            id,
            short_id: short_id(id.0),
            customer_id,
            customer: customer.unwrap_or_else(|| short_id(customer_id.0)),
            total: money(wanted.map_or(total, |(wanted, _)| wanted)),
            was: wanted.map(|(_, operation)| money(operation.was.unwrap_or(total))),
            status,
            version,
            updated: age(self.now_ms, changed_ms.unwrap_or(self.now_ms)),
            stale: self.staleness(id).map(StaleBadge::of),
            just_decided: self.just_decided.iter().any(|(decided, _)| *decided == id),
        })
    }

    /// An order as a page.
    #[must_use]
    pub fn order_page(&self, id: OrderId) -> PageView<OrderPage> {
        let trouble = self.detail.trouble.as_ref().map(Trouble::of);
        let Some(row) = self.order_row(id) else {
            return match trouble {
                Some(trouble) => PageView::Failed(trouble),
                None if self.detail.is_missing => PageView::Missing,
                None => PageView::Loading,
            };
        };
        let order = self.orders.get(id);
        let sent = || self.pending.order(id).and_then(|operation| operation.command.coordination());
        let page = OrderPage {
            id: id.to_string(),
            placed_at: order.map(|order| order.created_at.0.clone()),
            updated_at: order.map(|order| order.updated_at.0.clone()),
            coordination: order.map(|order| order.coordination).or_else(sent).unwrap_or_default(),
            saga_id: order.and_then(|order| order.saga_id).map(|saga| saga.to_string()),
            sentence: order.and_then(|order| self.refusal_sentence(order, &row.customer)),
            is_rejected: order.is_some_and(|order| order.state == OrderState::Rejected),
            can_revise: self.can_revise(id),
            can_cancel: self.can_cancel(id),
            can_keep: self.can_keep(id),
            steps: steps(row.status.kind, order.map(|order| order.state)),
            row,
        };
        PageView::Ready(page, trouble)
    }

    /// What we know to be newer, unless a change of the user's own explains it.
    fn staleness(&self, id: OrderId) -> Option<Staleness> {
        self.orders.staleness(id, self.now_ms).filter(|_| self.pending.changes_of(id.0).next().is_none())
    }

    fn refusal_sentence(&self, order: &Order, customer: &str) -> Option<String> {
        let total = money(order.total);
        if order.state == OrderState::Approved && self.pending.wanted(order.id.0).is_none() {
            return order.last_refusal.map(|_| {
                format!(
                    "The last revision was refused: {customer} had too little credit left. The total is still {total}."
                )
            });
        }
        if order.state != OrderState::Rejected {
            return None;
        }
        Some(match order.rejection_reason {
            Some(RejectionReason::InsufficientCredit) => {
                // What was left when it was decided is not told. If it would still not do, today's figure says why.
                match self.customers.get(order.customer_id).map(|customer| customer.available_credit) {
                    Some(left) if left < order.total => format!(
                        "Rejected: {total} is more than the {} {customer} has left. Lower the total or raise the limit.",
                        money(left.max(Money::ZERO))
                    ),
                    Some(_) | None => {
                        format!("Rejected: {total} was more than {customer} had left when the order was decided.")
                    }
                }
            }
            Some(RejectionReason::UnknownCustomer) => "Rejected: nobody has this customer's id.".to_owned(),
            None => "Rejected.".to_owned(),
        })
    }
}

fn steps(kind: StatusKind, state: Option<OrderState>) -> Vec<Step> {
    use StepState::{Ahead, Current, Done, Failed};
    let placed = match kind {
        StatusKind::Sending | StatusKind::Checking if state.is_none() => Current,
        _ => Done,
    };
    let (credit, decided, outcome) = match state {
        Some(OrderState::Rejected) => (Failed, Failed, "Rejected"),
        Some(
            OrderState::Approved | OrderState::RevisionPending | OrderState::CancelPending | OrderState::Cancelled,
        ) => (Done, Done, "Approved"),
        Some(OrderState::Pending) | None if placed == Current => (Ahead, Ahead, "Decided"),
        Some(OrderState::Pending) | None => (Current, Ahead, "Decided"),
    };
    let mut steps = vec![
        Step { label: "Placed", state: placed },
        Step { label: "Credit checked", state: credit },
        Step { label: outcome, state: decided },
    ];
    match (kind, state) {
        (_, Some(OrderState::Cancelled)) => steps.push(Step { label: "Cancelled", state: Done }),
        (StatusKind::Cancelling, _) => steps.push(Step { label: "Cancelled", state: Current }),
        (StatusKind::WillCancel, _) => steps.push(Step { label: "Cancelled", state: Ahead }),
        (StatusKind::Revising, _) => steps.push(Step { label: "Revised", state: Current }),
        _ => {}
    }
    steps
}
