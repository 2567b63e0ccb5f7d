//! The pages: files built into the program, in the encoding that the browser likes best.
//!
//! An address that names no file is a client route, and the page that is always the same decides what to show. This must
//! not know any route of the pages.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rust_embed::RustEmbed;
use std::borrow::Cow;
use std::fmt::Write;
use tramline_contract::Problem;
use tramline_http::problem;

/// What `cargo xtask site` builds.
#[derive(RustEmbed)]
#[folder = "../../target/site"]
struct Site;

/// A file and the tag that changes when it does.
pub(crate) struct File {
    bytes: Cow<'static, [u8]>,
    tag: HeaderValue,
}

/// A file of the real site.
pub(crate) fn embedded(path: &str) -> Option<File> {
    let file = Site::get(path)?;
    // Half of the hash names a file surely enough.
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in &file.metadata.sha256_hash()[..16] {
        write!(tag, "{byte:02x}").expect("writing to a string cannot fail");
    }
    tag.push('"');
    Some(File { bytes: file.data, tag: HeaderValue::from_str(&tag).expect("hexadecimal digits are a header value") })
}

/// The encodings that the build writes beside a file, the smaller first.
const ENCODINGS: [(&str, &str); 2] = [("br", "br"), ("gzip", "gz")];

/// A build's files lie under a folder named by their content's hash, so they never change.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Everything else is asked for each time, which costs a 304 at most.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// Answers a request for a page or file.
pub(crate) fn answer(files: fn(&str) -> Option<File>, method: &Method, path: &str, headers: &HeaderMap) -> Response {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = problem::answer(&problem::method_not_allowed());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET,HEAD"));
        return response;
    }
    let name = path.trim_start_matches('/');
    if !name.is_empty()
        && let Some(file) = choose(files, name, headers)
    {
        return serve(name, file, headers);
    }
    if wants_a_page(name, headers)
        && let Some(file) = choose(files, "index.html", headers)
    {
        return serve("index.html", file, headers);
    }
    problem::answer(&Problem::not_found("page"))
}

/// Whether an address without a file may be a client route: never among the built files, and not when it looks like a file
/// of which nobody said that it should be a page.
fn wants_a_page(name: &str, headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).map_or("*/*", |value| value.to_str().unwrap_or_default());
    let looks_like_a_file = name.rsplit('/').next().is_some_and(|last| last.contains('.'));
    let in_build = name == "pkg" || name.starts_with("pkg/");
    !in_build && (accept.contains("text/html") || (accept.contains("*/*") && !looks_like_a_file))
}

/// A file and how it is encoded.
struct Chosen {
    file: File,
    encoding: Option<&'static str>,
}

fn choose(files: fn(&str) -> Option<File>, name: &str, headers: &HeaderMap) -> Option<Chosen> {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    for (encoding, extension) in ENCODINGS {
        if accepts(accepted, encoding)
            && let Some(file) = files(&format!("{name}.{extension}"))
        {
            return Some(Chosen { file, encoding: Some(encoding) });
        }
    }
    files(name).map(|file| Chosen { file, encoding: None })
}

/// Whether a list such as `gzip, br;q=0.5` takes an encoding; a weight of zero refuses it.
fn accepts(list: &str, encoding: &str) -> bool {
    list.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused = parts.any(|part| {
            part.strip_prefix("q=").is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0))
        });
        named && !refused
    })
}

