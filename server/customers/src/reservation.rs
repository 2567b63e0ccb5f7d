//! What is held for each order, and how each request for it was answered.

use tramline_contract::{CustomerId, Money, OrderId, RejectionReason};
use tramline_db::{DbError, Tx, sql};
use uuid::Uuid;

const RESERVED: &str = "RESERVED";
const DONE: &str = "DONE";

/// Writes down how an order's request for credit was decided. `false` means that it was decided before, and nothing changed.
pub(crate) async fn record(
    tx: &mut Tx,
    order_id: OrderId,
    customer_id: CustomerId,
    amount: Money,
    refused: Option<RejectionReason>,
) -> Result<bool, DbError> {
    let held = if refused.is_none() { amount } else { Money::ZERO };
    let inserted = tx.execute(
        sql(
            "insert into credit_reservation (order_id, customer_id, amount, held, outcome) values ($1, $2, $3, $4, $5) \
             on conflict (order_id) do nothing",
        )
        .bind(order_id.0)
        .bind(customer_id.0)
        .bind(amount.minor())
        .bind(held.minor())
        .bind(refused.map_or(RESERVED, RejectionReason::as_str)),
    );
    Ok(inserted.await? == 1)
}

/// How the order's request was decided: `None` inside means that the credit was held.
pub(crate) async fn outcome(tx: &mut Tx, order_id: OrderId) -> Result<Option<Option<RejectionReason>>, DbError> {
    let row: Option<(String,)> =
        tx.optional(sql("select outcome from credit_reservation where order_id = $1").bind(order_id.0)).await?;
    Ok(row.map(|(outcome,)| RejectionReason::parse(&outcome)))
}

/// What this customer's credit holds for the order now.
pub(crate) async fn held(tx: &mut Tx, order_id: OrderId, customer_id: CustomerId) -> Result<Money, DbError> {
    let row: Option<(i64,)> = tx
        .optional(
            sql("select held from credit_reservation where order_id = $1 and customer_id = $2")
                .bind(order_id.0)
                .bind(customer_id.0),
        )
        .await?;
    Ok(row.map_or(Money::ZERO, |(held,)| Money::from_minor(held)))
}

/// Holds another amount for an order. `false` means that it was not `before` any more.
pub(crate) async fn hold(tx: &mut Tx, order_id: OrderId, before: Money, now: Money) -> Result<bool, DbError> {
    let updated = tx.execute(
        sql("update credit_reservation set held = $3 where order_id = $1 and held = $2")
            .bind(order_id.0)
            .bind(before.minor())
            .bind(now.minor()),
    );
    Ok(updated.await? == 1)
}

/// Writes down how a saga's request to release or change was answered. `false` means that it was answered before.
pub(crate) async fn record_change(
    tx: &mut Tx,
    order_id: OrderId,
    saga_id: Uuid,
    refused: Option<RejectionReason>,
) -> Result<bool, DbError> {
    let inserted = tx.execute(
        sql("insert into reservation_change (order_id, saga_id, outcome) values ($1, $2, $3) \
             on conflict (order_id, saga_id) do nothing")
        .bind(order_id.0)
        .bind(saga_id)
        .bind(refused.map_or(DONE, RejectionReason::as_str)),
    );
    Ok(inserted.await? == 1)
}

/// How the saga's request was answered: `None` inside means that it was done.
pub(crate) async fn change_outcome(
    tx: &mut Tx,
    order_id: OrderId,
    saga_id: Uuid,
) -> Result<Option<Option<RejectionReason>>, DbError> {
    let row: Option<(String,)> = tx
        .optional(
            sql("select outcome from reservation_change where order_id = $1 and saga_id = $2")
                .bind(order_id.0)
                .bind(saga_id),
        )
        .await?;
    Ok(row.map(|(outcome,)| RejectionReason::parse(&outcome)))
}
