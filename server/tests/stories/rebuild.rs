//! `tramline rebuild-view`: beside a desk at work, killed in the middle, from events and from services.

use crate::desk::{DEADLINE, TestDesk, printed, program, tramline_on};
use futures_util::future::join_all;
use std::{
    process::{Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tramline_testing::DeskStores;

const LISTS: [&str; 4] = [
    "/api/orders?limit=100",
    "/api/customers?limit=100",
    "/api/orders?state=APPROVED&limit=100",
    "/api/search?q=ada&limit=100",
];

async fn shown(desk: &TestDesk) -> Vec<String> {
    let answers = join_all(LISTS.map(|path| desk.json(path))).await;
    answers.into_iter().map(|answer| answer.to_string()).collect()
}

async fn rebuilt(stores: DeskStores, view: &'static str, from: &'static str) -> Output {
    let run = move || tramline_on(&stores, ["rebuild-view", "--view", view, "--from", from]);
    tokio::task::spawn_blocking(run).await.expect("it does not panic")
}

async fn fill(desk: &TestDesk, orders: usize) {
    let (ada, bob) = (desk.customer("Ada", "500.00").await, desk.customer("Bob", "50.00").await);
    for chunk in (0..orders).collect::<Vec<_>>().chunks(20) {
        join_all(chunk.iter().map(|number| desk.order(if number % 2 == 0 { ada } else { bob }, "10.00"))).await;
    }
}

/// Every message has been handled by every view.
async fn calm(desk: &TestDesk) {
    let stores = desk.stores();
    let wait = DEADLINE.as_secs().to_string();
    let check = tokio::task::spawn_blocking(move || tramline_on(&stores, ["check", "--wait", &wait]));
    let check = check.await.expect("it does not panic");
    assert!(check.status.success(), "{:?}", printed(&check));
}

#[tokio::test]
async fn both_views_built_anew_from_events_and_from_services_show_the_same_to_the_letter() {
    let desk = TestDesk::start();
    fill(&desk, 40).await;
    calm(&desk).await;
    let before = shown(&desk).await;
    for (view, from) in [("history", "events"), ("history", "services"), ("search", "services"), ("search", "events")] {
        let output = rebuilt(desk.stores(), view, from).await;
        assert!(output.status.success(), "{view} from {from}: {:?}", printed(&output));
        assert_eq!(shown(&desk).await, before, "{view} from {from}");
    }
    // The desk goes on with the new generations.
    fill(&desk, 10).await;
    calm(&desk).await;
}

/// The services are another process, which is asked over signed calls.
#[tokio::test]
async fn a_view_is_built_from_services_of_another_process() {
    const SECRET: &str = "one secret of all the processes of the desk";
    let desk = TestDesk::sharing(SECRET);
    fill(&desk, 20).await;
    calm(&desk).await;
    let before = shown(&desk).await;
    let run = |view: &'static str, secret: &'static str| {
        let (stores, url) = (desk.stores(), desk.url());
        tokio::task::spawn_blocking(move || {
            program()
                .args([
                    "rebuild-view",
                    "--view",
                    view,
                    "--from",
                    "services",
                    "--customers-url",
                    &url,
                    "--orders-url",
                    &url,
                ])
                .envs(stores.settings().iter().cloned())
                .env("TRAMLINE_INTERNAL_SECRET", secret)
                .output()
                .expect("the program starts")
        })
    };
    for view in ["history", "search"] {
        let stranger = run(view, "a secret that this desk has never heard of").await.expect("it does not panic");
        assert!(!stranger.status.success(), "{view}: {:?}", printed(&stranger));
        assert!(printed(&stranger).1.contains("does not trust"), "{:?}", printed(&stranger));
        assert_eq!(shown(&desk).await, before, "{view}");
        let output = run(view, SECRET).await.expect("it does not panic");
        assert!(output.status.success(), "{view}: {:?}", printed(&output));
        assert_eq!(shown(&desk).await, before, "{view}");
    }
    fill(&desk, 4).await;
    calm(&desk).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_under_load_ends() {
    let desk = Arc::new(TestDesk::start());
    let customer = desk.customer("Ada", "100000.00").await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (desk, stop) = (Arc::clone(&desk), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    desk.place(customer, "1.00").await;
                }
            })
        })
        .collect();
    for (view, from) in [("history", "events"), ("search", "events"), ("history", "services")] {
        let output = tokio::time::timeout(DEADLINE, rebuilt(desk.stores(), view, from)).await.expect("it ends in time");
        assert!(output.status.success(), "{view} from {from}: {:?}", printed(&output));
    }
    stop.store(true, Ordering::SeqCst);
    join_all(clients).await;
    calm(&desk).await;
}

#[tokio::test]
async fn a_rebuild_that_is_killed_leaves_the_view_as_it_was_and_the_next_one_begins_anew() {
    let desk = TestDesk::start();
    fill(&desk, 60).await;
    calm(&desk).await;
    let before = shown(&desk).await;
    for round in 0..12_u64 {
        let view = if round % 2 == 0 { "history" } else { "search" };
        let mut process = program()
            .args(["rebuild-view", "--view", view])
            .envs(desk.stores().settings().iter().cloned())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        // Somewhere on its way: a moment to be killed at, and nothing that is waited for.
        let _ = tokio::time::timeout(Duration::from_millis(10 + 9 * round), std::future::pending::<()>()).await;
        process.kill().expect("it is ours");
        process.wait().expect("it ends");
        assert_eq!(shown(&desk).await, before, "round {round}");
    }
    for view in ["history", "search"] {
        let output = rebuilt(desk.stores(), view, "events").await;
        assert!(output.status.success(), "{view}: {:?}", printed(&output));
    }
    assert_eq!(shown(&desk).await, before);
}
