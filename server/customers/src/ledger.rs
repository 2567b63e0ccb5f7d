//! The ledger of payments: one row each, by the id that makes it idempotent.

use tramline_contract::{CustomerId, Money, PaymentId, PaymentReference, Version};
use tramline_db::{DbError, Tx, UtcMicros, sql};
use uuid::Uuid;

/// A payment as a client asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Names the payment; the idempotency key.
    pub id: PaymentId,
    /// Who paid.
    pub customer_id: CustomerId,
    /// How much.
    pub amount: Money,
    /// What it is booked under.
    pub reference: Option<PaymentReference>,
}

/// Enters a payment that made this version of its customer. `false` means that the id is taken, and nothing changed.
pub(crate) async fn enter(tx: &mut Tx, payment: &Payment, version: Version, now: UtcMicros) -> Result<bool, DbError> {
    let inserted = tx.execute(
        sql("insert into payment (payment_id, customer_id, amount, reference, version, recorded_at) \
             values ($1, $2, $3, $4, $5, $6) on conflict (payment_id) do nothing")
        .bind(payment.id.0)
        .bind(payment.customer_id.0)
        .bind(payment.amount.minor())
        .bind(payment.reference.as_ref().map(PaymentReference::as_str))
        .bind(version.0)
        .bind(now),
    );
    Ok(inserted.await? == 1)
}

/// The payment of that id: whether it is this very one, and the version that it made.
pub(crate) async fn entered(tx: &mut Tx, payment: &Payment) -> Result<Option<(bool, Version)>, DbError> {
    let row: Option<(Uuid, i64, Option<String>, i64)> = tx
        .optional(
            sql("select customer_id, amount, reference, version from payment where payment_id = $1").bind(payment.id.0),
        )
        .await?;
    Ok(row.map(|(customer, amount, reference, version)| {
        let same = customer == payment.customer_id.0
            && amount == payment.amount.minor()
            && reference.as_deref() == payment.reference.as_ref().map(PaymentReference::as_str);
        (same, Version(version))
    }))
}
