//! The simulator on a trip: no fault breaks a promise, and every planted flaw is found.

mod world;

use tramline_simulator::{Campaign, Flaw, Until};
use world::{BOOKS_TWICE, MATCHES_ANY_REPLY, RARE, Trips, UNDOES_NOTHING};

/// Trips in a plain run of this test.
const TRIPS: Until = Until::Requests(1_000);
/// Trips within which each flaw must be found.
const UNTIL_FOUND: Until = Until::Requests(3_000);

#[test]
fn no_fault_breaks_a_promise_and_every_rare_state_is_reached() {
    let campaign = Campaign::new(Trips::open).must_reach(RARE);
    let report = campaign.run(1, TRIPS, 2).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{report}");
    assert!(report.unreached.is_empty(), "{report}");
}

#[test]
fn a_run_is_its_seed() {
    let campaign = Campaign::new(Trips::open).with(BOOKS_TWICE);
    let failure = campaign.run(1, UNTIL_FOUND, 1).expect_err("the flaw is found");
    let again = campaign.run_seed(failure.seed).expect_err("it is found again");
    assert_eq!((&failure.violation, &failure.trace), (&again.violation, &again.trace));
    assert_eq!(campaign.replay(&failure.choices).0, Some(failure.violation));
}

#[test]
fn every_planted_flaw_is_found_and_shrunk() {
    let flaws = [
        Flaw::OffsetAfterEffects,
        Flaw::OffsetBeforeEffects,
        Flaw::OffsetIgnoresEpochs,
        Flaw::BrokerIgnoresEpochs,
        BOOKS_TWICE,
        UNDOES_NOTHING,
        MATCHES_ANY_REPLY,
    ];
    for flaw in flaws {
        let campaign = Campaign::new(Trips::open).with(flaw);
        let failure = match campaign.run(1, UNTIL_FOUND, 2) {
            Ok(report) => panic!("{flaw:?} is not found: {report}"),
            Err(failure) => failure,
        };
        println!("{flaw:?}: {failure}");
        assert!(failure.choices.len() < failure.choices_before, "{flaw:?}: it is shrunk");
    }
}
