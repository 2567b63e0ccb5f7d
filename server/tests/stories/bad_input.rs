//! Bad input against the whole desk: each is refused as the contract says, in words for its sender, and leaves nothing behind.

use crate::desk::{RawAnswer, TestDesk, new_id};
use serde_json::{Value, json};
use tramline_contract::Problem;

const JSON: &str = "Content-Type: application/json";
/// Words of the inside.
const INTERNAL: [&str; 7] = ["sqlx", "sqlite", "serde", "panicked", ".rs", "tokio", "unwrap"];

/// The refusal is a problem of that status and code, well formed and without internal text.
fn refused(answer: &RawAnswer, status: u16, code: &str, what: &str) -> Problem {
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    assert!(answer.head.contains("content-type: application/problem+json"), "{what}: {}", answer.head);
    let problem: Problem = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{what}: {}", answer.body));
    assert_eq!((problem.status, problem.code.as_str()), (status, code), "{what}");
    assert_eq!(problem.kind, format!("urn:tramline:problem:{code}"), "{what}");
    assert!(!problem.title.is_empty() && !problem.detail.is_empty(), "{what}");
    assert_eq!(code == "invalid-request", !problem.errors.is_empty(), "{what}");
    let words = answer.body.to_lowercase();
    assert!(!INTERNAL.iter().any(|word| words.contains(word)), "{what}: {words}");
    problem
}

/// Nothing was written, and the desk still works.
async fn untouched(desk: &TestDesk) {
    for list in ["customers", "orders", "sagas"] {
        let page = desk.json(&format!("/api/{list}")).await;
        assert_eq!(page, json!({"items": []}), "nothing was written");
    }
    let customer = desk.customer("Ada", "10.00").await;
    assert_eq!(desk.order(customer, "10.00").await.1.as_str(), "APPROVED");
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused() {
    let desk = TestDesk::start();
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(64 * 1024));
    let deep = "[".repeat(60_000);
    let text = "Content-Type: text/plain";
    let id = new_id();
    let changes =
        [("customers", "credit-limit"), ("customers", "payments"), ("orders", "cancel"), ("orders", "revise")];
    let changes = changes.map(|(what, change)| format!("/api/{what}/{id}/{change}"));
    for path in ["/api/customers", "/api/orders"].into_iter().chain(changes.iter().map(String::as_str)) {
        for (header, body, status, code) in [
            (JSON, "", 400, "malformed-json"),
            (JSON, "{", 400, "malformed-json"),
            (JSON, "{\"total\":\"1.00\"}}", 400, "malformed-json"),
            (JSON, "{\"total\":NaN}", 400, "malformed-json"),
            (JSON, "{'total':1}", 400, "malformed-json"),
            (JSON, deep.as_str(), 400, "malformed-json"),
            (JSON, "null", 422, "invalid-request"),
            (JSON, "[]", 422, "invalid-request"),
            (JSON, "7", 422, "invalid-request"),
            (JSON, large.as_str(), 413, "body-too-large"),
            (text, "{}", 415, "unsupported-media-type"),
            ("X-None: 1", "{}", 415, "unsupported-media-type"),
        ] {
            let answer = desk.send_raw(&format!("POST {path} HTTP/1.1\n{header}"), body.as_bytes()).await;
            let shown: String = body.chars().take(40).collect();
            refused(&answer, status, code, &format!("{path} {header} {shown}"));
        }
    }
    untouched(&desk).await;
}

/// A good body with one field set to something else, or taken out.
fn with(good: &Value, field: &str, value: Option<Value>) -> Value {
    let mut body = good.clone();
    let object = body.as_object_mut().expect("an object");
    match value {
        Some(value) => drop(object.insert(field.to_owned(), value)),
        None => drop(object.remove(field)),
    }
    body
}

