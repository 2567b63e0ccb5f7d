//! Which requests may come in at all: those meant for this host, and changes asked for by our own pages or by programs.
//!
//! A page of another site can make a browser send us requests. `Host` tells when it did so by pointing its own name at
//! our address; `Origin` and `Sec-Fetch-Site`, which pages cannot forge, tell when it asked openly. Pure rules over headers.

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Method, Uri};
use std::net::IpAddr;
use tramline_contract::Problem;
use tramline_http::problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Which names the gateway answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostRule {
    /// Only names of this machine: the rule while nobody has to sign in.
    Loopback,
    /// Any name: who asks is told by the session instead.
    Any,
}

/// Judges a request by its head.
///
/// # Errors
/// The problem to answer with.
pub(crate) fn admit(rule: HostRule, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Box<Problem>> {
    let host_is_ours = match rule {
        HostRule::Any => true,
        HostRule::Loopback => host(headers).is_some_and(is_loopback) && uri.authority().is_none_or(names_loopback),
    };
    if !host_is_ours {
        return Err(Box::new(problem::host_not_allowed()));
    }
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let from_another_site =
        headers.get(SEC_FETCH_SITE).is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    if changes && (from_another_site || !same_origin(headers)) {
        return Err(Box::new(problem::cross_origin()));
    }
    Ok(())
}

/// Whether the request comes from a page of this very host, or from a program, which names no origin.
pub(crate) fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let origin = origin.to_str().unwrap_or_default();
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    matches!((authority, host(headers)), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host))
}

fn host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

fn is_loopback(host: &str) -> bool {
    host.parse::<Authority>().is_ok_and(|authority| names_loopback(&authority))
}

fn names_loopback(authority: &Authority) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(method: Method, headers: &[(&str, &str)]) -> Result<(), String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"));
        }
        admit(HostRule::Loopback, &method, &Uri::from_static("/api/orders"), &map).map_err(|problem| problem.code)
    }

    #[test]
    fn only_loopback_names_are_answered() {
        for host in
            ["localhost", "LocalHost:3000", "127.0.0.1:3000", "127.8.9.1", "[::1]:3000", "a.localhost:1", "localhost."]
        {
            assert_eq!(judged(Method::GET, &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.test",
            "localhost.evil.test",
            "notlocalhost",
            "10.0.0.1",
            "[::2]",
            "",
            "a@localhost",
            "127.0.0.1.evil.test",
        ] {
            assert_eq!(judged(Method::GET, &[("host", host)]), Err("host-not-allowed".to_owned()), "{host}");
        }
        assert!(judged(Method::GET, &[]).is_err());
        assert!(judged(Method::GET, &[("host", "localhost"), ("host", "evil.test")]).is_err());
    }

    #[test]
    fn the_host_in_an_absolute_address_counts_too() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, http::HeaderValue::from_static("localhost"));
        let uri = Uri::from_static("http://evil.test/api/orders");
        assert!(admit(HostRule::Loopback, &Method::GET, &uri, &headers).is_err());
        assert!(admit(HostRule::Any, &Method::GET, &uri, &headers).is_ok());
    }

    #[test]
    fn a_change_is_taken_from_our_own_pages_and_from_programs_only() {
        let host = ("host", "localhost:3000");
        let ours = ("origin", "http://localhost:3000");
        for headers in [&[host][..], &[host, ours], &[host, ours, ("sec-fetch-site", "same-origin")]] {
            assert_eq!(judged(Method::POST, headers), Ok(()), "{headers:?}");
        }
        for headers in [
            [host, ("origin", "http://evil.test")],
            [host, ("origin", "http://localhost:3001")],
            [host, ("origin", "null")],
            [host, ("sec-fetch-site", "cross-site")],
            [host, ("sec-fetch-site", "same-site")],
        ] {
            assert_eq!(judged(Method::POST, &headers), Err("cross-origin".to_owned()), "{headers:?}");
            assert_eq!(judged(Method::GET, &headers), Ok(()), "reading is guarded by the browser: {headers:?}");
        }
    }
}
