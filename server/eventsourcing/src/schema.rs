//! The tables of the event store.

use tramline_db::Migration;

/// Run these in every database that holds event-sourced aggregates.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 300,
    description: "eventsourcing: events and snapshots",
    sql: "
-- Every event of every aggregate. The key makes a version unique: that is the optimistic lock.
create table event (
    aggregate_kind text not null,
    aggregate_id uuid not null,
    version bigint not null,
    event_kind text not null,
    payload text not null,
    recorded_at bigint not null,
    primary key (aggregate_kind, aggregate_id, version)
) without rowid;

-- The newest snapshot per aggregate: only a shortcut, always rebuilt from events.
create table snapshot (
    aggregate_kind text not null,
    aggregate_id uuid not null,
    version bigint not null,
    payload text not null,
    primary key (aggregate_kind, aggregate_id)
) without rowid;
",
}];
