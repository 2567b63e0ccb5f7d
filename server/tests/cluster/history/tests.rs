//! For each promise, a history that breaks it.

use super::{
    facts::{Asked, Credit, Facts, Happened, Run},
    judge,
};
use crate::operations::{Answer, Command, Operation};
use std::{collections::HashMap, time::Duration};
use tramline_contract::{
    Coordination, CustomerId, MailAbout, Money, OrderId, OrderState, PaymentId, RejectionReason, Version,
};
use tramline_customers::{Account, AccountEvent, invariants::Replayed};
use tramline_messages::orders::OrderEvent;
use tramline_orders::invariants::Truth;
use uuid::Uuid;

const CUSTOMER: CustomerId = CustomerId(Uuid::from_u128(1));
const PAYMENT: PaymentId = PaymentId(Uuid::from_u128(2));
/// Led; revised, then approved for good.
const REVISED: OrderId = OrderId(Uuid::from_u128(10));
/// Choreographed; cancelled, though the answer was lost.
const CANCELLED: OrderId = OrderId(Uuid::from_u128(11));
/// Led; refused.
const REFUSED: OrderId = OrderId(Uuid::from_u128(12));

const fn money(units: i64) -> Money {
    Money::from_minor(units * 100)
}

const fn saga(number: u128) -> Uuid {
    Uuid::from_u128(100 + number)
}

/// What happened to the three orders: the version, the event, its saga, and the total since.
fn events() -> HashMap<OrderId, Vec<Happened>> {
    let life = |coordination, events: &[(OrderEvent, u128, i64)]| -> Vec<Happened> {
        let happened = |(&(event, number, total), version)| Happened {
            version,
            event,
            saga: saga(number),
            customer: CUSTOMER,
            total: money(total),
            coordination,
        };
        events.iter().zip(1..).map(happened).collect()
    };
    let revised = [
        (OrderEvent::OrderCreated, 1, 30),
        (OrderEvent::OrderApproved, 1, 30),
        (OrderEvent::OrderRevisionBegun { total: money(40) }, 2, 30),
        (OrderEvent::OrderRevised { previous: money(30) }, 2, 40),
    ];
    let cancelled = [
        (OrderEvent::OrderCreated, 3, 20),
        (OrderEvent::OrderApproved, 3, 20),
        (OrderEvent::OrderCancelBegun, 4, 20),
        (OrderEvent::OrderCancelled, 4, 20),
    ];
    let reason = RejectionReason::InsufficientCredit;
    let refused = [(OrderEvent::OrderCreated, 5, 90), (OrderEvent::OrderRejected { reason }, 5, 90)];
    HashMap::from([
        (REVISED, life(Coordination::Orchestration, &revised)),
        (CANCELLED, life(Coordination::Choreography, &cancelled)),
        (REFUSED, life(Coordination::Orchestration, &refused)),
    ])
}

fn account_events() -> Vec<AccountEvent> {
    vec![
        AccountEvent::CustomerCreated { name: "A".to_owned(), credit_limit: money(50), created_at_micros: 0 },
        AccountEvent::CreditReserved { order_id: REVISED, amount: money(30) },
        AccountEvent::ReservationChanged { order_id: REVISED, amount: money(40), previous: money(30) },
        AccountEvent::PaymentRecorded { payment_id: PAYMENT, amount: money(15), reference: None },
        AccountEvent::CreditReserved { order_id: CANCELLED, amount: money(20) },
        AccountEvent::CreditReleased { order_id: CANCELLED, amount: money(20) },
        AccountEvent::CreditLimitChanged { credit_limit: money(60), previous: money(50) },
        AccountEvent::CreditRefused { order_id: REFUSED, amount: money(90) },
    ]
}

