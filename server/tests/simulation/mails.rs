//! The notifications service, the sender of its mails, and the mail server that it speaks to.

use crate::{cached::Cached, flaws::Telling, judge::Truths};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tramline_contract::{MailAbout, MailId, OrderId, OrderState, Version};
use tramline_db::{DbError, sql};
use tramline_messages::{
    channels::{NOTIFICATION_COMMANDS, ORDER_EVENTS},
    services::{NOTIFICATIONS, ORDERS},
};
use tramline_messaging::{HandlerError, Messaging};
use tramline_notifications::{
    CHOREOGRAPHY_GROUP, CommandHandler, GROUP, MailAddresses, Notifications, OrderEventHandler, Reception, Rehearsed,
    Sender, Transport,
};
use tramline_simulator::{Group, Stage, Wrongs};
use uuid::Uuid;

pub const RARE: &[&str] = &[DIED, NOT_ANSWERED, "a mail was put off and sent later"];
const DIED: &str = "a sender died with mails in hand";
const SENT_AGAIN: &str = "a mail was sent again after its sender had died";
const NOT_ANSWERED: &str = "a mail was sent again since no answer came";

/// A sender that dies has its successor know nothing of what it had in hand.
pub struct Mails {
    notifications: Notifications,
    office: Arc<Office>,
    stage: Stage,
    sender: Mutex<Option<Sender>>,
    rows: Cached<Vec<Row>>,
    died: AtomicBool,
}

/// What the mail server has.
#[derive(Default)]
struct Office(Mutex<Received>);

#[derive(Default)]
struct Received {
    /// Each copy of each mail, and whether the sender heard that it was taken.
    copies: HashMap<MailId, Vec<bool>>,
    put_off: Vec<MailId>,
    /// The newest mail of each order.
    newest: HashMap<OrderId, Version>,
    wrong: Vec<String>,
}

struct Row {
    id: MailId,
    state: String,
    duplicate_possible: bool,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Office {
    /// Most mails are taken, and choice 0 takes one.
    fn receive(&self, stage: &Stage, id: MailId) -> Reception {
        let reception = stage.choose(|chance| match chance.below(12) {
            9 => Reception::Away,
            10 => Reception::PutOff,
            11 => Reception::Unanswered,
            _ => Reception::Taken,
        });
        let is_taken = match reception {
            Reception::Taken => true,
            Reception::Unanswered => stage.choose(|chance| chance.below(2)) == 0,
            Reception::PutOff | Reception::Away => false,
        };
        let mut received = held(&self.0);
        if reception == Reception::PutOff {
            received.put_off.push(id);
        }
        if is_taken {
            received.copies.entry(id).or_default().push(reception == Reception::Taken);
            let newest = received.newest.insert(id.order_id, id.order_version);
            if let Some(newest) = newest.filter(|newest| *newest > id.order_version) {
                received.wrong.push(format!("mail {id} came after the one of version {newest}"));
            }
        }
        reception
    }
}

impl Mails {
    pub fn open(stage: &Stage) -> Result<Self, DbError> {
        let messaging = stage.messaging(NOTIFICATIONS, &tramline_notifications::migrations())?;
        let addresses = MailAddresses::parse(MailAddresses::DEFAULT_FROM, MailAddresses::DEFAULT_TO)
            .map_err(|error| DbError::corrupt("the addresses", error))?;
        let notifications = Notifications::new(messaging, addresses);
        let (office, stage, sender) = (Arc::default(), stage.clone(), Mutex::default());
        Ok(Self { notifications, office, stage, sender, rows: Cached::default(), died: AtomicBool::new(false) })
    }

    pub const fn messaging(&self) -> &Messaging {
        self.notifications.messaging()
    }

    pub fn groups(&self) -> [Group; 2] {
        let (stage, messaging) = (&self.stage, self.messaging());
        let commands = Telling::new(stage, CommandHandler::new(self.notifications.clone()));
        let turns = Telling::new(stage, OrderEventHandler::new(self.notifications.clone()));
        [
            Group::new(stage, GROUP, messaging, &[(ORDERS, NOTIFICATION_COMMANDS)], commands),
            Group::new(stage, CHOREOGRAPHY_GROUP, messaging, &[(ORDERS, ORDER_EVENTS)], turns),
        ]
    }

