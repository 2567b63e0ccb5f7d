//! A trip as a saga: hotel and car can be undone, the flight is the point of no return, the ticket follows it.
//!
//! Each step is refused in turn, and each reply is repeated.

use std::{path::Path, sync::Arc};
use tramline_db::{Address, BoxFuture, Db, Durability, SystemClock, SystemIds, UtcMicros, sql};
use tramline_messaging::{HandlerError, Headers, Messaging, Record, UnitOfWork};
use tramline_sagas::{
    Command, Definition, Orchestrator, Participant, Phase, Reply, ReplyHandler, count_open, define, find_instance, step,
};
use uuid::Uuid;

#[derive(serde::Serialize, serde::Deserialize)]
struct Trip {
    id: Uuid,
    refused: Option<String>,
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
                .at("hotels")
                .does(|trip| command("BookHotel", trip))
                .undone_by(|trip| command("CancelHotel", trip)),
        )
        .compensatable(
            step("car").at("cars").does(|trip| command("BookCar", trip)).undone_by(|trip| command("CancelCar", trip)),
        )
        .pivot(
            step("flight")
                .at("flights")
                .does(|trip| command("BookFlight", trip))
                .learns(|trip, reply| trip.refused = Some(reply.headers.kind.clone())),
        )
        .retriable(step("ticket").at("mail").does(|trip| command("SendTicket", trip)))
        .retriable(step("close").locally().does(|trip| command("CloseTrip", trip)))
        .build()
}

/// Does everything that it is asked to.
struct Agency;

impl Participant for Agency {
    fn perform<'a>(
        &'a self,
        _: &'a mut UnitOfWork<'_>,
        _: Uuid,
        command: &'a Command,
    ) -> BoxFuture<'a, Result<Reply, HandlerError>> {
        Box::pin(async move { Ok(Reply::done("Done", &command.kind)) })
    }
}

struct World {
    messaging: Messaging,
    saga: Arc<Orchestrator<Trip>>,
    id: Uuid,
}

impl World {
    async fn start(folder: &Path) -> Self {
        let migrations = [tramline_messaging::MIGRATIONS, tramline_sagas::MIGRATIONS].concat();
        let address = Address::parse(&tramline_testing::store_address(folder, "agency")).expect("it reads");
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        let db = Db::open("agency", &address, Durability::Process, &migrations, clock, ids).await.expect("it opens");
        let messaging = Messaging::open(db).await.expect("it has an outbox");
        let saga = Arc::new(Orchestrator::new(definition(), "agency.replies", Arc::new(Agency)));
        let (id, orchestrator) = (Uuid::from_u128(1), Arc::clone(&saga));
        let started = messaging.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move { orchestrator.start(work, id, Uuid::from_u128(2), Trip { id, refused: None }).await })
        });
        started.await.expect("it starts");
        Self { messaging, saga, id }
    }

    /// Every command sent so far, oldest first: its id and kind.
    async fn sent(&self) -> Vec<(Uuid, String)> {
        let rows: Vec<(Uuid, String)> = self
            .messaging
            .db()
            .all(sql("select message_id, headers from outbox order by message_id"))
            .await
            .expect("it reads");
        let kind = |headers: String| serde_json::from_str::<Headers>(&headers).expect("headers read").kind;
        rows.into_iter().map(|(id, headers)| (id, kind(headers))).collect()
    }

    async fn reply(&self, command: Uuid, done: bool) {
        let reply = Arc::new(Record {
            seq: 1,
            id: self.messaging.db().new_id(),
            key: self.id,
            headers: Headers {
                kind: if done { "Done" } else { "Refused" }.to_owned(),
                saga_id: Some(self.id),
                saga_type: Some("BookTrip".to_owned()),
                correlation_id: Some(command),
                outcome: Some(if done { "done" } else { "refused" }.to_owned()),
                ..Headers::default()
            },
            payload: "null".to_owned(),
            recorded_at: UtcMicros(0),
        });
        let saga = Arc::clone(&self.saga);
        let taken = self.messaging.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move { saga.on_reply(work, &reply).await })
        });
        taken.await.expect("it is taken");
    }

    /// Answers every command, refusing the one of that kind; each answer comes `times` times.
    async fn run(&self, refuse: Option<&str>, times: usize) -> Vec<String> {
        let mut answered = 0;
        loop {
            let sent = self.sent().await;
            let Some((command, kind)) = sent.get(answered) else { break };
            for _ in 0..times {
                self.reply(*command, refuse != Some(kind)).await;
            }
            answered += 1;
        }
        self.sent().await.into_iter().map(|(_, kind)| kind).collect()
    }

    async fn phase(&self) -> Phase {
        find_instance(self.messaging.db(), self.id).await.expect("it reads").expect("it is there").0.phase
    }
}

