//! Reads rows into types, whichever engine they come from.

use crate::DbError;
use rusqlite::types::FromSql;

/// A row of an answer.
#[derive(Debug)]
pub struct Row<'r>(&'r rusqlite::Row<'r>);

/// A type that a column can be read as: `i64`, `String`, `Uuid` and options of them.
pub trait Column: FromSql {}

impl<T: FromSql> Column for T {}

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
        Self(row)
    }

    /// The column of that name.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn named<T: Column>(&self, name: &str) -> Result<T, DbError> {
        Ok(self.0.get(name)?)
    }

    /// The column at that place, counted from 0.
    ///
    /// # Errors
    /// When it is missing or of another type.
    pub fn at<T: Column>(&self, index: usize) -> Result<T, DbError> {
        Ok(self.0.get(index)?)
    }
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
