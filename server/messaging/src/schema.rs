//! The tables that messaging keeps in each service's own database.

use tramline_db::Migration;

/// Run these in every database that sends or consumes messages.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 100,
    description: "messaging: outbox, offsets and parking lot",
    sqlite: "
-- The number of partitions that the numbers below were given for; checked at each start.
create table messaging_layout (
    id integer primary key check (id = 1),
    partitions integer not null
);

-- The last number given out, per stream. Its row is locked until the transaction ends, so numbers have no gaps
-- and follow the order of commits.
create table outbox_head (
    channel text not null,
    partition_no integer not null,
    last_seq bigint not null,
    primary key (channel, partition_no)
) without rowid;

-- What was sent, in order per stream. The relay reads it; nothing marks or deletes single rows.
create table outbox (
    channel text not null,
    partition_no integer not null,
    seq bigint not null,
    message_id blob not null,
    message_key blob not null,
    headers text not null,
    payload text not null,
    recorded_at bigint not null,
    primary key (channel, partition_no, seq)
) without rowid;

-- How far each consumer group has come; moved in the transaction of the effects.
create table consumer_offset (
    consumer_group text not null,
    source text not null,
    channel text not null,
    partition_no integer not null,
    last_seq bigint not null,
    primary key (consumer_group, source, channel, partition_no)
) without rowid;

-- Messages that could not be handled, and those of the same key that came after them.
create table parked_message (
    consumer_group text not null,
    source text not null,
    channel text not null,
    partition_no integer not null,
    seq bigint not null,
    message_id blob not null,
    message_key blob not null,
    headers text not null,
    payload text not null,
    reason text not null,
    attempts integer not null,
    parked_at bigint not null,
    primary key (consumer_group, source, channel, partition_no, seq)
) without rowid;
create index parked_message_key on parked_message (consumer_group, message_key);
",
}];
