//! Everything that the tables say, to be held against the truth. Read-only.

use crate::store::{ViewCustomer, ViewOrder};
use tramline_contract::{CustomerId, Money, OrderId};
use tramline_db::{Db, DbError, sql};
use uuid::Uuid;

pub(super) async fn contents(db: &Db) -> Result<(Vec<ViewCustomer>, Vec<ViewOrder>), DbError> {
    let customers: Vec<(Uuid, String, i64, i64, i64, i64, i64)> = db
        .all(sql("select c.customer_id, c.name, c.credit_limit, c.reserved, c.paid, c.version, \
             coalesce(n.order_count, 0) from customer_view as c \
             left join customer_order_count as n on n.customer_id = c.customer_id and n.generation = c.generation \
             where c.generation = (select current from view_generation where id = 1) order by c.customer_id"))
        .await?;
    let orders: Vec<(Uuid, Uuid, i64, String, Option<String>, i64)> = db
        .all(sql("select order_id, customer_id, total, state, last_refusal, version from order_view \
             where generation = (select current from view_generation where id = 1) order by order_id"))
        .await?;
    let customers =
        customers.into_iter().map(|(id, name, credit_limit, reserved, paid, version, order_count)| ViewCustomer {
            id: CustomerId(id),
            name,
            credit_limit: Money::from_minor(credit_limit),
            reserved: Money::from_minor(reserved),
            paid: Money::from_minor(paid),
            version,
            order_count,
        });
    let orders = orders.into_iter().map(|(id, customer, total, state, last_refusal, version)| ViewOrder {
        id: OrderId(id),
        customer_id: CustomerId(customer),
        total: Money::from_minor(total),
        state,
        last_refusal,
        version,
    });
    Ok((customers.collect(), orders.collect()))
}
