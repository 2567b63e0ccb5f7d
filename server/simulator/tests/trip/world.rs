//! An agency that books trips by a saga, and partners with few rooms and seats.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tramline_db::{BoxFuture, DbError, Migration, sql};
use tramline_messaging::{Handler, HandlerError, Messaging, Record, UnitOfWork};
use tramline_sagas::{
    Command, Deadlines, Definition, Orchestrator, Participant, Reply, ReplyHandler, Sagas, define, reply_to, step,
};
use tramline_simulator::{Flaw, Group, Stage, World, Wrongs};
use uuid::Uuid;

pub const BOOKS_TWICE: Flaw = Flaw::Own("a repeated booking is not recognised");
pub const UNDOES_NOTHING: Flaw = Flaw::Own("a compensation is skipped");
pub const MATCHES_ANY_REPLY: Flaw = Flaw::Own("a reply is matched without its correlation id");

/// Rare states of trips.
pub const RARE: &[&str] = &["a trip was confirmed", "a trip was undone after the hotel", "a trip found no hotel"];

const PARTNER_COMMANDS: &str = "partners.commands";
const AGENCY_REPLIES: &str = "agency.replies";
const ROOMS: i64 = 4;
const SEATS: i64 = 2;

#[derive(Clone, Serialize, Deserialize)]
struct Trip {
    id: Uuid,
}

fn definition() -> Definition<Trip> {
    fn command(kind: &'static str, trip: &Trip) -> Command {
        Command::new(kind, trip.id, &trip.id)
    }
    define::<Trip>("BookTrip")
        .compensatable(
            step("note").locally().does(|trip| command("NoteTrip", trip)).undone_by(|trip| command("DropTrip", trip)),
        )
        .compensatable(
            step("hotel")
                .at(PARTNER_COMMANDS)
                .does(|trip| command("BookHotel", trip))
                .undone_by(|trip| command("CancelHotel", trip)),
        )
        .pivot(step("flight").at(PARTNER_COMMANDS).does(|trip| command("BookFlight", trip)))
        .retriable(step("confirm").locally().does(|trip| command("ConfirmTrip", trip)))
        .build()
}

/// The agency's own part of the saga.
struct Agency;

impl Participant for Agency {
    fn perform<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        _: Uuid,
        command: &'a Command,
    ) -> BoxFuture<'a, Result<Reply, HandlerError>> {
        Box::pin(async move {
            let trip: Uuid = command.read()?;
            let change = match command.kind {
                "NoteTrip" => sql("insert into trip (trip_id, state) values ($1, 'NOTED') on conflict do nothing"),
                "ConfirmTrip" => sql("update trip set state = 'CONFIRMED' where trip_id = $1 and state = 'NOTED'"),
                _ => sql("update trip set state = 'DROPPED' where trip_id = $1 and state = 'NOTED'"),
            };
            match work.tx.execute(change.bind(trip)).await? {
                1 => Ok(Reply::done("Done", &())),
                _ => Err(HandlerError::Transient("the trip is there already".to_owned())),
            }
        })
    }
}

/// Brings replies to the saga.
struct Replies {
    saga: Arc<Orchestrator<Trip>>,
    matches_any: bool,
}

impl Handler for Replies {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            for reply in batch {
                let mut reply = Arc::clone(reply);
                if self.matches_any {
                    let awaited: Option<(Option<String>,)> = work
                        .tx
                        .optional(
                            sql("select awaits from saga_instance where saga_id = $1").bind(reply.headers.saga_id),
                        )
                        .await?;
                    let any = awaited.and_then(|(awaited,)| first_command(&awaited?));
                    Arc::make_mut(&mut reply).headers.correlation_id = any;
                }
                self.saga.on_reply(work, &reply).await?;
            }
            Ok(())
        })
    }

    fn committed(&self, (): ()) {}
}