#[tokio::test]
async fn every_bad_field_is_named() {
    let desk = TestDesk::start();
    let customer = json!({"id": new_id(), "name": "Ada", "creditLimit": "10.00"});
    let order = json!({"id": new_id(), "customerId": new_id(), "total": "10.00"});
    let bad_money = [
        None,
        Some(json!(null)),
        Some(json!(true)),
        Some(json!("")),
        Some(json!("ten")),
        Some(json!("-1.00")),
        Some(json!(-1)),
        Some(json!("1.005")),
        Some(json!(1.005)),
        Some(json!("10000000000.00")),
        Some(json!(1e300)),
        Some(json!("1e3")),
        Some(json!(" 1.00")),
        Some(json!(["1.00"])),
    ];
    let bad_id = [Some(json!("me")), Some(json!(7)), Some(json!("")), Some(json!({}))];
    let bad_name = [
        None,
        Some(json!("")),
        Some(json!("   ")),
        Some(json!("a\u{0}b")),
        Some(json!("x".repeat(201))),
        Some(json!(1)),
    ];
    let mut cases: Vec<(&str, &str, Value)> = Vec::new();
    cases.extend(
        bad_money.iter().map(|value| ("/api/customers", "creditLimit", with(&customer, "creditLimit", value.clone()))),
    );
    cases.extend(bad_money.iter().map(|value| ("/api/orders", "total", with(&order, "total", value.clone()))));
    cases.extend(["0.00", "0"].map(|zero| ("/api/orders", "total", with(&order, "total", Some(json!(zero))))));
    for value in &bad_id {
        cases.push(("/api/customers", "id", with(&customer, "id", value.clone())));
        cases.push(("/api/orders", "id", with(&order, "id", value.clone())));
        cases.push(("/api/orders", "customerId", with(&order, "customerId", value.clone())));
    }
    cases.push(("/api/orders", "customerId", with(&order, "customerId", None)));
    cases.push(("/api/orders", "coordination", with(&order, "coordination", Some(json!("choir")))));
    cases.extend(bad_name.iter().map(|value| ("/api/customers", "name", with(&customer, "name", value.clone()))));
    for (path, good) in [("/api/customers", &customer), ("/api/orders", &order)] {
        cases.push((path, "version", with(good, "version", Some(json!(1)))));
        cases.push((path, "__proto__", with(good, "__proto__", Some(json!({})))));
    }
    for (path, field, body) in cases {
        let answer = desk.send_raw(&format!("POST {path} HTTP/1.1\n{JSON}"), body.to_string().as_bytes()).await;
        let problem = refused(&answer, 422, "invalid-request", &format!("{path} {body}"));
        let named: Vec<_> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(named, [field], "{body}");
    }
    untouched(&desk).await;
}

/// Neither the customer nor the order is there: the body is judged first, and what is good finds nothing.
#[tokio::test]
async fn every_bad_field_of_a_change_is_named() {
    let desk = TestDesk::start();
    let id = new_id();
    let limit = (format!("/api/customers/{id}/credit-limit"), json!({"creditLimit": "10.00", "expectedVersion": 1}));
    let payment = (format!("/api/customers/{id}/payments"), json!({"id": id, "amount": "10.00", "reference": "A1"}));
    let cancel = (format!("/api/orders/{id}/cancel"), json!({}));
    let revise = (format!("/api/orders/{id}/revise"), json!({"total": "10.00", "expectedVersion": 1}));
    let money = [json!(null), json!("ten"), json!("-0.01"), json!("1.005"), json!("10000000000.00"), json!(1e300)];
    let versions = [json!(0), json!(-1), json!("1"), json!(1.5), json!(1e30), json!({})];
    let references = [json!(""), json!(" "), json!(7), json!("a\u{0}b"), json!("x".repeat(201)), json!([])];
    let mut cases: Vec<(&(String, Value), &str, Value)> = Vec::new();
    for (good, field) in [(&limit, "creditLimit"), (&payment, "amount"), (&revise, "total")] {
        cases.extend(money.iter().map(|value| (good, field, value.clone())));
    }
    for zero in [json!("0.00"), json!(0), json!("-0")] {
        cases.extend([(&payment, "amount", zero.clone()), (&revise, "total", zero)]);
    }
    for good in [&limit, &revise] {
        cases.extend(versions.iter().map(|value| (good, "expectedVersion", value.clone())));
    }
    cases.extend(references.iter().map(|value| (&payment, "reference", value.clone())));
    cases.extend([json!("me"), json!(7)].map(|value| (&payment, "id", value)));
    for good in [&limit, &payment, &cancel, &revise] {
        cases.extend(["reason", "__proto__", "version"].map(|field| (good, field, json!(1))));
    }
    for ((path, good), field, value) in cases {
        let body = with(good, field, Some(value)).to_string();
        let answer = desk.send_raw(&format!("POST {path} HTTP/1.1\n{JSON}"), body.as_bytes()).await;
        let shown: String = body.chars().take(80).collect();
        let problem = refused(&answer, 422, "invalid-request", &format!("{path} {shown}"));
        let named: Vec<_> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(named, [field], "{shown}");
    }
    for (path, good) in [&limit, &payment, &cancel, &revise] {
        let body = good.to_string();
        let answer = desk.send_raw(&format!("POST {path} HTTP/1.1\n{JSON}"), body.as_bytes()).await;
        refused(&answer, 404, "not-found", path);
        let nowhere = path.replace(&id.to_string(), "me");
        let answer = desk.send_raw(&format!("POST {nowhere} HTTP/1.1\n{JSON}"), body.as_bytes()).await;
        refused(&answer, 404, "not-found", &nowhere);
        let answer = desk.send_raw(&format!("GET {path} HTTP/1.1"), b"").await;
        refused(&answer, 405, "method-not-allowed", path);
        let head = format!("POST {path} HTTP/1.1\n{JSON}\nOrigin: http://evil.test");
        refused(&desk.send_raw(&head, body.as_bytes()).await, 403, "cross-origin", path);
    }
    untouched(&desk).await;
}

