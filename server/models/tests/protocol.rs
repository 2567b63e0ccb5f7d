//! The protocol holds in every state that it can reach, and each mistake that it is proof against is found.

use stateright::{Checker, Property};
use std::{fmt::Debug, hash::Hash};
use tramline_models::{
    consuming::Consuming,
    parking::Parking,
    recovery::{Recovers, search},
    relaying::Relaying,
};

/// A model found right, or how it goes wrong: the name of the property and the steps.
fn check<M>(model: M) -> Result<usize, (String, Vec<String>)>
where
    M: Recovers + Copy + Debug + Send + Sync + 'static,
    M::State: Clone + Debug + Eq + Hash + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let tell = |actions: Vec<M::Action>| actions.iter().map(|action| format!("{action:?}")).collect::<Vec<_>>();
    // On one thread, so that the way that is shown is a shortest one.
    let checker = model.checker().spawn_bfs().join();
    let states = checker.unique_state_count();
    println!("{model:?}: {states} states");
    let mut found = checker.discoveries();
    for Property { expectation, name, .. } in model.properties() {
        match (expectation, found.remove(name)) {
            (stateright::Expectation::Sometimes, None) => panic!("{model:?} never reaches: {name}"),
            (stateright::Expectation::Always, Some(path)) => {
                return Err((name.to_owned(), tell(path.into_actions())));
            }
            _ => {}
        }
    }
    match search(&model).stuck {
        Some(way) => Err(("everything can still come to its end".to_owned(), tell(way))),
        None => Ok(states),
    }
}

fn finds<M>(model: M)
where
    M: Recovers + Copy + Debug + Send + Sync + 'static,
    M::State: Clone + Debug + Eq + Hash + Send + Sync,
    M::Action: Clone + Debug + PartialEq + Send + Sync,
{
    let (property, way) = check(model).expect_err("the flaw is found");
    println!("  breaks: {property}\n  {}", way.join("\n  "));
}

#[test]
fn the_relay_loses_nothing_and_repeats_nothing_and_always_recovers() {
    let states = check(Relaying::default()).unwrap_or_else(|(property, way)| panic!("{property}: {way:#?}"));
    assert!(states > 10_000, "a model that reaches {states} states says little");
}

#[test]
fn the_consumer_loses_nothing_and_repeats_nothing_and_always_recovers() {
    let states = check(Consuming::default()).unwrap_or_else(|(property, way)| panic!("{property}: {way:#?}"));
    assert!(states > 10_000, "a model that reaches {states} states says little");
}

#[test]
fn a_broker_that_ignores_epochs_is_found() {
    finds(Relaying { ignores_epochs: true, ..Relaying::default() });
}

#[test]
fn a_mark_before_the_publication_is_found() {
    finds(Relaying { marks_before: true, ..Relaying::default() });
}

#[test]
fn a_broker_that_ignores_gaps_is_found() {
    finds(Relaying { ignores_gaps: true, ..Relaying::default() });
}

#[test]
fn an_offset_that_ignores_epochs_is_found() {
    finds(Consuming { ignores_epochs: true, ..Consuming::default() });
}

#[test]
fn trimming_by_length_is_found() {
    finds(Consuming { trims_by_length: true, ..Consuming::default() });
}

/// As `committed.lua` once was: a group whose store was restored waited for ever.
#[test]
fn groups_that_are_not_believed_when_they_go_back_are_found() {
    finds(Consuming { never_goes_back: true, ..Consuming::default() });
}

#[test]
fn an_offset_before_the_effects_is_found() {
    finds(Consuming { offset_first: true, ..Consuming::default() });
}

#[test]
fn the_parking_lot_keeps_the_order_of_a_key_and_can_always_be_emptied() {
    let states = check(Parking::default()).unwrap_or_else(|(property, way)| panic!("{property}: {way:#?}"));
    assert!(states > 100, "a model that reaches {states} states says little");
}

#[test]
fn messages_that_pass_a_parked_one_of_their_key_are_found() {
    finds(Parking { passes: true, ..Parking::default() });
}

#[test]
fn a_count_of_what_is_parked_without_the_lock_of_the_key_is_found() {
    finds(Parking { counts_without_lock: true, ..Parking::default() });
}

#[test]
fn a_consumer_that_does_not_read_which_keys_wait_is_found() {
    finds(Parking { forgets_keys: true, ..Parking::default() });
}
