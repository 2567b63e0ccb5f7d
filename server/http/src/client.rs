//! A client of a service: its router called directly in one process, HTTP between several. Same calls, same answers.

use crate::answer::Answer;
use crate::breaker::{BreakerRules, Patience};
use crate::problem::{self, ApiError, Chain};
use crate::remote::{MAX_ADDRESSES, Remote};
use crate::signature::Signer;
use crate::trace::{TRACEPARENT, TraceParent};
use axum::Router;
use axum::body::{Body, Bytes};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Serialize, de::DeserializeOwned};
use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};
use tramline_contract::Problem;

/// The largest answer that is read: a full page of a hundred documents has some 60 KB.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// How long a call may take unless it says otherwise; longer than any service takes over one.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Whatever went wrong below HTTP.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a call brought no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The address cannot be one.
    #[error("the address cannot be used")]
    Address(#[source] http::Error),
    /// The request cannot be written as JSON.
    #[error("the request cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// Nobody answers there, or the connection broke.
    #[error("{service} cannot be reached")]
    Unreachable {
        /// Who was called.
        service: Arc<str>,
        /// What happened.
        #[source]
        source: BoxError,
    },
    /// No whole answer in time. Whether the request was carried out is unknown.
    #[error("{service} did not answer in time")]
    TimedOut {
        /// Who was called.
        service: Arc<str>,
    },
    /// Every address has failed so often that it is left alone for a while; nothing was sent.
    #[error("{service} does not answer and is left alone for {} ms", .retry_after.as_millis())]
    LeftAlone {
        /// Who was to be called.
        service: Arc<str>,
        /// When another try has a chance.
        retry_after: Duration,
    },
    /// The service does not take our signature: another secret, or clocks that differ.
    #[error("{service} does not trust our signature; do both have the same secret and the same time?")]
    NotTrusted {
        /// Who was called.
        service: Arc<str>,
    },
    /// The answer is larger than any we read.
    #[error("the answer is too large")]
    TooLarge,
    /// The answer is not what it should be.
    #[error("the answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// The service refused and said why.
    #[error("refused: {}", .0.detail)]
    Refused(Box<Problem>),
    /// The service failed without a problem that says why.
    #[error("the service answered {0} without saying why")]
    Unexplained(StatusCode),
}

impl CallError {
    /// Whether the same call may succeed later: the service was not there, or not in time.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::LeftAlone { .. } => true,
            Self::Address(_)
            | Self::Unwritable(_)
            | Self::NotTrusted { .. }
            | Self::TooLarge
            | Self::Unreadable(_)
            | Self::Refused(_)
            | Self::Unexplained(_) => false,
        }
    }
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(problem) => Self::Refused(problem),
            CallError::Unreachable { .. } | CallError::TimedOut { .. } => {
                tracing::warn!(error = %Chain(&error), "a service does not answer");
                Problem::unavailable().into()
            }
            // Said once in the log, when the address was left alone.
            CallError::LeftAlone { service, retry_after } => {
                Self::Later { problem: Box::new(problem::service_unavailable(&[&service])), retry_after }
            }
            CallError::Address(_)
            | CallError::Unwritable(_)
            | CallError::NotTrusted { .. }
            | CallError::TooLarge
            | CallError::Unreadable(_)
            | CallError::Unexplained(_) => Self::internal(error),
        }
    }
}

/// A service as its callers see it. Cheap to clone.
#[derive(Clone)]
pub struct ServiceClient {
    name: Arc<str>,
    transport: Transport,
}

#[derive(Clone)]
enum Transport {
    InProcess(BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>),
    Remote(Arc<Remote>),
}

impl ServiceClient {
    /// Calls a router of this process. `name` is for messages.
    #[must_use]
    pub fn in_process(name: &str, router: Router) -> Self {
        let router = ServiceExt::<Request<Body>>::map_err(router, |never: Infallible| match never {});
        Self { name: name.into(), transport: Transport::InProcess(BoxCloneSyncService::new(router)) }
    }

