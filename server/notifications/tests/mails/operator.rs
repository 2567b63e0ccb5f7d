//! What an operator sees of mails, and does about them.

use crate::support::{Desk, command};
use serde_json::Value;
use tramline_contract::MailAbout;
use tramline_testing::PrivateSmtp;

#[tokio::test]
async fn a_mail_that_is_refused_has_failed_and_an_operator_has_it_tried_again() {
    let Some(server) = PrivateSmtp::start() else { return };
    let address = format!("smtp://{}", server.address());
    let desk = Desk::new("nobody-").await;
    let (refused, other) = (command(MailAbout::Approved), command(MailAbout::Approved));
    desk.take(&[refused.clone(), other.clone()]).await;
    let sending = desk.send_by(&address).await;
    let mail = desk.until(&refused, "FAILED").await;
    assert!(mail["lastError"].as_str().expect("it says why").contains("no such user"), "{mail}");
    desk.until(&other, "FAILED").await;
    sending.stop().await;

    // The address is put right, and one of the two is tried again.
    let desk = Desk::over(desk.end().await, "customer-").await;
    let sending = desk.send_by(&address).await;
    let retry = format!("/mails/{}.2/retry", refused.order_id);
    let answer = desk.client.post_json(&retry, &serde_json::json!({})).send().await.expect("it answers");
    assert_eq!(answer.status, 202);
    desk.until(&refused, "SENT").await;
    let again = desk.client.post_json(&retry, &serde_json::json!({})).send().await.expect("it answers");
    assert_eq!((again.status.as_u16(), again.problem().expect("a problem").code.as_str()), (409, "mail-not-failed"));
    assert_eq!(desk.json("/mails?state=FAILED").await["items"].as_array().map(Vec::len), Some(1));
    sending.stop().await;
    assert_eq!(server.mails().len(), 1);
    desk.end().await;
}

#[tokio::test]
async fn a_mail_that_is_put_off_waits_longer_each_time() {
    let Some(server) = PrivateSmtp::start() else { return };
    let desk = Desk::new("busy-").await;
    let busy = command(MailAbout::Approved);
    desk.take(std::slice::from_ref(&busy)).await;
    let sending = desk.send_by(&format!("smtp://{}", server.address())).await;
    let tried = async {
        loop {
            let mail = desk.until(&busy, "WAITING").await;
            if mail["attempts"] == 2 {
                return mail;
            }
            tokio::task::yield_now().await;
        }
    };
    let mail = tokio::time::timeout(crate::support::DEADLINE, tried).await.expect("it is tried twice");
    assert!(mail["lastError"].as_str().expect("it says why").contains("come back later"), "{mail}");
    assert!(mail["dueAt"].as_str() > mail["createdAt"].as_str());
    sending.stop().await;
    desk.end().await;
}

#[tokio::test]
async fn mails_are_listed_page_by_page_newest_first_and_by_state() {
    let desk = Desk::new("customer-").await;
    let commands: Vec<_> = (0..7).map(|_| command(MailAbout::Approved)).collect();
    for one in &commands {
        desk.take(std::slice::from_ref(one)).await;
    }
    for filter in ["", "&state=WAITING"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = desk.json(&format!("/mails?limit=3{filter}&cursor={cursor}")).await;
            let items = page["items"].as_array().expect("a list");
            seen.extend(items.iter().map(|mail| mail["orderId"].as_str().expect("an id").to_owned()));
            match &page["nextCursor"] {
                Value::String(next) => cursor.clone_from(next),
                _ => break,
            }
        }
        let expected: Vec<_> = commands.iter().rev().map(|one| one.order_id.to_string()).collect();
        assert_eq!(seen, expected, "{filter}");
    }
    for state in ["SENT", "SENDING", "FAILED"] {
        assert_eq!(desk.json(&format!("/mails?state={state}")).await["items"].as_array().map(Vec::len), Some(0));
    }
    let status = async |path: &str| desk.client.get(path).send().await.expect("it answers").status.as_u16();
    assert_eq!(status("/mails?state=LOST").await, 422);
    assert_eq!(status("/mails?cursor=x").await, 422);
    assert_eq!(status("/mails?colour=red").await, 422);
    assert_eq!(status("/mails/7").await, 404);
    assert_eq!(status(&format!("/mails/{}.9", commands[0].order_id)).await, 404);
    assert_eq!(status("/ready").await, 200);
    desk.end().await;
}
