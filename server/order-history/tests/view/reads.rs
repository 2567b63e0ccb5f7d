//! What a batch reads must not grow with what is stored, though PostgreSQL was never told how much that is.

use crate::{
    events::{approved, customer, placed},
    search::Desk,
    stores::{Kind, TestStore},
};
use std::sync::Arc;
use tramline_db::{Db, DbError, sql};
use tramline_messaging::Record;

/// As many sessions as a pool has: each tells what it has counted when it is used next, and they are used in turns.
const SESSIONS: usize = 16;
const CUSTOMERS: u128 = 50;
const BATCH: u128 = 20;

/// The tables' statistics stay those of the empty tables.
async fn never_analyse(db: &Db, tables: &[&'static str]) {
    for table in tables.iter().copied() {
        let altered: Result<u64, DbError> = db.write(move |tx| Box::pin(tx.execute(sql(table)))).await;
        altered.expect("the table is there");
    }
}

/// Rows that were read in the schema so far.
async fn rows_read(db: &Db) -> i64 {
    for _ in 0..SESSIONS {
        let told: Vec<(i64,)> =
            db.all(sql("select count(*) from pg_stat_force_next_flush()")).await.expect("it is told");
        assert_eq!(told.len(), 1);
    }
    let read: Option<(i64,)> = db
        .optional(sql("select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint \
                       from pg_stat_user_tables where schemaname = current_schema()"))
        .await
        .expect("it reads");
    read.map_or(0, |(rows,)| rows)
}

/// A batch of orders, each placed and decided.
fn orders(batch: u128) -> Vec<Arc<Record>> {
    let numbers = batch * BATCH..(batch + 1) * BATCH;
    numbers
        .flat_map(|number| [placed(number, number % CUSTOMERS, 10), approved(number, number % CUSTOMERS, 10)])
        .collect()
}

fn customers() -> Vec<Arc<Record>> {
    (0..CUSTOMERS).map(|number| customer(number, 1, "Ada")).collect()
}

/// Tells batch after batch, and holds what the last ones read against what the first ones did.
async fn hold(db: &Db, tell: impl AsyncFn(Vec<Arc<Record>>)) {
    tell(customers()).await;
    let mut read = Vec::new();
    for round in 0..10_u128 {
        let before = rows_read(db).await;
        for batch in 0..10 {
            tell(orders(round * 10 + batch)).await;
        }
        read.push(rows_read(db).await - before);
    }
    // The first round plans the statements.
    assert!(read[1] > 0, "{read:?}");
    assert!(read[9] < 2 * read[1], "rows read by ten batches each, one round after the other: {read:?}");
}

#[tokio::test]
async fn a_batch_of_the_search_view_reads_no_more_of_a_large_one() {
    let Some(desk) = Desk::on_postgres().await else { return };
    let db = desk.search.messaging().db().clone();
    never_analyse(&db, &["alter table search_document set (autovacuum_enabled = off)"]).await;
    hold(&db, async |batch| desk.tell(&batch).await).await;
}

#[tokio::test]
async fn a_batch_of_the_view_reads_no_more_of_a_large_one() {
    let Some(store) = TestStore::open(Kind::Postgres).await else { return };
    let (db, desk) = (store.messaging.db().clone(), store.instance().await);
    let tables = [
        "alter table order_view set (autovacuum_enabled = off)",
        "alter table customer_view set (autovacuum_enabled = off)",
        "alter table customer_order_count set (autovacuum_enabled = off)",
    ];
    never_analyse(&db, &tables).await;
    hold(&db, async |batch| desk.tell(&batch).await).await;
}
