//! The machine's own measure: small rows, one fsynced commit each, one after the other, through the same library.

use crate::stopwatch;
use anyhow::Context as _;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tramline_db::{Address, Db, DbError, Durability, IdSource as _, Migration, SystemClock, SystemIds, sql, values};

/// Commits per measurement: enough for a median, few enough that the server's own run is hardly interrupted.
const COMMITS: usize = 100;
/// Commits that are not counted: the log begins anew in one of the first.
const WARM_UP_COMMITS: usize = 20;
/// Rows written before anything is measured.
const FILL_ROWS: usize = 27_000;
/// About what a message or an event takes.
const ROW_BYTES: usize = 300;

const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    description: "raw rows",
    sql: "
create table raw (id uuid not null primary key, body text not null);
create table raw_head (slot bigint not null primary key, last_seq bigint not null);
",
}];

/// A database of the benchmark's own.
pub(super) struct Raw {
    db: Db,
    body: String,
    _folder: Scratch,
}

/// How long each commit took, in the order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Commits {
    pub(super) took: Vec<Duration>,
}

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays has a few megabytes under a telling name.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Raw {
    /// Makes the database: on the server that is named, in a schema of its own, or in a folder of its own below `parent`. A
    /// file is brought to the state that a server's is in at work: its log has reached its full size and is overwritten in
    /// place, not a file that grows with each commit.
    pub(super) async fn open(parent: &Path, server: Option<&str>) -> anyhow::Result<Self> {
        let folder = Scratch(parent.join(format!("tramline-bench-{}", SystemIds.next())));
        std::fs::create_dir(&folder.0).with_context(|| format!("cannot make the folder {}", folder.0.display()))?;
        let (path, clock, ids) = (folder.0.join("raw.db"), Arc::new(SystemClock), Arc::new(SystemIds));
        let address = match server {
            Some(url) => Address::parse(url).context("--database")?,
            None => Address::Sqlite(path),
        };
        let db = Db::open("tramline_bench", &address, Durability::Full, SCHEMA, clock, ids).await?;
        let raw = Self { db, body: "x".repeat(ROW_BYTES), _folder: folder };
        // About eight megabytes in one commit: twice the size at which a file's log is written back and begun anew.
        let fill: Vec<_> = (0..FILL_ROWS).map(|_| values![raw.db.new_id(), raw.body.as_str()]).collect();
        let text = "insert into raw (id, body) select new.id, new.body from rows($1: id uuid, body text) as new";
        raw.db.write::<_, DbError, _>(move |tx| Box::pin(tx.execute(sql(text).rows(fill)))).await?;
        for _ in 0..WARM_UP_COMMITS {
            raw.commit().await?;
        }
        Ok(raw)
    }

    /// Commits one after the other.
    pub(super) async fn measure(&self) -> anyhow::Result<Commits> {
        let mut took = Vec::with_capacity(COMMITS);
        for _ in 0..COMMITS {
            let began = stopwatch::now();
            self.commit().await?;
            took.push(stopwatch::since(began));
        }
        Ok(Commits { took })
    }

    /// Closes the database and removes its folder.
    pub(super) async fn close(&self) {
        self.db.close().await;
    }

    async fn commit(&self) -> Result<u64, DbError> {
        let body = self.body.clone();
        let row = sql("insert into raw (id, body) values ($1, $2)").bind(self.db.new_id()).bind(body);
        self.db.write(|tx| Box::pin(tx.execute(row))).await
    }

    /// The least that a step of a saga needs: a number taken under lock, and three rows written.
    pub(super) async fn minimal_step(&self, slot: i64) -> Result<(), DbError> {
        let rows: Vec<_> = (0..3).map(|_| values![self.db.new_id(), self.body.as_str()]).collect();
        let head = "insert into raw_head (slot, last_seq) values ($1, 1) \
                    on conflict (slot) do update set last_seq = raw_head.last_seq + 1 returning last_seq";
        let text = "insert into raw (id, body) select new.id, new.body from rows($1: id uuid, body text) as new";
        let step = self.db.write::<_, DbError, _>(move |tx| {
            Box::pin(async move {
                tx.execute(sql(text).rows(rows)).await?;
                let _: Vec<(i64,)> = tx.all(sql(head).bind(slot)).await?;
                Ok(())
            })
        });
        step.await
    }
}
