//! Places orders: in a closed loop, where each client waits for an outcome before it goes on, or in an open one, where
//! orders arrive at a fixed rate. Only the open loop shows what waiting customers feel when the server falls behind.

use super::outcomes::Outcomes;
use crate::stopwatch;
use anyhow::Context as _;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet};
use tramline_contract::{Coordination, CreateOrder, CustomerId, Money, OrderAccepted, OrderId};
use tramline_db::{IdSource as _, SystemIds};
use tramline_http::ServiceClient;

/// After this time an outcome counts as lost.
const OUTCOME_WITHIN: Duration = Duration::from_secs(30);
/// Orders under way in an open loop; later ones start late, and their wait is measured.
const ARRIVALS_MAX: usize = 20_000;
const TOTAL: Money = Money::from_minor(1_00);

/// Who is driven, with what.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) server: ServiceClient,
    pub(super) customers: Vec<CustomerId>,
    pub(super) outcomes: Outcomes,
}

/// What makes the next order come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// The outcome of the client's last one.
    Closed { clients: u64 },
    /// The clock.
    Open { per_second: u64 },
}

/// How long a run is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Span {
    Sagas(u64),
    Time(Duration),
}

impl Span {
    /// One of so many equal parts; the parts add up to the whole.
    pub(super) fn part(self, number: u32, parts: u32) -> Self {
        let (number, count) = (u64::from(number), u64::from(parts));
        match self {
            Self::Sagas(sagas) => Self::Sagas(sagas * (number + 1) / count - sagas * number / count),
            Self::Time(time) => Self::Time(time / parts),
        }
    }
}

/// One order's fate.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// How long the acceptance and the outcome took.
    Settled(Duration, Duration),
    Refused,
    Lost,
}

/// What happened.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) elapsed: Duration,
    pub(super) accepted: Vec<Duration>,
    pub(super) settled: Vec<Duration>,
    pub(super) refused: u64,
    pub(super) lost: u64,
}

impl Run {
    fn add(&mut self, fate: Fate) {
        match fate {
            Fate::Settled(accepted, settled) => {
                self.accepted.push(accepted);
                self.settled.push(settled);
            }
            Fate::Refused => self.refused += 1,
            Fate::Lost => self.lost += 1,
        }
    }

    /// Both together, as if one had followed the other.
    pub(super) fn join(&mut self, other: Self) {
        self.elapsed += other.elapsed;
        self.accepted.extend(other.accepted);
        self.settled.extend(other.settled);
        self.refused += other.refused;
        self.lost += other.lost;
        self.accepted.sort_unstable();
        self.settled.sort_unstable();
    }
}

/// Drives the server for a while.
pub(super) async fn drive(target: &Arc<Target>, pace: Pace, span: Span) -> anyhow::Result<Run> {
    let start = stopwatch::now();
    let mut run = match pace {
        Pace::Closed { clients } => closed(target, clients, span, start).await?,
        Pace::Open { per_second } => open(target, per_second, span, start).await?,
    };
    run.elapsed = stopwatch::since(start);
    run.accepted.sort_unstable();
    run.settled.sort_unstable();
    Ok(run)
}

async fn closed(target: &Arc<Target>, clients: u64, span: Span, start: Instant) -> anyhow::Result<Run> {
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let (target, next) = (Arc::clone(target), Arc::clone(&next));
        tasks.spawn(async move {
            let mut fates = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let over = match span {
                    Span::Sagas(sagas) => number >= sagas,
                    Span::Time(time) => stopwatch::since(start) >= time,
                };
                if over {
                    return fates;
                }
                fates.push(place(&target, number, stopwatch::now()).await);
            }
        });
    }
    let mut run = Run::default();
    while let Some(fates) = tasks.join_next().await {
        fates.context("a client failed")?.into_iter().for_each(|fate| run.add(fate));
    }
    Ok(run)
}

async fn open(target: &Arc<Target>, per_second: u64, span: Span, start: Instant) -> anyhow::Result<Run> {
    let count = match span {
        Span::Sagas(sagas) => sagas,
        Span::Time(time) => (time.as_secs_f64() * per_second as f64) as u64,
    };
    let room = Arc::new(Semaphore::new(ARRIVALS_MAX));
    let (mut tasks, mut run) = (JoinSet::new(), Run::default());
    for number in 0..count {
        let intended = start + Duration::from_nanos(number.saturating_mul(1_000_000_000) / per_second);
        let wait = intended.saturating_duration_since(stopwatch::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let seat = Arc::clone(&room).acquire_owned().await.context("nobody closes the room")?;
        let target = Arc::clone(target);
        tasks.spawn(async move {
            let fate = place(&target, number, intended).await;
            drop(seat);
            fate
        });
        while let Some(fate) = tasks.try_join_next() {
            run.add(fate.context("an arrival failed")?);
        }
    }
    while let Some(fate) = tasks.join_next().await {
        run.add(fate.context("an arrival failed")?);
    }
    Ok(run)
}

/// Places one order and waits for what becomes of it.
async fn place(target: &Target, number: u64, start: Instant) -> Fate {
    let Target { server, customers, outcomes } = target;
    let id = OrderId(SystemIds.next());
    let customer = usize::try_from(number).unwrap_or(usize::MAX) % customers.len();
    let order = CreateOrder {
        id: Some(id),
        customer_id: customers[customer],
        total: TOTAL,
        coordination: Coordination::Orchestration,
    };
    let outcome = outcomes.of(id);
    if server.post_json("/api/orders", &order).json::<OrderAccepted>().await.is_err() {
        outcomes.forget(id);
        return Fate::Refused;
    }
    let accepted = stopwatch::since(start);
    match tokio::time::timeout(OUTCOME_WITHIN, outcome).await {
        Ok(Ok(settled)) => Fate::Settled(accepted, settled.saturating_duration_since(start)),
        Ok(Err(_)) | Err(_) => {
            outcomes.forget(id);
            Fate::Lost
        }
    }
}
