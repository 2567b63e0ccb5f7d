//! Hands commands to the services: so many at once, and each to its end even when its caller hangs up.

use std::sync::Arc;
use tokio::sync::Semaphore;
use tracing::Instrument;
use tramline_http::{Answer, ApiError, Call, problem};

/// The way in for commands.
pub(crate) struct Commands {
    /// One permit per command under way.
    seats: Arc<Semaphore>,
}

impl Commands {
    pub(crate) fn new(at_once: usize) -> Self {
        Self { seats: Arc::new(Semaphore::new(at_once)) }
    }

    /// Sends a command and waits for the service's answer. It runs in a task of its own: a browser that goes away cancels
    /// this wait, not the command.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, ApiError> {
        let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() else {
            return Err(problem::overloaded().into());
        };
        let command = async move {
            let answer = call.send().await;
            drop(seat);
            answer
        };
        let answer = tokio::spawn(command.in_current_span()).await.map_err(ApiError::internal)?;
        Ok(answer?)
    }
}
