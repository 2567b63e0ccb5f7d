//! The agency with its clock, its sagas and what they send. Hotels, cars and flights are played by the test.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tramline_db::{Address, BoxFuture, Clock, Db, Durability, Migration, SystemIds, UtcMicros, sql};
use tramline_messaging::{HandlerError, Headers, Messaging, Record, UnitOfWork};
use tramline_sagas::{
    Command, Deadlines, Deferred, Definition, InstanceView, LogEntry, Operator, Orchestrator, Participant, Phase,
    Reply, ReplyHandler, Retried, SagaKind, Sagas, define, find_instance, step,
};
use uuid::Uuid;

/// How long an answer may take here before the command goes out again.
pub const ANSWER: Duration = Duration::from_secs(10);
/// How long hotels may take at all.
pub const HOTEL_GIVES_UP: Duration = Duration::from_secs(25);
pub const TRIP: Uuid = Uuid::from_u128(1);

#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> UtcMicros {
        UtcMicros(self.0.load(Ordering::SeqCst))
    }
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Trip {
    pub with_car: bool,
    pub learnt: Vec<String>,
}

fn definition() -> Definition<Trip> {
    fn command(kind: &'static str, trip: &Trip) -> Command {
        Command::new(kind, TRIP, &trip.learnt)
    }
    define::<Trip>("BookTrip")
        .answers_within(ANSWER)
        .compensatable(
            step("note").locally().does(|trip| command("NoteTrip", trip)).undone_by(|trip| command("DropTrip", trip)),
        )
        .parallel([
            step("hotel")
                .at("hotels")
                .does(|trip| command("BookHotel", trip))
                .learns(|trip, reply| trip.learnt.push(reply.headers.kind.clone()))
                .undone_by(|trip| command("CancelHotel", trip))
                .gives_up_after(HOTEL_GIVES_UP)
                .into(),
            step("car")
                .at("cars")
                .does(|trip| command("BookCar", trip))
                .learns(|trip, reply| trip.learnt.push(reply.headers.kind.clone()))
                .undone_by(|trip| command("CancelCar", trip))
                .when(|trip: &Trip| trip.with_car),
        ])
        .pivot(step("flight").at("flights").does(|trip| command("BookFlight", trip)))
        .retriable(step("ticket").tells("mail").does(|trip| command("SendTicket", trip)))
        .retriable(step("close").locally().does(|trip| command("CloseTrip", trip)))
        .build()
}

/// The agency's own part of its trips.
#[derive(Default)]
pub struct Desk {
    /// Fails whatever drops a trip from the books.
    pub books_are_locked: AtomicBool,
}

impl Participant for Desk {
    fn perform<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        saga_id: Uuid,
        command: &'a Command,
    ) -> BoxFuture<'a, Result<Reply, HandlerError>> {
        Box::pin(async move {
            if command.kind == "DropTrip" && self.books_are_locked.load(Ordering::SeqCst) {
                return Err(HandlerError::Transient("the books are locked".to_owned()));
            }
            let later: Option<(i64,)> = work.tx.optional(sql("select 1 from by_telephone")).await?;
            if command.kind == "NoteTrip" && later.is_some() {
                // What comes again is noted once.
                let token = serde_json::to_string(&Deferred::locally(saga_id, command)).unwrap_or_default();
                work.tx.execute(sql("delete from call_back")).await?;
                work.tx.execute(sql("insert into call_back (token) values ($1)").bind(token)).await?;
                return Ok(Reply::later());
            }
            Ok(Reply::done("Done", &command.kind))
        })
    }
}

const CALLS: Migration = Migration {
    version: 1_000,
    description: "calls",
    sql: "create table by_telephone (id bigint not null primary key); create table call_back (token text not null)",
};

pub struct World {
    folder: TempDir,
    pub clock: Arc<ManualClock>,
    pub desk: Arc<Desk>,
    pub messaging: Messaging,
    pub saga: Arc<Orchestrator<Trip>>,
}

/// A command as it lies in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub id: Uuid,
    pub key: Uuid,
    pub kind: String,
    pub payload: String,
}

