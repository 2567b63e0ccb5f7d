//! What scripts answer, read back: a document is its fields and their values, one after the other.

use crate::store::{
    ViewError,
    rows::{CustomerRow, OrderRow},
};
use std::{collections::HashMap, str::FromStr};
use tramline_redis::Value;
use uuid::Uuid;

/// The fields of one document.
pub(super) struct Fields(HashMap<String, String>);

pub(super) fn corrupt(what: impl Into<String>) -> ViewError {
    ViewError::Corrupt(what.into())
}

pub(super) fn list(value: Value) -> Result<Vec<Value>, ViewError> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(corrupt("a script answers otherwise")),
    }
}

pub(super) fn text(value: Value) -> Result<String, ViewError> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).map_err(|error| corrupt(error.to_string())),
        _ => Err(corrupt("a script answers otherwise")),
    }
}

pub(super) fn number(value: &Value) -> Result<i64, ViewError> {
    match value {
        Value::Int(number) => Ok(*number),
        _ => Err(corrupt("a script answers otherwise")),
    }
}

/// Fields and their values.
pub(super) fn pairs(value: Value) -> Result<Vec<(String, String)>, ViewError> {
    let mut items = list(value)?.into_iter();
    let mut pairs = Vec::with_capacity(items.len() / 2);
    while let (Some(name), Some(value)) = (items.next(), items.next()) {
        pairs.push((text(name)?, text(value)?));
    }
    Ok(pairs)
}

impl Fields {
    /// A document, or `None` when there is none of that id: a customer who was not heard of yet may have a count.
    pub(super) fn read(value: Value) -> Result<Option<Self>, ViewError> {
        let fields = Self(pairs(value)?.into_iter().collect());
        Ok(fields.0.contains_key("version").then_some(fields))
    }

    fn get(&self, name: &str) -> Result<&str, ViewError> {
        self.0.get(name).map(String::as_str).ok_or_else(|| corrupt(format!("a document has no {name}")))
    }

    fn parse<T: FromStr>(&self, name: &str) -> Result<T, ViewError> {
        let text = self.get(name)?;
        text.parse().map_err(|_| corrupt(format!("{text:?} is no {name}")))
    }

    pub(super) fn into_customer(self) -> Result<CustomerRow, ViewError> {
        Ok(CustomerRow {
            customer_id: self.parse("customer_id")?,
            name: self.get("name")?.to_owned(),
            credit_limit: self.parse("credit_limit")?,
            reserved: self.parse("reserved")?,
            paid: self.parse("paid")?,
            version: self.parse("version")?,
            created_at: self.parse("created_at")?,
            order_count: self.0.get("order_count").map_or(Ok(0), |_| self.parse("order_count"))?,
        })
    }

    pub(super) fn into_order(self) -> Result<OrderRow, ViewError> {
        // In a hash of texts, nothing is written as an empty one.
        let filled = |name| Ok::<_, ViewError>(Some(self.get(name)?).filter(|text| !text.is_empty()));
        Ok(OrderRow {
            order_id: self.parse("order_id")?,
            customer_id: self.parse("customer_id")?,
            customer_name: self.0.get("customer_name").cloned(),
            total: self.parse("total")?,
            state: self.get("state")?.to_owned(),
            rejection_reason: filled("rejection_reason")?.map(str::to_owned),
            // A document that was written before there were revisions lacks it.
            last_refusal: self.0.get("last_refusal").filter(|text| !text.is_empty()).cloned(),
            coordination: self.get("coordination")?.to_owned(),
            saga_id: filled("saga_id")?.map(|_| self.parse::<Uuid>("saga_id")).transpose()?,
            version: self.parse("version")?,
            created_at: self.parse("created_at")?,
            updated_at: self.parse("updated_at")?,
        })
    }
}
