//! The parts list: four databases, a broker between them, and who listens to whom. It decides nothing.

use crate::{
    agent::{self, Agent},
    saga::{CARS, FLIGHTS, HOTELS, REPLIES, Trip, book_trip},
};
use anyhow::{Context as _, bail};
use std::{path::Path, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tramline_db::{BoxFuture, Db, DbError, Durability, Migration, SystemClock, SystemIds, sql};
use tramline_messaging::{
    Appetite, Broker, Consumer, EmbeddedBroker, Handler, HandlerError, Messaging, Ownership, RELAY_TASK, Relay,
    Sharing, Transactional, UnitOfWork,
};
use tramline_sagas::{
    Command, Deadlines, InstanceView, LogEntry, Orchestrator, Participant, Reply, Sagas, find_instance,
};
use uuid::Uuid;

/// The agency's name: of its database, and as the source of its messages.
const AGENCY: &str = "agency";
/// Between two looks at a trip that is under way.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Looks until a trip is given up: half a minute.
const LOOKS_MAX: usize = 6_000;

/// How many places each agent has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Rooms.
    pub hotel: i64,
    /// Cars.
    pub car: i64,
    /// Seats.
    pub flight: i64,
}

/// The agency and its agents, at work.
pub struct Desk {
    agency: Messaging,
    trips: Arc<Orchestrator<Trip>>,
    agents: Vec<Messaging>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Desk {
    /// Opens the databases in a folder and starts everything.
    ///
    /// # Errors
    /// When a database cannot be opened.
    pub async fn open(folder: &Path, places: Places) -> anyhow::Result<Self> {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let own = [tramline_messaging::MIGRATIONS, tramline_sagas::MIGRATIONS].concat();
        let agency = open(folder, AGENCY, &own).await?;
        let broker = EmbeddedBroker::new();
        broker.attach(agency.db()).await?;
        let mut agents = Vec::new();
        for (name, free) in [(HOTELS, places.hotel), (CARS, places.car), (FLIGHTS, places.flight)] {
            let agent = open(folder, name, &agent::migrations()).await?;
            stock(agent.db(), free).await?;
            broker.attach(agent.db()).await?;
            agents.push(agent);
        }
        let trips = Arc::new(Orchestrator::new(book_trip(), REPLIES, Arc::new(Agency)));
        let mut desk = Self { agency, trips, agents, stop, tasks };
        desk.start(Arc::new(broker)).await?;
        Ok(desk)
    }

    async fn start(&mut self, broker: Arc<dyn Broker>) -> anyhow::Result<()> {
        for database in self.agents.iter().chain([&self.agency]) {
            let ownership = self.own(database.db(), RELAY_TASK).await?;
            let relay = Relay::new(database.clone(), Arc::clone(&broker), ownership);
            self.tasks.spawn(relay.run(self.stop.clone()));
        }
        for agent in &self.agents {
            let name = agent.db().name();
            self.consume(&broker, agent, &[(AGENCY, name)], Arc::new(Agent)).await?;
        }
        let sagas = Sagas::new(vec![Arc::clone(&self.trips) as _]);
        let replies = [(HOTELS, REPLIES), (CARS, REPLIES), (FLIGHTS, REPLIES)];
        self.consume(&broker, &self.agency, &replies, Arc::new(sagas.clone())).await?;
        self.tasks.spawn(Deadlines::new(self.agency.clone(), sagas).run(self.stop.clone()));
        Ok(())
    }

    async fn consume<H: Handler>(
        &self,
        broker: &Arc<dyn Broker>,
        database: &Messaging,
        channels: &[(&'static str, &'static str)],
        handler: Arc<H>,
    ) -> anyhow::Result<()> {
        let group = database.db().name();
        let ownership = self.own(database.db(), group).await?;
        let effects = Transactional::new(group, database.clone(), handler);
        let consumer = Consumer::new(group, Arc::clone(broker), channels, ownership, effects);
        self.tasks.spawn(consumer.run(self.stop.clone()));
        Ok(())
    }

    /// This process owns every partition.
    async fn own(&self, db: &Db, task: &str) -> Result<Ownership, DbError> {
        let joined = Ownership::join(db, task, &Sharing::Alone, Appetite::FairShare, self.stop.clone()).await;
        joined.map(|(ownership, keeping)| {
            self.tasks.spawn(keeping);
            ownership
        })
    }

    /// Begins to book a trip and returns its id at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn book(&self, traveller: &str, city: &str) -> Result<Uuid, HandlerError> {
        let id = self.agency.db().new_id();
        let trip = Trip { id, traveller: traveller.to_owned(), city: city.to_owned(), seat: None };
        let trips = Arc::clone(&self.trips);
        let began = self.agency.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move { trips.start(work, id, id, trip).await })
        });
        began.await?;
        Ok(id)
    }

    /// Waits until a trip has come to its end, and returns it with everything that was said.
    ///
    /// # Errors
    /// When it does not come to an end in time, or the database fails.
    pub async fn ended(&self, trip: Uuid) -> anyhow::Result<(InstanceView, Vec<LogEntry>)> {
        for _ in 0..LOOKS_MAX {
            let (view, log) = find_instance(self.agency.db(), trip).await?.context("there is no such trip")?;
            if view.ended_at.is_some() {
                return Ok((view, log));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("the trip {trip} does not come to an end")
    }

    /// The places that each agent has left.
    ///
    /// # Errors
    /// When a database fails.
    pub async fn free(&self) -> anyhow::Result<Places> {
        let mut free = Vec::new();
        for agent in &self.agents {
            let row: Option<(i64,)> = agent.db().optional(sql("select free from places")).await?;
            free.push(row.map_or(0, |(free,)| free));
        }
        match free[..] {
            [hotel, car, flight] => Ok(Places { hotel, car, flight }),
            _ => bail!("an agent is missing"),
        }
    }

    /// Stops everything and closes the databases.
    pub async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        for database in self.agents.iter().chain([&self.agency]) {
            database.db().close().await;
        }
    }
}

/// The agency as a participant of its own saga.
struct Agency;

impl Participant for Agency {
    fn perform<'a>(
        &'a self,
        _: &'a mut UnitOfWork<'_>,
        _: Uuid,
        command: &'a Command,
    ) -> BoxFuture<'a, Result<Reply, HandlerError>> {
        Box::pin(async move {
            let trip: Trip = command.read()?;
            Ok(Reply::done("TicketSent", &format!("seat {} to {}", trip.seat.unwrap_or(0), trip.city)))
        })
    }
}

async fn open(folder: &Path, name: &'static str, migrations: &[Migration]) -> anyhow::Result<Messaging> {
    let file = folder.join(format!("{name}.db"));
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let db = Db::open_sqlite(name, &file, Durability::Full, migrations, clock, ids).await?;
    Ok(Messaging::open(db).await?)
}

/// Gives an agent its places, unless it has some from before.
async fn stock(db: &Db, free: i64) -> Result<(), DbError> {
    db.write(move |tx| {
        Box::pin(async move {
            let places = sql("insert into places (id, free, taken) values (1, $1, 0) on conflict (id) do nothing");
            tx.execute(places.bind(free)).await?;
            Ok(())
        })
    })
    .await
}
