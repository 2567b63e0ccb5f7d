//! Stories of changes: cancelled, revised, paid, and what the user sees meanwhile.

use crate::{
    Effect, Msg, Route,
    ask::{Answer, Ask},
    change::Change,
    command::{Accepted, Command, Failure},
    fixtures,
    stories::{Desk, order_id},
    view::StatusKind,
};
use tramline_contract::{
    Customer, CustomerId, Money, Order, OrderState, Problem, RejectionReason, Version, live::ServerFrame,
};
use uuid::Uuid;

const ORDER: u128 = 2;
const CUSTOMER: u128 = 1_000;

fn document(version: i64, total: i64, state: OrderState) -> Order {
    Order { total: Money::from_minor(total * 100), state, version: Version(version), ..fixtures::order(ORDER, version) }
}

fn refused(version: i64, total: i64) -> Order {
    Order { last_refusal: Some(RejectionReason::InsufficientCredit), ..document(version, total, OrderState::Approved) }
}

fn customer_id() -> CustomerId {
    CustomerId(Uuid::from_u128(CUSTOMER))
}

impl Desk {
    /// A desk in front of an approved order of 900.
    fn with_approved() -> Self {
        let mut desk = Self::live();
        desk.hears_of(1, document(1, 900, OrderState::Pending));
        desk.hears_of(2, document(2, 900, OrderState::Approved));
        desk
    }

    fn changes(&mut self, id: u128, change: Change, amount: &str) {
        self.says(Msg::ChangeOpened { change, id: Uuid::from_u128(id) });
        if !amount.is_empty() {
            self.says(Msg::AmountTyped(amount.to_owned()));
        }
        self.says(Msg::ChangeSubmitted);
    }

    fn revises(&mut self, id: u128, total: &str) {
        self.changes(id, Change::Revise(order_id(ORDER)), total);
    }

    fn takes(&mut self, id: u128, version: i64) {
        self.says(Msg::CommandAnswered(Uuid::from_u128(id), Ok(Accepted { version: Version(version) })));
    }

    fn refuses(&mut self, id: u128, problem: Problem) {
        self.says(Msg::CommandAnswered(Uuid::from_u128(id), Err(Failure::Problem(problem))));
    }

    fn reads_order(&mut self, order: Order) {
        let ask = Ask::Order { id: order.id, min_version: Version::FIRST };
        self.says(Msg::ReadAnswered(ask, Ok(Answer::Order(Box::new(order)))));
    }

    /// The old total, struck, and the new one.
    fn totals(&self) -> (Option<String>, String) {
        let row = self.model.order_row(order_id(ORDER)).expect("it is shown");
        (row.was, row.total)
    }

    fn sent(&self) -> Vec<u128> {
        let sent = self.effects.iter().filter_map(|effect| match effect {
            Effect::Send(command) => Some(command.id().as_u128()),
            _ => None,
        });
        sent.collect()
    }

    fn label(&self) -> String {
        self.model.status(order_id(ORDER)).expect("it is shown").label
    }
}

fn pair(was: &str, total: &str) -> (Option<String>, String) {
    (Some(was.to_owned()).filter(|was| !was.is_empty()), total.to_owned())
}

#[test]
fn a_revision_shows_both_totals_until_it_is_decided() {
    let mut desk = Desk::with_approved();
    desk.revises(7, "1,200");
    assert_eq!((desk.totals(), desk.label()), (pair("900.00", "1,200.00"), "Revising".to_owned()));
    desk.takes(7, 3);
    desk.waits(500);
    let row = desk.model.order_row(order_id(ORDER)).expect("it is shown");
    assert_eq!(row.stale, None, "the user's own change explains that something newer exists");
    desk.hears_of(3, document(3, 900, OrderState::RevisionPending));
    assert_eq!(desk.totals(), pair("900.00", "1,200.00"));
    desk.hears_of(4, document(4, 1_200, OrderState::Approved));
    assert_eq!((desk.totals(), desk.label()), (pair("", "1,200.00"), "Approved".to_owned()));
    assert!(desk.effects.contains(&Effect::ForgetOperation(Uuid::from_u128(7))));
}

