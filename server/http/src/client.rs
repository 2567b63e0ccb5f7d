//! A client of a service: its router called directly in one process, HTTP between several. Same calls, same answers.

use crate::answer::Answer;
use crate::problem::{ApiError, Chain};
use crate::trace::{TRACEPARENT, TraceParent};
use axum::Router;
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
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

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

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

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(problem) => Self::Refused(problem),
            CallError::Unreachable { .. } | CallError::TimedOut { .. } => {
                tracing::warn!(error = %Chain(&error), "a service does not answer");
                Problem::unavailable().into()
            }
            CallError::Address(_)
            | CallError::Unwritable(_)
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
    /// What goes before every path: nothing in one process, scheme and authority otherwise.
    base: Arc<str>,
    service: BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>,
}

impl ServiceClient {
    /// Calls a router of this process. `name` is for messages.
    #[must_use]
    pub fn in_process(name: &str, router: Router) -> Self {
        let router = ServiceExt::<Request<Body>>::map_err(router, |never: Infallible| match never {});
        Self { name: name.into(), base: "".into(), service: BoxCloneSyncService::new(router) }
    }

    /// Calls a server at `base_url`, such as `http://127.0.0.1:3000`; a path in it goes before every other. Must be made
    /// within a tokio runtime.
    ///
    /// # Errors
    /// [`CallError::Address`] when that is not an `http` address.
    pub fn remote(name: &str, base_url: &str) -> Result<Self, CallError> {
        let base = base_url.trim_end_matches('/');
        let uri = base.parse::<Uri>().map_err(|error| CallError::Address(error.into()))?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() {
            // The builder words the fault: a scheme without an authority, or neither.
            let fault = Uri::builder().scheme("http").path_and_query("/").build().err();
            return Err(CallError::Address(fault.expect("a scheme without an authority is refused")));
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
        let client = client.map_response(|response| response.map(Body::new)).map_err(BoxError::from);
        Ok(Self { name: name.into(), base: base.into(), service: BoxCloneSyncService::new(client) })
    }

    /// What the service is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A GET of a path with its query.
    pub fn get(&self, path_and_query: &str) -> Call {
        self.call(Method::GET, path_and_query, Body::empty())
    }

    /// A POST of a JSON body.
    pub fn post_json<T: Serialize + ?Sized>(&self, path: &str, body: &T) -> Call {
        match serde_json::to_vec(body) {
            Ok(bytes) => {
                let mut call = self.call(Method::POST, path, Body::from(bytes));
                call.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                call
            }
            Err(error) => {
                Call { request: Err(CallError::Unwritable(error)), ..self.call(Method::POST, path, Body::empty()) }
            }
        }
    }

    fn call(&self, method: Method, path_and_query: &str, body: Body) -> Call {
        let uri = if self.base.is_empty() {
            path_and_query.parse::<Uri>()
        } else {
            format!("{}{path_and_query}", self.base).parse::<Uri>()
        };
        let request = uri.map_err(|error| CallError::Address(error.into())).map(|uri| {
            let mut request = Request::new(body);
            *request.method_mut() = method;
            *request.uri_mut() = uri;
            request
        });
        Call { client: self.clone(), request, timeout: CALL_TIMEOUT }
    }
}

impl std::fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceClient").field("name", &self.name).field("base", &self.base).finish_non_exhaustive()
    }
}

/// A call that was prepared and not sent yet. It borrows nothing, so it can be sent from a task of its own.
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    client: ServiceClient,
    request: Result<Request<Body>, CallError>,
    timeout: Duration,
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
        self.timeout = timeout;
        self
    }

    /// Sends the call and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// When there is no answer, or none that could be read.
    pub async fn send(self) -> Result<Answer, CallError> {
        let Self { client: ServiceClient { name, mut service, .. }, request, timeout } = self;
        let request = request?;
        let unreachable = |source: BoxError| CallError::Unreachable { service: Arc::clone(&name), source };
        let exchange = async {
            let response = service.ready().await.map_err(unreachable)?.call(request).await.map_err(unreachable)?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() { CallError::TooLarge } else { unreachable(error) }
            })?;
            Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
        };
        let answer = tokio::time::timeout(timeout, exchange).await;
        answer.unwrap_or_else(|_| Err(CallError::TimedOut { service: Arc::clone(&name) }))
    }

    /// Sends the call and reads a successful answer as a `T`.
    ///
    /// # Errors
    /// As [`Call::send`] and [`Answer::granted`], or when the answer is not a `T`.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, CallError> {
        self.send().await?.granted()?.json()
    }

    fn header(&mut self, name: http::HeaderName, value: HeaderValue) {
        if let Ok(request) = &mut self.request {
            request.headers_mut().insert(name, value);
        }
    }
}