fn facts() -> Facts {
    let truth = |total, state, version| Truth {
        customer_id: CUSTOMER,
        total: money(total),
        proposed: None,
        state,
        last_refusal: None,
        version: Version(version),
    };
    let run = |kind: &str, order, phase: &str| Run { kind: kind.to_owned(), order, phase: phase.to_owned() };
    let asked = |order, number, what| Asked { order, saga: saga(number), what };
    let account = Account { credit_limit: money(60), reserved: money(40), paid: money(15), ..Account::default() };
    let reservations = HashMap::from([(REVISED, money(40))]);
    let payments = HashMap::from([(PAYMENT, money(15))]);
    let replies = HashMap::from([(saga(1), 1), (saga(2), 1), (saga(5), 1)]);
    Facts {
        orders: HashMap::from([
            (REVISED, truth(40, OrderState::Approved, 4)),
            (CANCELLED, truth(20, OrderState::Cancelled, 4)),
            (REFUSED, truth(90, OrderState::Rejected, 2)),
        ]),
        events: events(),
        sagas: HashMap::from([
            (saga(1), run("CreateOrder", REVISED, "COMPLETED")),
            (saga(2), run("ReviseOrder", REVISED, "COMPLETED")),
            (saga(3), run("CreateOrder", CANCELLED, "COMPLETED")),
            (saga(4), run("CancelOrder", CANCELLED, "COMPLETED")),
            (saga(5), run("CreateOrder", REFUSED, "ROLLED_BACK")),
        ]),
        commanded: HashMap::from([(
            CUSTOMER,
            vec![
                asked(REVISED, 1, Credit::Reserve(money(30))),
                asked(REVISED, 2, Credit::Change(money(40))),
                asked(REFUSED, 5, Credit::Reserve(money(90))),
            ],
        )]),
        told: HashMap::from([(
            CUSTOMER,
            vec![asked(CANCELLED, 3, Credit::Reserve(money(20))), asked(CANCELLED, 4, Credit::Release)],
        )]),
        accounts: HashMap::from([(CUSTOMER, Replayed { account, version: 8, reservations, payments })]),
        account_events: HashMap::from([(CUSTOMER, account_events())]),
        commands: replies.clone(),
        replies,
        mails: HashMap::from([
            (REVISED, vec![(Version(2), MailAbout::Approved), (Version(4), MailAbout::Revised)]),
            (CANCELLED, vec![(Version(2), MailAbout::Approved), (Version(4), MailAbout::Cancelled)]),
            (REFUSED, vec![(Version(2), MailAbout::Rejected)]),
        ]),
        wrong: Vec::new(),
    }
}

/// One command after the other. The cancellation and one change of the limit have lost their answers.
fn history() -> Vec<Operation> {
    let place =
        |order, total, coordination| Command::Place { order, customer: CUSTOMER, total: money(total), coordination };
    let accepted = |version, saga| Answer::Accepted { version, saga };
    let refused = |code: &str, by| Answer::Refused { code: code.to_owned(), by };
    let commands = [
        (place(REVISED, 30, Coordination::Orchestration), accepted(1, Some(saga(1)))),
        (Command::Revise { order: REVISED, total: money(40) }, accepted(3, Some(saga(2)))),
        (Command::Cancel { order: REVISED }, refused("order-locked", Some(saga(2)))),
        (Command::Pay { customer: CUSTOMER, payment: PAYMENT, amount: money(15) }, accepted(4, None)),
        (place(CANCELLED, 20, Coordination::Choreography), accepted(1, Some(saga(3)))),
        (Command::Cancel { order: CANCELLED }, Answer::Lost),
        (Command::Revise { order: CANCELLED, total: money(1) }, refused("order-not-revisable", None)),
        (Command::SetLimit { customer: CUSTOMER, limit: money(60) }, Answer::Lost),
        (Command::SetLimit { customer: CUSTOMER, limit: money(60) }, accepted(7, None)),
        (place(REFUSED, 90, Coordination::Orchestration), accepted(1, Some(saga(5)))),
    ];
    let operation = |((command, answer), at)| Operation {
        command,
        invoked: Duration::from_secs(2 * at),
        answered: Duration::from_secs(2 * at + 1),
        answer,
        tries: 1,
    };
    commands.into_iter().zip(0_u64..).map(operation).collect()
}

