//! The figures, each beside its ratio to a raw commit. Pure: samples in, text out.

use super::{
    gauges::Gauges,
    limits::Limits,
    load::{Pace, Run},
    raw::Commits,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt, time::Duration};

/// Commits that an outcome cannot do without: the order is accepted, its credit decided, its state settled.
const COMMITS_NEEDED: f64 = 3.0;

/// When the slowest raw measurement took this many times as long as the fastest, the ratios say little.
const UNSTEADY: f64 = 2.0;

/// What was done between two moments.
#[derive(Clone, Debug, Default)]
pub(super) struct Spent {
    statements: BTreeMap<String, f64>,
    commits: BTreeMap<String, f64>,
    cpu_seconds: BTreeMap<String, f64>,
    seconds: f64,
}

impl Spent {
    pub(super) fn between(before: &Gauges, after: &Gauges) -> Self {
        let counts = |after: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>| {
            let grown = |name: &String, count: u64| count.saturating_sub(before.get(name).copied().unwrap_or(0)) as f64;
            after.iter().map(|(name, count)| (name.clone(), grown(name, *count))).collect()
        };
        let cpu = |name: &String, seconds: f64| seconds - before.cpu_seconds.get(name).copied().unwrap_or(0.0);
        Self {
            statements: counts(&after.statements, &before.statements),
            commits: counts(&after.commits, &before.commits),
            cpu_seconds: after.cpu_seconds.iter().map(|(name, at)| (name.clone(), cpu(name, *at))).collect(),
            seconds: before.seconds_until(after),
        }
    }

    /// Without the statements and commits that are made at rest too, such as renewing leases.
    pub(super) fn without_idle(mut self, before: &Gauges, after: &Gauges) -> Self {
        let idle = Self::between(before, after);
        let times = self.seconds / idle.seconds.max(1e-9);
        for (all, idle) in [(&mut self.statements, &idle.statements), (&mut self.commits, &idle.commits)] {
            for (name, count) in all {
                *count = (*count - idle.get(name).copied().unwrap_or(0.0) * times).max(0.0);
            }
        }
        self
    }
}

/// Everything that a run has shown.
#[derive(Debug)]
pub(super) struct Report {
    pace: Pace,
    customers: u64,
    run: Run,
    statements: BTreeMap<String, f64>,
    commits: BTreeMap<String, f64>,
    /// By process.
    cpu_ms: BTreeMap<String, f64>,
    limits: Limits,
    /// Every raw commit, shortest first.
    raw: Vec<Duration>,
    /// The median of each raw measurement, in the order of time.
    raw_p50s_ms: Vec<f64>,
}

impl Report {
    pub(super) fn new(pace: Pace, customers: u64, run: Run, spent: &Spent, raw: Vec<Commits>, limits: Limits) -> Self {
        let sagas = (run.settled.len() as f64).max(1.0);
        let per_saga = |all: &BTreeMap<String, f64>, factor: f64| {
            all.iter().map(|(name, sum)| (name.clone(), sum * factor / sagas)).collect()
        };
        Self {
            pace,
            customers,
            statements: per_saga(&spent.statements, 1.0),
            commits: per_saga(&spent.commits, 1.0),
            cpu_ms: per_saga(&spent.cpu_seconds, 1_000.0),
            limits,
            raw_p50s_ms: raw.iter().map(|commits| quantile_ms(&sorted(&commits.took), 0.5)).collect(),
            raw: sorted(&raw.into_iter().flat_map(|commits| commits.took).collect::<Vec<_>>()),
            run,
        }
    }

    fn cpu_ms(&self) -> f64 {
        self.cpu_ms.values().sum()
    }

    /// Orders without an outcome.
    pub(super) fn lost(&self) -> u64 {
        self.run.lost
    }

    fn sagas_per_second(&self) -> f64 {
        self.run.settled.len() as f64 / self.run.elapsed.as_secs_f64().max(1e-9)
    }

    fn raw_p50_ms(&self) -> f64 {
        quantile_ms(&self.raw, 0.5)
    }

