//! The machine's own measure: small rows, one fsynced commit each, one after the other, through the same library.

use super::stopwatch;
use anyhow::Context as _;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tramline_db::{Db, DbError, Durability, IdSource as _, Migration, SystemClock, SystemIds, sql};

/// Commits per measurement: enough for a median, few enough that the server's own run is hardly interrupted.
const COMMITS: usize = 100;
/// Commits that are not counted: the first ones make the file grow.
const WARM_UP_COMMITS: usize = 20;
/// About what a message or an event takes.
const ROW_BYTES: usize = 300;

const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    description: "raw rows",
    sqlite: "create table raw (id integer primary key, body text not null)",
}];

/// How long each commit took, shortest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Commits {
    pub(super) took: Vec<Duration>,
}

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is a few hundred KB under a telling name.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Commits one after the other, in a folder of its own below `parent`.
pub(super) async fn measure(parent: &Path) -> anyhow::Result<Commits> {
    let folder = Scratch(parent.join(format!("tramline-bench-{}", SystemIds.next())));
    std::fs::create_dir(&folder.0).with_context(|| format!("cannot make the folder {}", folder.0.display()))?;
    let (path, clock, ids) = (folder.0.join("raw.db"), Arc::new(SystemClock), Arc::new(SystemIds));
    let db = Db::open_sqlite("raw", &path, Durability::Full, SCHEMA, clock, ids).await?;
    let body = "x".repeat(ROW_BYTES);
    for _ in 0..WARM_UP_COMMITS {
        commit(&db, body.clone()).await?;
    }
    let mut took = Vec::with_capacity(COMMITS);
    for _ in 0..COMMITS {
        let began = stopwatch::now();
        commit(&db, body.clone()).await?;
        took.push(stopwatch::since(began));
    }
    db.close().await;
    took.sort_unstable();
    Ok(Commits { took })
}

async fn commit(db: &Db, body: String) -> Result<u64, DbError> {
    db.write(|tx| Box::pin(tx.execute(sql("insert into raw (body) values ($1)").bind(body)))).await
}
