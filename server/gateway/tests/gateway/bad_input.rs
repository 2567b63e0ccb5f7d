//! Every kind of bad input over the wire: the right refusal, nothing carried out, no inner words, and the gateway lives on.

use crate::support::{Reply, TestGateway};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const ID: &str = "018f0000-0000-7000-8000-000000000001";

/// Sends bodies to both commands' addresses and checks that each is refused as said.
async fn refused(cases: &[(&str, &[u8], &str)]) {
    let gateway = TestGateway::start().await;
    for (headers, body, expected) in cases {
        for path in ["/api/orders", "/api/customers"] {
            let reply = gateway.send(&format!("POST {path} HTTP/1.1\n{headers}"), body).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]);
            assert_eq!(reply.refusal(), *expected, "{path} {headers:?} {shown}");
            let words = String::from_utf8_lossy(&reply.body).to_lowercase();
            for inner in ["serde", "panick", "rust", ".rs", "expected value", "eof"] {
                assert!(!words.contains(inner), "{inner} in {words}");
            }
        }
    }
    assert!(gateway.stub.done.lock().expect("no test panics in there").is_empty(), "nothing was carried out");
    let good = gateway.post("/api/orders", &json!({"customerId": ID, "total": "1.00"})).await;
    assert_eq!(good.status, 201, "the gateway lives on");
}

const JSON: &str = "Content-Type: application/json";

#[tokio::test]
async fn a_body_that_is_not_json() {
    let deep = "[".repeat(50_000);
    let deep_object = "{\"a\":".repeat(10_000);
    refused(&[
        (JSON, b"", "400 malformed-json"),
        (JSON, b"{", "400 malformed-json"),
        (JSON, b"{\"customerId\":", "400 malformed-json"),
        (JSON, b"{\"total\":\"1.00\"}}", "400 malformed-json"),
        (JSON, b"{'total':1}", "400 malformed-json"),
        (JSON, b"{\"total\":01}", "400 malformed-json"),
        (JSON, b"{\"total\":NaN}", "400 malformed-json"),
        (JSON, b"\0", "400 malformed-json"),
        (JSON, b"{\"name\":\"a\0b\"}", "400 malformed-json"),
        (JSON, b"{\"name\":\"\xff\xfe\"}", "400 malformed-json"),
        (JSON, b"{\"name\":\"\\ud800\"}", "400 malformed-json"),
        (JSON, deep.as_bytes(), "400 malformed-json"),
        (JSON, deep_object.as_bytes(), "400 malformed-json"),
        ("Content-Type: application/json\nTransfer-Encoding: chunked", b"zz\r\n", "400 malformed-json"),
        ("Content-Type: application/json\nTransfer-Encoding: chunked", b"1\r\n{\r\n0\r\n\r\n", "400 malformed-json"),
    ])
    .await;
}

#[tokio::test]
async fn json_that_says_nothing_we_take() {
    let huge = format!("{{\"total\":{}}}", "9".repeat(5_000));
    let many = format!("{{{}}}", (0..5_000).map(|n| format!("\"f{n}\":1")).collect::<Vec<_>>().join(","));
    let long_name = format!("{{\"{}\":1}}", "n".repeat(60_000));
    refused(&[
        (JSON, b"null", "422 invalid-request"),
        (JSON, b"[]", "422 invalid-request"),
        (JSON, b"\"text\"", "422 invalid-request"),
        (JSON, b"{}", "422 invalid-request"),
        (JSON, b"{\"total\":1e999}", "422 invalid-request"),
        (JSON, huge.as_bytes(), "422 invalid-request"),
        (JSON, many.as_bytes(), "422 invalid-request"),
        (JSON, long_name.as_bytes(), "422 invalid-request"),
    ])
    .await;
}

#[tokio::test]
async fn another_content_type() {
    refused(&[
        ("X-None: 1", b"{}", "415 unsupported-media-type"),
        ("Content-Type: text/plain", b"{}", "415 unsupported-media-type"),
        ("Content-Type: application/x-www-form-urlencoded", b"a=1", "415 unsupported-media-type"),
        ("Content-Type: multipart/form-data; boundary=x", b"--x--", "415 unsupported-media-type"),
        ("Content-Type: ", b"{}", "415 unsupported-media-type"),
    ])
    .await;
}

