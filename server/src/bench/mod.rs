//! `tramline bench`: drives a running server as its clients do, over HTTP and one socket, and says what a saga costs.
//!
//! It knows the server only from outside. Beside the server's figures stand those of the same disk under the plainest
//! load there is, one fsynced commit after the other, so that a figure means something on another machine too.

mod customers;
mod gauges;
mod limits;
mod load;
mod outcomes;
mod raw;
mod report;

use anyhow::{Context as _, ensure};
use clap::Args;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tramline_http::ServiceClient;

/// Sagas before the measured ones, so that caches are warm and connections open.
const WARM_UP_SAGAS: u64 = 200;
/// The run is cut into so many parts, with raw commits before, between and after them: on a machine that others use too,
/// only what was measured at the same time can be compared.
const PARTS: u32 = 4;
/// How long a run takes when neither its length nor its size is said.
const DEFAULT_SECONDS: u64 = 10;

/// What `bench` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct BenchFlags {
    /// Where the server listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000")]
    url: String,
    /// Clients that each place an order, await its outcome, and place the next
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    clients: u64,
    /// How many orders are measured
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    sagas: Option<u64>,
    /// How long orders are placed [default: 10]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: Option<u64>,
    /// Open loop: so many orders arrive per second, however long the outcomes take; latency counts from the intended arrival
    #[arg(long, value_name = "R", conflicts_with = "clients", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate: Option<u64>,
    /// How many customers the orders are spread over
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    customers: u64,
    /// Folder for the raw commits; best on the disk of the server's data
    #[arg(long, value_name = "DIR", default_value = ".")]
    raw_dir: PathBuf,
    /// Further processes of the desk, by the name that their CPU is reported under, such as orders=http://127.0.0.1:3001
    #[arg(long, value_name = "NAME=URL", value_parser = process)]
    metrics: Vec<(String, String)>,
    /// Measure the raw commits on this PostgreSQL and not in a file: best the server's own, in a schema beside its own
    #[arg(long, value_name = "URL", env = "TRAMLINE_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Measure appends to a stream of this Redis too
    #[arg(long, value_name = "URL", env = "TRAMLINE_REDIS", hide_env_values = true)]
    redis: Option<String>,
    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,
}

fn process(text: &str) -> Result<(String, String), String> {
    let (name, url) = text.split_once('=').ok_or("it must look like orders=http://127.0.0.1:3001")?;
    Ok((name.to_owned(), url.to_owned()))
}

impl BenchFlags {
    fn pace(&self) -> load::Pace {
        match self.rate {
            Some(per_second) => load::Pace::Open { per_second },
            None => load::Pace::Closed { clients: self.clients },
        }
    }

    fn span(&self) -> load::Span {
        match (self.sagas, self.seconds) {
            (Some(sagas), _) => load::Span::Sagas(sagas),
            (None, seconds) => load::Span::Time(Duration::from_secs(seconds.unwrap_or(DEFAULT_SECONDS))),
        }
    }
}

/// Runs the whole measurement and prints its figures.
pub(crate) async fn run(flags: BenchFlags) -> anyhow::Result<()> {
    let server =
        ServiceClient::remote("the server", &flags.url).context("--url must look like http://127.0.0.1:3000")?;
    let customers = customers::create(&server, flags.customers).await?;
    let outcomes = outcomes::Outcomes::connect(&flags.url).await?;
    let target = Arc::new(load::Target { server: server.clone(), customers, outcomes });

    let mut processes = vec![("server".to_owned(), server.clone())];
    for (name, url) in &flags.metrics {
        processes.push((name.clone(), ServiceClient::remote(name, url).with_context(|| format!("--metrics {name}"))?));
    }
    let processes = gauges::Processes(processes);

    load::drive(&target, flags.pace(), load::Span::Sagas(WARM_UP_SAGAS)).await?;
    let commits = Arc::new(raw::Raw::open(&flags.raw_dir, flags.database.as_deref()).await?);
    processes.await_calm().await?;
    let idle = processes.idle().await?;
    let before = processes.read().await?;
    let mut raw = vec![commits.measure().await?];
    let mut run = load::Run::default();
    for part in 0..PARTS {
        run.join(load::drive(&target, flags.pace(), flags.span().part(part, PARTS)).await?);
        raw.push(commits.measure().await?);
    }
    let after = processes.await_calm().await?;
    // At rest again: these would disturb the run, and it them.
    let limits = limits::measure(&commits, flags.clients, flags.redis.as_deref()).await?;
    commits.close().await;

    let spent = report::Spent::between(&before, &after).without_idle(&idle.0, &idle.1);
    let report = report::Report::new(flags.pace(), flags.customers, run, &spent, raw, limits);
    if flags.json {
        println!("{}", report.json())
    } else {
        print!("{report}")
    }
    ensure!(report.lost() == 0, "{} orders had no outcome in time", report.lost());
    Ok(())
}
