//! Who calls a service over the network: a secret that all processes share, and a signature on every call.
//!
//! ```text
//! tramline-signature: v1 gateway 1764000000 6b86b273…
//!                     │  │       │          └ HMAC-SHA256 (RFC 2104), in hexadecimal
//!                     │  caller  seconds since 1970
//!                     version
//! ```
//!
//! Signed are the version, the caller, the time, the method, and the path with its query. The body is not: whoever can
//! change it on its way can read it too, and against that only an encrypted network helps. A signed call can be sent again
//! within its minute; every command bears that, for its id is its idempotency key.

use crate::problem;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use sha2::Sha256;
use std::fmt::{self, Write};
use std::str::FromStr;
use std::sync::Arc;

/// The header that carries a signature.
pub const TRAMLINE_SIGNATURE: HeaderName = HeaderName::from_static("tramline-signature");

/// How far the clocks of caller and service may differ, the journey included, in seconds either way.
pub const MAX_AGE_SECONDS: i64 = 60;

const VERSION: &str = "v1";
const MAC_BYTES: usize = 32;
const MAX_CALLER_CHARS: usize = 40;

/// Tells the wall-clock time in whole seconds since 1970.
pub type WallClock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The secret that all processes of one installation share.
#[derive(Clone)]
pub struct InternalSecret(Arc<Hmac<Sha256>>);

/// A text that is too short to be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret between services must have at least {} characters", InternalSecret::MIN_CHARS)]
pub struct WeakSecret;

impl InternalSecret {
    /// The fewest characters of a secret. Thirty-two random hexadecimal digits hold 128 bits.
    pub const MIN_CHARS: usize = 32;

    fn mac(&self, caller: &str, time: i64, method: &Method, uri: &Uri) -> Hmac<Sha256> {
        // No part can hold a line break, so no two different calls are the same text.
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut mac = Hmac::clone(&self.0);
        mac.update(format!("{VERSION}\n{caller}\n{time}\n{method}\n{path}").as_bytes());
        mac
    }
}

impl FromStr for InternalSecret {
    type Err = WeakSecret;

    /// Takes the text without the white space around it.
    fn from_str(text: &str) -> Result<Self, WeakSecret> {
        let text = text.trim();
        if text.chars().count() < Self::MIN_CHARS {
            return Err(WeakSecret);
        }
        let keyed = Hmac::new_from_slice(text.as_bytes()).map_err(|_| WeakSecret)?;
        Ok(Self(Arc::new(keyed)))
    }
}

/// Never the secret itself.
impl fmt::Debug for InternalSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InternalSecret(..)")
    }
}

/// Who called, found among the extensions of a request whose signature was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(Arc<str>);

