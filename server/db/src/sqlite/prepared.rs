//! One statement on one connection: its text for SQLite, its values bound, its rows read. It knows nothing of transactions.

use crate::{
    DbError, Record, Row, Statement, Value,
    dialect::{Dialect, FewRows, Take, Translated, translated},
    statement::Bound,
};
use rusqlite::{Connection, types::ToSqlOutput};
use serde::ser::SerializeSeq as _;
use std::rc::Rc;

pub(crate) fn execute(connection: &Connection, statement: &Statement) -> Result<u64, DbError> {
    let translated = of_statement(statement);
    let mut prepared = connection.prepare_cached(&translated.text)?;
    bind(&mut prepared, statement, &translated)?;
    Ok(prepared.raw_execute()? as u64)
}

pub(crate) fn all<R: Record>(connection: &Connection, statement: &Statement) -> Result<Vec<R>, DbError> {
    let translated = of_statement(statement);
    let mut prepared = connection.prepare_cached(&translated.text)?;
    bind(&mut prepared, statement, &translated)?;
    let mut rows = prepared.raw_query();
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(R::read(&Row::sqlite(row))?);
    }
    Ok(records)
}

fn of_statement(statement: &Statement) -> Rc<Translated> {
    let few = FewRows::of(statement.bound.iter().map(|bound| match bound {
        Bound::One(_) => None,
        Bound::Rows(rows) => Some(rows.len()),
    }));
    translated(statement.text, Dialect::Sqlite, few)
}

/// Gives each placeholder what it takes.
fn bind(prepared: &mut rusqlite::Statement<'_>, statement: &Statement, translated: &Translated) -> Result<(), DbError> {
    let unbound = || DbError::unbound(statement.text);
    if prepared.parameter_count() != translated.takes.len() {
        return Err(unbound());
    }
    for (place, take) in (1..).zip(&translated.takes) {
        match *take {
            Take::Value(index) => match statement.bound.get(index) {
                Some(Bound::One(value)) => prepared.raw_bind_parameter(place, value)?,
                _ => return Err(unbound()),
            },
            Take::Cell(index, row, column) => match statement.bound.get(index) {
                Some(Bound::Rows(rows)) => {
                    let value = rows.get(row).and_then(|row| row.get(column));
                    prepared.raw_bind_parameter(place, value.ok_or_else(unbound)?)?;
                }
                _ => return Err(unbound()),
            },
            Take::List(index, columns) => match statement.bound.get(index) {
                Some(Bound::Rows(rows)) => {
                    prepared.raw_bind_parameter(place, json_rows(rows, columns).ok_or_else(unbound)?)?;
                }
                _ => return Err(unbound()),
            },
            Take::Column(..) => return Err(unbound()),
        }
    }
    Ok(())
}

/// Rows as SQLite reads them with `json_each`. `None` when a row has another number of columns.
fn json_rows(rows: &[Vec<Value>], columns: usize) -> Option<String> {
    let rows = rows.iter().map(|row| (row.len() == columns).then_some(JsonRow(row))).collect::<Option<Vec<_>>>()?;
    serde_json::to_string(&rows).ok()
}

/// A row, written as a JSON array.
struct JsonRow<'r>(&'r [Value]);

impl serde::Serialize for JsonRow<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut array = serializer.serialize_seq(Some(self.0.len()))?;
        for value in self.0 {
            match value {
                Value::Int(value) => array.serialize_element(value)?,
                Value::Text(value) => array.serialize_element(value)?,
                Value::Uuid(value) => array.serialize_element(&value.as_ref().map(uuid::Uuid::as_simple))?,
            }
        }
        array.end()
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Int(value) => value.to_sql(),
            Self::Text(value) => value.to_sql(),
            Self::Uuid(value) => value.to_sql(),
        }
    }
}
