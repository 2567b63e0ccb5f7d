//! Every saga, whatever its shape, whatever is refused, and in whatever order the replies come.

use super::*;
use proptest::prelude::*;

fn of(category: Category, undoable: bool, group: usize) -> StepShape {
    StepShape { category, undoable, group }
}

/// Groups of compensatable steps, then a pivot, then retriable steps.
fn shape(groups: &[usize], retriable: usize) -> Shape {
    let mut steps = Vec::new();
    for (group, size) in groups.iter().enumerate() {
        steps.extend(vec![of(Category::Compensatable, true, group); *size]);
    }
    let pivot = groups.len();
    steps.push(of(Category::Pivot, false, pivot));
    steps.extend((1..=retriable).map(|number| of(Category::Retriable, false, pivot + number)));
    Shape(steps)
}

/// What becomes of each step's action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    Refused,
    Skipped,
    /// Given up; whether it was done nobody knows.
    GivenUp,
}

struct Run {
    end: Progress,
    /// Steps whose action was done, in order.
    done: Vec<usize>,
    /// Steps whose compensation was done, in order.
    undone: Vec<usize>,
}

/// Runs a saga to its end. `picks` chooses which of the steps under way is answered next.
fn run(shape: &Shape, fates: &[Fate], picks: &[usize]) -> Run {
    let (mut progress, mut under_way) = begin(shape);
    let (mut done, mut undone) = (Vec::new(), Vec::new());
    for turn in 0.. {
        if under_way.is_empty() {
            break;
        }
        assert!(turn < 200, "it comes to an end");
        let pick = picks.get(turn % picks.len().max(1)).copied().unwrap_or(0) % under_way.len();
        let (step, event) = match under_way.remove(pick) {
            Next::Act(step) => {
                let event = match fates[step] {
                    Fate::Done => Event::Done,
                    Fate::Refused => Event::Refused,
                    Fate::Skipped => Event::Skipped,
                    Fate::GivenUp if shape.0[step].undoable => Event::GivenUp,
                    Fate::GivenUp => Event::Done,
                };
                if event == Event::Done {
                    done.push(step);
                }
                (step, event)
            }
            Next::Compensate(step) | Next::CompensateLater(step) => {
                undone.push(step);
                (step, Event::Done)
            }
        };
        let (after, next) = transition(shape, &progress, step, event).expect("what is under way may be answered");
        progress = after;
        under_way.extend(next);
    }
    Run { end: progress, done, undone }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![6 => Just(Fate::Done), 1 => Just(Fate::Refused), 1 => Just(Fate::Skipped), 1 => Just(Fate::GivenUp)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn exactly_what_was_done_is_undone_in_reverse_order_of_groups(
        groups in prop::collection::vec(1_usize..4, 0..4),
        retriable in 0_usize..3,
        fates in prop::collection::vec(fate(), 16),
        picks in prop::collection::vec(0_usize..8, 1..24),
    ) {
        let shape = shape(&groups, retriable);
        let Run { end, done, undone } = run(&shape, &fates, &picks);
        let group = |step: &usize| shape.0[*step].group;
        match end.phase() {
            Phase::Completed => {
                prop_assert!(undone.is_empty());
                let begun = |mark: &Mark| matches!(mark, Mark::Done | Mark::Skipped);
                prop_assert!(end.marks().iter().all(begun));
            }
            Phase::RolledBack => {
                // A step that was given up is undone as well: nobody knows whether it was done.
                let mut expected: Vec<_> = done.clone();
                expected.extend((0..shape.0.len()).filter(|step| {
                    fates[*step] == Fate::GivenUp && shape.0[*step].undoable && end.marks()[*step] == Mark::Undone
                }));
                let mut found = undone.clone();
                expected.sort_unstable();
                found.sort_unstable();
                prop_assert_eq!(expected, found);
                prop_assert!(undone.is_sorted_by(|one, other| group(one) >= group(other)), "{:?}", undone);
                let open = |mark: &Mark| mark.is_open() || *mark == Mark::Done;
                prop_assert!(!end.marks().iter().any(open));
            }
            // Only past the point of no return.
            Phase::Parked(step) => {
                prop_assert_eq!(shape.0[step].category, Category::Retriable);
                prop_assert!(undone.is_empty());
            }
            Phase::Running(_) | Phase::Compensating(_) => prop_assert!(false, "it has come to an end: {:?}", end),
        }
        // A group begins when the one before is over.
        prop_assert!(done.is_sorted_by(|one, other| group(one) <= group(other)), "{:?}", done);
    }

    #[test]
    fn a_repeated_answer_changes_nothing(
        groups in prop::collection::vec(1_usize..4, 1..3),
        picks in prop::collection::vec(0_usize..8, 1..24),
        refused in 0_usize..8,
    ) {
        let shape = shape(&groups, 1);
        let (mut progress, mut under_way) = begin(&shape);
        for pick in picks {
            if under_way.is_empty() {
                break;
            }
            let next = under_way.remove(pick % under_way.len());
            let (Next::Act(step) | Next::Compensate(step) | Next::CompensateLater(step)) = next;
            let acts = matches!(next, Next::Act(_));
            let event = if acts && step == refused { Event::Refused } else { Event::Done };
            let (after, next) = transition(&shape, &progress, step, event).expect("it is awaited");
            let still_open = after.mark(step).is_some_and(Mark::is_open);
            prop_assert!(still_open || transition(&shape, &after, step, event).is_none());
            progress = after;
            under_way.extend(next);
        }
    }
}

#[test]
fn a_refusal_undoes_what_is_done_at_once_and_what_is_done_late_when_it_comes() {
    let shape = shape(&[1, 3], 0);
    let (progress, _) = begin(&shape);
    let (progress, next) = transition(&shape, &progress, 0, Event::Done).expect("it is awaited");
    assert_eq!(next, [Next::Act(1), Next::Act(2), Next::Act(3)]);
    let (progress, next) = transition(&shape, &progress, 2, Event::Done).expect("it is awaited");
    assert_eq!(next, []);
    let (progress, next) = transition(&shape, &progress, 1, Event::Refused).expect("it is awaited");
    assert_eq!((next, progress.phase()), (vec![Next::Compensate(2)], Phase::Compensating(2)));
    let (progress, next) = transition(&shape, &progress, 2, Event::Done).expect("it is awaited");
    assert_eq!((next, progress.phase()), (vec![], Phase::Compensating(3)), "the third is still under way");
    let (progress, next) = transition(&shape, &progress, 3, Event::Done).expect("it is awaited");
    assert_eq!(next, [Next::Compensate(3)]);
    let (progress, next) = transition(&shape, &progress, 3, Event::Done).expect("it is awaited");
    assert_eq!(next, [Next::Compensate(0)], "the group before comes once this one is over");
    let (progress, _) = transition(&shape, &progress, 0, Event::Done).expect("it is awaited");
    assert_eq!(progress.phase(), Phase::RolledBack);
}

#[test]
fn what_gets_done_late_is_undone_while_others_are_still_under_way() {
    let shape = shape(&[3], 0);
    let (progress, _) = begin(&shape);
    let (progress, _) = transition(&shape, &progress, 0, Event::Refused).expect("it is awaited");
    let (progress, next) = transition(&shape, &progress, 1, Event::Done).expect("it is awaited");
    assert_eq!((next, progress.mark(2)), (vec![Next::Compensate(1)], Some(Mark::Acting)));
}

#[test]
fn a_compensation_that_is_refused_is_tried_again_then_parks_the_saga_until_it_is_resumed() {
    let shape = shape(&[1, 1], 0);
    let (progress, _) = begin(&shape);
    let (progress, _) = transition(&shape, &progress, 0, Event::Done).expect("it is awaited");
    let (progress, _) = transition(&shape, &progress, 1, Event::Refused).expect("it is awaited");
    let (progress, next) = transition(&shape, &progress, 0, Event::Refused).expect("it is awaited");
    assert_eq!((next, progress.phase()), (vec![Next::CompensateLater(0)], Phase::Compensating(0)));
    let (progress, next) = transition(&shape, &progress, 0, Event::GivenUp).expect("it is awaited");
    assert_eq!((next, progress.phase()), (vec![], Phase::Parked(0)));
    let (progress, next) = transition(&shape, &progress, 0, Event::Resumed).expect("it is parked");
    assert_eq!((next, progress.phase()), (vec![Next::Compensate(0)], Phase::Compensating(0)));
}

#[test]
fn a_pivot_that_is_given_up_is_undone_and_one_that_is_done_is_not() {
    let shape = Shape(vec![of(Category::Pivot, true, 0), of(Category::Retriable, false, 1)]);
    let (progress, _) = begin(&shape);
    let (given_up, next) = transition(&shape, &progress, 0, Event::GivenUp).expect("it is awaited");
    assert_eq!((next, given_up.phase()), (vec![Next::Compensate(0)], Phase::Compensating(0)));
    let (done, _) = transition(&shape, &progress, 0, Event::Done).expect("it is awaited");
    let (stuck, next) = transition(&shape, &done, 1, Event::Refused).expect("it is awaited");
    assert_eq!((next, stuck.phase()), (vec![], Phase::Parked(1)));
}

#[test]
fn a_saga_that_has_ended_takes_no_event() {
    let shape = shape(&[1], 0);
    let completed = run(&shape, &[Fate::Done; 2], &[0]).end;
    let rolled_back = run(&shape, &[Fate::Done, Fate::Refused], &[0]).end;
    for progress in [completed, rolled_back] {
        for step in 0..3 {
            for event in [Event::Done, Event::Refused, Event::Skipped, Event::GivenUp, Event::Resumed] {
                assert_eq!(transition(&shape, &progress, step, event), None);
            }
        }
    }
}
