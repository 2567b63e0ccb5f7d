//! Sagas that meet on one order, and orders that meet at one customer.

use stateright::{Checker, Expectation, Model};
use tramline_models::{interleaving::Interleaving, saga::Kind};

/// Which sagas meet: on one order, and on two orders of one customer whose limit is enough for one.
fn meetings() -> Vec<Vec<(Kind, u8)>> {
    use Kind::{Cancel, Create, Revise};
    vec![
        vec![(Create(60), 1), (Cancel, 1)],
        vec![(Create(60), 1), (Revise(80), 1)],
        vec![(Create(60), 1), (Revise(120), 1)],
        vec![(Create(60), 1), (Cancel, 1), (Cancel, 1)],
        vec![(Create(60), 1), (Cancel, 1), (Revise(80), 1)],
        vec![(Create(60), 1), (Revise(30), 1), (Revise(80), 1)],
        vec![(Create(60), 1), (Create(60), 2)],
        vec![(Create(60), 1), (Create(60), 2), (Cancel, 1)],
        vec![(Create(60), 1), (Create(60), 2), (Revise(40), 1)],
        vec![(Create(120), 1), (Cancel, 1), (Create(60), 2)],
    ]
}

/// What breaks, each with the shortest way there, and how many states there are.
fn broken(sagas: Vec<(Kind, u8)>, is_locking: bool) -> (usize, Vec<(&'static str, Vec<String>)>) {
    let model = Interleaving { sagas, limit: 100, is_locking };
    let expectations: Vec<_> = model.properties().into_iter().map(|one| (one.name, one.expectation)).collect();
    let checker = model.checker().spawn_bfs().join();
    let mut broken = Vec::new();
    for (name, expectation) in expectations {
        if let (Expectation::Always, Some(path)) = (expectation, checker.discovery(name)) {
            broken.push((name, path.into_actions().iter().map(|action| format!("{action:?}")).collect()));
        }
    }
    (checker.unique_state_count(), broken)
}

#[test]
fn with_the_semantic_lock_no_interleaving_breaks_anything() {
    for sagas in meetings() {
        let (states, broken) = broken(sagas.clone(), true);
        println!("{sagas:?}: {states} states");
        assert!(broken.is_empty(), "{sagas:?}: {broken:#?}");
    }
}

/// The workshop's example: the cancellation reads an order that is not decided yet.
#[test]
fn without_the_semantic_lock_the_anomaly_of_create_and_cancel_is_found() {
    let (_, broken) = broken(vec![(Kind::Create(60), 1), (Kind::Cancel, 1)], false);
    for (name, way) in &broken {
        println!("breaks: {name}\n  {}", way.join("\n  "));
    }
    let names: Vec<_> = broken.iter().map(|(name, _)| *name).collect();
    assert!(
        names.contains(&"once all sagas are over, credit is held for the approved orders and no other"),
        "{names:?}"
    );
}

/// The same with a creation that is undone: what the cancellation has read was never there.
#[test]
fn without_the_semantic_lock_a_saga_acts_on_what_another_one_undoes() {
    let (_, broken) = broken(vec![(Kind::Create(120), 1), (Kind::Cancel, 1)], false);
    let (_, way) =
        broken.iter().find(|(name, _)| *name == "no saga acts on what another one undoes").expect("it is found");
    println!("  {}", way.join("\n  "));
    assert!(way.len() <= 8, "the shortest way is shown: {way:?}");
}

#[test]
fn without_the_semantic_lock_every_meeting_with_a_cancellation_breaks_something() {
    for sagas in meetings().into_iter().filter(|sagas| sagas.iter().any(|(kind, _)| *kind == Kind::Cancel)) {
        let (_, broken) = broken(sagas.clone(), false);
        assert!(!broken.is_empty(), "{sagas:?}");
    }
}
