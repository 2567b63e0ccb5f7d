//! Reads rows into types, whichever engine they come from.

use crate::{DbError, LoggedRow};
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

/// A row of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Row<'r>(Source<'r>);

#[derive(Clone, Copy, Debug)]
enum Source<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
    Logged(&'r LoggedRow),
}

/// A type that a column can be read as: `i64`, `String`, `Uuid` and options of them.
pub trait Column: rusqlite::types::FromSql + Sized {
    /// Reads a column of a PostgreSQL row.
    #[doc(hidden)]
    fn postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error>;

    /// Reads a value in its text form.
    #[doc(hidden)]
    fn logged(text: Option<&str>) -> Option<Self>;
}

/// An integer of any width.
struct Integer(i64);

impl<'a> FromSql<'a> for Integer {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let wide = match *kind {
            Type::INT2 => i16::from_sql(kind, raw)?.into(),
            Type::INT4 => i32::from_sql(kind, raw)?.into(),
            _ => i64::from_sql(kind, raw)?,
        };
        Ok(Self(wide))
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT2 | Type::INT4 | Type::INT8)
    }
}

impl Column for i64 {
    fn postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
        row.try_get::<_, Integer>(index).map(|integer| integer.0)
    }

    fn logged(text: Option<&str>) -> Option<Self> {
        text?.parse().ok()
    }
}

impl Column for Option<i64> {
    fn postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
        row.try_get::<_, Option<Integer>>(index).map(|integer| integer.map(|integer| integer.0))
    }

    fn logged(text: Option<&str>) -> Option<Self> {
        text.map_or(Some(None), |text| text.parse().ok().map(Some))
    }
}

macro_rules! column {
    ($($type:ty),*) => {$(
        impl Column for $type {
            fn postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
                row.try_get(index)
            }

            fn logged(text: Option<&str>) -> Option<Self> {
                text?.parse().ok()
            }
        }

        impl Column for Option<$type> {
            fn postgres(row: &tokio_postgres::Row, index: usize) -> Result<Self, tokio_postgres::Error> {
                row.try_get(index)
            }

            fn logged(text: Option<&str>) -> Option<Self> {
                text.map_or(Some(None), |text| text.parse().ok().map(Some))
            }
        }
    )*};
}

column!(String, Uuid);

/// A type that a row can be read as. Write it with [`crate::record!`], or use a tuple.
pub trait Record: Sized + Send + 'static {
    /// Reads the row.
    ///
    /// # Errors
    /// When a column is missing or of another type.
    fn read(row: &Row<'_>) -> Result<Self, DbError>;
}

impl<'r> Row<'r> {
    pub(crate) const fn sqlite(row: &'r rusqlite::Row<'r>) -> Self {
        Self(Source::Sqlite(row))
    }

    pub(crate) const fn postgres(row: &'r tokio_postgres::Row) -> Self {
        Self(Source::Postgres(row))
    }

    pub(crate) const fn logged(row: &'r LoggedRow) -> Self {
        Self(Source::Logged(row))
    }

    /// The column of that name.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn named<T: Column>(&self, name: &str) -> Result<T, DbError> {
        match self.0 {
            Source::Sqlite(row) => Ok(row.get(name)?),
            Source::Postgres(row) => {
                let index = row.columns().iter().position(|column| column.name() == name);
                let index = index.ok_or_else(|| DbError::corrupt("a row", format!("there is no column {name}")))?;
                Ok(T::postgres(row, index)?)
            }
            Source::Logged(row) => row.get(name).and_then(T::logged).ok_or_else(|| unreadable(name)),
        }
    }

    /// The column at that place, counted from 0.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn at<T: Column>(&self, index: usize) -> Result<T, DbError> {
        match self.0 {
            Source::Sqlite(row) => Ok(row.get(index)?),
            Source::Postgres(row) => Ok(T::postgres(row, index)?),
            Source::Logged(row) => row.at(index).and_then(T::logged).ok_or_else(|| unreadable(index)),
        }
    }
}

fn unreadable(column: impl std::fmt::Display) -> DbError {
    DbError::corrupt("a logged row", format!("the column {column} is missing or of another type"))
}

macro_rules! tuple_record {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Column + Send + 'static),*> Record for ($($name,)*) {
            fn read(row: &Row<'_>) -> Result<Self, DbError> {
                Ok(($(row.at::<$name>($index)?,)*))
            }
        }
    };
}

tuple_record!(A 0);
tuple_record!(A 0, B 1);
tuple_record!(A 0, B 1, C 2);
tuple_record!(A 0, B 1, C 2, D 3);
tuple_record!(A 0, B 1, C 2, D 3, E 4);
tuple_record!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple_record!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);

/// Declares a struct whose fields are read from the columns of the same names.
#[macro_export]
macro_rules! record {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty),* $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type),*
        }

        impl $crate::Record for $name {
            fn read(row: &$crate::Row<'_>) -> ::core::result::Result<Self, $crate::DbError> {
                Ok(Self { $($field: row.named(stringify!($field))?),* })
            }
        }
    };
}
