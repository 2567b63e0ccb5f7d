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
/// Commits that are not counted: the log begins anew in one of the first.
const WARM_UP_COMMITS: usize = 20;
/// About what a message or an event takes.
const ROW_BYTES: usize = 300;

const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    description: "raw rows",
    sql: "create table raw (id integer primary key, body text not null)",
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
    /// Makes the database in a folder of its own below `parent`, in the state that a server's is in at work: its log has
    /// reached its full size and is overwritten in place, not a file that grows with each commit.
    pub(super) async fn open(parent: &Path) -> anyhow::Result<Self> {
        let folder = Scratch(parent.join(format!("tramline-bench-{}", SystemIds.next())));
        std::fs::create_dir(&folder.0).with_context(|| format!("cannot make the folder {}", folder.0.display()))?;
        let (path, clock, ids) = (folder.0.join("raw.db"), Arc::new(SystemClock), Arc::new(SystemIds));
        let db = Db::open_sqlite("raw", &path, Durability::Full, SCHEMA, clock, ids).await?;
        // About eight megabytes in one commit: twice the size at which the log is written back and begun anew.
        let fill = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000) \
                    insert into raw (body) select printf('%0400d', i) from n";
        db.write::<_, DbError, _>(move |tx| Box::pin(tx.execute(sql(fill)))).await?;
        let raw = Self { db, body: "x".repeat(ROW_BYTES), _folder: folder };
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
    pub(super) async fn close(self) {
        self.db.close().await;
    }

    async fn commit(&self) -> Result<u64, DbError> {
        let body = self.body.clone();
        self.db.write(|tx| Box::pin(tx.execute(sql("insert into raw (body) values ($1)").bind(body)))).await
    }
}
