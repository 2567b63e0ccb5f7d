//! The tables of this service.

use tramline_db::Migration;

/// Every migration of the customers database.
#[must_use]
pub fn migrations() -> Vec<Migration> {
    [tramline_messaging::MIGRATIONS, tramline_eventsourcing::MIGRATIONS, OWN].concat()
}

const OWN: &[Migration] = &[Migration {
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
}];