    fn raw_per_second(&self) -> f64 {
        self.raw.len() as f64 / self.raw.iter().sum::<Duration>().as_secs_f64().max(1e-9)
    }

    /// Whether the machine itself was now fast, now slow.
    fn unsteady(&self) -> bool {
        let medians = || self.raw_p50s_ms.iter().copied();
        medians().fold(0.0, f64::max) > UNSTEADY * medians().fold(f64::INFINITY, f64::min)
    }

    /// The outcome's median as a multiple of the commits that it needs.
    fn outcome_ratio(&self) -> f64 {
        quantile_ms(&self.run.settled, 0.5) / (COMMITS_NEEDED * self.raw_p50_ms())
    }

    /// The figures for programs.
    pub(super) fn json(&self) -> Value {
        let (loop_kind, clients, rate) = match self.pace {
            Pace::Closed { clients } => ("closed", Some(clients), None),
            Pace::Open { per_second } => ("open", None, Some(per_second)),
        };
        let outcome = |quantile| quantile_ms(&self.run.settled, quantile);
        json!({
            "loop": loop_kind,
            "clients": clients,
            "ratePerSecond": rate,
            "customers": self.customers,
            "completed": self.run.settled.len(),
            "refused": self.run.refused,
            "lost": self.run.lost,
            "elapsedSeconds": self.run.elapsed.as_secs_f64(),
            "sagasPerSecond": self.sagas_per_second(),
            "acceptedP50Ms": quantile_ms(&self.run.accepted, 0.5),
            "outcomeP50Ms": outcome(0.5),
            "outcomeP95Ms": outcome(0.95),
            "outcomeP99Ms": outcome(0.99),
            "commitsPerSaga": self.commits.values().sum::<f64>(),
            "commitsPerSagaByDatabase": self.commits,
            "statementsPerSaga": self.statements.values().sum::<f64>(),
            "statementsPerSagaByDatabase": self.statements,
            "cpuMsPerSaga": self.cpu_ms(),
            "cpuMsPerSagaByProcess": self.cpu_ms,
            "minimalSagasPerSecond": self.limits.minimal_sagas_per_second,
            "redisAppendMs": self.limits.append.map(|took| took.as_secs_f64() * 1_000.0),
            "rawCommitP50Ms": self.raw_p50_ms(),
            "rawCommitP50MsInTime": self.raw_p50s_ms,
            "rawCommitsPerSecond": self.raw_per_second(),
            "rawCommitsUnsteady": self.unsteady(),
            "outcomeP50PerThreeCommits": self.outcome_ratio(),
            "sagasPerRawCommit": self.sagas_per_second() / self.raw_per_second(),
            "cpuMsPerSagaPerRawCommitMs": self.cpu_ms() / self.raw_p50_ms(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { elapsed, accepted, settled, refused, lost } = &self.run;
        let load = match self.pace {
            Pace::Closed { clients } => format!("closed loop, {clients} at a time"),
            Pace::Open { per_second } => format!("open loop, {per_second} arrivals a second"),
        };
        writeln!(f, "{load}, {} customers", self.customers)?;
        let (done, seconds) = (settled.len(), elapsed.as_secs_f64());
        writeln!(
            f,
            "{done} sagas completed in {seconds:.1} s, {refused} orders not taken, {lost} without an outcome\n"
        )?;
        writeln!(f, "{:<28}{:>12}{:>18}", "", "", "in raw commits")?;
        let rate = self.sagas_per_second();
        writeln!(f, "{:<28}{rate:>10.1}/s{:>18.2}", "completed sagas", rate / self.raw_per_second())?;
        let mut time = |name: &str, ms: f64| writeln!(f, "{name:<28}{ms:>9.2} ms{:>18.2}", ms / self.raw_p50_ms());
        time("accepted p50", quantile_ms(accepted, 0.5))?;
        for (name, quantile) in [("outcome p50", 0.5), ("outcome p95", 0.95), ("outcome p99", 0.99)] {
            time(name, quantile_ms(settled, quantile))?;
        }
        time("server CPU per saga", self.cpu_ms())?;
        if self.cpu_ms.len() > 1 {
            let each: Vec<_> = self.cpu_ms.iter().map(|(process, ms)| format!("{process} {ms:.2}")).collect();
            writeln!(f, "{:<40}     {}", "", each.join(", "))?;
        }
        for (name, counts) in [("commits per saga", &self.commits), ("SQL statements per saga", &self.statements)] {
            let each: Vec<_> = counts.iter().map(|(database, count)| format!("{database} {count:.2}")).collect();
            writeln!(f, "{name:<28}{:>12.2}     {}", counts.values().sum::<f64>(), each.join(", "))?;
        }
        writeln!(f, "{:<28}{:>10.1}/s     one at a time, each fsynced", "raw commits", self.raw_per_second())?;
        let medians: Vec<_> = self.raw_p50s_ms.iter().map(|ms| format!("{ms:.2}")).collect();
        let (p50, medians) = (self.raw_p50_ms(), medians.join(", "));
        writeln!(f, "{:<28}{p50:>9.2} ms     in the course of the run {medians}", "raw commit p50")?;
        writeln!(f, "{:<28}{:>12.2}", "outcome p50 / three commits", self.outcome_ratio())?;
        let minimal = self.limits.minimal_sagas_per_second;
        writeln!(
            f,
            "{:<28}{minimal:>10.1}/s     three transactions that write three rows and take a number",
            "least sagas"
        )?;
        if let Some(append) = self.limits.append {
            let ms = append.as_secs_f64() * 1_000.0;
            writeln!(f, "{:<28}{ms:>9.2} ms     one XADD after the other", "append to Redis")?;
        }
        if self.unsteady() {
            writeln!(f, "the machine was now fast, now slow: measure again before you trust the ratios")?;
        }
        Ok(())
    }
}

fn sorted(samples: &[Duration]) -> Vec<Duration> {
    let mut samples = samples.to_vec();
    samples.sort_unstable();
    samples
}

/// The value that so large a part of the samples, shortest first, does not exceed.
fn quantile_ms(sorted: &[Duration], quantile: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let rank = ((sorted.len() as f64 * quantile).ceil() as usize).saturating_sub(1).min(last);
    sorted.get(rank).map_or(0.0, |took| took.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(values: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        values.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn a_quantile_is_the_sample_of_that_rank() {
        let samples = ms(1..=100);
        for (quantile, expected) in [(0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0)] {
            assert!((quantile_ms(&samples, quantile) - expected).abs() < 1e-9, "{quantile}");
        }
        assert!(quantile_ms(&[], 0.5).abs() < 1e-9);
    }

    #[test]
    fn every_figure_is_told_per_saga_and_per_raw_commit() {
        let counts = |count| BTreeMap::from([("orders".to_owned(), count)]);
        let cpu = |seconds| BTreeMap::from([("server".to_owned(), seconds)]);
        let gauges = |statements, commits, seconds| Gauges {
            statements: counts(statements),
            commits: counts(commits),
            cpu_seconds: cpu(seconds),
            ..Gauges::default()
        };
        let spent = Spent::between(&gauges(100, 10, 1.0), &gauges(500, 30, 1.02));
        let run =
            Run { elapsed: Duration::from_secs(2), accepted: ms(1..=10), settled: ms([6; 10]), refused: 0, lost: 0 };
        let raw = [1, 2, 3].map(|pace| Commits { took: ms([pace; 50]) });
        let report = Report::new(Pace::Closed { clients: 1 }, 5, run, &spent, raw.to_vec(), Limits::default()).json();
        assert_eq!(report["rawCommitsUnsteady"], true, "three times as slow at the end");
        for (name, expected) in [
            ("sagasPerSecond", 5.0),
            ("statementsPerSaga", 40.0),
            ("commitsPerSaga", 2.0),
            ("cpuMsPerSaga", 2.0),
            ("outcomeP50PerThreeCommits", 1.0),
        ] {
            assert!((report[name].as_f64().unwrap() - expected).abs() < 1e-6, "{name} is {}", report[name]);
        }
    }
}
