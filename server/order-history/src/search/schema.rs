//! The tables of the search view. Full-text search is where the two engines have nothing in common, so each has a text of its own.

use crate::{heal::MARKS, store::GENERATIONS};
use tramline_db::{Address, Migration};

/// Every migration of the search view's database, which is at this address.
#[must_use]
pub fn search_migrations(address: &Address) -> Vec<Migration> {
    let own = match address {
        Address::Sqlite(_) => SQLITE,
        Address::Postgres(_) => POSTGRES,
    };
    [tramline_messaging::MIGRATIONS, &[GENERATIONS, own, TURNS, MARKS]].concat()
}

const DESCRIPTION: &str = "search: documents and their words";

const TURNS: Migration = Migration {
    version: 1_010,
    description: "search: turns at customers",
    sql: "
-- A row for each customer who was heard of here: locked by whoever brings the customer, or an order of one that is not there.
create table search_turn (customer_id uuid not null primary key) without rowid;
",
};

const SQLITE: Migration = Migration {
    version: 1_000,
    description: DESCRIPTION,
    sql: "
-- A customer or an order as the newest event heard of left it, per generation of the view.
create table search_document (
    document_id integer primary key,
    generation bigint not null,
    kind text not null,
    id uuid not null,
    -- Of an order its customer; of a customer itself.
    customer_id uuid not null,
    -- What the customer is called; null while that was not heard of.
    name text,
    total bigint,
    state text,
    version bigint not null,
    created_at bigint not null,
    -- The words of the document, and those of the name.
    own_words text not null,
    name_words text not null,
    unique (kind, id, generation)
);
-- The orders of a customer who is heard of later.
create index search_document_customer on search_document (customer_id, generation);
-- What is retired.
create index search_document_generation on search_document (generation);

-- The words, which lie in the table above alone.
create virtual table search_words using fts5(own_words, name_words, content='search_document',
    content_rowid='document_id', tokenize='unicode61 remove_diacritics 0', prefix='2 3');
create trigger search_document_inserted after insert on search_document begin
    insert into search_words (rowid, own_words, name_words) values (new.document_id, new.own_words, new.name_words);
end;
create trigger search_document_deleted after delete on search_document begin
    insert into search_words (search_words, rowid, own_words, name_words)
    values ('delete', old.document_id, old.own_words, old.name_words);
end;
create trigger search_document_updated after update on search_document
when old.own_words <> new.own_words or old.name_words <> new.name_words begin
    insert into search_words (search_words, rowid, own_words, name_words)
    values ('delete', old.document_id, old.own_words, old.name_words);
    insert into search_words (rowid, own_words, name_words) values (new.document_id, new.own_words, new.name_words);
end;
",
};

const POSTGRES: Migration = Migration {
    version: 1_000,
    description: DESCRIPTION,
    sql: "
-- A customer or an order as the newest event heard of left it, per generation of the view.
create table search_document (
    generation bigint not null,
    kind text not null,
    id uuid not null,
    -- Of an order its customer; of a customer itself.
    customer_id uuid not null,
    -- What the customer is called; null while that was not heard of.
    name text,
    total bigint,
    state text,
    version bigint not null,
    created_at bigint not null,
    -- The words of the document, and those of the name.
    own_words text not null,
    name_words text not null,
    -- Not parsed: what a word is has been decided before, so that it is the same in every store.
    words tsvector not null generated always as
        (array_to_tsvector(string_to_array(trim(own_words || ' ' || name_words), ' '))) stored,
    primary key (kind, id, generation)
);
-- The orders of a customer who is heard of later.
create index search_document_customer on search_document (customer_id, generation);
-- What is retired.
create index search_document_generation on search_document (generation);
create index search_document_words on search_document using gin (words);
",
};
