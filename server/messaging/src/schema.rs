//! The tables that messaging keeps in each service's own database.

use tramline_db::Migration;

/// Run these in every database that sends or consumes messages.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 100,
        description: "messaging: outbox, offsets and parking lot",
        sql: "
-- The number of partitions that the numbers below were given for; checked at each start.
create table messaging_layout (
    id bigint primary key check (id = 1),
    partitions bigint not null
);

-- The last number given out, per stream. Its row is locked until the transaction ends, so numbers have no gaps
-- and follow the order of commits.
create table outbox_head (
    channel text not null,
    partition_no bigint not null,
    last_seq bigint not null,
    primary key (channel, partition_no)
) without rowid;

-- What was sent, in order per stream. The relay reads it; nothing marks or deletes single rows.
create table outbox (
    channel text not null,
    partition_no bigint not null,
    seq bigint not null,
    message_id uuid not null,
    message_key uuid not null,
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
    partition_no bigint not null,
    last_seq bigint not null,
    primary key (consumer_group, source, channel, partition_no)
) without rowid;

-- Messages that could not be handled, and those of the same key that came after them.
create table parked_message (
    consumer_group text not null,
    source text not null,
    channel text not null,
    partition_no bigint not null,
    seq bigint not null,
    message_id uuid not null,
    message_key uuid not null,
    headers text not null,
    payload text not null,
    reason text not null,
    attempts bigint not null,
    parked_at bigint not null,
    primary key (consumer_group, source, channel, partition_no, seq)
) without rowid;
create index parked_message_key on parked_message (consumer_group, message_key);
",
    },
    Migration {
        version: 101,
        description: "messaging: leases and their fencing tokens",
        sql: "
-- Who may work on which slot of a task, such as a partition of a consumer group, and until when by the clock of this
-- database. The epoch rises with each new owner: it is the fencing token.
create table lease (
    task text not null,
    slot bigint not null,
    owner uuid not null,
    epoch bigint not null,
    expires_at bigint not null,
    primary key (task, slot)
) without rowid;

-- The processes that would take slots of a task, each until its time is up.
create table lease_member (
    task text not null,
    owner uuid not null,
    expires_at bigint not null,
    primary key (task, owner)
) without rowid;

-- The newest owner that touched the offset: one with an older epoch can no longer move it.
alter table consumer_offset add column epoch bigint not null default 0;
",
    },
    Migration {
        version: 109,
        description: "messaging: outbox in order of arrival",
        sql: "-- only sqlite
-- Sorted by stream, each message changed a page of its own among pages full of payload. In order of arrival they share the last
-- page, and only short entries of the index lie apart.
create table outbox_by_arrival (
    channel text not null,
    partition_no bigint not null,
    seq bigint not null,
    message_id uuid not null,
    message_key uuid not null,
    headers text not null,
    payload text not null,
    recorded_at bigint not null
);
insert into outbox_by_arrival select channel, partition_no, seq, message_id, message_key, headers, payload, recorded_at from outbox;
drop table outbox;
alter table outbox_by_arrival rename to outbox;
create unique index outbox_place on outbox (channel, partition_no, seq);
",
    },
    Migration {
        version: 110,
        description: "messaging: keys that wait, and who mended what",
        sql: "
-- A key of which messages are parked. Whoever parks behind them, mends or lets go locks this row first. It goes with the last
-- message of the key.
create table parked_key (
    consumer_group text not null,
    message_key uuid not null,
    turns bigint not null,
    primary key (consumer_group, message_key)
) without rowid;
insert into parked_key (consumer_group, message_key, turns)
    select distinct consumer_group, message_key, 1 from parked_message;

-- The kind in the headers, for counting; empty for what was parked before this column was there.
alter table parked_message add column kind text not null default '';
-- The place in the line of the key: rises in the order in which messages came.
alter table parked_message add column parked_no bigint not null default 0;
-- When it failed last, and how often an operator had it tried again.
alter table parked_message add column failed_at bigint not null default 0;
alter table parked_message add column replays bigint not null default 0;
update parked_message set parked_no = seq, failed_at = parked_at;
create index parked_message_id on parked_message (consumer_group, message_id);

-- What operators did to parked messages, in the transaction that did it. Bodies are kept where they changed or went. Ids rise with
-- time, so they are the order of the list.
create table operator_audit (
    audit_id uuid not null primary key,
    recorded_at bigint not null,
    operator text not null,
    action text not null,
    consumer_group text not null,
    message_id uuid not null,
    message_key uuid not null,
    reason text,
    outcome text not null,
    payload_before text,
    payload_after text
) without rowid;
",
    },
];

#[cfg(test)]
mod tests {
    use super::MIGRATIONS;
    use std::{path::Path, sync::Arc};
    use tramline_db::{Address, Db, Durability, Migration, SystemClock, SystemIds, sql};
    use uuid::Uuid;

    async fn open(folder: &Path, migrations: &[Migration]) -> Db {
        let address = Address::parse(&tramline_testing::store_address(folder, "letters")).expect("it reads");
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        Db::open("letters", &address, Durability::Full, migrations, clock, ids).await.expect("it opens")
    }

    #[tokio::test]
    async fn an_outbox_of_an_earlier_schema_keeps_its_rows() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let earlier: Vec<_> = MIGRATIONS.iter().copied().filter(|step| step.version <= 101).collect();
        let db = open(folder.path(), &earlier).await;
        for seq in 1..=3_i64 {
            let insert =
                sql("insert into outbox (channel, partition_no, seq, message_id, message_key, headers, payload, \
                 recorded_at) values ('letters', 0, $1, $2, $2, '{}', '{}', 0)");
            let inserted = db.write::<_, tramline_db::DbError, _>(move |tx| {
                Box::pin(async move { tx.execute(insert.bind(seq).bind(Uuid::nil())).await })
            });
            inserted.await.expect("it is inserted");
        }
        db.close().await;
        let db = open(folder.path(), MIGRATIONS).await;
        let rows: Vec<(i64,)> = db.all(sql("select seq from outbox order by seq")).await.expect("the outbox is there");
        assert_eq!(rows, [(1,), (2,), (3,)]);
        db.close().await;
    }
}
