//! The tables of semantic locks.

use tramline_db::Migration;

/// Run these in every database whose aggregates sagas lock.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 231,
    description: "sagas: semantic locks",
    sql: "
-- Which saga holds an aggregate. Free aggregates have no row.
create table saga_lock (
    aggregate_id uuid not null primary key,
    holder uuid not null,
    taken_at bigint not null
) without rowid;
-- Finds what a saga holds when it ends.
create index saga_lock_holder on saga_lock (holder);

-- Who waits for an aggregate. `place` is the fair order of a queue; null asks again by itself until `expires_at`.
-- `token` is given back when the lock is handed over.
create table saga_lock_waiter (
    aggregate_id uuid not null,
    saga_id uuid not null,
    place bigint,
    expires_at bigint,
    token text,
    since bigint not null,
    primary key (aggregate_id, saga_id)
) without rowid;
-- Finds what a saga waits for when it ends.
create index saga_lock_waiter_saga on saga_lock_waiter (saga_id);

-- One row that whoever begins to wait takes first, so that two who would wait for each other don't overlook each other.
create table saga_lock_gate (
    id bigint not null primary key,
    passed bigint not null
) without rowid;
insert into saga_lock_gate (id, passed) values (1, 0);
",
}];
