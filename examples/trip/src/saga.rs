//! The trip as a saga. Only what is to be done is said here, and what undoes it; who does it, and when, is not.
//!
//! ```text
//! hotel   compensatable  hotels   Book   undone by Cancel   } at once
//! car     compensatable  cars     Book   undone by Cancel   }
//! flight  pivot          flights  Book
//! ticket  retriable      agency   SendTicket
//! ```

use serde::{Deserialize, Serialize};
use tramline_messaging::Record;
use tramline_sagas::{Command, Definition, define, step};
use uuid::Uuid;

/// What the saga knows: who travels where, and what it has learnt on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// Names the trip.
    pub id: Uuid,
    /// Who travels.
    pub traveller: String,
    /// Where to.
    pub city: String,
    /// The seat, once the flight is booked.
    pub seat: Option<i64>,
}

/// The kind of command that books a place at an agent.
pub const BOOK: &str = "Book";
/// The kind that gives it back.
pub const CANCEL: &str = "Cancel";
/// The agency's own: sends the ticket.
pub const SEND_TICKET: &str = "SendTicket";

/// Who plays which part: the channel that each agent listens on.
pub const HOTELS: &str = "hotels";
/// See [`HOTELS`].
pub const CARS: &str = "cars";
/// See [`HOTELS`].
pub const FLIGHTS: &str = "flights";
/// Where the agents answer.
pub const REPLIES: &str = "agency.replies";

/// The steps.
#[must_use]
pub fn book_trip() -> Definition<Trip> {
    let hotel = step("hotel").at(HOTELS).does(book).undone_by(cancel);
    let car = step("car").at(CARS).does(book).undone_by(cancel);
    define::<Trip>("BookTrip")
        .parallel([hotel, car])
        .pivot(step("flight").at(FLIGHTS).does(book).learns(seat))
        .retriable(step("ticket").locally().does(|trip| Command::new(SEND_TICKET, trip.id, trip)))
        .build()
}

/// Keyed by the trip: commands for one trip stay in order.
fn book(trip: &Trip) -> Command {
    Command::new(BOOK, trip.id, &trip.city)
}

fn cancel(trip: &Trip) -> Command {
    Command::new(CANCEL, trip.id, &trip.city)
}

fn seat(trip: &mut Trip, reply: &Record) {
    trip.seat = serde_json::from_str(&reply.payload).ok();
}