#[tokio::test]
async fn an_address_method_or_query_that_is_not_offered_is_refused() {
    let desk = TestDesk::start();
    let id = new_id();
    for path in ["/api", "/api/nothing", "/api/lab", "/api/orders/me", "/api/customers/1", &format!("/api/sagas/{id}")]
    {
        refused(&desk.send_raw(&format!("GET {path} HTTP/1.1"), b"").await, 404, "not-found", path);
    }
    for (method, path) in
        [("DELETE", "/api/orders"), ("PUT", "/api/customers"), ("POST", "/api/sagas"), ("POST", "/healthz")]
    {
        let answer = desk.send_raw(&format!("{method} {path} HTTP/1.1"), b"").await;
        refused(&answer, 405, "method-not-allowed", path);
        assert!(answer.head.contains("allow:"), "{path}");
    }
    for (path, field) in [
        ("/api/orders?limit=0", "limit"),
        ("/api/orders?limit=101", "limit"),
        ("/api/customers?limit=ten", "limit"),
        ("/api/sagas?limit=-1", "limit"),
        ("/api/orders?cursor=x", "cursor"),
        ("/api/customers?cursor=1.2", "cursor"),
        ("/api/sagas?cursor=;drop", "cursor"),
        ("/api/orders?state=NONE", "state"),
        ("/api/orders?customerId=me", "customerId"),
        ("/api/sagas?state=PENDING", "state"),
        ("/api/customers?q=%00", "q"),
        ("/api/customers?colour=red", "colour"),
        (&format!("/api/orders/{id}?minVersion=x"), "minVersion"),
        (&format!("/api/customers/{id}?minVersion=-1"), "minVersion"),
        (&format!("/api/customers/{id}/orders?source=x"), "source"),
    ] {
        let answer = desk.send_raw(&format!("GET {path} HTTP/1.1"), b"").await;
        let problem = refused(&answer, 422, "invalid-request", path);
        assert_eq!(problem.errors[0].field, field, "{path}");
    }
    untouched(&desk).await;
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let desk = TestDesk::start();
    let body = json!({"customerId": new_id(), "total": "1.00"}).to_string();
    for header in ["Origin: http://evil.test", "Origin: null", "Sec-Fetch-Site: cross-site"] {
        let head = format!("POST /api/orders HTTP/1.1\n{JSON}\n{header}");
        refused(&desk.send_raw(&head, body.as_bytes()).await, 403, "cross-origin", header);
    }
    let head = format!("POST /api/orders HTTP/1.1\n{JSON}\nHost: evil.test");
    refused(&desk.send_raw(&head, body.as_bytes()).await, 421, "host-not-allowed", "another host");
    untouched(&desk).await;
}
