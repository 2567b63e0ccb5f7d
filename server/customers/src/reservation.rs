//! What became of each order's request for credit.

use tramline_contract::{CustomerId, Money, OrderId, RejectionReason};
use tramline_db::{DbError, Tx, sql};

const RESERVED: &str = "RESERVED";

/// Writes down the outcome. `false` means that the order's request was decided before, and nothing changed.
pub(crate) async fn record(
    tx: &mut Tx,
    order_id: OrderId,
    customer_id: CustomerId,
    amount: Money,
    refused: Option<RejectionReason>,
) -> Result<bool, DbError> {
    let inserted = tx.execute(
        sql("insert into credit_reservation (order_id, customer_id, amount, outcome) values ($1, $2, $3, $4) \
             on conflict (order_id) do nothing")
        .bind(order_id.0)
        .bind(customer_id.0)
        .bind(amount.minor())
        .bind(refused.map_or(RESERVED, RejectionReason::as_str)),
    );
    Ok(inserted.await? == 1)
}

/// How the order's request was decided: `None` inside means that the credit is held.
pub(crate) async fn outcome(tx: &mut Tx, order_id: OrderId) -> Result<Option<Option<RejectionReason>>, DbError> {
    let row: Option<(String,)> =
        tx.optional(sql("select outcome from credit_reservation where order_id = $1").bind(order_id.0)).await?;
    Ok(row.map(|(outcome,)| RejectionReason::parse(&outcome)))
}
