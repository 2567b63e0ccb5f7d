//! Takes commands: each becomes a mail that waits, once.

use crate::{service::Notifications, store};
use std::sync::Arc;
use tramline_db::BoxFuture;
use tramline_messages::notifications::NotifyCustomer;
use tramline_messaging::{Handler, HandlerError, Record, UnitOfWork};

/// Handles the channel of commands to this service.
#[derive(Clone, Debug)]
pub struct CommandHandler {
    notifications: Notifications,
}

impl CommandHandler {
    /// A handler that wakes the service's sender.
    #[must_use]
    pub const fn new(notifications: Notifications) -> Self {
        Self { notifications }
    }
}

impl Handler for CommandHandler {
    type Effect = ();

    fn handle<'a>(
        &'a self,
        work: &'a mut UnitOfWork<'_>,
        batch: &'a [Arc<Record>],
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            let told = batch.iter().map(|command| read(command)).collect::<Result<Vec<_>, _>>()?;
            store::insert(work.tx, &told, work.now).await?;
            Ok(())
        })
    }

    fn committed(&self, (): ()) {
        self.notifications.tell_sender();
    }
}

fn read(command: &Record) -> Result<NotifyCustomer, HandlerError> {
    match command.headers.kind.as_str() {
        NotifyCustomer::KIND => serde_json::from_str(&command.payload)
            .map_err(|error| HandlerError::Permanent(format!("the body does not read: {error}"))),
        other => Err(HandlerError::Permanent(format!("the command {other} is not known here"))),
    }
}
