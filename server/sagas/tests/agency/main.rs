//! A travel agency's day: hotel and car are booked at once, answers get lost, come late, twice or to the wrong command, the
//! agency is closed and opened again in between, and what is stuck is looked at by a person.

mod deadlines;
mod deferred;
mod parallel;
mod stuck;
mod world;