#[test]
fn a_refused_revision_leaves_the_confirmed_total_and_the_reason() {
    let mut desk = Desk::with_approved();
    desk.revises(7, "1,000");
    desk.revises(8, "5,000");
    assert_eq!(desk.totals(), pair("900.00", "5,000.00"), "the first value is never shown");
    desk.takes(7, 3);
    desk.hears_of(3, document(3, 900, OrderState::RevisionPending));
    desk.hears_of(4, document(4, 1_000, OrderState::Approved));
    assert_eq!((desk.totals(), desk.sent()), (pair("900.00", "5,000.00"), vec![7, 8]));
    desk.takes(8, 5);
    desk.hears_of(5, document(5, 1_000, OrderState::RevisionPending));
    desk.hears_of(6, refused(6, 1_000));
    assert_eq!(desk.totals(), pair("", "1,000.00"), "not the 900 from before");
    assert_eq!(desk.label(), "Approved · revision refused");
    let told = |effect: &Effect| matches!(effect, Effect::Alert(words) if words.contains("keeps 1,000.00"));
    assert!(desk.effects.iter().any(told));
}

#[test]
fn a_pending_order_is_cancelled_once_it_is_decided_unless_the_user_keeps_it() {
    for keeps in [false, true] {
        let mut desk = Desk::live();
        desk.submits(ORDER);
        desk.changes(7, Change::Cancel(order_id(ORDER)), "");
        assert_eq!(desk.label(), "Will cancel once decided");
        desk.accepted(ORDER);
        desk.hears_of(1, document(1, 900, OrderState::Pending));
        assert_eq!((desk.label().as_str(), desk.sent()), ("Will cancel once decided", vec![ORDER]));
        if keeps {
            desk.says(Msg::OrderKept(order_id(ORDER)));
            assert_eq!(desk.status(ORDER), Some(StatusKind::Pending));
        }
        desk.hears_of(2, document(2, 900, OrderState::Approved));
        assert_eq!(desk.sent(), if keeps { vec![ORDER] } else { vec![ORDER, 7] });
        let expected = if keeps { StatusKind::Approved } else { StatusKind::Cancelling };
        assert_eq!(desk.status(ORDER), Some(expected));
        if !keeps {
            desk.takes(7, 3);
            desk.hears_of(3, document(3, 900, OrderState::CancelPending));
            desk.hears_of(4, document(4, 900, OrderState::Cancelled));
            assert_eq!(desk.status(ORDER), Some(StatusKind::Cancelled));
        }
        assert_eq!(desk.model.pending.iter().count(), 0);
    }
}

#[test]
fn a_reload_keeps_a_cancellation_that_waits() {
    let mut desk = Desk::live();
    desk.hears_of(1, document(1, 900, OrderState::Pending));
    desk.changes(7, Change::Cancel(order_id(ORDER)), "");
    let operations = desk
        .effects
        .iter()
        .filter_map(|effect| if let Effect::SaveOperation(saved) = effect { Some(saved.clone()) } else { None });
    let saved = crate::journal::Saved { operations: operations.collect(), ..Default::default() };
    let mut desk = Desk::open(saved, Route::all_orders());
    desk.connect();
    desk.answer_lists(vec![document(1, 900, OrderState::Pending)]);
    assert_eq!(desk.label(), "Will cancel once decided");
    // It went out before the order was known here, and the server said that the order is locked.
    desk.refuses(7, Problem::order_locked(None));
    desk.hears_of(1, document(2, 900, OrderState::Approved));
    desk.effects.clear();
    desk.waits(2_000);
    assert_eq!(desk.sent(), [7]);
}

#[test]
fn a_change_by_somebody_else_is_put_before_the_user() {
    let mut desk = Desk::with_approved();
    desk.says(Msg::ChangeOpened { change: Change::Revise(order_id(ORDER)), id: Uuid::from_u128(7) });
    desk.says(Msg::AmountTyped("1200".to_owned()));
    desk.hears_of(3, document(4, 1_050, OrderState::Approved));
    let warning = desk.model.change_view().and_then(|view| view.warning);
    assert_eq!(warning.as_deref(), Some("This order was changed to 1,050.00 while you were editing."));
    desk.says(Msg::ChangeSubmitted);
    assert_eq!((desk.sent(), desk.totals()), (vec![], pair("", "1,050.00")), "nothing is written over it");
    let card = desk.model.not_sent_cards().remove(0);
    assert_eq!(card.choice, Some(["1,050.00".to_owned(), "1,200.00".to_owned()]));
    desk.says(Msg::Reapplied { id: card.id, new_id: Uuid::from_u128(8) });
    assert_eq!((desk.sent(), desk.totals()), (vec![8], pair("1,050.00", "1,200.00")));
    assert!(desk.model.not_sent_cards().is_empty());
}

