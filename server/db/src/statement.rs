//! A SQL text with its values, not yet bound to an engine.

use crate::UtcMicros;
use uuid::Uuid;

/// A value for a placeholder. `None` is SQL's null of that type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A `bigint`: numbers, money in minor units, moments in microseconds.
    Int(Option<i64>),
    /// A `text`.
    Text(Option<String>),
    /// A `uuid`: 16 bytes in SQLite.
    Uuid(Option<Uuid>),
}

macro_rules! value_from {
    ($($type:ty => $variant:ident, $convert:expr;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                let convert: fn($type) -> _ = $convert;
                Self::$variant(Some(convert(value)))
            }
        }

        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                let convert: fn($type) -> _ = $convert;
                Self::$variant(value.map(convert))
            }
        }
    )*};
}

value_from! {
    i64 => Int, |value| value;
    u16 => Int, i64::from;
    UtcMicros => Int, |value| value.0;
    bool => Int, i64::from;
    String => Text, |value| value;
    &String => Text, String::clone;
    &str => Text, str::to_owned;
    Uuid => Uuid, |value| value;
}

/// What a placeholder stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    One(Value),
    /// Row by row.
    Rows(Vec<Vec<Value>>),
}

/// A statement: constant SQL with `$1`, `$2` … and the values for them.
///
/// One text serves every engine. Where a statement takes a list, it says `rows($1: id uuid, amount bigint) as new` in place
/// of a table: the columns of the list with their types (`bigint`, `text`, `uuid`). The engine puts its own way of reading
/// a list there, so the number of statements does not grow with the list.
#[derive(Clone, Debug)]
pub struct Statement {
    pub(crate) text: &'static str,
    pub(crate) bound: Vec<Bound>,
}

/// A statement without values yet. The text is constant, so no input can become SQL.
#[must_use]
pub const fn sql(text: &'static str) -> Statement {
    Statement { text, bound: Vec::new() }
}

/// One row for [`Statement::rows`], each value converted.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => { ::std::vec![$($crate::Value::from($value)),*] };
}

impl Statement {
    /// Gives the next placeholder its value.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.bound.push(Bound::One(value.into()));
        self
    }

    /// Gives the next placeholder its list. Each row has as many values as `rows(…)` in the text has columns.
    #[must_use]
    pub fn rows(mut self, rows: impl IntoIterator<Item = Vec<Value>>) -> Self {
        self.bound.push(Bound::Rows(rows.into_iter().collect()));
        self
    }

    /// Gives the next placeholder its list of a single column.
    #[must_use]
    pub fn column<T: Into<Value>>(self, values: impl IntoIterator<Item = T>) -> Self {
        self.rows(values.into_iter().map(|value| vec![value.into()]))
    }
}
