//! What was read of a database, read anew only when something was committed there since.

use std::sync::{Arc, Mutex, PoisonError};
use tramline_db::{Db, DbError};

/// Something that is computed from one database alone.
pub struct Cached<T>(Mutex<Option<(u64, Arc<T>)>>);

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Cached<T> {
    /// What `read` says, or what it said when nothing was committed since.
    pub async fn get(&self, db: &Db, read: impl Future<Output = Result<T, DbError>>) -> Result<Arc<T>, DbError> {
        let commits = db.counters().commits();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, value)) = known.filter(|(at, _)| *at == commits) {
            return Ok(value);
        }
        let value = Arc::new(read.await?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((commits, Arc::clone(&value)));
        Ok(value)
    }
}