#[tokio::test]
async fn a_body_that_is_too_large() {
    let body = |bytes: usize| format!("{{\"name\":\"{}\"}}", "x".repeat(bytes - 11)).into_bytes();
    let chunked = format!("{:x}\r\n{}\r\n0\r\n\r\n", 70_000, "x".repeat(70_000));
    refused(&[
        (JSON, &body(65_536), "422 invalid-request"),
        (JSON, &body(65_537), "413 body-too-large"),
        (JSON, &body(1_000_000), "413 body-too-large"),
        ("Content-Type: application/json\nTransfer-Encoding: chunked", chunked.as_bytes(), "413 body-too-large"),
        // Who asks first is told before it has sent anything.
        ("Content-Type: application/json\nExpect: 100-continue\nContent-Length: 70000", b"", "413 body-too-large"),
    ])
    .await;
}

#[tokio::test]
async fn a_body_of_megabytes_can_be_sent_to_its_end_to_hear_that_it_is_too_large() {
    let gateway = TestGateway::start().await;
    let mut stream = TcpStream::connect(gateway.address).await.expect("the gateway listens");
    let head = format!(
        "POST /api/orders HTTP/1.1\r\nHost: {}\r\n{JSON}\r\nContent-Length: 4000000\r\nConnection: close\r\n\r\n",
        gateway.address
    );
    stream.write_all(head.as_bytes()).await.expect("the connection is open");
    for _ in 0..40 {
        stream.write_all(&[b'x'; 100_000]).await.expect("the connection stays open");
    }
    assert_eq!(Reply::read(stream).await.refusal(), "413 body-too-large");
}

#[tokio::test]
async fn fields_with_bad_values_are_all_named() {
    let gateway = TestGateway::start().await;
    for (path, body, fields) in [
        ("/api/orders", json!({}), vec!["customerId", "total"]),
        (
            "/api/orders",
            json!({"customerId": "me", "total": "0.00", "id": 7, "x": 1}),
            vec!["id", "customerId", "total", "x"],
        ),
        ("/api/orders", json!({"customerId": ID, "total": "-1.00"}), vec!["total"]),
        ("/api/orders", json!({"customerId": ID, "total": "1.005"}), vec!["total"]),
        ("/api/orders", json!({"customerId": ID, "total": 10_000_000_000_u64}), vec!["total"]),
        ("/api/orders", json!({"customerId": ID, "total": true}), vec!["total"]),
        ("/api/orders", json!({"customerId": null, "total": "1.00"}), vec!["customerId"]),
        ("/api/orders", json!({"customerId": ID, "total": "1.00", "coordination": "choir"}), vec!["coordination"]),
        ("/api/customers", json!({"name": " ", "creditLimit": "x"}), vec!["name", "creditLimit"]),
        ("/api/customers", json!({"name": "a\u{0}b", "creditLimit": 1}), vec!["name"]),
        ("/api/customers", json!({"name": "x".repeat(201), "creditLimit": 1}), vec!["name"]),
    ] {
        let reply = gateway.post(path, &body).await;
        assert_eq!(reply.refusal(), "422 invalid-request", "{body}");
        let errors = reply.json()["errors"].as_array().cloned().unwrap_or_default();
        let named: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap_or_default()).collect();
        assert_eq!(named, fields, "{body}");
    }
    assert!(gateway.stub.done.lock().expect("no test panics in there").is_empty());
}

