//! Trips over four databases in a folder: one that is booked, and ones that are taken back.

use std::path::Path;
use tramline_sagas::Phase;
use trip::desk::{Desk, Places};

const SOME: Places = Places { hotel: 3, car: 3, flight: 3 };

/// Books one trip; where it ended, and what is left.
async fn one_trip(folder: &Path, places: Places) -> (Phase, Places) {
    let desk = Desk::open(folder, places).await.expect("it opens");
    let trip = desk.book("Ada", "Lisbon").await.expect("it begins");
    let (view, _) = desk.ended(trip).await.expect("it ends");
    let free = desk.free().await.expect("it reads");
    desk.close().await;
    (view.phase, free)
}

#[tokio::test]
async fn a_trip_takes_a_room_a_car_and_a_seat() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let left = Places { hotel: 2, car: 2, flight: 2 };
    assert_eq!(one_trip(folder.path(), SOME).await, (Phase::Completed, left));
}

#[tokio::test]
async fn a_trip_without_a_seat_a_car_or_a_room_gives_everything_back() {
    for places in [Places { flight: 0, ..SOME }, Places { car: 0, ..SOME }, Places { hotel: 0, ..SOME }] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(one_trip(folder.path(), places).await, (Phase::RolledBack, places));
    }
}

#[tokio::test]
async fn what_was_booked_stays_booked_when_the_program_starts_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    one_trip(folder.path(), SOME).await;
    let left = Places { hotel: 1, car: 1, flight: 1 };
    assert_eq!(one_trip(folder.path(), SOME).await, (Phase::Completed, left));
}
