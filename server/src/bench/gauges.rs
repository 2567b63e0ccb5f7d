//! What the server says about its own work: `/metrics` before and after.

use crate::stopwatch;
use anyhow::{Context as _, bail, ensure};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tramline_http::ServiceClient;

/// The server publishes its counters every 250 ms; two equal readings this far apart mean that nothing is under way.
const CALM: Duration = Duration::from_millis(600);
/// Long enough for several rounds of whatever is done at rest.
const IDLE: Duration = Duration::from_millis(2_800);
/// A server that is still busy after this time is busy with something else.
const CALM_WITHIN: Duration = Duration::from_secs(30);

const STATEMENTS: &str = "tramline_sql_statements_total";
const COMMITS: &str = "tramline_sql_commits_total";
const PUBLISHED: &str = "tramline_messages_published_total";
const HANDLED: &str = "tramline_messages_handled_total";
const CPU_SECONDS: &str = "process_cpu_seconds_total";

/// The counters of one moment, summed over every process.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Gauges {
    pub(super) statements: BTreeMap<String, u64>,
    pub(super) commits: BTreeMap<String, u64>,
    /// By process.
    pub(super) cpu_seconds: BTreeMap<String, f64>,
    /// Messages published and handled.
    pub(super) messages: u64,
    pub(super) at: Option<Instant>,
}

impl Gauges {
    /// How long before `later` this was read, in seconds.
    pub(super) fn seconds_until(&self, later: &Self) -> f64 {
        match (self.at, later.at) {
            (Some(from), Some(to)) => to.duration_since(from).as_secs_f64(),
            _ => 0.0,
        }
    }
}

/// The processes of a desk, each by the name that its CPU is reported under.
#[derive(Debug)]
pub(super) struct Processes(pub(super) Vec<(String, ServiceClient)>);

impl Processes {
    /// Reads the counters.
    pub(super) async fn read(&self) -> anyhow::Result<Gauges> {
        let mut sum = Gauges::default();
        for (name, process) in &self.0 {
            let answer = process.get("/metrics").send().await.with_context(|| format!("the metrics of {name}"))?;
            ensure!(answer.status.is_success(), "{name} answered {} for its metrics", answer.status);
            parse(std::str::from_utf8(&answer.body).context("metrics are no text")?, name, &mut sum);
        }
        ensure!(
            !sum.commits.is_empty(),
            "no process counts its commits; is it a tramline, and did you name all of them?"
        );
        sum.at = Some(stopwatch::now());
        Ok(sum)
    }

    /// Waits until no message is under way, and reads the counters then.
    pub(super) async fn await_calm(&self) -> anyhow::Result<Gauges> {
        let start = stopwatch::now();
        let mut last = self.read().await?;
        loop {
            tokio::time::sleep(CALM).await;
            let next = self.read().await?;
            if next.messages == last.messages {
                return Ok(next);
            }
            if stopwatch::since(start) > CALM_WITHIN {
                bail!("the server does not come to rest; is somebody else using it?");
            }
            last = next;
        }
    }

    /// What it does in a second at rest, such as renewing leases: that is no saga's cost.
    pub(super) async fn idle(&self) -> anyhow::Result<(Gauges, Gauges)> {
        let first = self.read().await?;
        tokio::time::sleep(IDLE).await;
        Ok((first, self.read().await?))
    }
}

fn parse(text: &str, process: &str, gauges: &mut Gauges) {
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let database = labels.split_once("database=\"").and_then(|(_, rest)| rest.split_once('"'));
        let database = database.map_or("", |(name, _)| name).to_owned();
        match name {
            STATEMENTS => *gauges.statements.entry(database).or_default() += value.parse().unwrap_or(0),
            COMMITS => *gauges.commits.entry(database).or_default() += value.parse().unwrap_or(0),
            CPU_SECONDS => *gauges.cpu_seconds.entry(process.to_owned()).or_default() += value.parse().unwrap_or(0.0),
            PUBLISHED | HANDLED => gauges.messages += value.parse().unwrap_or(0),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_are_found_among_other_series() {
        let mut gauges = Gauges::default();
        parse(
            "# TYPE tramline_sql_commits_total counter\n\
             tramline_sql_commits_total{database=\"orders\"} 12\n\
             tramline_sql_commits_total{database=\"customers\"} 7\n\
             tramline_sql_statements_total{database=\"orders\"} 120\n\
             http_requests_total{route=\"/api/orders\",status=\"202\"} 3\n\
             tramline_messages_handled_total{group=\"orders\"} 5\n\
             process_cpu_seconds_total 1.25\n",
            "gateway",
            &mut gauges,
        );
        assert_eq!(gauges.messages, 5);
        assert_eq!(gauges.commits.values().sum::<u64>(), 19);
        assert_eq!(gauges.statements["orders"], 120);
        assert!((gauges.cpu_seconds["gateway"] - 1.25).abs() < f64::EPSILON);
    }
}
