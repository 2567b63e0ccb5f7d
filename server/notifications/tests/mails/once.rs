//! However often a command comes and whenever the sender dies, a customer is told once.

use crate::support::{Desk, command, files, record};
use std::sync::Arc;
use tramline_contract::{MailAbout, Version};
use tramline_messages::notifications::NotifyCustomer;
use tramline_messaging::{Handler as _, HandlerError};
use tramline_notifications::CommandHandler;

#[tokio::test]
async fn a_command_that_comes_again_makes_no_second_mail() {
    let desk = Desk::new("customer-").await;
    let (approved, other) = (command(MailAbout::Approved), command(MailAbout::Rejected));
    // Twice in one batch, and again before and after it is sent.
    desk.take(&[approved.clone(), other.clone(), approved.clone()]).await;
    desk.take(std::slice::from_ref(&approved)).await;
    let sending = desk.send_by("files").await;
    desk.until(&approved, "SENT").await;
    desk.until(&other, "SENT").await;
    desk.take(&[other.clone(), approved.clone()]).await;
    // A later mail of each order waits for whatever is to be sent of it before: once it is sent, nothing is on its way.
    for mail in [&approved, &other] {
        let later = NotifyCustomer { about: MailAbout::Cancelled, order_version: Version(4), ..mail.clone() };
        desk.take(std::slice::from_ref(&later)).await;
        for one in [&later, mail] {
            let shown = desk.until(one, "SENT").await;
            assert_eq!((shown["attempts"].as_i64(), shown["duplicatePossible"].as_bool()), (Some(1), Some(false)));
        }
    }
    sending.stop().await;
    let mut expected: Vec<_> = [(&approved, 2), (&approved, 4), (&other, 2), (&other, 4)]
        .map(|(mail, version)| format!("{}.{version}@example.org", mail.order_id))
        .into();
    expected.sort();
    assert_eq!(files(desk.folder.path()), expected);
    desk.end().await;
}

#[tokio::test]
async fn a_sender_that_dies_at_any_moment_leaves_each_mail_to_be_sent_once() {
    let mut desk = Desk::new("customer-").await;
    let commands: Vec<_> = (0..60).map(|_| command(MailAbout::Approved)).collect();
    for (life, some) in commands.chunks(10).enumerate() {
        desk.take(some).await;
        let sending = desk.send_by("files").await;
        // Each life is cut at another place: after so many turns of the others.
        for _ in 0..life * 7 {
            tokio::task::yield_now().await;
        }
        sending.cut().await;
        desk = Desk::over(desk.end().await, "customer-").await;
    }
    let sending = desk.send_by("files").await;
    for one in &commands {
        let mail = desk.until(one, "SENT").await;
        assert_eq!(mail["duplicatePossible"], false, "a file is there once, whatever happened");
    }
    sending.stop().await;
    assert_eq!(files(desk.folder.path()).len(), commands.len());
    desk.end().await;
}

#[tokio::test]
async fn two_senders_at_one_database_never_have_the_same_mail_in_hand() {
    let desk = Desk::new("customer-").await;
    let commands: Vec<_> = (0..600).map(|_| command(MailAbout::Approved)).collect();
    let (one, other) = (desk.send_by("files").await, desk.send_by("files").await);
    for some in commands.chunks(50) {
        desk.take(some).await;
    }
    for command in &commands {
        let mail = desk.until(command, "SENT").await;
        assert_eq!(mail["attempts"], 1);
    }
    one.stop().await;
    other.stop().await;
    assert_eq!(files(desk.folder.path()).len(), commands.len());
    desk.end().await;
}

#[tokio::test]
async fn what_is_no_command_is_never_tried_again() {
    let desk = Desk::new("customer-").await;
    for (kind, payload) in [("DeleteCustomer", "{}"), (NotifyCustomer::KIND, "{}"), (NotifyCustomer::KIND, "no json")] {
        let mut wrong = record(&command(MailAbout::Approved));
        (wrong.headers.kind, wrong.payload) = (kind.to_owned(), payload.to_owned());
        let handler = CommandHandler::new(desk.notifications.clone());
        let handled = desk.notifications.messaging().transact::<_, HandlerError, _>(None, move |work| {
            Box::pin(async move { handler.handle(work, &[Arc::new(wrong)]).await })
        });
        assert!(matches!(handled.await, Err(HandlerError::Permanent(_))), "{kind} {payload}");
    }
    desk.end().await;
}
