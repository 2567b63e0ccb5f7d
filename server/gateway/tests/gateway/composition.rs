//! A customer with orders, composed from services in other processes: all there, some away, none.

use crate::support::{Reply, Stub, TestGateway};
use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio_util::sync::CancellationToken;
use tramline_contract::Problem;
use tramline_gateway::{Limits, Pace, Services};
use tramline_http::{
    Caller, InternalSecret, ServiceClient, Signer, TraceParent, WallClock, internal_process, problem, serve,
};

const ID: &str = "018f0000-0000-7000-8000-000000000001";
const UNKNOWN: &str = "018f0000-0000-7000-8000-000000000002";
const MOMENT: &str = "2026-01-01T00:00:00.000000Z";

fn secret() -> InternalSecret {
    "a secret of at least thirty-two characters".parse().expect("it is long enough")
}

fn clock() -> WallClock {
    Arc::new(|| 1_764_000_000)
}

fn customers() -> Router {
    let show = async |Path(id): Path<String>, trace: Option<TraceParent>| {
        assert!(trace.is_some(), "the trace goes on");
        if id == UNKNOWN {
            return Err(problem::answer(&Problem::not_found("customer")));
        }
        Ok(Json(json!({
            "id": ID, "name": "Ada", "creditLimit": "10.00", "reserved": "4.00", "paid": "0.00",
            "availableCredit": "6.00", "version": 2, "createdAt": MOMENT,
        })))
    };
    Router::new().route("/customers/{id}", get(show))
}

fn orders() -> Router {
    let list = async |Path(id): Path<String>| {
        if id == UNKNOWN {
            return Json(json!({"orders": [], "orderCount": 0}));
        }
        let order = json!({
            "id": ID, "customerId": id, "total": "4.00", "state": "APPROVED", "coordination": "orchestration",
            "version": 2, "createdAt": MOMENT, "updatedAt": MOMENT,
        });
        Json(json!({"orders": [order], "orderCount": 1}))
    };
    Router::new().route("/customers/{id}/orders", get(list))
}

fn failing() -> Router {
    let fail = get(async || StatusCode::INTERNAL_SERVER_ERROR);
    Router::new().route("/customers/{id}", fail.clone()).route("/customers/{id}/orders", fail)
}

fn hanging() -> Router {
    Router::new().route("/customers/{id}/orders", get(std::future::pending::<StatusCode>))
}

/// A service in a process of its own, or nobody where it should be.
async fn remote(name: &str, service: Option<Router>) -> ServiceClient {
    let socket = TcpSocket::new_v4().expect("there are sockets");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port is free");
    let address = socket.local_addr().expect("a bound socket has an address");
    if let Some(service) = service {
        let listener = socket.listen(16).expect("the port is ours");
        let router = internal_process(vec![(name, service)], secret(), clock());
        tokio::spawn(serve(listener, router, CancellationToken::new()));
    } else {
        // Keeps the port, so that nobody else is met there.
        std::mem::forget(socket);
    }
    let signer = Signer::new(Caller::parse("gateway").expect("a name"), secret(), clock());
    ServiceClient::internal(name, &format!("http://{address}"), signer).expect("an address")
}

async fn gateway(customers: Option<Router>, orders: Option<Router>) -> TestGateway {
    let stub = Arc::new(Stub::default());
    let services = Services {
        customers: remote("customers", customers).await,
        orders: remote("orders", orders).await,
        history: ServiceClient::in_process("history", stub.router()),
        notifications: ServiceClient::in_process("notifications", stub.router()),
    };
    TestGateway::before(services, stub, Limits::default(), Pace::default(), None).await
}

async fn composed(gateway: &TestGateway, id: &str) -> Reply {
    gateway.get(&format!("/api/customers/{id}/orders?source=composition")).await
}

fn outline(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{reply:?}");
    let told = reply.json();
    let orders = told["orders"].as_array().expect("a list");
    json!([
        told["customer"]["name"],
        told["customer"]["orderCount"],
        orders.len(),
        told["source"],
        told["complete"],
        told["missing"],
    ])
}

#[tokio::test]
async fn a_customer_with_orders_comes_from_the_services_that_own_them() {
    let gateway = gateway(Some(customers()), Some(orders())).await;
    let reply = composed(&gateway, ID).await;
    assert_eq!(outline(&reply), json!(["Ada", 1, 1, "composition", true, null]));
    assert_eq!(reply.json()["orders"][0]["customerName"], "Ada");
    assert_eq!(composed(&gateway, UNKNOWN).await.refusal(), "404 not-found");
    assert_eq!(composed(&gateway, "me").await.refusal(), "404 not-found");
    let from_the_view = gateway.get(&format!("/api/customers/{ID}/orders")).await;
    assert_eq!(from_the_view.json()["asked"], format!("/customers/{ID}/orders"));
}

#[tokio::test]
async fn whoever_does_not_answer_is_named_and_the_rest_is_shown() {
    // Nobody there, one that fails, and one that is too old to know the address.
    for away in [None, Some(failing()), Some(Router::new())] {
        let without_orders = gateway(Some(customers()), away.clone()).await;
        assert_eq!(
            outline(&composed(&without_orders, ID).await),
            json!(["Ada", 0, 0, "composition", false, ["orders"]])
        );
        assert_eq!(composed(&without_orders, UNKNOWN).await.refusal(), "404 not-found");
        let without_customers = gateway(away.clone(), Some(orders())).await;
        let reply = composed(&without_customers, ID).await;
        assert_eq!(outline(&reply), json!([null, null, 1, "composition", false, ["customers"]]));
        assert!(reply.json().as_object().is_some_and(|told| told.contains_key("customer")), "it is null, not absent");
    }
}

#[tokio::test]
async fn a_service_that_hangs_is_waited_for_until_the_deadline_and_no_longer() {
    let gateway = gateway(Some(customers()), Some(hanging())).await;
    let reply = tokio::time::timeout(Duration::from_secs(5), composed(&gateway, ID)).await.expect("it is given up");
    assert_eq!(outline(&reply), json!(["Ada", 0, 0, "composition", false, ["orders"]]));
}

#[tokio::test]
async fn when_nobody_answers_that_is_said() {
    let gateway = gateway(None, None).await;
    let reply = composed(&gateway, ID).await;
    assert_eq!(reply.refusal(), "503 service-unavailable");
    assert_eq!(reply.headers["retry-after"], "1");
    let detail = reply.json()["detail"].to_string();
    assert!(detail.contains("customers") && detail.contains("orders"), "{detail}");
}
