//! What the server says about its own work: `/metrics` before and after.

use super::stopwatch;
use anyhow::{Context as _, bail, ensure};
use std::{collections::BTreeMap, time::Duration};
use tramline_http::ServiceClient;

/// The server publishes its counters every 250 ms; two equal readings this far apart mean that nothing is under way.
const CALM: Duration = Duration::from_millis(600);
/// A server that is still busy after this time is busy with something else.
const CALM_WITHIN: Duration = Duration::from_secs(30);

const STATEMENTS: &str = "tramline_sql_statements_total";
const COMMITS: &str = "tramline_sql_commits_total";
const CPU_SECONDS: &str = "process_cpu_seconds_total";

/// The counters of one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Gauges {
    pub(super) statements: BTreeMap<String, u64>,
    pub(super) commits: BTreeMap<String, u64>,
    pub(super) cpu_seconds: f64,
}

/// Reads the counters.
pub(super) async fn read(server: &ServiceClient) -> anyhow::Result<Gauges> {
    let answer = server.get("/metrics").send().await.context("the server's metrics cannot be read")?;
    ensure!(answer.status.is_success(), "the server answered {} for its metrics", answer.status);
    let gauges = parse(std::str::from_utf8(&answer.body).context("the server's metrics are no text")?);
    ensure!(!gauges.commits.is_empty(), "the server does not count its commits; is it a tramline?");
    Ok(gauges)
}

/// Waits until the server commits nothing any more, and reads the counters then.
pub(super) async fn await_calm(server: &ServiceClient) -> anyhow::Result<Gauges> {
    let start = stopwatch::now();
    let mut last = read(server).await?;
    loop {
        tokio::time::sleep(CALM).await;
        let next = read(server).await?;
        if next.commits == last.commits {
            return Ok(next);
        }
        if stopwatch::since(start) > CALM_WITHIN {
            bail!("the server does not come to rest; is somebody else using it?");
        }
        last = next;
    }
}

fn parse(text: &str) -> Gauges {
    let mut gauges = Gauges::default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let database = labels.split_once("database=\"").and_then(|(_, rest)| rest.split_once('"'));
        let database = database.map_or("", |(name, _)| name).to_owned();
        match name {
            STATEMENTS => drop(gauges.statements.insert(database, value.parse().unwrap_or(0))),
            COMMITS => drop(gauges.commits.insert(database, value.parse().unwrap_or(0))),
            CPU_SECONDS => gauges.cpu_seconds = value.parse().unwrap_or(0.0),
            _ => {}
        }
    }
    gauges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_are_found_among_other_series() {
        let gauges = parse(
            "# TYPE tramline_sql_commits_total counter\n\
             tramline_sql_commits_total{database=\"orders\"} 12\n\
             tramline_sql_commits_total{database=\"customers\"} 7\n\
             tramline_sql_statements_total{database=\"orders\"} 120\n\
             http_requests_total{route=\"/api/orders\",status=\"202\"} 3\n\
             process_cpu_seconds_total 1.25\n",
        );
        assert_eq!(gauges.commits.values().sum::<u64>(), 19);
        assert_eq!(gauges.statements["orders"], 120);
        assert!((gauges.cpu_seconds - 1.25).abs() < f64::EPSILON);
    }
}
