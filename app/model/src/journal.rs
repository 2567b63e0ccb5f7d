//! What survives a reload: commands on their way (for the whole browser), how far this tab has applied the feed, the draft.

use crate::{command::Command, draft::OrderDraft, settings::Settings, time::Millis};
use serde::{Deserialize, Serialize};
use tramline_contract::{CustomerId, OrderId, Version, live::Cursor};

/// A command whose outcome is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedOperation {
    /// The command, its id included.
    pub command: Command,
    /// When the user submitted it.
    pub submitted_ms: Millis,
}

/// How far the feed has been applied, and the versions known since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFeed {
    /// The feed's epoch.
    pub epoch: Option<String>,
    /// The last frame applied.
    pub cursor: Option<Cursor>,
    /// The newest versions known of orders.
    pub orders: Vec<(OrderId, Version)>,
    /// The newest versions known of customers.
    pub customers: Vec<(CustomerId, Version)>,
}

/// All that was saved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    /// Commands on their way.
    pub operations: Vec<SavedOperation>,
    /// How far the feed has been applied.
    pub feed: SavedFeed,
    /// An order that was being filled in.
    pub draft: Option<OrderDraft>,
    /// Theme and keyboard.
    pub settings: Settings,
}

#[cfg(test)]
mod tests {
    use super::*;
    use tramline_contract::{Coordination, Money};
    use uuid::Uuid;

    #[test]
    fn an_operation_reads_back_as_it_was_written() {
        let command = Command::PlaceOrder {
            id: OrderId(Uuid::from_u128(1)),
            customer_id: CustomerId(Uuid::from_u128(2)),
            total: Money::from_minor(5),
            coordination: Coordination::Choreography,
        };
        let saved = SavedOperation { command, submitted_ms: 7 };
        let json = serde_json::to_string(&saved).expect("it is JSON");
        assert_eq!(serde_json::from_str::<SavedOperation>(&json).expect("it reads back"), saved);
        // As a page wrote it that knew of one coordination only.
        let older = json.replace(r#","coordination":"choreography""#, "");
        assert_ne!(older, json);
        let read: SavedOperation = serde_json::from_str(&older).expect("it reads");
        assert_eq!(read.command.coordination(), Some(Coordination::Orchestration));
    }
}
