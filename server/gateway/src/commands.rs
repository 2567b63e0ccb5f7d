//! Hands commands to the services: so many at once, and each to its end even when its caller hangs up.
//!
//! New orders are shed before anything else: each begins a saga, and one that was begun goes before one that was not.

use crate::Limits;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;
use tramline_http::{Answer, ApiError, Call, problem};

/// A gauge of how hard-pressed the process is, for what a gateway in one process with its services can know of them. Across
/// processes the services say it themselves, with 503 and `Retry-After`, which the gateway hands on.
#[derive(Clone, Default)]
pub struct Pressure(Option<Arc<dyn Fn() -> Option<Duration> + Send + Sync>>);

impl Pressure {
    /// Asks `gauge` before each new order. As long as it names a time, new orders are told to come back after it. It must
    /// answer at once.
    pub fn gauged_by(gauge: impl Fn() -> Option<Duration> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(gauge)))
    }

    fn now(&self) -> Option<Duration> {
        self.0.as_ref().and_then(|gauge| gauge())
    }
}

impl fmt::Debug for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pressure").field(&self.now()).finish()
    }
}

/// The way in for commands.
pub(crate) struct Commands {
    /// One permit per command under way.
    seats: Arc<Semaphore>,
    /// One more permit per new order under way.
    new_orders: Arc<Semaphore>,
    pressure: Pressure,
}

/// Kept while a command is under way.
type Seat = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

impl Commands {
    pub(crate) fn new(limits: &Limits) -> Self {
        let seats = |count| Arc::new(Semaphore::new(count));
        Self { seats: seats(limits.commands), new_orders: seats(limits.new_orders), pressure: limits.pressure.clone() }
    }

    /// Sends a command and waits for the service's answer. It runs in a task of its own: a browser that goes away cancels
    /// this wait, not the command.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, ApiError> {
        let seat = take(&self.seats)?;
        carry_out(call, (seat, None)).await
    }

    /// As [`Commands::send`], for a command that begins a saga and so goes last.
    pub(crate) async fn send_saga(&self, call: Call) -> Result<Answer, ApiError> {
        if let Some(retry_after) = self.pressure.now() {
            return Err(ApiError::overloaded(retry_after));
        }
        let new_order = take(&self.new_orders)?;
        let seat = take(&self.seats)?;
        carry_out(call, (seat, Some(new_order))).await
    }
}

fn take(seats: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    Arc::clone(seats).try_acquire_owned().map_err(|_| problem::overloaded().into())
}

async fn carry_out(call: Call, seat: Seat) -> Result<Answer, ApiError> {
    let command = async move {
        let answer = call.send().await;
        drop(seat);
        answer
    };
    let answer = tokio::spawn(command.in_current_span()).await.map_err(ApiError::internal)?;
    Ok(answer?)
}
