//! Calls one service over the network: its addresses in turn, each behind a breaker, and another try where that is safe.
//!
//! This is the only layer that repeats a call (*retry amplification*, Google's *Site Reliability Engineering*, chapter 22):
//! at most once, at another address, within the time of the call and as far as the budget goes. What must not happen twice
//! is only repeated when it surely never arrived. The decisions are in [`crate::breaker`] and [`crate::budget`].

use crate::answer::Answer;
use crate::breaker::{Admission, Breaker, BreakerRules, Change, Outcome, Patience, Ticket};
use crate::budget::RetryBudget;
use crate::client::{CallError, Outgoing, collect};
use crate::signature::{Signer, TRAMLINE_SIGNATURE};
use axum::body::{Body, Bytes};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::{self, Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The most addresses of one service.
pub const MAX_ADDRESSES: usize = 64;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a connection is kept for the next call: shorter than our listener keeps it, so that a call seldom meets one that
/// is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Connections kept per address; more may be open while they are used.
const IDLE_MAX: usize = 256;

/// One service, wherever it runs.
pub(crate) struct Remote {
    service: Arc<str>,
    addresses: Vec<Address>,
    /// Whose turn it is.
    turn: AtomicUsize,
    budget: Mutex<RetryBudget>,
    client: Client<HttpConnector, Full<Bytes>>,
    signer: Option<Signer>,
    /// Breakers and budget count the time from here.
    started: Instant,
}

struct Address {
    /// Scheme and authority, and a path that goes before every other.
    base: Arc<str>,
    breaker: Mutex<Breaker>,
}

/// Why one try brought no answer.
struct Failure {
    error: CallError,
    /// Whether the service may have received the call.
    arrived: bool,
}

impl Remote {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the time of breakers and budget begins; it decides nothing else"
    )]
    pub(crate) fn new(service: &str, addresses: Vec<String>, rules: BreakerRules, signer: Option<Signer>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        let breaker = || Mutex::new(Breaker::new(rules));
        let addresses = addresses.into_iter().map(|base| Address { base: base.into(), breaker: breaker() }).collect();
        Self {
            service: service.into(),
            addresses,
            turn: AtomicUsize::new(0),
            budget: Mutex::new(RetryBudget::new()),
            client,
            signer,
            started: Instant::now(),
        }
    }

    pub(crate) fn bases(&self) -> impl Iterator<Item = &str> {
        self.addresses.iter().map(|address| &*address.base)
    }

    /// Makes a call: one try, or two.
    pub(crate) async fn call(&self, call: &Outgoing) -> Result<Answer, CallError> {
        let started = self.started.elapsed();
        lock(&self.budget).earn();
        let passage = self.pick(call.patience, None)?;
        let first = passage.address;
        let elsewhere = self.addresses.len() > 1;
        // Half the time is left for the other address, should this one hang.
        let halved = elsewhere && call.repeatable && call.patience == Patience::Prompt;
        let limit = if halved { call.timeout / 2 } else { call.timeout };
        let failure = match passage.travel(call, limit).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let left = call.timeout.saturating_sub(self.started.elapsed().saturating_sub(started));
        if !elsewhere || (failure.arrived && !call.repeatable) || left.is_zero() {
            return Err(failure.error);
        }
        match self.pick(call.patience, Some(first)) {
            Ok(passage) if lock(&self.budget).spend(self.started.elapsed()) => {
                tracing::debug!(service = &*self.service, error = %failure.error, "a call is tried at another address");
                passage.travel(call, left).await.map_err(|failure| failure.error)
            }
            _ => Err(failure.error),
        }
    }

    /// The next address in turn that may be called, other than the one tried before.
    fn pick(&self, patience: Patience, but: Option<usize>) -> Result<Passage<'_>, CallError> {
        let now = self.started.elapsed();
        let (turn, count) = (self.turn.fetch_add(1, Ordering::Relaxed), self.addresses.len());
        let mut soonest = None;
        for address in (0..count).map(|step| turn.wrapping_add(step) % count).filter(|one| Some(*one) != but) {
            match self.breaker(address).admit(now, patience) {
                Admission::Granted(ticket) => {
                    return Ok(Passage { remote: self, address, ticket, outcome: Outcome::Abandoned });
                }
                Admission::Refused { retry_after } => {
                    soonest = Some(soonest.map_or(retry_after, |soonest: Duration| soonest.min(retry_after)));
                }
            }
        }
        let retry_after = soonest.unwrap_or_default();
        Err(CallError::LeftAlone { service: Arc::clone(&self.service), retry_after })
    }

    fn breaker(&self, address: usize) -> MutexGuard<'_, Breaker> {
        lock(&self.addresses[address].breaker)
    }
}

