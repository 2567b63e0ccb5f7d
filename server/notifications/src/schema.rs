//! The tables of this service.

use tramline_db::Migration;

/// Every migration of the notifications database.
#[must_use]
pub fn migrations() -> Vec<Migration> {
    [tramline_messaging::MIGRATIONS, OWN].concat()
}

const OWN: &[Migration] = &[Migration {
    version: 1_000,
    description: "notifications: mails",
    sql: "
-- One mail for each version of an order that a customer is told of: the key is why a repeated command sends none.
create table mail (
    order_id uuid not null,
    order_version bigint not null,
    about text not null,
    -- The command as it came: the mail is written from it each time it is sent.
    told text not null,
    -- WAITING, SENDING, SENT or FAILED.
    state text not null,
    -- How often a sender took it in hand. It also tells senders apart: only the latest may say what became of it.
    attempts bigint not null,
    -- How often the mail server has put it off.
    refusals bigint not null,
    duplicate_possible bigint not null,
    last_error text,
    created_at bigint not null,
    -- When something is to be done next: to send what waits, or to give up on a sender that has not answered for what it took.
    due_at bigint,
    sent_at bigint,
    primary key (order_id, order_version)
) without rowid;
-- Finds what is under way among any number that is done with.
create index mail_due on mail (due_at) where due_at is not null;
-- Lists are newest first; the key breaks ties.
create index mail_created on mail (created_at, order_id, order_version);
create index mail_failed on mail (created_at, order_id, order_version) where state = 'FAILED';
",
}];
