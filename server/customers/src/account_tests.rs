//! Given what has happened to an account, when it is asked, then this happens.

use crate::{account::Account, event::AccountEvent};
use proptest::prelude::*;
use std::collections::HashMap;
use tramline_contract::{Money, OrderId, PaymentId, RejectionReason};
use tramline_eventsourcing::Aggregate as _;
use uuid::Uuid;

const REFUSED: Option<RejectionReason> = Some(RejectionReason::InsufficientCredit);

fn given(limit: i64) -> Account {
    let mut account = Account::default();
    let credit_limit = money(limit);
    account.apply(&AccountEvent::CustomerCreated { name: "Ada".to_owned(), credit_limit, created_at_micros: 0 });
    account
}

fn money(minor: i64) -> Money {
    Money::from_minor(minor)
}

fn order(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(number))
}

#[test]
fn a_total_equal_to_what_is_left_is_reserved_and_one_more_is_not() {
    let account = given(1_000);
    assert_eq!(account.reserve(order(1), money(1_000)).1, None);
    assert_eq!(account.reserve(order(1), money(1_001)).1, REFUSED);
}

#[test]
fn a_reservation_grows_by_what_is_available_and_no_further() {
    let mut account = given(1_000);
    account.apply(&account.reserve(order(1), money(600)).0);
    account.apply(&account.reserve(order(2), money(300)).0);
    assert_eq!(account.change(order(1), money(600), money(701)).1, REFUSED);
    let (event, refused) = account.change(order(1), money(600), money(700));
    assert_eq!(refused, None);
    account.apply(&event);
    assert_eq!((account.reserved.minor(), account.available_credit().minor()), (1_000, 0));
}

#[test]
fn a_reservation_shrinks_even_when_less_than_nothing_is_available() {
    let mut account = given(1_000);
    account.apply(&account.reserve(order(1), money(900)).0);
    account.apply(&account.set_limit(money(100)).expect("it is another one"));
    assert_eq!(account.available_credit().minor(), -800);
    assert_eq!(account.change(order(1), money(900), money(901)).1, REFUSED);
    assert_eq!(account.change(order(1), money(900), money(900)).1, None);
    account.apply(&account.change(order(1), money(900), money(50)).0);
    assert_eq!(account.available_credit().minor(), 50);
}

#[test]
fn what_is_not_held_is_neither_released_nor_changed() {
    let account = given(1_000);
    assert_eq!(account.release(order(1), Money::ZERO), None);
    assert_eq!(account.change(order(1), Money::ZERO, money(1)).1, REFUSED);
}

#[test]
fn a_limit_that_is_set_already_is_no_event() {
    assert_eq!(given(1_000).set_limit(money(1_000)), None);
}

#[derive(Clone, Debug)]
enum Ask {
    Reserve(i64),
    Change(usize, i64),
    Release(usize),
    Limit(i64),
    Pay(i64),
}

/// Small amounts, so that what is asked for often equals what is left, or is one more.
fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        (1_i64..9).prop_map(Ask::Reserve),
        (0_usize..12, 1_i64..12).prop_map(|(which, to)| Ask::Change(which, to)),
        (0_usize..12).prop_map(Ask::Release),
        (0_i64..30).prop_map(Ask::Limit),
        (1_i64..5).prop_map(Ask::Pay),
    ]
}

proptest! {
    /// The same questions to a table of plain numbers: what is held per order, the limit, what was paid.
    #[test]
    fn an_account_answers_like_a_plain_table_and_never_gives_more_than_there_is(
        limit in 0_i64..30,
        asks in prop::collection::vec(ask(), 0..80),
    ) {
        let mut account = given(limit);
        let (mut limit, mut paid) = (limit, 0);
        let mut held: HashMap<OrderId, i64> = HashMap::new();
        for (number, ask) in asks.into_iter().enumerate() {
            let sum: i64 = held.values().sum();
            let available = limit + paid - sum;
            let event = match ask {
                Ask::Reserve(total) => {
                    let (event, refused) = account.reserve(order(number as u128), money(total));
                    prop_assert_eq!(refused.is_none(), total <= available);
                    if refused.is_none() {
                        held.insert(order(number as u128), total);
                    }
                    Some(event)
                }
                Ask::Change(which, to) => {
                    let (id, before) = (order(which as u128), held.get(&order(which as u128)).copied().unwrap_or(0));
                    let (event, refused) = account.change(id, money(before), money(to));
                    prop_assert_eq!(refused.is_none(), before > 0 && (to <= before || to - before <= available));
                    if refused.is_none() {
                        held.insert(id, to);
                    }
                    Some(event)
                }
                Ask::Release(which) => {
                    let before = held.remove(&order(which as u128)).unwrap_or(0);
                    let event = account.release(order(which as u128), money(before));
                    prop_assert_eq!(event.is_some(), before > 0);
                    event
                }
                Ask::Limit(to) => {
                    limit = to;
                    account.set_limit(money(to))
                }
                Ask::Pay(amount) => {
                    paid += amount;
                    let payment_id = PaymentId(Uuid::from_u128(number as u128));
                    Some(AccountEvent::PaymentRecorded { payment_id, amount: money(amount), reference: None })
                }
            };
            event.iter().for_each(|event| account.apply(event));
            let sum: i64 = held.values().sum();
            prop_assert_eq!((account.reserved.minor(), account.paid.minor()), (sum, paid));
            prop_assert_eq!(account.available_credit().minor(), limit + paid - sum);
        }
    }
}
