//! What lies in the lot, as the wire shows it.

use serde_json::Value;
use tramline_contract::{
    AuditEntry, Mended, ParkedDetail, ParkedKey, ParkedKind, ParkedMessage, Rehearsal, RehearsedMessage, Timestamp,
};
use tramline_db::UtcMicros;
use tramline_messaging as lot;

/// How much of a body an entry of the audit shows: a full page must fit into an answer.
const BODY_MAX_CHARS: usize = 16_000;

pub(crate) fn key(service: &str, found: &lot::ParkedKey) -> ParkedKey {
    ParkedKey {
        service: service.to_owned(),
        group: found.first.group.clone(),
        key: found.first.record.key,
        waiting: found.waiting,
        first: message(&found.first),
    }
}

pub(crate) fn message(found: &lot::ParkedMessage) -> ParkedMessage {
    ParkedMessage {
        id: found.record.id,
        kind: found.record.headers.kind.clone(),
        source: found.source.clone(),
        channel: found.channel.clone(),
        seq: found.record.seq,
        reason: found.reason.clone(),
        attempts: found.attempts,
        replays: found.replays,
        first_failed_at: timestamp(found.parked_at),
        last_failed_at: timestamp(found.failed_at),
    }
}

pub(crate) fn kind(service: &str, found: lot::ParkedKind) -> ParkedKind {
    ParkedKind {
        service: service.to_owned(),
        group: found.consumer_group,
        channel: found.channel,
        kind: found.kind,
        reason: found.reason,
        messages: found.messages,
        oldest: timestamp(UtcMicros(found.oldest)),
    }
}

pub(crate) fn detail(service: &str, found: &lot::Inspected) -> ParkedDetail {
    ParkedDetail {
        service: service.to_owned(),
        group: found.message.group.clone(),
        key: found.message.record.key,
        message: message(&found.message),
        headers: serde_json::to_value(&found.message.record.headers).unwrap_or_default(),
        payload: json(&found.message.record.payload),
        line: found.line.iter().map(message).collect(),
    }
}

pub(crate) fn rehearsal(outcome: Result<lot::DryRun, String>) -> Rehearsal {
    match outcome {
        Ok(lot::DryRun { sends, remark }) => {
            let sent = |message: lot::Message| RehearsedMessage {
                channel: message.channel.to_owned(),
                key: message.key,
                headers: serde_json::to_value(&message.headers).unwrap_or_default(),
                payload: json(&message.payload),
            };
            Rehearsal { handled: true, reason: None, sends: sends.into_iter().map(sent).collect(), remark }
        }
        Err(reason) => Rehearsal { handled: false, reason: Some(reason), sends: Vec::new(), remark: None },
    }
}

pub(crate) fn mended(lot::Retried { handled, failed, left }: lot::Retried) -> Mended {
    let (failed, reason) = failed.unzip();
    Mended { handled, failed, reason, left }
}

pub(crate) fn entry(service: &str, found: lot::AuditEntry) -> AuditEntry {
    AuditEntry {
        id: found.audit_id,
        at: timestamp(UtcMicros(found.recorded_at)),
        operator: found.operator,
        action: found.action,
        service: service.to_owned(),
        group: found.consumer_group,
        message_id: found.message_id,
        key: found.message_key,
        reason: found.reason,
        outcome: found.outcome,
        payload_before: found.payload_before.map(cut),
        payload_after: found.payload_after.map(cut),
    }
}

fn cut(body: String) -> String {
    match body.char_indices().nth(BODY_MAX_CHARS) {
        Some((end, _)) => format!("{}…", body.get(..end).unwrap_or_default()),
        None => body,
    }
}

/// What was stored is JSON; anything else is shown as the text that it is.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn timestamp(moment: UtcMicros) -> Timestamp {
    Timestamp(moment.to_rfc3339())
}
