//! A new program takes up the trips of an old one: what goes on, what does not, and who says so before.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tramline_db::{Db, EveryCommitStands, SystemClock, SystemIds, UtcMicros, sql};
use tramline_messaging::{HandlerError, Headers, Messaging, Record};
use tramline_sagas::{
    Command, Definition, Orchestrator, Phase, Plan, ReplyHandler, Resumes, Verdict, define, find_instance,
    remember_plans, step, testing::Obliging, upgrades_from, verify,
};
use uuid::Uuid;

const TRIP: Uuid = Uuid::from_u128(1);

/// Data of the first release.
#[derive(Clone, Serialize, Deserialize)]
struct FirstTrip {
    city: String,
}

/// Data of the second.
#[derive(Serialize, Deserialize)]
struct Trip {
    stops: Vec<String>,
}

fn first() -> Definition<FirstTrip> {
    define::<FirstTrip>("BookTrip")
        .compensatable(
            step("hotel")
                .at("hotels")
                .does(|trip| Command::new("BookHotel", TRIP, trip))
                .undone_by(|trip| Command::new("CancelHotel", TRIP, trip)),
        )
        .pivot(step("flight").at("flights").does(|trip| Command::new("BookFlight", TRIP, trip)))
        .build()
}

/// A car before the flight, a letter at the end, and data of another form.
fn second() -> Definition<Trip> {
    define::<Trip>("BookTrip")
        .upgrades(upgrades_from::<FirstTrip>().then(|trip| Trip { stops: vec![trip.city] }))
        .compensatable(
            step("hotel")
                .at("hotels")
                .does(|trip| Command::new("BookHotel", TRIP, trip))
                .undone_by(|trip| Command::new("CancelHotel", TRIP, trip)),
        )
        .compensatable(
            step("car")
                .at("cars")
                .does(|trip| Command::new("BookCar", TRIP, trip))
                .undone_by(|trip| Command::new("CancelCar", TRIP, trip)),
        )
        .pivot(step("flight").at("flights").does(|trip| Command::new("BookFlight", TRIP, trip)))
        .retriable(step("letter").tells("mail").does(|trip| Command::new("SendTicket", TRIP, trip)))
        .build()
}

/// As the first, with a visa before everything else.
fn third() -> Definition<FirstTrip> {
    define::<FirstTrip>("BookTrip")
        .compensatable(
            step("visa")
                .at("embassies")
                .does(|trip| Command::new("GetVisa", TRIP, trip))
                .undone_by(|trip| Command::new("ReturnVisa", TRIP, trip)),
        )
        .compensatable(
            step("hotel")
                .at("hotels")
                .does(|trip| Command::new("BookHotel", TRIP, trip))
                .undone_by(|trip| Command::new("CancelHotel", TRIP, trip)),
        )
        .pivot(step("flight").at("flights").does(|trip| Command::new("BookFlight", TRIP, trip)))
        .build()
}

struct Agency(Messaging);

impl Agency {
    /// The old program has begun a trip.
    async fn of_the_first_release() -> Self {
        let migrations = [tramline_messaging::MIGRATIONS, tramline_sagas::MIGRATIONS].concat();
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        let db = Db::in_memory("agency", &migrations, Arc::new(EveryCommitStands), clock, ids).expect("it opens");
        remember_plans(&db, &[Plan::of(&first())]).await.expect("it writes");
        let agency = Self(Messaging::open(db).await.expect("it has an outbox"));
        let saga = Arc::new(Orchestrator::new(first(), "replies", Arc::new(Obliging)));
        let started = agency.0.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move { saga.start(work, TRIP, TRIP, FirstTrip { city: "Ghent".to_owned() }).await })
        });
        started.await.expect("it starts");
        agency
    }

    /// The kinds of the commands sent so far, and the body of the last.
    async fn sent(&self) -> (Vec<(Uuid, String)>, String) {
        let rows = self.0.db().all(sql("select message_id, headers, payload from outbox order by message_id"));
        let rows: Vec<(Uuid, String, String)> = rows.await.expect("it reads");
        let kind = |headers: &str| serde_json::from_str::<Headers>(headers).expect("headers read").kind;
        let last = rows.last().map(|(_, _, payload)| payload.clone()).unwrap_or_default();
        (rows.iter().map(|(id, headers, _)| (*id, kind(headers))).collect(), last)
    }

    /// Answers the last command under whichever definition.
    async fn answer<D>(&self, definition: Definition<D>, done: bool) -> Result<(), HandlerError>
    where
        D: Serialize + serde::de::DeserializeOwned + Send + Sync + 'static,
    {
        let saga = Orchestrator::new(definition, "replies", Arc::new(Obliging));
        let headers = Headers {
            kind: "Answered".to_owned(),
            saga_id: Some(TRIP),
            correlation_id: self.sent().await.0.last().map(|(id, _)| *id),
            outcome: Some(if done { "done" } else { "refused" }.to_owned()),
            ..Headers::default()
        };
        let payload = "null".to_owned();
        let (id, recorded_at) = (self.0.db().new_id(), UtcMicros(0));
        let reply = Arc::new(Record { seq: 1, id, key: TRIP, headers, payload, recorded_at });
        self.0.transact(None, move |work| Box::pin(async move { saga.on_reply(work, &reply).await })).await
    }

    async fn verdicts(&self, definitions: &[Box<dyn Resumes>]) -> Vec<(Verdict, usize)> {
        let findings = verify(self.0.db(), definitions).await.expect("it reads");
        findings.into_iter().map(|finding| (finding.verdict, finding.count)).collect()
    }

    async fn phase(&self) -> Phase {
        find_instance(self.0.db(), TRIP).await.expect("it reads").expect("it is there").0.phase
    }
}