/// Whatever command the saga waits for.
fn first_command(awaited: &str) -> Option<Uuid> {
    let awaited: serde_json::Value = serde_json::from_str(awaited).ok()?;
    awaited.as_array()?.iter().find_map(|one| one.get("command")?.as_str()?.parse().ok())
}

/// The partners: a hotel and an airline.
struct Partners {
    books_twice: bool,
    undoes_nothing: bool,
}

impl Handler for Partners {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            for command in batch {
                let trip = command.key;
                let reply = match command.headers.kind.as_str() {
                    "BookHotel" => self.book(work, trip, "hotel", ROOMS).await?,
                    "BookFlight" => self.book(work, trip, "flight", SEATS).await?,
                    _ if self.undoes_nothing => Reply::done("Cancelled", &()),
                    _ => {
                        let cancel =
                            sql("update booking set state = 'CANCELLED' where trip_id = $1 and what = 'hotel'");
                        work.tx.execute(cancel.bind(trip)).await?;
                        Reply::done("Cancelled", &())
                    }
                };
                reply_to(work, command, AGENCY_REPLIES, &reply)?;
            }
            Ok(())
        })
    }

    fn committed(&self, (): ()) {}
}

impl Partners {
    async fn book(&self, work: &mut UnitOfWork<'_>, trip: Uuid, what: &str, most: i64) -> Result<Reply, HandlerError> {
        let first: Option<(String,)> = work
            .tx
            .optional(sql("select state from booking where trip_id = $1 and what = $2 limit 1").bind(trip).bind(what))
            .await?;
        let state = match first {
            Some((state,)) if !self.books_twice => state,
            _ => {
                let taken: Option<(i64,)> = work
                    .tx
                    .optional(sql("select count(*) from booking where what = $1 and state = 'BOOKED'").bind(what))
                    .await?;
                let state = if taken.is_some_and(|(taken,)| taken < most) { "BOOKED" } else { "REFUSED" };
                work.tx
                    .execute(
                        sql("insert into booking (trip_id, what, state) values ($1, $2, $3)")
                            .bind(trip)
                            .bind(what)
                            .bind(state),
                    )
                    .await?;
                state.to_owned()
            }
        };
        Ok(if state == "REFUSED" { Reply::refused("Full", &()) } else { Reply::done("Booked", &()) })
    }
}

pub struct Trips {
    agency: Messaging,
    saga: Arc<Orchestrator<Trip>>,
    deadlines: Deadlines,
    partners: Messaging,
    groups: Vec<Group>,
    count: usize,
}

impl Trips {
    pub fn open(stage: &Stage) -> Result<Self, DbError> {
        const TRIPS: &[Migration] = &[Migration {
            version: 1_000,
            description: "trips",
            sql: "create table trip (trip_id uuid not null primary key, state text not null)",
        }];
        const BOOKINGS: &[Migration] = &[Migration {
            version: 1_000,
            description: "bookings",
            sql: "create table booking (trip_id uuid not null, what text not null, state text not null)",
        }];
        let agency =
            stage.messaging("agency", &[tramline_messaging::MIGRATIONS, tramline_sagas::MIGRATIONS, TRIPS].concat())?;
        let partners = stage.messaging("partners", &[tramline_messaging::MIGRATIONS, BOOKINGS].concat())?;
        let saga = Arc::new(Orchestrator::new(definition(), AGENCY_REPLIES, Arc::new(Agency)));
        let replies = Replies { saga: Arc::clone(&saga), matches_any: stage.has(MATCHES_ANY_REPLY) };
        let handler = Partners { books_twice: stage.has(BOOKS_TWICE), undoes_nothing: stage.has(UNDOES_NOTHING) };
        let groups = vec![
            Group::new(stage, "agency", &agency, &[("partners", AGENCY_REPLIES)], replies),
            Group::new(stage, "partners", &partners, &[("agency", PARTNER_COMMANDS)], handler),
        ];
        let count = stage.choose(|chance| 1 + chance.index(8).unwrap_or(0));
        let deadlines = Deadlines::new(agency.clone(), Sagas::new(vec![Arc::clone(&saga) as _]));
        Ok(Self { agency, saga, deadlines, partners, groups, count })
    }

