//! A second view beside the first: filled while that one is read, and put in its place in one step.

use super::{
    RedisProjector, RedisView,
    fields::{corrupt, number},
    projector::home,
};
use crate::store::{Swap, ViewError};
use tramline_contract::OrderState;
use tramline_messaging::Messaging;

/// Documents of a kind that one run drops: less than a millisecond.
const DROP_AT_ONCE: usize = 500;

/// A generation that is built. Give its events to [`Rebuild::projector`] until [`Rebuild::swap`] says that it is in place.
///
/// One is built at a time: beginning another one gives this one up. One that nobody finishes stays until then.
#[derive(Debug)]
pub struct Rebuild {
    view: RedisView,
    messaging: Messaging,
    home: uuid::Uuid,
    generation: String,
}

impl Rebuild {
    /// Begins a new generation. `messaging` is the history service's.
    ///
    /// # Errors
    /// When Redis or the database fails.
    pub async fn begin(view: RedisView, messaging: Messaging) -> Result<Self, ViewError> {
        let home = home(messaging.db()).await?;
        let generation = messaging.db().new_id().simple().to_string();
        let arguments = super::words([&generation, &home.simple().to_string()]);
        view.run(&view.scripts.begin, arguments).await?;
        Ok(Self { view, messaging, home, generation })
    }

    /// Applies events to the generation. Its offsets are its own, and begin at 0.
    #[must_use]
    pub fn projector(&self) -> RedisProjector {
        let (view, messaging) = (self.view.clone(), self.messaging.clone());
        RedisProjector::building(view, messaging, self.home, self.generation.clone())
    }

    /// Puts the generation in place of the one that is read, unless that one shows more. Readers see the new one from the
    /// next request on, and the feed begins a new epoch.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn swap(&self) -> Result<Swap, ViewError> {
        match number(&self.view.run(&self.view.scripts.swap, super::words([&self.generation])).await?)? {
            0 => Ok(Swap::Done),
            1 => Ok(Swap::GivenUp),
            2 => Ok(Swap::Behind),
            _ => Err(corrupt("a script answers otherwise")),
        }
    }
}

impl RedisView {
    /// Drops the generations that were replaced or given up, a little at a time, and returns how many documents went. Any
    /// number may sweep at once.
    ///
    /// # Errors
    /// When Redis fails.
    pub async fn sweep(&self) -> Result<u64, ViewError> {
        let root = self.root().await?;
        let mut dropped = 0;
        for generation in root.keys().filter_map(|field| field.strip_prefix("retired:")) {
            let mut arguments = super::words([generation, &DROP_AT_ONCE.to_string()]);
            arguments.extend(OrderState::ALL.map(|state| state.as_str().as_bytes().to_vec()));
            loop {
                let gone = number(&self.run(&self.scripts.drop, arguments.clone()).await?)?;
                if gone == 0 {
                    break;
                }
                dropped += gone.unsigned_abs();
            }
        }
        Ok(dropped)
    }
}
