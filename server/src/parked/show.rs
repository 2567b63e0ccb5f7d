//! Answers as tables for a terminal.

use crate::terminal::{clean, cut, table};
use tramline_contract::{AuditPage, Mended, ParkedDetail, ParkedKeys, ParkedKinds, ParkedMessage, Rehearsal};

pub(super) fn keys(page: &ParkedKeys) {
    let row = |key: &tramline_contract::ParkedKey| {
        vec![
            format!("{}/{}/{}", key.service, key.group, key.first.id),
            key.first.kind.clone(),
            key.waiting.to_string(),
            key.first.attempts.to_string(),
            key.first.first_failed_at.0.clone(),
            cut(&key.first.reason),
        ]
    };
    table(&["message", "kind", "waiting", "tries", "since", "reason"], page.items.iter().map(row).collect());
    told(page.items.is_empty(), "Nothing is parked.", page.next_cursor.as_deref(), &page.missing);
}

pub(super) fn kinds(page: &ParkedKinds) {
    let row = |kind: &tramline_contract::ParkedKind| {
        vec![
            kind.service.clone(),
            kind.group.clone(),
            kind.channel.clone(),
            kind.kind.clone(),
            kind.messages.to_string(),
            kind.oldest.0.clone(),
            cut(&kind.reason),
        ]
    };
    let titles = ["service", "group", "channel", "kind", "messages", "oldest", "reason"];
    table(&titles, page.items.iter().map(row).collect());
    told(page.items.is_empty(), "Nothing is parked.", None, &page.missing);
}

pub(super) fn detail(found: &ParkedDetail) {
    let ParkedMessage { id, kind, source, channel, seq, reason, attempts, replays, first_failed_at, last_failed_at } =
        &found.message;
    println!("message   {}/{}/{id}", found.service, found.group);
    println!("kind      {kind}, number {seq} of {source}/{channel}");
    println!("key       {}", found.key);
    println!("reason    {}", clean(reason));
    println!("tries     {attempts}, of which {replays} by an operator");
    println!("parked    {}, failed last {}", first_failed_at.0, last_failed_at.0);
    println!("headers   {}", found.headers);
    println!("body      {}", found.payload);
    println!("\nThe line of its key:");
    let row = |message: &ParkedMessage| {
        let here = if message.id == *id { "*" } else { "" };
        vec![here.to_owned(), message.id.to_string(), message.kind.clone(), cut(&message.reason)]
    };
    table(&["", "id", "kind", "reason"], found.line.iter().map(row).collect());
}

pub(super) fn rehearsal(rehearsal: &Rehearsal) {
    match &rehearsal.reason {
        Some(reason) => println!("It would fail: {}", clean(reason)),
        None => println!("It would be handled, and send {} messages. Nothing of it stands.", rehearsal.sends.len()),
    }
    for message in &rehearsal.sends {
        println!("  to {} for {}: {} {}", message.channel, message.key, message.headers, message.payload);
    }
    if let Some(remark) = &rehearsal.remark {
        println!("  {remark}");
    }
}

pub(super) fn mended(mended: &Mended) {
    println!("{} messages were handled, {} of the key still wait.", mended.handled.len(), mended.left);
    if let (Some(failed), Some(reason)) = (mended.failed, &mended.reason) {
        println!("Message {failed} failed: {}", clean(reason));
    } else if mended.left > 0 {
        println!("Run it again to go on.");
    }
}

pub(super) fn skipped(mended: &Mended) {
    match mended.left {
        0 => println!("It is gone; its key goes on."),
        left => println!("It is gone; {left} messages of its key still wait. Have the next of them retried."),
    }
}

pub(super) fn audit(page: &AuditPage) {
    let row = |entry: &tramline_contract::AuditEntry| {
        vec![
            entry.at.0.clone(),
            entry.operator.clone(),
            entry.action.clone(),
            format!("{}/{}/{}", entry.service, entry.group, entry.message_id),
            cut(&entry.outcome),
            cut(entry.reason.as_deref().unwrap_or_default()),
        ]
    };
    table(&["at", "operator", "action", "message", "outcome", "reason"], page.items.iter().map(row).collect());
    told(page.items.is_empty(), "Nobody has done anything.", page.next_cursor.as_deref(), &page.missing);
}

fn told(empty: bool, nothing: &str, next: Option<&str>, missing: &[String]) {
    if empty && missing.is_empty() && next.is_none() {
        println!("{nothing}");
    }
    if let Some(next) = next {
        println!("There is more: --cursor {next}");
    }
    if !missing.is_empty() {
        println!("Not told: {} did not answer.", missing.join(", "));
    }
}