fn found<T>(plant: impl FnOnce(&mut Facts, &mut Vec<Operation>) -> T) -> String {
    let (mut facts, mut history) = (facts(), history());
    plant(&mut facts, &mut history);
    judge(&facts, &history).join("\n")
}

/// Fails unless what was planted is found in these words.
#[track_caller]
fn finds<T>(words: &str, plant: impl FnOnce(&mut Facts, &mut Vec<Operation>) -> T) {
    let found = found(plant);
    assert!(found.contains(words), "looked for {words:?} in: {found}");
}

fn events_of(facts: &mut Facts, order: OrderId) -> &mut Vec<Happened> {
    facts.events.get_mut(&order).expect("it has events")
}

fn account(facts: &mut Facts) -> (&mut Vec<AccountEvent>, &mut Replayed) {
    let events = facts.account_events.get_mut(&CUSTOMER).expect("it has events");
    (events, facts.accounts.get_mut(&CUSTOMER).expect("it is there"))
}

#[test]
fn a_history_as_it_should_be_is_passed() {
    assert_eq!(found(|_, _| {}), "");
}

#[test]
fn a_lost_order_is_found() {
    finds("was accepted and is lost", |facts, _| facts.orders.remove(&REFUSED));
    finds("placed by nobody", |_, history| history.truncate(9));
    finds("is not what was placed", |facts, _| events_of(facts, REFUSED)[0].total = money(91));
}

#[test]
fn a_life_that_no_order_can_have_is_found() {
    finds("of the versions [1, 2, 3, 4, 4]", |facts, _| {
        let again = events_of(facts, REVISED)[3];
        events_of(facts, REVISED).push(again);
    });
    finds("cannot happen to it while Cancelled", |facts, _| {
        let again = Happened { version: 5, ..events_of(facts, CANCELLED)[3] };
        events_of(facts, CANCELLED).push(again);
    });
    finds("cannot happen to it while RevisionPending", |facts, _| events_of(facts, REVISED)[3].saga = saga(9));
    finds("is stuck: CancelPending", |facts, _| events_of(facts, CANCELLED).pop());
    finds("stands at", |facts, _| facts.orders.get_mut(&REVISED).expect("there").total = money(30));
    finds("whom nobody knows", |facts, _| facts.accounts.clear());
}

#[test]
fn a_revision_applied_twice_is_found() {
    finds("or for it again", |facts, _| {
        let again =
            [OrderEvent::OrderRevisionBegun { total: money(40) }, OrderEvent::OrderRevised { previous: money(40) }];
        let first = events_of(facts, REVISED)[3];
        let again =
            again.into_iter().zip(5..).map(|(event, version)| Happened { version, event, saga: saga(9), ..first });
        events_of(facts, REVISED).extend(again);
    });
}

#[test]
fn a_saga_that_has_not_ended_as_its_order_says_is_found() {
    finds("is None", |facts, _| facts.sagas.remove(&saga(4)));
    finds("RUNNING", |facts, _| facts.sagas.get_mut(&saga(2)).expect("there").phase = "RUNNING".to_owned());
    finds("has changed nothing", |facts, _| {
        let idle = facts.sagas[&saga(2)].clone();
        facts.sagas.insert(saga(9), idle);
    });
}

#[test]
fn an_answer_that_was_not_true_is_found() {
    finds("accepted as version 3", |facts, _| events_of(facts, REVISED).truncate(2));
    finds("accepted as version 3", |_, history| {
        history[1].answer = Answer::Accepted { version: 3, saga: Some(saga(9)) };
    });
    finds("accepted as version 5", |_, history| {
        history[5].answer = Answer::Accepted { version: 5, saga: Some(saga(4)) };
    });
    finds("which never held the order", |_, history| {
        history[2].answer = Answer::Refused { code: "order-locked".to_owned(), by: Some(saga(4)) };
    });
    finds("was refused with order-not-cancellable", |_, history| {
        history[2].answer = Answer::Refused { code: "order-not-cancellable".to_owned(), by: None };
    });
    finds("was refused with not-found", |_, history| {
        history[3].answer = Answer::Refused { code: "not-found".to_owned(), by: None };
    });
}

