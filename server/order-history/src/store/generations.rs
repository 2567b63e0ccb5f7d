//! Generations of a view in a database: one is read, another may be built beside it, and one row says which is which.
//!
//! Both views in databases use it; it must not know their tables.

use std::collections::HashMap;
use tramline_db::{DbError, EngineKind, Migration, Tx, sql, values};
use tramline_messaging::{HandlerError, Messaging, forget_offsets, take_over_offsets};
use uuid::Uuid;

/// The table of generations. It comes before the tables that are read by it.
pub(crate) const GENERATIONS: Migration = Migration {
    version: 1_900,
    description: "order-history: generations of a view",
    sql: "
-- Which generation of the view is read, which one is built if any, and the highest number that was given out.
create table view_generation (
    id bigint primary key check (id = 1),
    current bigint not null,
    building bigint,
    newest bigint not null
);
insert into view_generation (id, current, newest) values (1, 1, 1);

-- Generations that are not read or built any more, until their rows are gone.
create table view_retired (
    generation bigint not null primary key
) without rowid;
",
};

/// What became of the wish to put a generation in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// It is read now, and whoever wrote the other one writes it.
    Done,
    /// The other one shows events that it lacks: go on, and try again.
    Behind,
    /// It is not built any more: another one was begun, or the store was wiped.
    GivenUp,
}

/// Which generation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The one that is read, whichever it is.
    Current,
    /// One that is built, and no other.
    Building(i64),
}

/// The version of each document that is known, by kind and id.
pub(crate) type Known = HashMap<(String, Uuid), i64>;

/// The texts of [`generation_and_versions`]; [`versions!`] makes them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Versions {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// The generation, with the version of each wanted document. `$version` tells the one of `wanted.kind` and `wanted.id` in generation
/// `g.written`, or null.
///
/// PostgreSQL may think of a table that it is as small as it was when it was last analysed, and then read a whole generation for
/// every document. Hence a subquery for each and no join, and `generation + 0`, which no index begins with.
macro_rules! versions {
    ($version:literal) => {
        $crate::store::Versions { sqlite: versions!("", $version), postgres: versions!("for share", $version) }
    };
    ($lock:literal, $version:literal) => {
        concat!(
            "with g as (select current, coalesce(building, 0) as building, \
             case when $2 = 0 then current else $2 end as written from view_generation where id = 1 ",
            $lock,
            ") select g.current, g.building, wanted.kind, wanted.id, ",
            $version,
            " as version from g left join rows($1: kind text, id uuid) as wanted on true"
        )
    };
}
pub(crate) use versions;

/// Tells which generation to write, and what it knows of the wanted documents, in one statement. The generation stays what it
/// is until the transaction ends: SQLite has one writer, and PostgreSQL is given a text that locks the row.
///
/// # Errors
/// [`HandlerError::Moved`] when the generation is not built any more.
pub(crate) async fn generation_and_versions(
    tx: &mut Tx,
    target: Target,
    versions: Versions,
    wanted: Vec<(&str, Uuid)>,
) -> Result<(i64, Known), HandlerError> {
    let text = match tx.engine() {
        EngineKind::Sqlite => versions.sqlite,
        EngineKind::Postgres => versions.postgres,
    };
    let number = if let Target::Building(number) = target { number } else { 0 };
    let wanted = wanted.into_iter().map(|(kind, id)| values![kind, id]);
    let rows: Vec<Wanted> = tx.all(sql(text).rows(wanted).bind(number)).await?;
    let Some((current, building)) = rows.first().map(|row| (row.current, row.building)) else {
        return Err(DbError::corrupt("the generations of a view", "there is none").into());
    };
    let generation = match target {
        Target::Current => current,
        Target::Building(number) if number == building => number,
        Target::Building(_) => return Err(HandlerError::Moved),
    };
    let known = rows.into_iter().filter_map(|row| Some(((row.kind?, row.id?), row.version?)));
    Ok((generation, known.collect()))
}

