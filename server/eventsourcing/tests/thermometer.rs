//! A thermometer as an event-sourced aggregate over a real database.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tramline_db::{Address, Db, DbError, Durability, SystemClock, SystemIds, UtcMicros, sql};
use tramline_eventsourcing::{Aggregate, Appended, Event, EventStore, MIGRATIONS, SNAPSHOT_EVERY};
use uuid::Uuid;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Thermometer {
    degrees: i64,
    readings: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Rose {
    by: i64,
}

impl Event for Rose {
    fn kind(&self) -> &'static str {
        "Rose"
    }
}

impl Aggregate for Thermometer {
    type Event = Rose;

    const KIND: &'static str = "Thermometer";

    fn apply(&mut self, event: &Rose) {
        self.degrees += event.by;
        self.readings += 1;
    }
}

async fn open(folder: &std::path::Path) -> Db {
    let address = Address::parse(&tramline_testing::store_address(folder, "weather")).expect("it reads");
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    Db::open("weather", &address, Durability::Process, MIGRATIONS, clock, ids).await.expect("it opens")
}

async fn rise(db: &Db, expected: i64, by: Vec<i64>) -> Appended {
    let appended = db.write::<_, DbError, _>(move |tx| {
        Box::pin(async move {
            let mut thermometer = EventStore::<Thermometer>::load(tx, Uuid::nil())
                .await?
                .map_or_else(Default::default, |(state, _)| state);
            let events: Vec<_> = by.into_iter().map(|by| Rose { by }).collect();
            EventStore::append(tx, Uuid::nil(), &mut thermometer, expected, &events, UtcMicros(1)).await
        })
    });
    appended.await.expect("the database works")
}

async fn load(db: &Db) -> Option<(Thermometer, i64)> {
    let loaded = db.write::<_, DbError, _>(|tx| Box::pin(EventStore::load(tx, Uuid::nil())));
    loaded.await.expect("the database works")
}

#[tokio::test]
async fn an_aggregate_is_what_its_events_made_of_it_with_and_without_snapshots() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = open(folder.path()).await;
    assert_eq!(load(&db).await, None);
    let total = SNAPSHOT_EVERY * 3 + 7;
    for version in 0..total {
        assert_eq!(rise(&db, version, vec![version]).await, Appended::At(version + 1));
        let expected = Thermometer { degrees: (0..=version).sum(), readings: version + 1 };
        assert_eq!(load(&db).await, Some((expected, version + 1)));
    }
    let snapshot: Option<(i64,)> = db.optional(sql("select version from snapshot")).await.expect("it reads");
    assert_eq!(snapshot, Some((SNAPSHOT_EVERY * 3,)));
}

#[tokio::test]
async fn of_two_writers_that_saw_the_same_version_one_is_told_of_the_conflict() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = open(folder.path()).await;
    assert_eq!(rise(&db, 0, vec![1, 2]).await, Appended::At(2));
    assert_eq!(rise(&db, 0, vec![5]).await, Appended::Conflict);
    assert_eq!(rise(&db, 1, vec![5]).await, Appended::Conflict);
    assert_eq!(load(&db).await, Some((Thermometer { degrees: 3, readings: 2 }, 2)));
}
