//! Typed migration of a saga's data: a chain of types from the first version to the present one.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tramline_sagas::upgrades_from;
//!
//! #[derive(Serialize, Deserialize)] struct First { city: String }
//! #[derive(Serialize, Deserialize)] struct Second { cities: Vec<String> }
//! #[derive(Serialize, Deserialize)] struct Trip { stops: Vec<String>, nights: u16 }
//!
//! let upgrades = upgrades_from::<First>()
//!     .then(|first: First| Second { cities: vec![first.city] })
//!     .then(|second: Second| Trip { stops: second.cities, nights: 1 });
//! assert_eq!(upgrades.version(), 3);
//! let trip = upgrades.read(1, r#"{"city":"Ghent"}"#)?;
//! assert_eq!((trip.stops.len(), trip.nights), (1, 1));
//! # Ok::<(), tramline_sagas::UpgradeError>(())
//! ```
//!
//! A chain with a missing link does not compile:
//! ```compile_fail
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Serialize, Deserialize)] struct First; #[derive(Serialize, Deserialize)] struct Second; #[derive(Serialize, Deserialize)] struct Trip;
//! let upgrades = tramline_sagas::upgrades_from::<First>().then(|second: Second| Trip);
//! ```
//!
//! It knows nothing of steps, and reads no database.

use serde::{Serialize, de::DeserializeOwned};
use std::marker::PhantomData;

type Link = Box<dyn Fn(&str) -> Result<String, serde_json::Error> + Send + Sync>;

/// How data of every earlier version becomes a `D`.
pub struct Upgrades<D> {
    links: Vec<Link>,
    end: PhantomData<fn() -> D>,
}

/// Why a saga's data does not read.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// A newer program wrote them.
    #[error("the data have version {found}, and this program knows up to {known}")]
    Newer {
        /// The version that they have.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// They are not what their version says.
    #[error("the data of version {version} do not read: {reason}")]
    Unreadable {
        /// The version that they have.
        version: i64,
        /// What the reader says.
        reason: String,
    },
}

/// Begins with the first version of the data.
#[must_use]
pub const fn upgrades_from<D>() -> Upgrades<D> {
    Upgrades { links: Vec::new(), end: PhantomData }
}

impl<D> Upgrades<D>
where
    D: DeserializeOwned + 'static,
{
    /// What the next version makes of this one. Never changed once released.
    #[must_use]
    pub fn then<N: Serialize + 'static>(mut self, upgrade: fn(D) -> N) -> Upgrades<N> {
        self.links.push(Box::new(move |text| serde_json::to_string(&upgrade(serde_json::from_str(text)?))));
        Upgrades { links: self.links, end: PhantomData }
    }

    /// Reads data of a version.
    ///
    /// # Errors
    /// When they are newer than this program or are not what their version says.
    pub fn read(&self, version: i64, text: &str) -> Result<D, UpgradeError> {
        let unreadable = |error: serde_json::Error| UpgradeError::Unreadable { version, reason: error.to_string() };
        let passed = usize::try_from(version - 1).unwrap_or(0);
        let Some(links) = self.links.get(passed..) else {
            return Err(UpgradeError::Newer { found: version, known: self.version() });
        };
        let mut text = std::borrow::Cow::Borrowed(text);
        for link in links {
            text = link(&text).map_err(unreadable)?.into();
        }
        serde_json::from_str(&text).map_err(unreadable)
    }
}

impl<D> Upgrades<D> {
    /// The version that they lead to, from 1.
    #[must_use]
    pub fn version(&self) -> i64 {
        i64::try_from(self.links.len()).unwrap_or(i64::MAX).saturating_add(1)
    }
}