tramline_db::record! {
    struct Wanted {
        current: i64,
        building: i64,
        kind: Option<String>,
        id: Option<Uuid>,
        version: Option<i64>,
    }
}

/// The generations of one view in one database.
#[derive(Clone, Debug)]
pub(crate) struct Generations {
    /// The view's database.
    pub(crate) messaging: Messaging,
    /// Who keeps the current generation up to date.
    pub(crate) group: &'static str,
    /// Whose offsets are those of the generation that is built.
    pub(crate) builder: &'static str,
    /// Statements that each drop some rows of a generation, and those of the next table once there are none.
    pub(crate) drops: &'static [&'static str],
}

impl Generations {
    /// Begins a new generation, empty and with offsets of its own. One that was being built is given up.
    pub(crate) async fn begin(&self) -> Result<i64, DbError> {
        let builder = self.builder;
        let begun = self.messaging.db().write::<_, DbError, _>(move |tx| {
            Box::pin(async move {
                let (_, building) = lock(tx).await?;
                retire(tx, building).await?;
                forget_offsets(tx, builder).await?;
                tx.execute(sql("update view_generation set newest = newest + 1, building = newest + 1 where id = 1"))
                    .await?;
                Ok(lock(tx).await?.1)
            })
        });
        begun.await?.ok_or_else(|| DbError::corrupt("the generations of a view", "none was begun"))
    }

    /// Puts a generation in place of the current one, in one transaction, unless that one shows more.
    pub(crate) async fn swap(&self, generation: i64) -> Result<Swap, DbError> {
        let (builder, group) = (self.builder, self.group);
        let swapped = self.messaging.db().write::<_, DbError, _>(move |tx| {
            Box::pin(async move {
                // Whoever writes the view holds this row until it commits, so nothing moves while offsets are compared.
                let (current, building) = lock(tx).await?;
                if building != Some(generation) {
                    return Ok(Swap::GivenUp);
                }
                if !take_over_offsets(tx, builder, group).await? {
                    return Ok(Swap::Behind);
                }
                retire(tx, Some(current)).await?;
                tx.execute(
                    sql("update view_generation set current = $1, building = null where id = 1").bind(generation),
                )
                .await?;
                Ok(Swap::Done)
            })
        });
        swapped.await
    }

    /// Drops what is retired, a little at a time, and returns how many rows went. Any number may sweep at once.
    pub(crate) async fn sweep(&self) -> Result<u64, DbError> {
        let retired: Vec<(i64,)> =
            self.messaging.db().all(sql("select generation from view_retired order by generation")).await?;
        let mut dropped = 0;
        for (generation,) in retired {
            for drop in self.drops {
                loop {
                    let gone = self.execute(drop, generation).await?;
                    if gone == 0 {
                        break;
                    }
                    dropped += gone;
                }
            }
            self.execute("delete from view_retired where generation = $1", generation).await?;
        }
        Ok(dropped)
    }

    async fn execute(&self, text: &'static str, generation: i64) -> Result<u64, DbError> {
        self.messaging.db().write(move |tx| Box::pin(tx.execute(sql(text).bind(generation)))).await
    }
}

/// The current generation and the one that is built; nobody changes either until the transaction ends.
async fn lock(tx: &mut Tx) -> Result<(i64, Option<i64>), DbError> {
    let text = match tx.engine() {
        EngineKind::Sqlite => "select current, building from view_generation where id = 1",
        EngineKind::Postgres => "select current, building from view_generation where id = 1 for update",
    };
    let row: Option<(i64, Option<i64>)> = tx.optional(sql(text)).await?;
    row.ok_or_else(|| DbError::corrupt("the generations of a view", "there is none"))
}

async fn retire(tx: &mut Tx, generation: Option<i64>) -> Result<(), DbError> {
    if let Some(generation) = generation {
        tx.execute(sql("insert into view_retired (generation) values ($1)").bind(generation)).await?;
    }
    Ok(())
}
