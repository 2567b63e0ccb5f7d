//! Reads a JSON object field by field and names every one that is wrong, in our own words.
//!
//! A serde derive would stop at the first fault and speak in Rust's terms; a client deserves all of them in its own.

use crate::{FieldError, Money, Version};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The fields of one request body, and what was wrong with those read so far.
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    read: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// The fields of a body.
    ///
    /// # Errors
    /// When the body is not a JSON object.
    pub fn of(body: &'a Value) -> Result<Self, Vec<FieldError>> {
        match body {
            Value::Object(object) => Ok(Self { object, read: Vec::new(), errors: Vec::new() }),
            _ => Err(vec![FieldError { field: "body".to_owned(), message: "must be a JSON object".to_owned() }]),
        }
    }

    /// A field that may be absent or null.
    pub fn optional<T>(&mut self, name: &'static str, parse: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        self.read.push(name);
        match self.object.get(name) {
            None | Some(Value::Null) => None,
            Some(value) => parse(value).map_err(|message| self.refuse(name, message)).ok(),
        }
    }

    /// A field that must be there. `None` means that it was refused, which [`Fields::finish`] reports.
    pub fn required<T>(&mut self, name: &'static str, parse: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        if matches!(self.object.get(name), None | Some(Value::Null)) {
            self.read.push(name);
            self.refuse(name, "is required".to_owned());
            return None;
        }
        self.optional(name, parse)
    }

    /// A UUID that may be absent.
    pub fn optional_id(&mut self, name: &'static str) -> Option<Uuid> {
        self.optional(name, parse_id)
    }

    /// A UUID that must be there.
    pub fn id(&mut self, name: &'static str) -> Option<Uuid> {
        self.required(name, parse_id)
    }

    /// An amount that must be there.
    pub fn money(&mut self, name: &'static str) -> Option<Money> {
        self.required(name, |value| Money::from_json(value).map_err(|error| error.to_string()))
    }

    /// An amount above zero that must be there.
    pub fn amount(&mut self, name: &'static str) -> Option<Money> {
        self.required(name, |value| match Money::from_json(value) {
            Ok(Money::ZERO) => Err("must be above zero".to_owned()),
            other => other.map_err(|error| error.to_string()),
        })
    }

    /// A version that the caller has seen; may be absent.
    pub fn optional_version(&mut self, name: &'static str) -> Option<Version> {
        self.optional(name, |value| match value.as_i64() {
            Some(number) if number >= Version::FIRST.0 => Ok(Version(number)),
            _ => Err("must be a version, a whole number from 1".to_owned()),
        })
    }

    /// Adds a fault of a field.
    pub fn refuse(&mut self, name: &str, message: String) {
        self.errors.push(FieldError { field: name.to_owned(), message });
    }

    /// Ends the reading: fields that nobody read are faults too.
    ///
    /// # Errors
    /// Every fault found.
    pub fn finish(mut self) -> Result<(), Vec<FieldError>> {
        let unknown: Vec<_> = self.object.keys().filter(|name| !self.read.contains(&name.as_str())).cloned().collect();
        for name in unknown {
            // A hostile name of any length must not come back whole.
            let shown: String = name.chars().take(64).collect();
            self.refuse(&shown, "is not a known field".to_owned());
        }
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }
}

fn parse_id(value: &Value) -> Result<Uuid, String> {
    value.as_str().and_then(|text| Uuid::parse_str(text).ok()).ok_or_else(|| "must be a UUID".to_owned())
}
