//! Plans of trips, and runs that are carried from one to another. They know no database.

use super::*;
use crate::{Command, Event, begin, define, step, transition};
use proptest::prelude::*;

struct Trip;

fn book(_: &Trip) -> Command {
    Command::new("Book", uuid::Uuid::nil(), &())
}

fn of(names: &[&'static str]) -> Definition<Trip> {
    let steps = names.iter().map(|name| step(name).at("agents").does(book).undone_by(book));
    steps.fold(define("BookTrip"), |trip, step| trip.compensatable(step)).build()
}

fn plan(names: &[&'static str]) -> Plan {
    Plan::of(&of(names))
}

fn progress(letters: &str) -> Progress {
    Progress::parse(letters).expect("it reads")
}

#[test]
fn a_fingerprint_never_changes_and_tells_plans_apart() {
    assert_eq!(plan(&["hotel", "car"]).fingerprint(), "7f3ff20d060bd392");
    assert_ne!(plan(&["hotel", "car"]).fingerprint(), plan(&["car", "hotel"]).fingerprint());
}

#[test]
fn a_run_goes_on_when_steps_change_that_it_has_not_come_to() {
    let old = plan(&["hotel", "car", "flight"]);
    let carried = old.carry(&progress("da."), &plan(&["hotel", "car", "train", "insurance"]));
    assert_eq!(carried, Ok(progress("da..")));
}

#[test]
fn a_run_that_has_turned_back_needs_only_what_it_undoes() {
    let old = plan(&["hotel", "car", "flight"]);
    let carried = old.carry(&progress("dur!2"), &plan(&["hotel", "insurance", "car", "flight"]));
    assert_eq!(carried, Ok(progress("d.ur!3")));
}

#[test]
fn what_stands_in_the_way_is_said() {
    let old = plan(&["hotel", "car", "flight"]);
    let obstacles = |new: &Plan| old.obstacles(&progress("da."), new);
    assert_eq!(obstacles(&plan(&["hotel", "flight"])), [Obstacle::Missing("car".into())]);
    assert_eq!(obstacles(&plan(&["car", "hotel", "flight"])), [Obstacle::Moved("car".into())]);
    assert_eq!(obstacles(&plan(&["hotel", "visa", "car"])), [Obstacle::TooLate("visa".into())]);
    let mut elsewhere = old.clone();
    elsewhere.steps[1].destination = "local".into();
    assert_eq!(obstacles(&elsewhere), [Obstacle::Changed("car".into(), "destination")]);
    elsewhere.steps[1].group = 0;
    elsewhere.steps[1].destination = "to agents".into();
    assert_eq!(obstacles(&elsewhere), [Obstacle::Moved("car".into())], "it would have begun with the hotel");
}

proptest! {
    #[test]
    fn a_run_that_is_carried_over_performs_every_step_of_the_new_plan_once_and_none_twice(
        events in 0_usize..5,
        names in Just(vec!["hotel", "car", "flight", "train", "visa", "meal"]).prop_shuffle(),
        count in 1_usize..7,
    ) {
        let (old, new) = (of(&["hotel", "car", "flight", "train"]), of(&names[..count]));
        let (mut run, _) = begin(&old.shape());
        let mut performed = Vec::new();
        for step in 0..events.min(4) {
            performed.push(old.steps()[step].name());
            run = transition(&old.shape(), &run, step, Event::Done).expect("it is under way").0;
        }
        prop_assume!(matches!(run.phase(), crate::Phase::Running(_)));
        if let Ok(mut run) = Plan::of(&old).carry(&run, &Plan::of(&new)) {
            for _ in 0..count {
                let crate::Phase::Running(step) = run.phase() else { break };
                performed.push(new.steps()[step].name());
                run = transition(&new.shape(), &run, step, Event::Done).expect("it is under way").0;
            }
            prop_assert_eq!(run.phase(), crate::Phase::Completed);
            prop_assert_eq!(performed, new.steps().iter().map(crate::Step::name).collect::<Vec<_>>());
        }
    }
}
