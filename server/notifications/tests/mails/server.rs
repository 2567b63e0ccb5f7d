//! At a real mail server.

use crate::support::{Desk, command, eventually};
use std::collections::BTreeSet;
use tramline_contract::{MailAbout, Version};
use tramline_messages::notifications::NotifyCustomer;
use tramline_testing::PrivateSmtp;

#[tokio::test]
async fn each_mail_arrives_once_although_commands_come_twice_and_the_server_goes_away_and_comes_back() {
    let Some(mut server) = PrivateSmtp::start() else { return };
    let desk = Desk::new("customer-").await;
    let sending = desk.send_by(&format!("smtp://{}", server.address())).await;
    let commands: Vec<_> = (0..90).map(|_| command(MailAbout::Approved)).collect();
    for (number, some) in commands.chunks(30).enumerate() {
        if number == 1 {
            server.stop();
        }
        desk.take(some).await;
        desk.take(some).await;
        if number == 1 {
            let waiting = desk.until(&some[0], "WAITING").await;
            assert_eq!(waiting["duplicatePossible"], false);
            server.go_on();
        }
        for one in some {
            desk.until(one, "SENT").await;
        }
    }
    sending.stop().await;
    let mails = server.mails();
    let distinct: BTreeSet<_> = mails.iter().map(|mail| mail.message_id.clone()).collect();
    let expected: BTreeSet<_> = commands.iter().map(|one| format!("{}.2@example.org", one.order_id)).collect();
    assert_eq!(distinct, expected);
    assert_eq!(mails.len(), commands.len(), "none came twice");
    let one = mails.iter().find(|mail| mail.message_id.starts_with(&commands[0].order_id.to_string()));
    let one = one.expect("it came");
    assert_eq!(one.to, format!("customer-{}@example.org", commands[0].customer_id));
    assert!(one.text.contains("Your order over 12.50 is approved."), "{}", one.text);
    desk.end().await;
}

#[tokio::test]
async fn mails_of_one_order_arrive_in_its_order() {
    let Some(server) = PrivateSmtp::start() else { return };
    let desk = Desk::new("customer-").await;
    let first = command(MailAbout::Approved);
    let mails: Vec<_> = (2..12).map(|n| NotifyCustomer { order_version: Version(n), ..first.clone() }).collect();
    // The later ones are known first.
    for mail in mails.iter().rev() {
        desk.take(std::slice::from_ref(mail)).await;
    }
    let sending = desk.send_by(&format!("smtp://{}", server.address())).await;
    let mut sent = Vec::new();
    for mail in &mails {
        sent.push(desk.until(mail, "SENT").await["sentAt"].as_str().expect("it was sent").to_owned());
    }
    // Each in a round of its own: only once the one before it was taken.
    assert!(sent.windows(2).all(|pair| pair[0] < pair[1]), "{sent:?}");
    sending.stop().await;
    assert_eq!(server.mails().len(), mails.len());
    desk.end().await;
}

#[tokio::test]
async fn a_mail_of_which_nobody_knows_is_sent_again_under_its_name_and_marked() {
    let Some(mut server) = PrivateSmtp::start() else { return };
    // The server takes the mail, and dies before it has said so.
    let desk = Desk::new("slow-").await;
    let sending = desk.send_by(&format!("smtp://{}", server.address())).await;
    let doubtful = command(MailAbout::Approved);
    desk.take(std::slice::from_ref(&doubtful)).await;
    eventually("the server has it", || server.mails().len() == 1).await;
    server.stop();
    let mail = desk.until(&doubtful, "WAITING").await;
    assert_eq!(mail["duplicatePossible"], true, "{mail}");
    server.go_on();
    eventually("the server has it again", || server.mails().len() == 2).await;
    let names: BTreeSet<_> = server.mails().into_iter().map(|mail| mail.message_id).collect();
    assert_eq!(names.len(), 1, "both copies have one name");

    // The same when it is the sender that dies.
    sending.cut().await;
    let desk = Desk::over(desk.end().await, "customer-").await;
    let sending = desk.send_by(&format!("smtp://{}", server.address())).await;
    let mail = desk.until(&doubtful, "SENT").await;
    assert_eq!(mail["duplicatePossible"], true, "{mail}");
    sending.stop().await;
    desk.end().await;
}

#[tokio::test]
async fn a_server_that_asks_who_we_are_is_told_and_a_wrong_password_makes_mails_wait() {
    let Some(server) = PrivateSmtp::start_for(Some(("desk", "p@ss word"))) else { return };
    let desk = Desk::new("customer-").await;
    let one = command(MailAbout::Approved);
    desk.take(std::slice::from_ref(&one)).await;
    for wrong in ["", "desk:wrong@"] {
        let sending = desk.send_by(&format!("smtp://{wrong}{}", server.address())).await;
        let tried = async {
            while desk.until(&one, "WAITING").await["lastError"].is_null() {
                tokio::task::yield_now().await;
            }
        };
        tried.await;
        sending.stop().await;
        assert!(server.mails().is_empty());
    }
    let sending = desk.send_by(&format!("smtp://desk:p%40ss%20word@{}", server.address())).await;
    desk.until(&one, "SENT").await;
    sending.stop().await;
    assert_eq!(server.mails().len(), 1);
    desk.end().await;
}