impl Caller {
    /// A caller's name: 1 to 40 lower-case letters, digits and dashes.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let known = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let fits = !name.is_empty() && name.len() <= MAX_CALLER_CHARS && name.bytes().all(known);
        fits.then(|| Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// Signs the calls of one caller. Cheap to clone.
#[derive(Clone)]
pub struct Signer {
    caller: Caller,
    secret: InternalSecret,
    clock: WallClock,
}

impl Signer {
    /// Signs as `caller`.
    #[must_use]
    pub const fn new(caller: Caller, secret: InternalSecret, clock: WallClock) -> Self {
        Self { caller, secret, clock }
    }

    /// The header's value for a call.
    pub(crate) fn sign(&self, method: &Method, uri: &Uri) -> HeaderValue {
        let time = (self.clock)();
        let mac = self.secret.mac(self.caller.name(), time, method, uri).finalize().into_bytes();
        let mut text = format!("{VERSION} {} {time} ", self.caller.name());
        for byte in mac {
            write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        }
        HeaderValue::from_str(&text).expect("a caller's name, digits and spaces are a header value")
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// Lets only signed calls through to the router, and puts the [`Caller`] among their extensions. All others are answered
/// 401 `not-signed-in`, whatever was wrong with them.
///
/// Wrap a router that was nested already: what is signed is the whole path as it came over the wire.
pub fn authenticated(secret: InternalSecret, clock: WallClock, router: Router) -> Router {
    router.layer(from_fn_with_state(Gate { secret, clock }, pass))
}

#[derive(Clone)]
struct Gate {
    secret: InternalSecret,
    clock: WallClock,
}

async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    match judge(&gate.secret, (gate.clock)(), request.method(), request.uri(), request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(fault) => {
            tracing::warn!(fault = %fault, "a call without a good signature was refused");
            problem::answer(&problem::not_signed_in()).into_response()
        }
    }
}

/// What is wrong with a signature. For the log alone: a caller is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("there is none")]
    Missing,
    #[error("it does not read")]
    Malformed,
    #[error("its time is too far from ours")]
    Outdated,
    #[error("it is not right")]
    Wrong,
}

fn judge(secret: &InternalSecret, now: i64, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Caller, Fault> {
    let mut given = headers.get_all(&TRAMLINE_SIGNATURE).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return Err(Fault::Missing) };
    let (caller, time, mac) = value.to_str().ok().and_then(read).ok_or(Fault::Malformed)?;
    if now.abs_diff(time) > MAX_AGE_SECONDS.unsigned_abs() {
        return Err(Fault::Outdated);
    }
    // Compares in constant time.
    secret.mac(caller.name(), time, method, uri).verify_slice(&mac).map_err(|_| Fault::Wrong)?;
    Ok(caller)
}

fn read(text: &str) -> Option<(Caller, i64, [u8; MAC_BYTES])> {
    let mut parts = text.split(' ');
    let (version, caller, time, mac) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version != VERSION || parts.next().is_some() || mac.len() != 2 * MAC_BYTES {
        return None;
    }
    let mut bytes = [0; MAC_BYTES];
    for (byte, digits) in bytes.iter_mut().zip(mac.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some((Caller::parse(caller)?, time.parse().ok()?, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: i64 = 1_764_000_000;

    fn secret(text: &str) -> InternalSecret {
        text.parse().expect("it is long enough")
    }

    fn signed(by: &InternalSecret, method: &Method, path: &'static str) -> HeaderMap {
        let caller = Caller::parse("gateway").expect("it is a name");
        let signer = Signer::new(caller, by.clone(), Arc::new(|| NOW));
        HeaderMap::from_iter([(TRAMLINE_SIGNATURE, signer.sign(method, &Uri::from_static(path)))])
    }

    fn judged(now: i64, method: &Method, path: &'static str, headers: &HeaderMap) -> Result<String, Fault> {
        let caller = judge(&secret(SECRET), now, method, &Uri::from_static(path), headers);
        caller.map(|caller| caller.name().to_owned())
    }

    #[test]
    fn a_right_signature_names_its_caller_for_a_minute_either_way() {
        let headers = signed(&secret(SECRET), &Method::GET, "/internal/orders/sagas?limit=2");
        for (now, good) in [(NOW, true), (NOW + 60, true), (NOW - 60, true), (NOW + 61, false), (NOW - 61, false)] {
            let expected = if good { Ok("gateway".to_owned()) } else { Err(Fault::Outdated) };
            assert_eq!(judged(now, &Method::GET, "/internal/orders/sagas?limit=2", &headers), expected, "{now}");
        }
    }

    #[test]
    fn whatever_is_changed_makes_it_wrong() {
        let path = "/internal/orders/sagas?limit=2";
        let headers = signed(&secret(SECRET), &Method::GET, path);
        for (method, other) in [
            (Method::POST, path),
            (Method::GET, "/internal/orders/sagas?limit=3"),
            (Method::GET, "/internal/orders/sagas"),
            (Method::GET, "/internal/customers/sagas?limit=2"),
        ] {
            assert_eq!(judged(NOW, &method, other, &headers), Err(Fault::Wrong), "{method} {other}");
        }
        let good = headers[&TRAMLINE_SIGNATURE].to_str().expect("it is text").to_owned();
        for changed in [good.replace("gateway", "operator"), good.replace("1764000000", "1764000001")] {
            let headers = HeaderMap::from_iter([(TRAMLINE_SIGNATURE, changed.parse().expect("a header value"))]);
            assert_eq!(judged(NOW, &Method::GET, path, &headers), Err(Fault::Wrong), "{changed}");
        }
        let by_another = signed(&secret("another secret of thirty-two chars"), &Method::GET, path);
        assert_eq!(judged(NOW, &Method::GET, path, &by_another), Err(Fault::Wrong));
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let (path, good) = ("/x", signed(&secret(SECRET), &Method::GET, "/x"));
        assert_eq!(judged(NOW, &Method::GET, path, &HeaderMap::new()), Err(Fault::Missing));
        let mut twice = good.clone();
        twice.append(TRAMLINE_SIGNATURE, good[&TRAMLINE_SIGNATURE].clone());
        assert_eq!(judged(NOW, &Method::GET, path, &twice), Err(Fault::Missing));
        let mac = "0".repeat(64);
        for text in [
            String::new(),
            "v1".to_owned(),
            format!("v2 gateway {NOW} {mac}"),
            format!("v1 Gateway {NOW} {mac}"),
            format!("v1 gateway x {mac}"),
            format!("v1 gateway {NOW} {mac}0"),
            format!("v1 gateway {NOW} {}+1", &mac[2..]),
            format!("v1 gateway {NOW} {mac} more"),
            format!("v1 {} {NOW} {mac}", "x".repeat(41)),
        ] {
            let headers = HeaderMap::from_iter([(TRAMLINE_SIGNATURE, text.parse().expect("a header value"))]);
            assert_eq!(judged(NOW, &Method::GET, path, &headers), Err(Fault::Malformed), "{text}");
        }
    }

    #[test]
    fn a_secret_is_long_and_never_shown() {
        assert_eq!("x".repeat(31).parse::<InternalSecret>().err(), Some(WeakSecret));
        assert_eq!(format!("{}  \n", "x".repeat(31)).parse::<InternalSecret>().err(), Some(WeakSecret));
        let signer = Signer::new(Caller::parse("a").expect("a name"), secret(SECRET), Arc::new(|| NOW));
        let shown = format!("{:?} {signer:?}", secret(SECRET));
        assert!(!shown.contains("0123"), "{shown}");
    }
}
