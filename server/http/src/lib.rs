//! How a service speaks HTTP: problems, bodies, queries, the trace that a request carries, a client and a server.
//!
//! Every service and the gateway read input and word refusals through here, so all of them do it alike. It must not know
//! any domain: no customer, no order, no route.

mod answer;
mod body;
mod breaker;
mod budget;
mod client;
mod internal;
mod path;
pub mod problem;
mod query;
mod remote;
mod serve;
mod signature;
mod trace;

pub use answer::Answer;
pub use body::{JsonBody, MAX_BODY_BYTES};
pub use breaker::BreakerRules;
pub use client::{Call, CallError, ServiceClient};
pub use internal::{internal, internal_process};
pub use path::{PathId, PathTexts};
pub use problem::ApiError;
pub use query::QueryFields;
pub use serve::serve;
pub use signature::{Caller, InternalSecret, Signer, TRAMLINE_SIGNATURE, WallClock, WeakSecret, authenticated};
pub use trace::TraceParent;