    async fn trips(&self) -> Result<Vec<(Uuid, String)>, DbError> {
        self.agency.db().all(sql("select trip_id, state from trip order by trip_id")).await
    }

    async fn bookings(&self, trip: Uuid) -> Result<Vec<(String, String)>, DbError> {
        let rows = sql("select what, state from booking where trip_id = $1 order by what").bind(trip);
        self.partners.db().all(rows).await
    }
}

impl World for Trips {
    fn services(&self) -> Vec<Messaging> {
        vec![self.agency.clone(), self.partners.clone()]
    }

    fn groups(&self) -> Vec<Group> {
        self.groups.clone()
    }

    fn requests(&self) -> usize {
        self.count
    }

    fn request(&self, number: usize) -> BoxFuture<'_, Result<(), HandlerError>> {
        let (saga, id) = (Arc::clone(&self.saga), Uuid::from_u128(1 + number as u128));
        let started = self.agency.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move {
                let known = sql("select state from trip where trip_id = $1").bind(id);
                let known: Option<(String,)> = work.tx.optional(known).await?;
                if known.is_none() {
                    let saga_id = work.new_id();
                    saga.start(work, saga_id, id, Trip { id }).await?;
                }
                Ok(())
            })
        });
        Box::pin(started)
    }

    fn time_passed(&self) -> BoxFuture<'_, Result<(), HandlerError>> {
        Box::pin(async move { Ok(self.deadlines.look().await.map(drop)?) })
    }

    fn always(&self) -> BoxFuture<'_, Wrongs> {
        Box::pin(async move {
            let counts: Vec<(String, i64)> = self
                .partners
                .db()
                .all(sql("select what, count(*) from booking where state = 'BOOKED' group by what"))
                .await?;
            let most = |what: &str| if what == "hotel" { ROOMS } else { SEATS };
            let over = counts.into_iter().filter(|(what, count)| *count > most(what));
            let mut wrong: Vec<String> = over.map(|(what, count)| format!("{count} bookings of the {what}")).collect();
            let twice: Vec<(Uuid, String)> = self
                .partners
                .db()
                .all(sql("select trip_id, what from booking group by trip_id, what having count(*) > 1"))
                .await?;
            wrong.extend(twice.into_iter().map(|(trip, what)| format!("trip {trip} has the {what} twice")));
            Ok(wrong)
        })
    }

    fn at_rest(&self) -> BoxFuture<'_, Wrongs> {
        Box::pin(async move {
            let mut wrong = Vec::new();
            for (trip, state) in self.trips().await? {
                let bookings = self.bookings(trip).await?;
                let booked: Vec<&str> =
                    bookings.iter().filter(|(_, state)| state == "BOOKED").map(|(what, _)| what.as_str()).collect();
                let right = match state.as_str() {
                    "CONFIRMED" => booked == ["flight", "hotel"],
                    "DROPPED" => booked.is_empty(),
                    _ => false,
                };
                if !right {
                    wrong.push(format!("trip {trip} is {state} with {booked:?}"));
                }
            }
            Ok(wrong)
        })
    }

    fn reached(&self) -> BoxFuture<'_, Result<Vec<&'static str>, DbError>> {
        Box::pin(async move {
            let mut reached = Vec::new();
            for (trip, state) in self.trips().await? {
                let had_hotel = self.bookings(trip).await?.iter().any(|(_, state)| state == "CANCELLED");
                reached.push(match (state.as_str(), had_hotel) {
                    ("CONFIRMED", _) => RARE[0],
                    (_, true) => RARE[1],
                    (_, false) => RARE[2],
                });
            }
            Ok(reached)
        })
    }
}
