//! The ledger of a participant: a hotel that is asked to book and to cancel, in any order and as often as it likes.

use std::sync::Arc;
use tramline_db::{Address, Db, Durability, EveryCommitStands, Migration, SystemClock, SystemIds, UtcMicros, sql};
use tramline_messaging::{HandlerError, Messaging, UnitOfWork};
use tramline_sagas::ledger::{self, Acted, Answer, Undone, act_once, undo_once};
use uuid::Uuid;

const SAGA: Uuid = Uuid::from_u128(1);
const ROOMS: Migration = Migration {
    version: 1_000,
    description: "rooms",
    sql: "
create table hotel (id bigint not null primary key, free bigint not null, booked bigint not null, cancelled bigint not null);
insert into hotel (id, free, booked, cancelled) values (1, 1, 0, 0);
",
};

fn migrations() -> Vec<Migration> {
    [tramline_messaging::MIGRATIONS, ledger::MIGRATIONS, &[ROOMS]].concat()
}

/// A ledger as it is, or one that knows of no tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tombstones {
    Kept,
    Ignored,
}

struct Hotel(Messaging, Tombstones);

impl Hotel {
    async fn in_memory() -> Self {
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        let db = Db::in_memory("hotel", &migrations(), Arc::new(EveryCommitStands), clock, ids).expect("it opens");
        Self(Messaging::open(db).await.expect("it has an outbox"), Tombstones::Kept)
    }

    async fn book(&self, saga: Uuid) -> Acted<i64> {
        let tombstones = self.1;
        let booked = self.0.transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move {
                if tombstones == Tombstones::Ignored {
                    work.tx.execute(sql("delete from participant_ledger where state = 'TOMBSTONE'")).await?;
                }
                act_once(work, saga, "hotel", |work| Box::pin(take_a_room(work))).await
            })
        });
        booked.await.expect("it books")
    }

    async fn cancel(&self, saga: Uuid, fails: bool) -> Result<Undone, HandlerError> {
        self.0
            .transact(None, move |work| {
                Box::pin(undo_once(work, saga, "hotel", move |work, room: i64| {
                    Box::pin(async move {
                        let free = sql("update hotel set free = free + 1, cancelled = cancelled + 1 where id = $1");
                        work.tx.execute(free.bind(room)).await?;
                        if fails { Err(HandlerError::Transient("the porter sleeps".to_owned())) } else { Ok(()) }
                    })
                }))
            })
            .await
    }

    /// Free rooms, and how often one was booked and cancelled.
    async fn books(&self) -> (i64, i64, i64) {
        let row = self.0.db().optional(sql("select free, booked, cancelled from hotel")).await;
        row.expect("it reads").expect("it is there")
    }
}

async fn take_a_room(work: &mut UnitOfWork<'_>) -> Result<Answer<i64>, HandlerError> {
    let taken = sql("update hotel set free = free - 1, booked = booked + 1 where free > 0");
    Ok(if work.tx.execute(taken).await? == 1 { Answer::Done(1) } else { Answer::Refused(0) })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Book,
    Cancel,
}

/// Every sequence of that many commands.
fn sequences(length: u32) -> impl Iterator<Item = Vec<Command>> {
    let command = |bits: u32, place: u32| if bits >> place & 1 == 0 { Command::Book } else { Command::Cancel };
    (0..1_u32 << length).map(move |bits| (0..length).map(|place| command(bits, place)).collect())
}

