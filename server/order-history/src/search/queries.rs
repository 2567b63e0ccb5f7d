//! Reads the search view.

use super::words::Words;
use crate::cursor::Place;
use tramline_db::{EngineKind, Statement, sql};

/// Documents of the current generation that fit a query of the engine, newest first.
pub(super) fn find(engine: EngineKind, words: &Words, after: Place, limit: i64) -> Statement {
    let text = match engine {
        EngineKind::Sqlite => {
            "select d.kind, d.id, d.customer_id, d.name, d.total, d.state, d.version, d.created_at \
             from search_words as w cross join search_document as d on d.document_id = w.rowid \
             where w.search_words match $1 and d.generation = (select current from view_generation where id = 1) \
             and (d.created_at, d.id) < ($2, $3) \
             order by d.created_at desc, d.id desc limit $4"
        }
        EngineKind::Postgres => {
            "select d.kind, d.id, d.customer_id, d.name, d.total, d.state, d.version, d.created_at \
             from search_document as d \
             where d.words @@ $1::tsquery and d.generation = (select current from view_generation where id = 1) \
             and (d.created_at, d.id) < ($2, $3) \
             order by d.created_at desc, d.id desc limit $4"
        }
    };
    sql(text).bind(words.query(engine)).bind(after.created_at).bind(after.id).bind(limit)
}

pub(super) fn everything() -> Statement {
    sql(
        "select d.kind, d.id, d.customer_id, d.name, d.total, d.state, d.version, d.created_at from search_document as d \
         where d.generation = (select current from view_generation where id = 1) order by d.kind, d.id",
    )
}
