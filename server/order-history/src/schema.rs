//! The tables of the view.

use crate::{heal::MARKS, store::GENERATIONS};
use tramline_db::Migration;

/// Every migration of the view's database.
#[must_use]
pub fn migrations() -> Vec<Migration> {
    [tramline_messaging::MIGRATIONS, &[GENERATIONS], OWN, &[MARKS]].concat()
}

const OWN: &[Migration] = &[
    Migration {
        version: 1_000,
        description: "order-history: the view",
        sql: "
-- A customer as the newest event heard of left it.
create table customer_view (
    customer_id uuid not null primary key,
    name text not null,
    -- The name in lower case, for searching.
    name_folded text not null,
    credit_limit bigint not null,
    reserved bigint not null,
    paid bigint not null,
    version bigint not null,
    created_at bigint not null
) without rowid;
create index customer_view_created on customer_view (created_at, customer_id);

-- How many orders each customer has. Apart from the customer, who may be heard of later.
create table customer_order_count (
    customer_id uuid not null primary key,
    order_count bigint not null
) without rowid;

-- An order as the newest event heard of left it.
create table order_view (
    order_id uuid not null primary key,
    customer_id uuid not null,
    total bigint not null,
    state text not null,
    rejection_reason text,
    coordination text not null,
    saga_id uuid,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null
) without rowid;
create index order_view_created on order_view (created_at, order_id);
create index order_view_customer on order_view (customer_id, created_at, order_id);
create index order_view_state on order_view (state, created_at, order_id);
",
    },
    Migration {
        version: 1_001,
        description: "order-history: a name for a view in Redis to know this database by",
        sql: "
-- Names this database to a view that lies elsewhere. The epochs of leases mean nothing beside those of another database:
-- when this one is made anew, so is the view.
create table view_home (
    id bigint primary key check (id = 1),
    home uuid not null
);
",
    },
    Migration {
        version: 1_002,
        description: "order-history: why the last revision was refused",
        sql: "
-- As the newest event heard of says; empty once a later revision has begun.
alter table order_view add column last_refusal text;
",
    },
    Migration {
        version: 2_000,
        description: "order-history: generations of the view",
        sql: "
-- A view owns no truth: made anew, it is filled from the outboxes again, which is simpler than to move it.
drop table customer_view;
drop table customer_order_count;
drop table order_view;
delete from consumer_offset where consumer_group = 'order-history';

-- A customer as the newest event heard of left it, per generation of the view.
create table customer_view (
    generation bigint not null,
    customer_id uuid not null,
    name text not null,
    -- The name in lower case, for searching.
    name_folded text not null,
    credit_limit bigint not null,
    reserved bigint not null,
    paid bigint not null,
    version bigint not null,
    created_at bigint not null,
    primary key (customer_id, generation)
) without rowid;
create index customer_view_created on customer_view (generation, created_at, customer_id);

-- How many orders each customer has. Apart from the customer, who may be heard of later.
create table customer_order_count (
    generation bigint not null,
    customer_id uuid not null,
    order_count bigint not null,
    primary key (customer_id, generation)
) without rowid;
create index customer_order_count_generation on customer_order_count (generation);

-- An order as the newest event heard of left it, per generation of the view.
create table order_view (
    generation bigint not null,
    order_id uuid not null,
    customer_id uuid not null,
    total bigint not null,
    state text not null,
    rejection_reason text,
    -- Why the last revision was refused; empty once a later one has begun.
    last_refusal text,
    coordination text not null,
    saga_id uuid,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (order_id, generation)
) without rowid;
create index order_view_created on order_view (generation, created_at, order_id);
create index order_view_customer on order_view (generation, customer_id, created_at, order_id);
create index order_view_state on order_view (generation, state, created_at, order_id);
",
    },
];
