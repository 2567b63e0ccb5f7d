//! The tables of this service.

use tramline_db::Migration;

/// Every migration of the customers database.
#[must_use]
pub fn migrations() -> Vec<Migration> {
    [tramline_messaging::MIGRATIONS, tramline_eventsourcing::MIGRATIONS, OWN].concat()
}

const OWN: &[Migration] = &[RESERVATIONS, CHANGES, PAYMENTS, TURNS];

const RESERVATIONS: Migration = Migration {
    version: 1_000,
    description: "customers: reservations",
    sql: "
-- What became of each order's request for credit. The account itself only knows the sum, so that it stays small; this
-- table answers a repeated command as the first time. It changes in the transaction of the account's event.
create table credit_reservation (
    order_id uuid not null primary key,
    customer_id uuid not null,
    amount bigint not null check (amount > 0),
    -- RESERVED, or why it was refused.
    outcome text not null
) without rowid;
create index credit_reservation_customer on credit_reservation (customer_id);
",
};

const CHANGES: Migration = Migration {
    version: 1_001,
    description: "customers: what is held, and how changes of it were answered",
    sql: "
-- What is held for the order now: its amount at first, another one since a revision, nothing since it was released or when
-- it was refused. The amount and the outcome stay, to answer a repeated request as the first time.
alter table credit_reservation add column held bigint not null default 0;
update credit_reservation set held = amount where outcome = 'RESERVED';

-- How each saga's request to release or change what is held was answered. A repeated one is answered likewise, and
-- changes nothing: so nothing is given back twice.
create table reservation_change (
    order_id uuid not null,
    saga_id uuid not null,
    -- DONE, or why it was refused.
    outcome text not null,
    primary key (order_id, saga_id)
) without rowid;
",
};

const PAYMENTS: Migration = Migration {
    version: 1_002,
    description: "customers: the ledger of payments",
    sql: "
-- Every payment. The account itself only knows the sum; this table makes each id count once. It changes in the transaction
-- of the account's event.
create table payment (
    payment_id uuid not null primary key,
    customer_id uuid not null,
    amount bigint not null check (amount > 0),
    reference text,
    -- The version of the customer that it made.
    version bigint not null,
    recorded_at bigint not null
) without rowid;
create index payment_customer on payment (customer_id, version);
",
};

const TURNS: Migration = Migration {
    version: 1_003,
    description: "customers: operators take turns",
    sql: "
-- A row for each customer that an operator has worked on. Whoever has written it in a transaction keeps other operators out
-- until the end of it, so that they wait for each other instead of deciding on what is about to change. Commands of sagas
-- come one after the other anyway and do not need it.
create table account_turn (
    customer_id uuid not null primary key
) without rowid;
",
};