#[test]
fn what_nobody_asked_for_is_found() {
    finds("nobody asked for", |_, history| history.remove(5));
    finds("nobody asked for CreditLimitChanged", |_, history| {
        history[7].command = Command::SetLimit { customer: CUSTOMER, limit: money(61) };
        history[8].answer = Answer::Lost;
        history[8].command = Command::SetLimit { customer: CUSTOMER, limit: money(62) };
    });
    finds("nobody asked for PaymentRecorded", |_, history| history.remove(3));
}

#[test]
fn a_payment_lost_or_doubled_is_found() {
    finds("accepted as version 4, and is lost", |facts, _| account(facts).0.remove(3));
    finds("or for it again", |facts, _| {
        let again = account(facts).0[3].clone();
        account(facts).0.push(again);
    });
    finds("add up to", |facts, _| account(facts).1.account.paid = money(30));
}

#[test]
fn a_limit_that_was_not_set_is_found() {
    finds("accepted as version 7, and is lost", |facts, _| {
        account(facts).0[6] = AccountEvent::CreditLimitChanged { credit_limit: money(61), previous: money(50) };
    });
}

#[test]
fn credit_given_away_or_withheld_wrongly_is_found() {
    finds("10.00 available", |facts, _| account(facts).0.remove(3));
    finds("CreditRefused", |facts, _| {
        account(facts).0[7] = AccountEvent::CreditRefused { order_id: REFUSED, amount: money(35) };
    });
    finds("CreditReleased", |facts, _| {
        account(facts).0[5] = AccountEvent::CreditReleased { order_id: CANCELLED, amount: money(10) };
    });
    finds("is held for it", |facts, _| account(facts).1.reservations.remove(&REVISED));
    finds("is held for it", |facts, _| account(facts).1.reservations.insert(CANCELLED, money(20)));
    finds("not an order of theirs", |facts, _| {
        account(facts).1.reservations.insert(OrderId(Uuid::from_u128(99)), money(1));
    });
}

#[test]
fn a_release_that_was_skipped_is_found() {
    finds("asked by event: 2 requests and 1 decisions", |facts, _| {
        account(facts).0.remove(5);
        account(facts).1.account.reserved = money(60);
    });
}

#[test]
fn decisions_out_of_order_or_repeated_are_found() {
    finds("part at Some(0)", |facts, _| account(facts).0.swap(1, 2));
    finds("asked by command: 3 requests and 4 decisions", |facts, _| {
        let again = account(facts).0[7].clone();
        account(facts).0.push(again);
    });
    finds("1 commands with 2 replies", |facts, _| facts.replies.insert(saga(2), 2));
    finds("asked for credit 2 times", |facts, _| {
        let line = facts.told.get_mut(&CUSTOMER).expect("there");
        line.push(line[1]);
    });
}

#[test]
fn a_mail_missing_or_sent_twice_is_found() {
    let revised = (Version(4), MailAbout::Revised);
    finds("was to be told", |facts, _| facts.mails.get_mut(&REVISED).expect("there").retain(|mail| *mail != revised));
    finds("was to be told", |facts, _| facts.mails.get_mut(&REVISED).expect("there").push(revised));
    finds("which is not there", |facts, _| {
        facts.mails.insert(OrderId(Uuid::from_u128(99)), vec![revised]);
    });
}

#[test]
fn what_overtakes_a_command_that_was_answered_before_is_found() {
    let early = |operation: &mut Operation| {
        (operation.invoked, operation.answered) = (Duration::ZERO, Duration::from_millis(1));
    };
    // The refused order, answered before the revision was asked for, is numbered behind it.
    finds("took effect after it", |_, history| early(&mut history[9]));
    // The same of the versions of a customer.
    finds("took effect after it", |_, history| {
        early(&mut history[8]);
        history[3].invoked = Duration::from_millis(500);
    });
}

#[test]
fn what_the_services_find_themselves_is_told() {
    finds("parked", |facts, _| facts.wrong.push("a message is parked".to_owned()));
}