    /// Calls whoever listens at `addresses`, such as `http://127.0.0.1:3000`: one, or several instances of the same service
    /// with commas between them. They are called in turn; see [`ServiceClient::internal`] for what happens when one does not
    /// answer. A path in an address goes before every other. Must be made within a tokio runtime.
    ///
    /// # Errors
    /// [`CallError::Address`] when there is none, more than 64, or one that is no `http` address.
    pub fn remote(name: &str, addresses: &str) -> Result<Self, CallError> {
        Self::calling(name, addresses, "", BreakerRules::default(), None)
    }

    /// Calls instances of a service of ours as [`crate::internal()`] serves them: below `/internal/{service}`, each call
    /// signed. `addresses` are those of the processes, as for [`ServiceClient::remote`].
    ///
    /// An address that fails five times in a row is left alone for two seconds; then one call may try it (*circuit
    /// breaker*). A call that failed is tried once more at another address, if it may be repeated or surely never arrived,
    /// and about one call in ten may. When every address is left alone, calls fail at once.
    ///
    /// # Errors
    /// As [`ServiceClient::remote`].
    pub fn internal(service: &str, addresses: &str, signer: Signer) -> Result<Self, CallError> {
        Self::calling(service, addresses, &format!("/internal/{service}"), BreakerRules::default(), Some(signer))
    }

    /// As [`ServiceClient::remote`], with other rules for leaving an address alone.
    ///
    /// # Errors
    /// As [`ServiceClient::remote`].
    pub fn remote_with(name: &str, addresses: &str, rules: BreakerRules) -> Result<Self, CallError> {
        Self::calling(name, addresses, "", rules, None)
    }

    fn calling(
        name: &str,
        addresses: &str,
        path: &str,
        rules: BreakerRules,
        signer: Option<Signer>,
    ) -> Result<Self, CallError> {
        let addresses = parse_addresses(addresses)?.into_iter().map(|base| format!("{base}{path}")).collect();
        let remote = Remote::new(name, addresses, rules, signer);
        Ok(Self { name: name.into(), transport: Transport::Remote(Arc::new(remote)) })
    }

    /// What the service is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A GET of a path with its query. It changes nothing, so it may be repeated.
    pub fn get(&self, path_and_query: &str) -> Call {
        self.call(Method::GET, path_and_query, Bytes::new()).repeatable()
    }

    /// A POST of a JSON body. It is sent once, unless it is [`Call::repeatable`].
    pub fn post_json<T: Serialize + ?Sized>(&self, path: &str, body: &T) -> Call {
        match serde_json::to_vec(body) {
            Ok(bytes) => {
                let mut call = self.call(Method::POST, path, bytes.into());
                call.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                call
            }
            Err(error) => {
                Call { fault: Some(CallError::Unwritable(error)), ..self.call(Method::POST, path, Bytes::new()) }
            }
        }
    }

    fn call(&self, method: Method, path_and_query: &str, body: Bytes) -> Call {
        let outgoing = Outgoing {
            method,
            path_and_query: path_and_query.to_owned(),
            headers: HeaderMap::new(),
            body,
            timeout: CALL_TIMEOUT,
            patience: Patience::Prompt,
            repeatable: false,
        };
        Call { client: self.clone(), fault: None, outgoing }
    }
}

/// The addresses of a list with commas, without the slash at their ends.
fn parse_addresses(text: &str) -> Result<Vec<&str>, CallError> {
    let addresses: Vec<_> = text.split(',').map(str::trim).filter(|address| !address.is_empty()).collect();
    if addresses.is_empty() || addresses.len() > MAX_ADDRESSES {
        return Err(no_address());
    }
    addresses.into_iter().map(parse_address).collect()
}

fn parse_address(text: &str) -> Result<&str, CallError> {
    let base = text.trim_end_matches('/');
    let uri = base.parse::<Uri>().map_err(|error| CallError::Address(error.into()))?;
    let usable = uri.scheme_str() == Some("http") && uri.authority().is_some() && uri.query().is_none();
    if usable { Ok(base) } else { Err(no_address()) }
}