impl World {
    pub async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (clock, desk) = (Arc::new(ManualClock::default()), Arc::new(Desk::default()));
        let (messaging, saga) = parts(&folder, &clock, &desk).await;
        Self { folder, clock, desk, messaging, saga }
    }

    /// An agency whose trip is under way.
    pub async fn with_trip(with_car: bool) -> Self {
        let world = Self::open().await;
        world.book(with_car).await;
        world
    }

    pub async fn book(&self, with_car: bool) {
        let saga = Arc::clone(&self.saga);
        let trip = Trip { with_car, learnt: Vec::new() };
        let started = self.messaging.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move { saga.start(work, TRIP, TRIP, trip).await })
        });
        started.await.expect("it starts");
    }

    /// Closes the agency and opens it again: whatever was not stored is gone.
    pub async fn restart(self) -> Self {
        let Self { folder, clock, desk, messaging, saga } = self;
        drop(saga);
        messaging.db().close().await;
        drop(messaging);
        let (messaging, saga) = parts(&folder, &clock, &desk).await;
        Self { folder, clock, desk, messaging, saga }
    }

    pub fn wait(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_micros()).expect("a short time"), Ordering::SeqCst);
    }

    pub fn deadlines(&self) -> Deadlines {
        let saga: Arc<dyn SagaKind> = Arc::<Orchestrator<Trip>>::clone(&self.saga);
        Deadlines::new(self.messaging.clone(), Sagas::new(vec![saga]))
    }

    /// Does what is due, and tells of how many sagas.
    pub async fn look(&self) -> usize {
        self.deadlines().look().await.expect("it looks")
    }

    /// Everything sent so far, in order.
    pub async fn sent(&self) -> Vec<Sent> {
        let rows: Vec<(Uuid, Uuid, String, String, i64)> = self
            .messaging
            .db()
            .all(sql("select message_id, message_key, headers, payload, recorded_at from outbox \
                      order by recorded_at, message_id, seq"))
            .await
            .expect("it reads");
        let kind = |headers: &str| serde_json::from_str::<Headers>(headers).expect("headers read").kind;
        rows.into_iter().map(|(id, key, headers, payload, _)| Sent { id, key, kind: kind(&headers), payload }).collect()
    }

    pub async fn kinds(&self) -> Vec<String> {
        self.sent().await.into_iter().map(|sent| sent.kind).collect()
    }

    /// The newest command of a kind.
    pub async fn command(&self, kind: &str) -> Uuid {
        self.sent()
            .await
            .into_iter()
            .rev()
            .find(|sent| sent.kind == kind)
            .map_or_else(|| panic!("no {kind}"), |sent| sent.id)
    }

    pub async fn answer(&self, command: &str, done: bool) {
        let command = self.command(command).await;
        self.answer_to(command, done).await;
        // Later messages are later in the clock as well, so that what was sent reads back in order.
        self.wait(Duration::from_millis(1));
    }

    pub async fn answer_to(&self, command: Uuid, done: bool) {
        let reply = Arc::new(Record {
            seq: 1,
            id: self.messaging.db().new_id(),
            key: TRIP,
            headers: Headers {
                kind: if done { "Done" } else { "Refused" }.to_owned(),
                saga_id: Some(TRIP),
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

    pub async fn retry(&self) -> Retried {
        let saga = Arc::clone(&self.saga);
        let operator = Operator { who: "Ada".to_owned(), why: "the hotel was called".to_owned() };
        let retried = self.messaging.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move { saga.retry(work, TRIP, &operator).await })
        });
        retried.await.expect("it is tried")
    }

    pub async fn found(&self) -> (InstanceView, Vec<LogEntry>) {
        find_instance(self.messaging.db(), TRIP).await.expect("it reads").expect("it is there")
    }

    pub async fn phase(&self) -> Phase {
        self.found().await.0.phase
    }

    pub async fn states(&self) -> Vec<&'static str> {
        let (view, _) = self.found().await;
        definition().step_views(&view).into_iter().map(|step| step.state).collect()
    }

    /// How many entries of that kind the log has.
    pub async fn logged(&self, kind: &str) -> usize {
        self.found().await.1.into_iter().filter(|entry| entry.kind == kind).count()
    }
}

async fn parts(folder: &TempDir, clock: &Arc<ManualClock>, desk: &Arc<Desk>) -> (Messaging, Arc<Orchestrator<Trip>>) {
    let migrations = [tramline_messaging::MIGRATIONS, tramline_sagas::MIGRATIONS, &[CALLS]].concat();
    let address = Address::parse(&tramline_testing::store_address(folder.path(), "agency")).expect("it reads");
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    let db = Db::open("agency", &address, Durability::Process, &migrations, clock, Arc::new(SystemIds)).await;
    let messaging = Messaging::open(db.expect("it opens")).await.expect("it has an outbox");
    let participant: Arc<dyn Participant> = Arc::<Desk>::clone(desk);
    (messaging, Arc::new(Orchestrator::new(definition(), "agency.replies", participant)))
}