fn kinds(sent: &[(Uuid, String)]) -> Vec<&str> {
    sent.iter().map(|(_, kind)| kind.as_str()).collect()
}

#[tokio::test]
async fn a_trip_of_the_old_program_goes_on_in_the_new_one_with_its_new_steps_and_data() {
    let agency = Agency::of_the_first_release().await;
    assert_eq!(agency.verdicts(&[Box::new(first())]).await, [(Verdict::Same, 1)]);
    assert_eq!(agency.verdicts(&[Box::new(second())]).await, [(Verdict::GoesOn, 1)]);
    for _ in 0..3 {
        agency.answer(second(), true).await.expect("it is taken");
    }
    let (sent, last) = agency.sent().await;
    assert_eq!(kinds(&sent), ["BookHotel", "BookCar", "BookFlight", "SendTicket"]);
    assert_eq!(last, r#"{"stops":["Ghent"]}"#, "the data are upgraded");
    assert_eq!(agency.phase().await, Phase::Completed);
}

#[tokio::test]
async fn a_step_that_comes_where_the_trip_has_passed_is_said_before_and_stops_the_reply() {
    let agency = Agency::of_the_first_release().await;
    agency.answer(first(), true).await.expect("it is taken");
    let expected = Verdict::Stuck("the step car comes where the run has passed".to_owned());
    assert_eq!(agency.verdicts(&[Box::new(second())]).await, [(expected, 1)]);
    let before = agency.sent().await;
    let refused = agency.answer(second(), true).await;
    assert!(matches!(refused, Err(HandlerError::Permanent(_))), "{refused:?}");
    assert_eq!(agency.sent().await, before, "nothing has changed");
    agency.answer(first(), true).await.expect("the old program still can");
    assert_eq!(agency.phase().await, Phase::Completed);
}

#[tokio::test]
async fn a_trip_that_nobody_defines_any_more_or_whose_data_are_newer_is_stuck() {
    let agency = Agency::of_the_first_release().await;
    let expected = Verdict::Stuck("no definition of this kind is left".to_owned());
    assert_eq!(agency.verdicts(&[]).await, [(expected, 1)]);
    agency.answer(second(), true).await.expect("it is taken");
    let back = agency.verdicts(&[Box::new(first())]).await;
    assert!(matches!(&back[..], [(Verdict::Stuck(why), 1)] if why.contains("version 2")), "{back:?}");
    assert!(matches!(agency.answer(first(), true).await, Err(HandlerError::Permanent(_))));
}

#[tokio::test]
async fn a_trip_that_has_turned_back_is_undone_by_a_program_that_counts_its_steps_otherwise() {
    let agency = Agency::of_the_first_release().await;
    agency.answer(first(), true).await.expect("it is taken");
    agency.answer(first(), false).await.expect("it is taken");
    assert_eq!(agency.verdicts(&[Box::new(third())]).await, [(Verdict::GoesOn, 1)]);
    agency.answer(third(), true).await.expect("the hotel is cancelled");
    assert_eq!(agency.phase().await, Phase::RolledBack);
    assert_eq!(kinds(&agency.sent().await.0), ["BookHotel", "BookFlight", "CancelHotel"]);
}