fn no_address() -> CallError {
    // The builder words the fault: a scheme without an authority, or neither.
    let fault = Uri::builder().scheme("http").path_and_query("/").build().err();
    CallError::Address(fault.expect("a scheme without an authority is refused"))
}

impl std::fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let addresses: Vec<_> = match &self.transport {
            Transport::InProcess(_) => Vec::new(),
            Transport::Remote(remote) => remote.bases().collect(),
        };
        f.debug_struct("ServiceClient").field("name", &self.name).field("addresses", &addresses).finish_non_exhaustive()
    }
}

/// What a call sends, as often as it is sent.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) path_and_query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// For the whole call, however often it is sent.
    pub(crate) timeout: Duration,
    pub(crate) patience: Patience,
    pub(crate) repeatable: bool,
}

/// A call that was prepared and not sent yet. It borrows nothing, so it can be sent from a task of its own.
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    client: ServiceClient,
    fault: Option<CallError>,
    outgoing: Outgoing,
}

impl Call {
    /// Carries the trace of the request that made us call.
    pub fn traced(mut self, trace: Option<TraceParent>) -> Self {
        if let Some(trace) = trace {
            self.header(TRACEPARENT, trace.header());
        }
        self
    }

    /// Gives the call this long instead of ten seconds.
    pub fn within(mut self, timeout: Duration) -> Self {
        self.outgoing.timeout = timeout;
        self
    }

    /// Says that the service itself may wait so long for something to tell. The call takes that much longer, and an empty
    /// answer in the end is as good as any.
    pub fn long_poll(mut self, wait: Duration) -> Self {
        self.outgoing.timeout = self.outgoing.timeout.saturating_add(wait);
        self.outgoing.patience = Patience::LongPoll;
        self
    }

    /// Says that the call may be sent again after a failure: it changes nothing, or the id in it is its idempotency key.
    pub fn repeatable(mut self) -> Self {
        self.outgoing.repeatable = true;
        self
    }

    /// Sends the call and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// When there is no answer, or none that could be read.
    pub async fn send(self) -> Result<Answer, CallError> {
        let Self { client: ServiceClient { name, transport }, fault, outgoing } = self;
        if let Some(fault) = fault {
            return Err(fault);
        }
        match transport {
            Transport::Remote(remote) => remote.call(&outgoing).await,
            Transport::InProcess(mut router) => {
                let unreachable = |source: BoxError| CallError::Unreachable { service: Arc::clone(&name), source };
                let timeout = outgoing.timeout;
                let request = in_process(outgoing)?;
                let exchange = async {
                    let response = router.ready().await.map_err(unreachable)?.call(request).await;
                    collect(&name, response.map_err(unreachable)?).await
                };
                let answer = tokio::time::timeout(timeout, exchange).await;
                answer.unwrap_or_else(|_| Err(CallError::TimedOut { service: Arc::clone(&name) }))
            }
        }
    }

    /// Sends the call and reads a successful answer as a `T`.
    ///
    /// # Errors
    /// As [`Call::send`] and [`Answer::granted`], or when the answer is not a `T`.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, CallError> {
        self.send().await?.granted()?.json()
    }

    fn header(&mut self, name: HeaderName, value: HeaderValue) {
        self.outgoing.headers.insert(name, value);
    }
}

fn in_process(outgoing: Outgoing) -> Result<Request<Body>, CallError> {
    let uri = outgoing.path_and_query.parse::<Uri>().map_err(|error| CallError::Address(error.into()))?;
    let mut request = Request::new(Body::from(outgoing.body));
    *request.method_mut() = outgoing.method;
    *request.uri_mut() = uri;
    *request.headers_mut() = outgoing.headers;
    Ok(request)
}

/// Reads a whole answer within its bound.
pub(crate) async fn collect(service: &Arc<str>, response: Response<Body>) -> Result<Answer, CallError> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|source| {
        if source.is::<LengthLimitError>() {
            CallError::TooLarge
        } else {
            CallError::Unreachable { service: Arc::clone(service), source }
        }
    })?;
    Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
}