/// A call that was admitted to an address. Tells the breaker what became of it, even when it is dropped half-way.
struct Passage<'r> {
    remote: &'r Remote,
    address: usize,
    ticket: Ticket,
    outcome: Outcome,
}

impl Passage<'_> {
    async fn travel(mut self, call: &Outgoing, limit: Duration) -> Result<Answer, Failure> {
        let service = &self.remote.service;
        let travelled = tokio::time::timeout(limit, self.remote.exchange(self.address, call)).await;
        let travelled = travelled.unwrap_or_else(|_| {
            Err(Failure { error: CallError::TimedOut { service: Arc::clone(service) }, arrived: true })
        });
        self.outcome = match &travelled {
            Err(Failure { error: CallError::Unreachable { .. } | CallError::TimedOut { .. }, .. }) => Outcome::Failed,
            Err(Failure { error: CallError::Address(_) | CallError::Unwritable(_), .. }) => Outcome::Abandoned,
            Ok(_) | Err(_) => Outcome::Answered,
        };
        travelled
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        let now = self.remote.started.elapsed();
        let change = self.remote.breaker(self.address).note(now, self.ticket, self.outcome);
        let (service, address) = (&*self.remote.service, &*self.remote.addresses[self.address].base);
        match change {
            Some(Change::Opened) => tracing::warn!(service, address, "an address does not answer and is left alone"),
            Some(Change::Closed) => tracing::info!(service, address, "an address answers again"),
            None => {}
        }
    }
}

impl Remote {
    async fn exchange(&self, address: usize, call: &Outgoing) -> Result<Answer, Failure> {
        let before = |error| Failure { error, arrived: false };
        let request = self.request(address, call).map_err(before)?;
        let unreachable =
            |source: crate::client::BoxError| CallError::Unreachable { service: Arc::clone(&self.service), source };
        // The client itself takes another connection when a kept one was closed before anything was written: that sends
        // nothing twice.
        let response = self.client.request(request).await.map_err(|error: legacy::Error| {
            let arrived = !error.is_connect();
            Failure { error: unreachable(error.into()), arrived }
        })?;
        let answer = collect(&self.service, response.map(Body::new)).await;
        let answer = answer.map_err(|error| Failure { error, arrived: true })?;
        if self.signer.is_some() && answer.status == StatusCode::MISDIRECTED_REQUEST {
            let error = unreachable("another process answers at its address".into());
            return Err(Failure { error, arrived: false });
        }
        // Ours is the secret that is wrong, or the clock; whoever made us call has signed in all right.
        if self.signer.is_some() && answer.status == StatusCode::UNAUTHORIZED {
            let error = CallError::NotTrusted { service: Arc::clone(&self.service) };
            return Err(Failure { error, arrived: true });
        }
        Ok(answer)
    }

    fn request(&self, address: usize, call: &Outgoing) -> Result<Request<Full<Bytes>>, CallError> {
        let uri = format!("{}{}", self.addresses[address].base, call.path_and_query);
        let uri = uri.parse::<Uri>().map_err(|error| CallError::Address(error.into()))?;
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.headers_mut() = call.headers.clone();
        if let Some(signer) = &self.signer {
            request.headers_mut().insert(TRAMLINE_SIGNATURE, signer.sign(&call.method, &uri));
        }
        *request.uri_mut() = uri;
        Ok(request)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds these locks can leave them half-changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
