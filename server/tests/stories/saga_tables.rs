//! Sagas as an operator reads them at a terminal.

use crate::desk::{TestDesk, new_id, printed, tramline};
use serde_json::{Value, json};

/// Runs `tramline sagas` on a desk; the exit code, and what was printed.
fn sagas<const N: usize>(url: &str, arguments: [&str; N]) -> (bool, String, String) {
    let all: Vec<_> = ["sagas", "--url", url].into_iter().chain(arguments).collect();
    let output = crate::desk::program().args(all).output().expect("the program starts");
    let (told, error) = printed(&output);
    (output.status.success(), told, error)
}

#[tokio::test]
async fn sagas_are_listed_by_state_and_type_and_page_by_page() {
    let desk = TestDesk::start();
    let url = desk.url();
    assert_eq!(sagas(&url, ["list"]).1.trim(), "There is none.");
    let customer = desk.customer("Ada", "10.00").await;
    let approved = desk.order(customer, "10.00").await.0.to_string();
    let rejected = desk.order(customer, "0.01").await.0.to_string();
    let all = sagas(&url, ["list"]).1;
    let lines: Vec<_> = all.lines().collect();
    assert!(lines[0].starts_with("saga ") && lines.len() == 3, "{all}");
    assert!(lines[1].contains(&rejected) && lines[1].contains("  ROLLED_BACK  "), "newest first: {all}");
    assert!(lines[2].contains(&approved) && lines[2].contains("  COMPLETED    "), "{all}");
    let some = sagas(&url, ["list", "--state", "completed", "--type", "CreateOrder"]).1;
    assert!(some.contains(&approved) && !some.contains(&rejected), "{some}");
    assert_eq!(sagas(&url, ["list", "--type", "CancelOrder"]).1.trim(), "There is none.");
    assert_eq!(sagas(&url, ["parked"]).1.trim(), "There is none.");
    assert_eq!(sagas(&url, ["overdue"]).1.trim(), "There is none.");

    let first = sagas(&url, ["list", "--limit", "1"]).1;
    let (_, cursor) = first.split_once("There is more: --cursor ").expect("there is more");
    assert!(first.contains(&rejected) && !first.contains(&approved), "{first}");
    let second = sagas(&url, ["list", "--limit", "1", "--cursor", cursor.trim()]).1;
    assert!(second.contains(&approved) && !second.contains("There is more"), "{second}");
    let page: Value = serde_json::from_str(&sagas(&url, ["list", "--json"]).1).expect("it is JSON");
    assert_eq!(page, desk.json("/api/sagas").await);

    for (arguments, expected) in [
        (["list", "--state", "STUCK"], "possible values: RUNNING, COMPENSATING, COMPLETED, ROLLED_BACK, PARKED"),
        (["list", "--type", "a&b"], "must be a word such as CreateOrder"),
        (["list", "--limit", "0"], "0 is not in 1..=100"),
        (["list", "--cursor", "x"], "cursor is not a cursor of this list"),
    ] {
        let (good, _, error) = sagas(&url, arguments);
        assert!(!good && error.contains(expected), "{arguments:?}: {error}");
    }
}

#[tokio::test]
async fn a_saga_is_shown_with_its_steps_and_messages_whoever_leads_it() {
    let desk = TestDesk::start();
    let url = desk.url();
    let customer = desk.customer("Ada", "10.00").await;
    for (way, message, answer) in
        [("orchestration", "ReserveCredit", "CreditRefused"), ("choreography", "OrderCreated", "CreditRefused")]
    {
        let body = json!({"customerId": customer, "total": "10.01", "coordination": way});
        let placed: Value = desk.post("/api/orders", &body).await.json().expect("an acceptance");
        let order: Value = placed["id"].clone();
        let id: tramline_contract::OrderId = serde_json::from_value(order.clone()).expect("an id");
        desk.settled(id).await;
        let saga = placed["sagaId"].as_str().expect("its saga");
        let (good, told, error) = sagas(&url, ["show", saga]);
        assert!(good, "{error}");
        let has = |start: &str, rest: &str| told.lines().any(|line| line.starts_with(start) && line.contains(rest));
        assert!(has("type", &format!("CreateOrder, of {}", order.as_str().expect("an id"))), "{told}");
        assert!(has("state", "ROLLED_BACK") && has("ended", "T"), "{told}");
        assert!(has("create-order", "compensatable  COMPENSATED"), "{told}");
        assert!(has("reserve-credit", "pivot          REFUSED"), "{told}");
        let at = |kind: &str| told.lines().position(|line| line.contains(&format!("  {kind}  ")));
        assert!(at(message).is_some() && at(message) < at(answer), "{way}: {told}");
        let detail: Value = serde_json::from_str(&sagas(&url, ["show", saga, "--json"]).1).expect("it is JSON");
        assert_eq!(detail, desk.json(&format!("/api/sagas/{saga}")).await);
    }
    let unknown = sagas(&url, ["show", &new_id().to_string()]);
    assert!(!unknown.0 && unknown.2.contains("There is no such saga"), "{}", unknown.2);
    let misnamed = sagas(&url, ["show", "one"]);
    assert!(!misnamed.0 && misnamed.2.contains("invalid value 'one'"), "{}", misnamed.2);
}

#[test]
fn without_a_server_every_command_says_so_and_fails() {
    // The discard port: nobody listens there.
    let url = "http://127.0.0.1:9";
    let id = new_id().to_string();
    let message = format!("customers/customers/{id}");
    let asked: [&[&str]; 10] = [
        &["sagas", "list"],
        &["sagas", "show", &id],
        &["sagas", "overdue"],
        &["sagas", "parked"],
        &["sagas", "retry", &id, "--operator", "Ada", "--reason", "mended"],
        &["parked", "list"],
        &["parked", "kinds"],
        &["parked", "show", &message],
        &["parked", "retry", &message],
        &["parked", "audit"],
    ];
    for arguments in asked {
        let output = crate::desk::program().args(arguments).args(["--url", url]).output().expect("the program starts");
        let (told, error) = printed(&output);
        assert_eq!((output.status.code(), told.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(error.contains("no server answers at http://127.0.0.1:9"), "{arguments:?}: {error}");
    }
    let wrong = printed(&tramline(["sagas", "list", "--url", "nowhere"])).1;
    assert!(wrong.contains("--url must look like http://127.0.0.1:3000"), "{wrong}");
}
