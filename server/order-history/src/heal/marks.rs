//! The aggregates that a view knows to have missed something of, until they were read from their owners. They lie in the view's
//! database: of a view in tables beside the documents, and of one in Redis where its parked messages lie too.

use super::{Aggregate, Jump};
use tramline_contract::{CustomerId, OrderId};
use tramline_db::{Db, DbError, Migration, Tx, sql, values};
use uuid::Uuid;

/// Marks at most. A view that has missed more is better built anew.
pub(super) const MARKS_MAX: i64 = 10_000;

/// The table of the marks.
pub(crate) const MARKS: Migration = Migration {
    version: 2_100,
    description: "order-history: what a view is to read from its owner",
    sql: "
-- An aggregate of which an event was missed, whichever generation is read, until it was read from its owner.
create table view_heal (
    kind text not null,
    id uuid not null,
    -- The version that was heard of.
    wanted bigint not null,
    attempts bigint not null,
    -- When its owner is to be asked next, in microseconds since 1970.
    due_at bigint not null,
    primary key (kind, id)
) without rowid;
create index view_heal_due on view_heal (due_at);
",
};

/// An aggregate to be read from its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) aggregate: Aggregate,
    pub(super) wanted: i64,
}

tramline_db::record! {
    struct Row {
        kind: String,
        id: Uuid,
        wanted: i64,
        attempts: i64,
    }
}

const CUSTOMER: &str = "customer";
const ORDER: &str = "order";

const fn parts(aggregate: Aggregate) -> (&'static str, Uuid) {
    match aggregate {
        Aggregate::Customer(CustomerId(id)) => (CUSTOMER, id),
        Aggregate::Order(OrderId(id)) => (ORDER, id),
    }
}

impl Row {
    fn aggregate(&self) -> Result<Aggregate, DbError> {
        match self.kind.as_str() {
            CUSTOMER => Ok(Aggregate::Customer(CustomerId(self.id))),
            ORDER => Ok(Aggregate::Order(OrderId(self.id))),
            other => Err(DbError::corrupt("the kind of a mark", other)),
        }
    }
}

/// Marks aggregates to be asked for at once, as far as there is room.
pub(crate) async fn put(tx: &mut Tx, jumps: &[Jump]) -> Result<(), DbError> {
    if jumps.is_empty() {
        return Ok(());
    }
    // In the order of the key, so that two transactions never wait for each other.
    let mut marks: Vec<_> = jumps.iter().map(|jump| (parts(jump.aggregate), jump.to)).collect();
    marks.sort_unstable();
    let put = tx.execute(
        sql("insert into view_heal (kind, id, wanted, attempts, due_at) \
             select new.kind, new.id, new.wanted, 0, 0 from rows($1: kind text, id uuid, wanted bigint) as new \
             where (select count(*) from view_heal) < $2 \
             on conflict (kind, id) do update set wanted = excluded.wanted, attempts = 0, due_at = 0 \
             where excluded.wanted > view_heal.wanted")
        .rows(marks.into_iter().map(|((kind, id), wanted)| values![kind, id, wanted]))
        .bind(MARKS_MAX),
    );
    put.await.map(drop)
}

/// As [`put`], in a transaction of its own.
pub(crate) async fn put_alone(db: &Db, jumps: Vec<Jump>) -> Result<(), DbError> {
    db.write(move |tx| Box::pin(async move { put(tx, &jumps).await })).await
}

/// Takes what is due in hand until `due_again` says, which is told how often each was tried: nobody else takes it meanwhile, and
/// whoever dies leaves it to be tried again.
pub(super) async fn take(db: &Db, now: i64, limit: i64, due_again: impl Fn(i64) -> i64) -> Result<Vec<Mark>, DbError> {
    let due: Vec<Row> = db
        .all(
            sql("select kind, id, wanted, attempts from view_heal where due_at <= $1 order by due_at, kind, id limit $2")
                .bind(now)
                .bind(limit),
        )
        .await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows: Vec<_> = due.into_iter().map(|row| (row.kind, row.id, due_again(row.attempts))).collect();
    rows.sort_unstable();
    let taken: Vec<Row> = db
        .write::<_, DbError, _>(move |tx| {
            Box::pin(async move {
                tx.all(
                    sql("update view_heal set attempts = attempts + 1, due_at = taken.again \
                         from rows($1: what text, which uuid, again bigint) as taken \
                         where kind = taken.what and id = taken.which and due_at <= $2 \
                         returning kind, id, wanted, attempts")
                    .rows(rows.into_iter().map(|(kind, id, again)| values![kind, id, again]))
                    .bind(now),
                )
                .await
            })
        })
        .await?;
    taken.iter().map(|row| Ok(Mark { aggregate: row.aggregate()?, wanted: row.wanted })).collect()
}

/// Removes a mark, unless more was missed meanwhile.
pub(super) async fn settle(tx: &mut Tx, mark: Mark) -> Result<(), DbError> {
    let (kind, id) = parts(mark.aggregate);
    let settled = tx.execute(
        sql("delete from view_heal where kind = $1 and id = $2 and wanted = $3").bind(kind).bind(id).bind(mark.wanted),
    );
    settled.await.map(drop)
}

/// As [`settle`], in a transaction of its own.
pub(super) async fn settle_alone(db: &Db, mark: Mark) -> Result<(), DbError> {
    db.write(move |tx| Box::pin(settle(tx, mark))).await
}

/// How many there are.
pub(super) async fn count(db: &Db) -> Result<i64, DbError> {
    let row: Option<(i64,)> = db.optional(sql("select count(*) from view_heal")).await?;
    Ok(row.map_or(0, |(count,)| count))
}
