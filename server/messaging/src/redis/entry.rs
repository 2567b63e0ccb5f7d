//! A record as an entry of a log: its id, its envelope as JSON, and its payload as it is.

use crate::{BrokerError, Headers, Record};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};
use tramline_db::UtcMicros;
use tramline_redis::Value;
use uuid::Uuid;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeOut<'a> {
    key: Uuid,
    recorded_at: i64,
    headers: &'a Headers,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeIn {
    key: Uuid,
    recorded_at: i64,
    headers: Headers,
}

/// Id, envelope and payload, as the script that publishes takes them.
pub(super) fn fields(record: &Record) -> Result<[Vec<u8>; 3], BrokerError> {
    let envelope = EnvelopeOut { key: record.key, recorded_at: record.recorded_at.0, headers: &record.headers };
    let envelope = serde_json::to_vec(&envelope).map_err(corrupt)?;
    Ok([record.id.simple().to_string().into_bytes(), envelope, record.payload.clone().into_bytes()])
}

/// The number under which an entry lies, or `None` when no relay put it there.
pub(super) fn number(entry: &Value) -> Option<i64> {
    let Value::Array(parts) = entry else { return None };
    let [Value::BulkString(id), _] = parts.as_slice() else { return None };
    std::str::from_utf8(id).ok()?.strip_suffix("-0")?.parse().ok()
}

/// Reads an entry back.
pub(super) fn record(seq: i64, entry: Value) -> Result<Arc<Record>, BrokerError> {
    let shape = || corrupt(format!("the entry {seq}-0 has other fields"));
    let Value::Array(parts) = entry else { return Err(shape()) };
    let Some(Value::Array(fields)) = parts.into_iter().nth(1) else { return Err(shape()) };
    let values: Vec<Vec<u8>> = fields
        .into_iter()
        .skip(1)
        .step_by(2)
        .filter_map(|value| if let Value::BulkString(bytes) = value { Some(bytes) } else { None })
        .collect();
    let Ok([id, envelope, payload]) = <[Vec<u8>; 3]>::try_from(values) else { return Err(shape()) };
    let EnvelopeIn { key, recorded_at, headers } = serde_json::from_slice(&envelope).map_err(corrupt)?;
    Ok(Arc::new(Record {
        seq,
        id: Uuid::try_parse_ascii(&id).map_err(corrupt)?,
        key,
        headers,
        payload: String::from_utf8(payload).map_err(corrupt)?,
        recorded_at: UtcMicros(recorded_at),
    }))
}

pub(super) fn corrupt(error: impl fmt::Display) -> BrokerError {
    BrokerError::Corrupt(error.to_string())
}
