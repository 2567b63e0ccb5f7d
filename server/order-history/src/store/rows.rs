//! A document as any store keeps it, flat, and what it is shown as.

use super::{ViewCustomer, ViewOrder};
use crate::{cursor::Place, document::timestamp};
use tramline_contract::{
    Coordination, Customer, CustomerId, Money, Order, OrderId, OrderState, RejectionReason, SagaId, Version,
};
use tramline_db::DbError;
use uuid::Uuid;

tramline_db::record! {
    pub(crate) struct CustomerRow {
        pub(crate) customer_id: Uuid,
        pub(crate) name: String,
        pub(crate) credit_limit: i64,
        pub(crate) reserved: i64,
        pub(crate) paid: i64,
        pub(crate) version: i64,
        pub(crate) created_at: i64,
        pub(crate) order_count: i64,
    }
}

impl CustomerRow {
    pub(crate) fn place(&self) -> Place {
        Place { created_at: self.created_at, id: self.customer_id }
    }

    pub(crate) fn into_customer(self) -> Customer {
        Customer {
            id: CustomerId(self.customer_id),
            name: self.name,
            credit_limit: Money::from_minor(self.credit_limit),
            reserved: Money::from_minor(self.reserved),
            paid: Money::from_minor(self.paid),
            available_credit: Money::from_minor(self.credit_limit - self.reserved + self.paid),
            version: Version(self.version),
            created_at: timestamp(self.created_at),
            order_count: self.order_count,
        }
    }
}

tramline_db::record! {
    pub(crate) struct OrderRow {
        pub(crate) order_id: Uuid,
        pub(crate) customer_id: Uuid,
        pub(crate) customer_name: Option<String>,
        pub(crate) total: i64,
        pub(crate) state: String,
        pub(crate) rejection_reason: Option<String>,
        pub(crate) last_refusal: Option<String>,
        pub(crate) coordination: String,
        pub(crate) saga_id: Option<Uuid>,
        pub(crate) version: i64,
        pub(crate) created_at: i64,
        pub(crate) updated_at: i64,
    }
}

impl OrderRow {
    pub(crate) fn place(&self) -> Place {
        Place { created_at: self.created_at, id: self.order_id }
    }

    pub(crate) fn into_order(self) -> Result<Order, DbError> {
        Ok(Order {
            id: OrderId(self.order_id),
            customer_id: CustomerId(self.customer_id),
            customer_name: self.customer_name,
            total: Money::from_minor(self.total),
            state: OrderState::parse(&self.state).ok_or_else(|| DbError::corrupt("an order's state", self.state))?,
            rejection_reason: self.rejection_reason.as_deref().and_then(RejectionReason::parse),
            last_refusal: self.last_refusal.as_deref().and_then(RejectionReason::parse),
            coordination: Coordination::parse(&self.coordination)
                .ok_or_else(|| DbError::corrupt("an order's coordination", self.coordination))?,
            saga_id: self.saga_id.map(SagaId),
            version: Version(self.version),
            created_at: timestamp(self.created_at),
            updated_at: timestamp(self.updated_at),
        })
    }
}

impl From<CustomerRow> for ViewCustomer {
    fn from(row: CustomerRow) -> Self {
        Self {
            id: CustomerId(row.customer_id),
            name: row.name,
            credit_limit: Money::from_minor(row.credit_limit),
            reserved: Money::from_minor(row.reserved),
            paid: Money::from_minor(row.paid),
            version: row.version,
            order_count: row.order_count,
        }
    }
}

impl From<OrderRow> for ViewOrder {
    fn from(row: OrderRow) -> Self {
        Self {
            id: OrderId(row.order_id),
            customer_id: CustomerId(row.customer_id),
            total: Money::from_minor(row.total),
            state: row.state,
            last_refusal: row.last_refusal,
            version: row.version,
        }
    }
}
