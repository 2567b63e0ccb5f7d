//! A service with its sender, over a database and a mail server of its own.

use serde_json::Value;
use std::{path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;
use tramline_contract::{CustomerId, MailAbout, Money, OrderId, Version};
use tramline_db::{Address, Db, Durability, IdSource as _, SystemClock, SystemIds, UtcMicros};
use tramline_http::ServiceClient;
use tramline_messages::notifications::NotifyCustomer;
use tramline_messaging::{Handler as _, HandlerError, Headers, Messaging, Record};
use tramline_notifications::{
    CommandHandler, MailAddresses, MailServer, Notifications, Sender, Transport, migrations, routes,
};

/// No test waits longer than this for anything.
pub const DEADLINE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The service, one of its lives.
pub struct Desk {
    pub folder: TempDir,
    pub notifications: Notifications,
    pub client: ServiceClient,
}

/// A sender at work.
pub struct Sending {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Desk {
    /// A new one whose customers have addresses that begin like this.
    pub async fn new(recipients: &str) -> Self {
        Self::over(tempfile::tempdir().expect("a temporary folder"), recipients).await
    }

    /// One over the data of an earlier one.
    pub async fn over(folder: TempDir, recipients: &str) -> Self {
        let address = Address::parse(&tramline_testing::store_address(folder.path(), "notifications"));
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        let db =
            Db::open("notifications", &address.expect("it reads"), Durability::Full, &migrations(), clock, ids).await;
        let messaging = Messaging::open(db.expect("it opens")).await.expect("it has offsets");
        let to = format!("{recipients}{{id}}@example.org");
        let addresses = MailAddresses::parse("desk@example.org", &to).expect("they are addresses");
        let notifications = Notifications::new(messaging, addresses);
        let client = ServiceClient::in_process("notifications", routes(notifications.clone()));
        Self { folder, notifications, client }
    }

    /// Starts a sender as a process does that has the database to itself.
    pub async fn send_by(&self, server: &str) -> Sending {
        let server = MailServer::parse(server).expect("it reads");
        let transport = Transport::open(&server, self.folder.path()).expect("it opens");
        let sender = Sender::new(self.notifications.clone(), transport).alone().await.expect("it begins");
        let stop = CancellationToken::new();
        Sending { task: tokio::spawn(sender.run(stop.clone())), stop }
    }

    /// Handles commands as the consumer does, in one unit of work.
    pub async fn take(&self, commands: &[NotifyCustomer]) {
        let records: Vec<_> = commands.iter().map(|command| Arc::new(record(command))).collect();
        let handler = CommandHandler::new(self.notifications.clone());
        let handling = handler.clone();
        let handled = self.notifications.messaging().transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move { handling.handle(work, &records).await })
        });
        handled.await.expect("it is handled");
        handler.committed(());
    }

    pub async fn json(&self, path: &str) -> Value {
        self.client.get(path).json().await.expect("it is there")
    }

    /// Waits until a mail is in that state, and shows it.
    pub async fn until(&self, command: &NotifyCustomer, state: &str) -> Value {
        let path = format!("/mails/{}.{}", command.order_id, command.order_version.0);
        let reached = async {
            loop {
                let mail = self.json(&path).await;
                if mail["state"] == state {
                    return mail;
                }
                sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(DEADLINE, reached).await.unwrap_or_else(|_| panic!("the mail is never {state}"))
    }

    /// Closes the database and gives the data away.
    pub async fn end(self) -> TempDir {
        self.notifications.messaging().db().close().await;
        self.folder
    }
}

impl Sending {
    /// As an operator does.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("it does not panic");
    }

    /// As a power cut does: in the middle of whatever it is doing.
    pub async fn cut(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// A command for a new order.
pub fn command(about: MailAbout) -> NotifyCustomer {
    let (order_id, customer_id) = (OrderId(SystemIds.next()), CustomerId(SystemIds.next()));
    NotifyCustomer {
        order_id,
        order_version: Version(2),
        customer_id,
        about,
        total: Money::from_minor(12_50),
        reason: None,
    }
}

pub fn record(command: &NotifyCustomer) -> Record {
    Record {
        seq: 1,
        id: SystemIds.next(),
        key: command.order_id.0,
        headers: Headers { kind: NotifyCustomer::KIND.to_owned(), ..Headers::default() },
        payload: serde_json::to_string(command).expect("it is JSON"),
        recorded_at: UtcMicros(0),
    }
}

/// Waits until something holds.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let reached = async {
        while !holds() {
            sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(DEADLINE, reached).await.unwrap_or_else(|_| panic!("it never comes to this: {what}"));
}

/// The names of the mails in a folder.
pub fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        tramline_testing::mails_in(&folder.join("mail")).into_iter().map(|mail| mail.message_id).collect();
    names.sort();
    names
}
