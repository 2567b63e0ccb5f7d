//! How the bodies of a group's messages read, so that an operator cannot put one into the lot that its handler would refuse.

use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, fmt};

/// Judges bodies by the kind of their message.
pub trait BodySchema: Send + Sync + 'static {
    /// Whether the body reads as what the handler of that kind reads.
    ///
    /// # Errors
    /// Says what is wrong: the kind is unknown, or the body does not read.
    fn check(&self, kind: &str, payload: &str) -> Result<(), String>;
}

/// Reads a body and throws away what it says.
type Reads = fn(&str) -> Result<(), serde_json::Error>;

/// A [`BodySchema`] over the very types that handlers read.
///
/// ```
/// use serde::Deserialize;
/// use tramline_messaging::{Bodies, BodySchema};
///
/// #[derive(Deserialize)]
/// struct BookRoom {
///     number: u32,
/// }
///
/// let bodies = Bodies::new().kind::<BookRoom>("BookRoom");
/// assert!(bodies.check("BookRoom", r#"{"number":7}"#).is_ok());
/// assert!(bodies.check("BookRoom", r#"{"number":"seven"}"#).is_err());
/// assert!(bodies.check("BookFlight", "{}").is_err());
/// ```
#[derive(Clone, Default)]
pub struct Bodies {
    kinds: BTreeMap<&'static str, Reads>,
}

impl Bodies {
    /// Knows no kind yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bodies of this kind read as a `T`.
    #[must_use]
    pub fn kind<T: DeserializeOwned>(mut self, kind: &'static str) -> Self {
        self.kinds.insert(kind, |payload| serde_json::from_str::<T>(payload).map(drop));
        self
    }
}

impl BodySchema for Bodies {
    fn check(&self, kind: &str, payload: &str) -> Result<(), String> {
        match self.kinds.get(kind) {
            Some(read) => read(payload).map_err(|error| format!("does not read as the body of {kind}: {error}")),
            None => Err(format!("belongs to a message of the kind {kind}, which is not known here")),
        }
    }
}

impl fmt::Debug for Bodies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds.keys()).finish()
    }
}
