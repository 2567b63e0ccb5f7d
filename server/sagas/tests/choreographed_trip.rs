//! A trip that nobody leads: each event is held against the protocol, in order of hearing, and what is not in it is shown.

use std::{path::Path, sync::Arc};
use tramline_db::{Address, Db, Durability, SystemClock, SystemIds};
use tramline_messaging::{HandlerError, Headers, Messaging};
use tramline_sagas::{
    InstanceView, LogEntry, Phase,
    choreography::{Protocol, Told, begin, observe, protocol, turn},
    find_instance,
};
use uuid::Uuid;

const TRIP: Uuid = Uuid::from_u128(1);

fn trip() -> Protocol {
    protocol("BookTrip")
        .compensatable(turn("book-hotel", "hotels", "HotelBooked").undone_by("HotelCancelled"))
        .pivot(turn("book-flight", "flights", "FlightBooked").or("FlightRefused"))
        .retriable(turn("send-ticket", "tickets", "TicketSent"))
        .build()
}

async fn open(folder: &Path) -> Messaging {
    let address = Address::parse(&tramline_testing::store_address(folder, "trips")).expect("it reads");
    let migrations = [tramline_messaging::MIGRATIONS, tramline_sagas::MIGRATIONS].concat();
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let db = Db::open("trips", &address, Durability::Full, &migrations, clock, ids).await.expect("it opens");
    Messaging::open(db).await.expect("it has an outbox")
}

fn told(by: &str, kind: &str) -> Told {
    let headers = Headers { kind: kind.to_owned(), saga_id: Some(TRIP), ..Headers::default() };
    // Each event happens once, so its kind names it.
    let message_id = Uuid::from_u128(kind.bytes().fold(0, |id, letter| id * 31 + u128::from(letter)));
    Told { by: by.to_owned(), channel: "Trip".to_owned(), message_id, headers, payload: "{}".to_owned() }
}

async fn hear(trips: &Messaging, events: &'static [(&'static str, &'static str)]) -> Result<(), HandlerError> {
    trips
        .transact(None, move |work| {
            Box::pin(async move {
                let events = events.iter().map(|(by, kind)| told(by, kind)).collect();
                observe(work, &trip(), TRIP, events).await
            })
        })
        .await
}

async fn begun(folder: &Path) -> Messaging {
    let trips = open(folder).await;
    let started = trips.transact::<_, HandlerError, _>(None, |work| {
        Box::pin(async move { begin(work, &trip(), TRIP, TRIP, told("hotels", "HotelBooked")).await })
    });
    started.await.expect("it begins");
    trips
}

async fn found(trips: &Messaging) -> (InstanceView, Vec<LogEntry>) {
    find_instance(trips.db(), TRIP).await.expect("it reads").expect("it is there")
}

fn states(view: &InstanceView) -> Vec<&'static str> {
    trip().step_views(view.phase, view.refused_step).into_iter().map(|step| step.state).collect()
}

#[tokio::test]
async fn a_conversation_is_followed_to_its_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trips = begun(folder.path()).await;
    assert_eq!(states(&found(&trips).await.0), ["DONE", "RUNNING", "WAITING"]);
    hear(&trips, &[("flights", "FlightBooked"), ("tickets", "TicketSent")]).await.expect("it is heard");
    let (view, log) = found(&trips).await;
    assert_eq!((view.phase, view.version, view.choreographed), (Phase::Completed, 2, true));
    assert!(view.ended_at.is_some());
    assert_eq!(states(&view), ["DONE", "DONE", "DONE"]);
    assert_eq!(log.iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>(), ["event"; 3]);
}

#[tokio::test]
async fn a_refusal_leads_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trips = begun(folder.path()).await;
    hear(&trips, &[("flights", "FlightRefused")]).await.expect("it is heard");
    assert_eq!(states(&found(&trips).await.0), ["COMPENSATING", "REFUSED", "WAITING"]);
    hear(&trips, &[("hotels", "HotelCancelled")]).await.expect("it is heard");
    let (view, _) = found(&trips).await;
    assert_eq!(view.phase, Phase::RolledBack);
    assert_eq!(states(&view), ["COMPENSATED", "REFUSED", "WAITING"]);
}

#[tokio::test]
async fn what_is_not_in_the_protocol_parks_the_conversation_and_is_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trips = begun(folder.path()).await;
    hear(&trips, &[("tickets", "TicketSent"), ("flights", "FlightBooked")]).await.expect("it is written down");
    let (view, log) = found(&trips).await;
    assert_eq!((view.phase, view.ended_at), (Phase::Parked(1), None));
    assert_eq!(log.iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>(), ["event", "departure", "event"]);
}

#[tokio::test]
async fn an_event_that_is_sent_again_moves_nothing_and_is_kept_as_a_repetition() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trips = begun(folder.path()).await;
    hear(&trips, &[("flights", "FlightBooked"), ("flights", "FlightBooked")]).await.expect("it is heard");
    assert_eq!(states(&found(&trips).await.0), ["DONE", "DONE", "RUNNING"]);
    hear(&trips, &[("hotels", "HotelBooked"), ("tickets", "TicketSent")]).await.expect("it is heard");
    hear(&trips, &[("tickets", "TicketSent")]).await.expect("it is heard");
    let (view, log) = found(&trips).await;
    assert_eq!(view.phase, Phase::Completed);
    assert!(view.ended_at.is_some());
    let kinds: Vec<_> = log.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["event", "event", "repetition", "repetition", "event", "repetition"]);
}

#[tokio::test]
async fn an_event_of_a_conversation_that_never_began_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trips = open(folder.path()).await;
    assert!(matches!(hear(&trips, &[("flights", "FlightBooked")]).await, Err(HandlerError::Permanent(_))));
}