fn serve(name: &str, Chosen { file, encoding }: Chosen, headers: &HeaderMap) -> Response {
    let known = headers.get(IF_NONE_MATCH).is_some_and(|tags| matches_tag(tags, &file.tag));
    let body = match file.bytes {
        _ if known => Body::empty(),
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    let mut response = Response::new(body);
    let mut set = |name: HeaderName, value: HeaderValue| response.headers_mut().insert(name, value);
    set(ETAG, file.tag);
    set(VARY, HeaderValue::from_static("accept-encoding"));
    set(CACHE_CONTROL, if is_hashed(name) { IMMUTABLE } else { REVALIDATE });
    set(CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    if let Some(encoding) = encoding {
        set(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    response
}

fn matches_tag(tags: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(tags), Ok(tag)) = (tags.to_str(), tag.to_str()) else { return false };
    tags.split(',').map(|given| given.trim().trim_start_matches("W/")).any(|given| given == tag || given == "*")
}

/// `pkg/<hash>/<file>`.
fn is_hashed(name: &str) -> bool {
    name.strip_prefix("pkg/").is_some_and(|rest| rest.contains('/'))
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stub(path: &str) -> Option<File> {
        let bytes: &'static str = match path {
            "index.html" => "page",
            "pkg/abc/app.wasm" => "wasm",
            "pkg/abc/app.wasm.br" => "wasm in br",
            "pkg/abc/app.wasm.gz" => "wasm in gz",
            "pkg/abc/app.js" => "script",
            "favicon.svg" => "icon",
            _ => return None,
        };
        let tag = HeaderValue::from_str(&format!("\"{}\"", bytes.replace(' ', "-"))).expect("a tag");
        Some(File { bytes: Cow::Borrowed(bytes.as_bytes()), tag })
    }

    async fn got(path: &str, headers: &[(HeaderName, &'static str)]) -> (u16, String, HeaderMap) {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        let response = answer(stub, &Method::GET, path, &headers);
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 10_000).await.expect("the body is whole");
        (parts.status.as_u16(), String::from_utf8_lossy(&body).into_owned(), parts.headers)
    }

    #[tokio::test]
    async fn a_client_route_is_the_page_and_a_missing_file_is_missing() {
        let html = (ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8");
        let image = (ACCEPT, "image/avif,*/*;q=0.8");
        for (path, accept, status) in [
            ("/", Some(&html), 200),
            ("/", None, 200),
            ("/orders/018f", Some(&html), 200),
            ("/customers", Some(&(ACCEPT, "*/*")), 200),
            ("/customers/a.b", Some(&html), 200),
            ("/missing.png", Some(&image), 404),
            ("/customers", Some(&(ACCEPT, "application/json")), 404),
            ("/pkg/abc/missing.js", Some(&html), 404),
            ("/pkg", Some(&html), 404),
        ] {
            let (got_status, body, headers) = got(path, accept.map(std::slice::from_ref).unwrap_or_default()).await;
            assert_eq!(got_status, status, "{path} {accept:?}");
            if status == 200 {
                assert_eq!((body.as_str(), &headers[CACHE_CONTROL]), ("page", &REVALIDATE), "{path}");
                assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
            } else {
                assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
            }
        }
    }

    #[tokio::test]
    async fn a_file_comes_in_the_best_encoding_that_the_browser_takes() {
        for (accepted, body, encoding) in [
            ("gzip, deflate, br", "wasm in br", Some("br")),
            ("gzip, br;q=0", "wasm in gz", Some("gzip")),
            ("identity", "wasm", None),
        ] {
            let (_, got_body, headers) = got("/pkg/abc/app.wasm", &[(ACCEPT_ENCODING, accepted)]).await;
            assert_eq!(got_body, body, "{accepted}");
            assert_eq!(headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes), encoding.map(str::as_bytes));
            assert_eq!(
                (&headers[CONTENT_TYPE], &headers[VARY]),
                (&"application/wasm".parse().expect("a type"), &"accept-encoding".parse().expect("a name"))
            );
            assert_eq!(headers[CACHE_CONTROL], IMMUTABLE);
        }
        let (_, body, headers) = got("/pkg/abc/app.js", &[(ACCEPT_ENCODING, "br")]).await;
        assert_eq!((body.as_str(), headers.contains_key(CONTENT_ENCODING)), ("script", false));
        assert_eq!(headers[CONTENT_TYPE], "text/javascript; charset=utf-8");
    }

    #[tokio::test]
    async fn what_the_browser_has_already_is_not_sent_again() {
        for (tags, status) in [("\"icon\"", 304), ("W/\"icon\", \"x\"", 304), ("*", 304), ("\"old\"", 200)] {
            let (got_status, body, headers) = got("/favicon.svg", &[(IF_NONE_MATCH, tags)]).await;
            assert_eq!((got_status, body.is_empty()), (status, status == 304), "{tags}");
            assert_eq!(headers[ETAG], "\"icon\"");
        }
    }

    #[test]
    fn the_site_has_a_first_page_even_before_it_was_built() {
        assert!(embedded("index.html").is_some_and(|file| !file.bytes.is_empty() && file.tag.len() == 34));
    }

    #[test]
    fn a_page_cannot_be_posted_to() {
        let response = answer(stub, &Method::POST, "/orders", &HeaderMap::new());
        assert_eq!(
            (response.status(), &response.headers()[ALLOW]),
            (StatusCode::METHOD_NOT_ALLOWED, &"GET,HEAD".parse().expect("methods"))
        );
    }
}
