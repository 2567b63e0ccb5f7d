//! What a gateway asks of a service's parking lot on behalf of an operator. `POST /parked/{group}/{id}/{action}` there.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who asks for it, and what else the action needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mending {
    /// The operator's name, which the gateway vouches for.
    pub operator: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The new body, of an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
}