#[tokio::test]
async fn every_step_is_refused_in_turn_and_what_was_done_is_undone_in_reverse() {
    let cases: [(Option<&str>, Phase, &[&str]); 5] = [
        (None, Phase::Completed, &["BookHotel", "BookCar", "BookFlight", "SendTicket"]),
        (Some("BookHotel"), Phase::RolledBack, &["BookHotel"]),
        (Some("BookCar"), Phase::RolledBack, &["BookHotel", "BookCar", "CancelHotel"]),
        (Some("BookFlight"), Phase::RolledBack, &["BookHotel", "BookCar", "BookFlight", "CancelCar", "CancelHotel"]),
        // Past the point of no return a refusal cannot be answered by undoing: a human must look.
        (Some("SendTicket"), Phase::Parked(4), &["BookHotel", "BookCar", "BookFlight", "SendTicket"]),
    ];
    for (refuse, end, commands) in cases {
        // Once, and with every reply coming three times: the outcome is the same.
        for times in [1, 3] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let world = World::start(folder.path()).await;
            assert_eq!(world.run(refuse, times).await, commands, "{refuse:?} x {times}");
            assert_eq!(world.phase().await, end, "{refuse:?} x {times}");
        }
    }
}

#[tokio::test]
async fn only_a_saga_that_is_under_way_counts_as_open() {
    // Ended, and parked for a human, who may take long.
    for refuse in [None, Some("SendTicket")] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let world = World::start(folder.path()).await;
        let open = async |at_most| count_open(world.messaging.db(), at_most).await.expect("it counts");
        assert_eq!((open(10).await, open(0).await), (1, 0));
        world.run(refuse, 1).await;
        assert_eq!(open(10).await, 0, "{refuse:?}");
    }
}

#[tokio::test]
async fn a_reply_to_another_command_changes_nothing_and_is_written_down() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let world = World::start(folder.path()).await;
    let before = find_instance(world.messaging.db(), world.id).await.expect("it reads").expect("it is there");
    world.reply(Uuid::from_u128(77), false).await;
    let after = find_instance(world.messaging.db(), world.id).await.expect("it reads").expect("it is there");
    assert_eq!((after.0.phase, after.0.version), (before.0.phase, before.0.version));
    assert_eq!(after.1.len(), before.1.len() + 1);
    assert_eq!(after.1.last().expect("an entry").kind, "late-reply");
}

#[tokio::test]
async fn the_steps_show_how_far_the_saga_has_come() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let world = World::start(folder.path()).await;
    let states = async || {
        let (view, _) = find_instance(world.messaging.db(), world.id).await.expect("it reads").expect("it is there");
        let steps = definition().step_views(&view);
        steps.into_iter().map(|step| step.state).collect::<Vec<_>>()
    };
    assert_eq!(states().await, ["DONE", "RUNNING", "WAITING", "WAITING", "WAITING", "WAITING"]);
    world.reply(world.sent().await[0].0, true).await;
    world.reply(world.sent().await[1].0, false).await;
    assert_eq!(states().await, ["DONE", "COMPENSATING", "REFUSED", "WAITING", "WAITING", "WAITING"]);
    world.reply(world.sent().await[2].0, true).await;
    assert_eq!(states().await, ["COMPENSATED", "COMPENSATED", "REFUSED", "WAITING", "WAITING", "WAITING"]);
}