    /// A round of the sender, for as long as any mail is open: one that a dead sender had in hand comes due by and by.
    pub async fn send(&self) -> Result<(), HandlerError> {
        let open = sql("select order_id from mail where due_at is not null limit 1");
        let open: Option<(Uuid,)> = self.messaging().db().optional(open).await?;
        if open.is_none() {
            return Ok(());
        }
        let sender = held(&self.sender).take();
        let mut sender = match sender {
            Some(sender) => sender,
            None => self.begin().await?,
        };
        if let Err(error) = sender.once().await {
            let in_hand = self.rows().await?.iter().any(|row| row.state == "SENDING");
            self.died.fetch_or(in_hand, Ordering::Relaxed);
            return Err(error.into());
        }
        *held(&self.sender) = Some(sender);
        Ok(())
    }

    /// A sender that has the database to itself, or one that others share it with.
    async fn begin(&self) -> Result<Sender, DbError> {
        let (office, stage) = (Arc::clone(&self.office), self.stage.clone());
        let server = Rehearsed::new(move |id| office.receive(&stage, id));
        let sender = Sender::new(self.notifications.clone(), Transport::Rehearsed(server));
        if self.stage.choose(|chance| chance.below(2)) == 0 { sender.alone().await } else { Ok(sender) }
    }

    async fn rows(&self) -> Result<Arc<Vec<Row>>, DbError> {
        let db = self.messaging().db();
        let read = async {
            let rows: Vec<(Uuid, i64, String, i64)> =
                db.all(sql("select order_id, order_version, state, duplicate_possible from mail")).await?;
            let row = |(order, version, state, doubtful)| Row {
                id: MailId { order_id: OrderId(order), order_version: Version(version) },
                state,
                duplicate_possible: doubtful == 1,
            };
            Ok(rows.into_iter().map(row).collect())
        };
        self.rows.get(db, read).await
    }

    /// Each mail comes once; where it comes again, its row says that it may.
    pub async fn always(&self) -> Wrongs {
        let rows = self.rows().await?;
        let received = held(&self.office.0);
        let mut wrong = received.wrong.clone();
        for row in rows.iter().filter(|row| !row.duplicate_possible) {
            let copies = received.copies.get(&row.id).map_or(0, Vec::len);
            if copies > 1 {
                wrong.push(format!("mail {} came {copies} times, and nothing says that it might", row.id));
            }
        }
        Ok(wrong)
    }

    /// Everybody was told of each decision, once, and of nothing else. `revisions`: how many have ended, by order.
    pub async fn at_rest(&self, truths: &Truths, revisions: &HashMap<OrderId, usize>) -> Wrongs {
        let (told, mut wrong) = tramline_notifications::invariants::read(self.messaging().db()).await?;
        wrong.extend(self.always().await?);
        for row in self.rows().await?.iter() {
            let came = held(&self.office.0).copies.contains_key(&row.id);
            if row.state != "SENT" || !came {
                wrong.push(format!("mail {} is {}, and came: {came}", row.id, row.state));
            }
        }
        for (id, order) in truths {
            let mails = told.get(id).map(Vec::as_slice).unwrap_or_default();
            let count = |about| mails.iter().filter(|(_, told)| *told == about).count();
            let found = [MailAbout::Approved, MailAbout::Rejected, MailAbout::Cancelled].map(count);
            let expected = match order.state {
                OrderState::Approved => [1, 0, 0],
                OrderState::Rejected => [0, 1, 0],
                OrderState::Cancelled => [1, 0, 1],
                OrderState::Pending | OrderState::CancelPending | OrderState::RevisionPending => found,
            };
            let revised = count(MailAbout::Revised) + count(MailAbout::RevisionRefused);
            let ended = revisions.get(id).copied().unwrap_or(0);
            let latest = mails.iter().map(|(version, _)| *version).max().unwrap_or(Version(0));
            if found != expected || revised != ended || latest > order.version {
                let state = order.state.as_str();
                wrong.push(format!(
                    "order {id} is {state} after {ended} revisions, and its customer was told {mails:?}"
                ));
            }
        }
        if told.len() > truths.len() {
            wrong.push("a customer was told of an order that does not exist".to_owned());
        }
        Ok(wrong)
    }

    pub fn reached(&self) -> Vec<&'static str> {
        let received = held(&self.office.0);
        let mut reached = if self.died.load(Ordering::Relaxed) { vec![DIED] } else { Vec::new() };
        for copies in received.copies.values().filter(|copies| copies.len() > 1) {
            // The sender that heard it was taken would not have sent it again, had it lived.
            let heard = copies.iter().rev().skip(1).any(|heard| *heard);
            reached.push(if heard { SENT_AGAIN } else { NOT_ANSWERED });
        }
        if received.put_off.iter().any(|id| received.copies.contains_key(id)) {
            reached.push("a mail was put off and sent later");
        }
        reached
    }
}