#[tokio::test]
async fn a_query_that_cannot_be_meant() {
    let gateway = TestGateway::start().await;
    let one = format!("/api/customers/{ID}");
    for (path, field) in [
        ("/api/customers?limit=0", "limit"),
        ("/api/customers?limit=101", "limit"),
        ("/api/customers?limit=-1", "limit"),
        ("/api/customers?limit=1.5", "limit"),
        ("/api/customers?limit=99999999999999999999", "limit"),
        ("/api/customers?limit=5&limit=6", "limit"),
        ("/api/customers?colour=red", "colour"),
        ("/api/customers?q=%00", "q"),
        ("/api/orders?state=pending", "state"),
        ("/api/orders?state=NONE", "state"),
        ("/api/orders?customerId=me", "customerId"),
        ("/api/sagas?state=PENDING", "state"),
        ("/api/sagas?type=%0A", "type"),
        (&format!("{one}?minVersion=x"), "minVersion"),
        (&format!("{one}?minVersion=-1"), "minVersion"),
        (&format!("{one}?minVersion=99999999999999999999"), "minVersion"),
        (&format!("{one}/orders?source=x"), "source"),
        (&format!("/api/sagas/{ID}?x=1"), "x"),
    ] {
        let reply = gateway.get(path).await;
        assert_eq!(reply.refusal(), "422 invalid-request", "{path}");
        assert_eq!(reply.json()["errors"][0]["field"], field, "{path}");
    }
    let long = gateway.get(&format!("/api/customers?q={}", "x".repeat(10_000))).await;
    assert_eq!(long.refusal(), "422 invalid-request");
}

#[tokio::test]
async fn an_id_that_is_none_names_nothing() {
    let gateway = TestGateway::start().await;
    for kind in ["customers", "orders", "sagas"] {
        for id in ["me", "1", "%00", "%ff", "..%2f..%2fetc", "018f0000-0000-7000-8000-00000000000g", "'or'1'='1"] {
            let reply = gateway.get(&format!("/api/{kind}/{id}")).await;
            assert_eq!(reply.refusal(), "404 not-found", "{kind} {id}");
        }
    }
}

#[tokio::test]
async fn an_address_or_method_that_is_not_offered() {
    let gateway = TestGateway::start().await;
    for path in ["/api", "/api/", "/api/nothing", "/api/orders/", "/api/lab", &format!("/api/orders/{ID}/nothing")] {
        for method in ["GET", "POST"] {
            let reply = gateway.send(&format!("{method} {path} HTTP/1.1\nAccept: text/html"), b"").await;
            assert_eq!(reply.refusal(), "404 not-found", "{method} {path}");
        }
    }
    for (method, path, allow) in [
        ("DELETE", "/api/orders", "GET,HEAD,POST"),
        ("PUT", "/api/customers", "GET,HEAD,POST"),
        ("POST", "/api/sagas", "GET,HEAD"),
        ("PATCH", &format!("/api/orders/{ID}"), "GET,HEAD"),
        ("OPTIONS", "/api/orders", "GET,HEAD,POST"),
        ("BREW", "/api/orders", "GET,HEAD,POST"),
        ("POST", "/healthz", "GET,HEAD"),
        ("POST", "/", "GET,HEAD"),
    ] {
        let reply = gateway.send(&format!("{method} {path} HTTP/1.1"), b"").await;
        assert_eq!(reply.refusal(), "405 method-not-allowed", "{method} {path}");
        assert_eq!(reply.headers["allow"], allow, "{method} {path}");
    }
}

#[tokio::test]
async fn a_host_or_origin_that_is_not_ours() {
    let gateway = TestGateway::start().await;
    for path in ["/", "/api/orders", "/healthz", "/metrics"] {
        let reply = gateway.send(&format!("GET {path} HTTP/1.1\nHost: evil.test"), b"").await;
        assert_eq!(reply.refusal(), "421 host-not-allowed", "{path}");
    }
    let body = json!({"customerId": ID, "total": "1.00"}).to_string();
    for header in ["Origin: http://evil.test", "Origin: null", "Sec-Fetch-Site: cross-site"] {
        let head = format!("POST /api/orders HTTP/1.1\n{JSON}\n{header}");
        assert_eq!(gateway.send(&head, body.as_bytes()).await.refusal(), "403 cross-origin", "{header}");
    }
    assert!(gateway.stub.done.lock().expect("no test panics in there").is_empty());
    let head = format!("POST /api/orders HTTP/1.1\n{JSON}\nOrigin: http://{}", gateway.address);
    assert_eq!(gateway.send(&head, body.as_bytes()).await.status, 201);
}
