//! The tables that the orchestrator keeps in its service's own database.

use tramline_db::Migration;

/// The migration from which on plans are written down.
pub(crate) const PLANS: i64 = 232;

/// Run these in every database that orchestrates sagas.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 200,
        description: "sagas: instances and log",
        sql: "
-- A run of a saga. `phase` and `step_no` are the state machine's; `pending_command` is the one whose reply is awaited.
create table saga_instance (
    saga_id uuid not null primary key,
    saga_type text not null,
    aggregate_id uuid not null,
    phase text not null,
    step_no bigint not null,
    refused_step bigint,
    pending_command uuid,
    data text not null,
    version bigint not null,
    started_at bigint not null,
    ended_at bigint
) without rowid;
-- Lists are newest first; the id breaks ties.
create index saga_instance_started on saga_instance (started_at, saga_id);
-- Finds what is still under way, or parked, among any number that has ended.
create index saga_instance_open on saga_instance (phase, started_at) where ended_at is null;

-- Everything that a saga sent and received, in causal order. Only ever appended to.
create table saga_log (
    saga_id uuid not null,
    entry_no bigint not null,
    kind text not null,
    channel text not null,
    message_id uuid not null,
    headers text not null,
    payload text not null,
    recorded_at bigint not null,
    primary key (saga_id, entry_no)
) without rowid;
",
    },
    Migration {
        version: 202,
        description: "sagas: log in order of arrival",
        sql: "-- only sqlite
-- As for the outbox: what is appended lies together, and only the index is in order of sagas.
create table saga_log_by_arrival (
    saga_id uuid not null,
    entry_no bigint not null,
    kind text not null,
    channel text not null,
    message_id uuid not null,
    headers text not null,
    payload text not null,
    recorded_at bigint not null
);
insert into saga_log_by_arrival
    select saga_id, entry_no, kind, channel, message_id, headers, payload, recorded_at from saga_log;
drop table saga_log;
alter table saga_log_by_arrival rename to saga_log;
create unique index saga_log_place on saga_log (saga_id, entry_no);
",
    },
    Migration {
        version: 210,
        description: "sagas: steps at once, deadlines",
        sql: "
-- A letter for how far each step has come; empty in rows of before, where phase and step say it.
alter table saga_instance add column progress text not null default '';
-- The commands whose replies are awaited, as JSON; takes the place of pending_command, which nobody writes any more.
alter table saga_instance add column awaits text;
-- When the first of them is due to be sent again.
alter table saga_instance add column due_at bigint;
-- How often the one that was sent most often has been sent again.
alter table saga_instance add column resent bigint not null default 0;
update saga_instance set due_at = started_at + 30000000 where ended_at is null and pending_command is not null;
-- Finds what is due among any number that is not.
create index saga_instance_due on saga_instance (due_at) where due_at is not null;
-- Finds what is overdue, which in good times is nothing.
create index saga_instance_overdue on saga_instance (started_at, saga_id) where resent > 0;
",
    },
    Migration {
        version: PLANS,
        description: "sagas: plans",
        sql: "
-- Every definition that ever ran here, without its functions, under its fingerprint.
create table saga_plan (
    fingerprint text not null primary key,
    saga_type text not null,
    plan text not null,
    first_seen_at bigint not null
) without rowid;
-- The plan that a saga runs on; empty for those that began before there were any.
alter table saga_instance add column fingerprint text not null default '';
-- The version of its data.
alter table saga_instance add column data_version bigint not null default 1;
",
    },
    Migration {
        version: 220,
        description: "sagas: runs that nobody leads",
        sql: "
-- 1 for a run of a choreographed saga, which is held against its protocol and awaits no reply.
alter table saga_instance add column choreographed bigint not null default 0;
",
    },
];
