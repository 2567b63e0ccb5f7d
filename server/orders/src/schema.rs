//! The tables of this service.

use tramline_db::Migration;

/// Every migration of the orders database.
#[must_use]
pub fn migrations() -> Vec<Migration> {
    [tramline_messaging::MIGRATIONS, tramline_sagas::MIGRATIONS, OWN].concat()
}

const OWN: &[Migration] = &[ORDERS, ORDERS_OF_CUSTOMER, LAST_REFUSAL];

const ORDERS: Migration = Migration {
    version: 1_000,
    description: "orders: orders",
    sql: "
-- An order as it stands. A state that ends in PENDING is the semantic lock of the saga in saga_id.
create table customer_order (
    order_id uuid not null primary key,
    customer_id uuid not null,
    total bigint not null check (total > 0),
    -- What was asked for when it was placed, to recognise a repeated request.
    placed_total bigint not null,
    placed_saga_id uuid not null,
    state text not null,
    rejection_reason text,
    coordination text not null,
    saga_id uuid,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null
) without rowid;
",
};

const ORDERS_OF_CUSTOMER: Migration = Migration {
    version: 1_001,
    description: "orders: by customer",
    sql: "
-- A customer's orders, newest first, for whoever composes a customer with them. The id breaks ties.
create index customer_order_customer on customer_order (customer_id, created_at, order_id);
",
};

const LAST_REFUSAL: Migration = Migration {
    version: 1_002,
    description: "orders: why the last revision was refused",
    sql: "
-- Kept until the next revision begins.
alter table customer_order add column last_refusal text;
",
};