/// What is wrong after these commands at a hotel that may have been full before.
async fn wrong_after(commands: &[Command], full: bool, tombstones: Tombstones) -> Option<String> {
    let mut hotel = Hotel::in_memory().await;
    hotel.1 = tombstones;
    if full {
        assert_eq!(hotel.book(Uuid::from_u128(2)).await, Acted::Answered(Answer::Done(1)));
    }
    let before = hotel.books().await;
    let mut answers = Vec::new();
    for command in commands {
        match command {
            Command::Book => answers.push(hotel.book(SAGA).await),
            Command::Cancel => hotel.cancel(SAGA, false).await.map(drop).expect("it cancels"),
        }
    }
    let (free, booked, cancelled) = hotel.books().await;
    let (booked, cancelled) = (booked - before.1, cancelled - before.2);
    let (books_first, cancels) = (commands.first() == Some(&Command::Book), commands.contains(&Command::Cancel));
    let books = books_first && !full;
    let first = if books_first { answers.first().copied() } else { Some(Acted::TooLate) };
    [
        (answers.iter().all(|answer| Some(*answer) == first), "a repeated command is not answered as the first time"),
        (booked == i64::from(books), "another action than one that comes first is performed"),
        (cancelled == i64::from(books && cancels), "it is not undone once"),
        (free == before.0 - booked + cancelled, "rooms are lost"),
    ]
    .into_iter()
    .find_map(|(is_right, wrong)| (!is_right).then(|| format!("{commands:?}, full: {full}: {wrong}")))
}

/// The first wrong in every sequence of up to six commands, the shortest first.
async fn first_wrong(tombstones: Tombstones) -> Option<String> {
    for commands in (1..=6).flat_map(sequences) {
        for full in [false, true] {
            if let Some(wrong) = wrong_after(&commands, full, tombstones).await {
                return Some(wrong);
            }
        }
    }
    None
}

#[tokio::test]
async fn every_order_and_repetition_books_at_most_once_and_a_cancellation_always_wins() {
    assert_eq!(first_wrong(Tombstones::Kept).await, None);
}

#[tokio::test]
async fn a_ledger_that_ignores_its_tombstones_is_found() {
    let wrong = first_wrong(Tombstones::Ignored).await.expect("it is found");
    assert!(wrong.starts_with("[Cancel, Book], full: false"), "{wrong}");
}

#[tokio::test]
async fn a_compensation_that_fails_changes_nothing_and_is_performed_when_it_comes_again() {
    let hotel = Hotel::in_memory().await;
    hotel.book(SAGA).await;
    hotel.cancel(SAGA, true).await.expect_err("it fails");
    assert_eq!(hotel.books().await, (0, 1, 0));
    assert_eq!(hotel.cancel(SAGA, false).await.expect("it cancels"), Undone::Now);
    assert_eq!(hotel.cancel(SAGA, false).await.expect("it cancels"), Undone::Already);
    assert_eq!(hotel.books().await, (1, 1, 1));
}

#[tokio::test]
async fn only_what_is_old_is_forgotten() {
    let hotel = Hotel::in_memory().await;
    hotel.book(SAGA).await;
    let db = hotel.0.db();
    assert_eq!(ledger::forget(db, UtcMicros(0)).await.expect("it forgets"), 0);
    assert_eq!(ledger::forget(db, UtcMicros(i64::MAX)).await.expect("it forgets"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_action_and_its_compensation_that_come_at_once_leave_nothing_booked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = Address::parse(&tramline_testing::store_address(folder.path(), "hotel")).expect("it reads");
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let opened = Db::open("hotel", &address, Durability::Process, &migrations(), clock, ids).await;
    let messaging = Messaging::open(opened.expect("it opens")).await.expect("it has an outbox");
    let hotel = Arc::new(Hotel(messaging, Tombstones::Kept));
    for saga in 1..20_u128 {
        let saga = Uuid::from_u128(saga);
        let all: Vec<_> = (0..4)
            .map(|number| {
                let hotel = Arc::clone(&hotel);
                tokio::spawn(async move {
                    if number % 2 == 0 {
                        hotel.book(saga).await;
                    } else {
                        hotel.cancel(saga, false).await.expect("it cancels");
                    }
                })
            })
            .collect();
        for one in all {
            one.await.expect("it does not panic");
        }
        let (free, booked, cancelled) = hotel.books().await;
        assert_eq!((free, booked), (1, cancelled));
    }
    hotel.0.db().close().await;
}
