//! How the bodies of events read: as the projection reads them, and in no other way.

use crate::project;
use std::sync::Arc;
use tramline_db::UtcMicros;
use tramline_messaging::{BodySchema, Headers, Record};
use uuid::Uuid;

/// Judges the body of an event by projecting it.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventBodies;

impl BodySchema for EventBodies {
    fn check(&self, kind: &str, payload: &str) -> Result<(), String> {
        // An operator changes bodies and no headers, so any aggregate and version will do.
        let headers = Headers {
            kind: kind.to_owned(),
            aggregate_id: Some(Uuid::nil()),
            aggregate_version: Some(1),
            ..Headers::default()
        };
        let (id, payload) = (Uuid::nil(), payload.to_owned());
        let record = Record { seq: 0, id, key: id, headers, payload, recorded_at: UtcMicros(0) };
        project(&[Arc::new(record)]).map(drop).map_err(|error| format!("cannot be taken: {error}"))
    }
}