#[test]
fn the_server_finds_a_conflict_that_the_page_has_not_heard_of() {
    let mut desk = Desk::with_approved();
    desk.revises(7, "1200");
    desk.refuses(7, Problem::version_conflict(Version(4)));
    assert!(desk.reads().contains(&Ask::Order { id: order_id(ORDER), min_version: Version(4) }));
    assert_eq!(desk.totals(), pair("900.00", "1,200.00"));
    desk.reads_order(document(4, 1_050, OrderState::Approved));
    assert_eq!(desk.totals(), pair("", "1,050.00"));
    let card = desk.model.not_sent_cards().remove(0);
    desk.says(Msg::NotSentDropped(card.id));
    assert_eq!((desk.totals(), desk.sent()), (pair("", "1,050.00"), vec![7]));
}

#[test]
fn an_order_at_its_end_offers_no_change() {
    let mut desk = Desk::with_approved();
    desk.hears_of(3, document(4, 900, OrderState::Cancelled));
    desk.says(Msg::ChangeOpened { change: Change::Revise(order_id(ORDER)), id: Uuid::from_u128(7) });
    assert_eq!(desk.model.change, None);
    desk.says(Msg::ChangeOpened { change: Change::Cancel(order_id(ORDER)), id: Uuid::from_u128(8) });
    assert_eq!(desk.model.change, None);
}

#[test]
fn a_limit_and_a_payment_lie_over_the_account_until_it_has_them() {
    let mut desk = Desk::live();
    desk.changes(7, Change::CreditLimit(customer_id()), "2000");
    desk.changes(8, Change::Payment(customer_id()), "150");
    let page = |desk: &Desk| desk.model.customer_page(customer_id()).ready().cloned().expect("it is shown");
    let shown = page(&desk);
    assert_eq!((shown.row.was.as_deref(), shown.row.credit_limit.as_str()), (Some("1,000.00"), "2,000.00"));
    assert_eq!((shown.being_paid.as_deref(), shown.row.available.as_deref()), (Some("150.00"), Some("650.00")));
    assert_eq!(desk.sent(), [7], "one after another");
    let frame = |cursor, version, limit, paid| ServerFrame::Customer {
        cursor,
        prev: cursor - 1,
        customer: Customer {
            credit_limit: Money::from_minor(limit),
            paid: Money::from_minor(paid),
            ..fixtures::customer(CUSTOMER, version)
        },
    };
    desk.takes(7, 2);
    let socket = desk.socket();
    desk.says(Msg::FramesArrived(socket, vec![frame(1, 2, 200_000, 0)]));
    assert_eq!(desk.sent(), [7, 8]);
    desk.takes(8, 3);
    desk.says(Msg::FramesArrived(socket, vec![frame(2, 3, 200_000, 15_000)]));
    let shown = page(&desk);
    assert_eq!((shown.row.was, shown.row.status, shown.being_paid), (None, None, None));
    assert_eq!((shown.row.credit_limit.as_str(), shown.paid.as_deref()), ("2,000.00", Some("150.00")));
    // An answer to an earlier try comes when all is done. No document has the change's own id, so none is asked for.
    desk.takes(7, 9);
    assert_eq!(desk.model.customers.known(CustomerId(Uuid::from_u128(7))), Version::default());
}

#[test]
fn a_busy_account_is_no_conflict() {
    let mut desk = Desk::live();
    desk.changes(7, Change::CreditLimit(customer_id()), "2000");
    desk.refuses(7, Problem::version_conflict(Version(5)));
    let ask = Ask::Customer { id: customer_id(), min_version: Version(5) };
    assert!(desk.reads().contains(&ask));
    desk.effects.clear();
    let answer = Answer::Customer(Box::new(fixtures::customer(CUSTOMER, 5)));
    desk.says(Msg::ReadAnswered(ask, Ok(answer)));
    let again = desk.effects.iter().find_map(|effect| match effect {
        Effect::Send(command) => command.revision().map(|(_, basis)| basis.version),
        _ => None,
    });
    assert_eq!(again, Some(Version(5)), "the limit is the one that the user saw, so the change goes out again");
}

#[test]
fn a_form_that_is_wrong_sends_nothing() {
    let mut desk = Desk::with_approved();
    for (amount, change) in [
        ("0", Change::Revise(order_id(ORDER))),
        ("much", Change::CreditLimit(customer_id())),
        ("0.001", Change::Payment(customer_id())),
    ] {
        desk.changes(7, change, amount);
        let draft = desk.model.change.clone().expect("the dialog stays open");
        assert_eq!(draft.errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), ["amount"]);
    }
    desk.changes(7, Change::CreditLimit(customer_id()), "0");
    assert!(matches!(desk.effects.last(), Some(Effect::Send(Command::SetCreditLimit { .. }))));
}
