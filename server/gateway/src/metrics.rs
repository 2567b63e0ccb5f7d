//! The numbers that `/metrics` shows, as Prometheus text: those that the whole process records, and its own use of the machine.

use http::{Method, StatusCode};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::fmt::Write;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const REQUESTS: &str = "http_requests_total";
const REQUEST_SECONDS: &str = "http_request_duration_seconds";
const SOCKETS: &str = "live_sockets";

/// From a cached answer to the slowest that we let pass.
const SECONDS_BUCKETS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// How often the recorder folds in what was recorded; without that its memory grows.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Linux counts a process's CPU time in hundredths of a second on every machine that we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Makes the process record its numbers. Once, at its start.
///
/// # Errors
/// When it was done before.
pub fn install_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)?
        .install_recorder()?;
    metrics::describe_counter!(REQUESTS, "Requests answered, by method, route and status.");
    metrics::describe_histogram!(REQUEST_SECONDS, "How long an answer took, by method, route and status.");
    metrics::describe_gauge!(SOCKETS, "Sockets that are open.");
    Ok(handle)
}

/// Keeps the recorder's memory bounded until the shutdown.
pub(crate) async fn upkeep(handle: PrometheusHandle, shutdown: CancellationToken) {
    let mut beat = tokio::time::interval(UPKEEP_EVERY);
    while shutdown.run_until_cancelled(beat.tick()).await.is_some() {
        handle.run_upkeep();
    }
}

/// Everything recorded, and what the process used so far, as Prometheus reads it.
#[must_use]
pub fn metrics_text(handle: Option<&PrometheusHandle>) -> String {
    let mut text = handle.map(PrometheusHandle::render).unwrap_or_default();
    for (name, kind, help, value) in [
        ("process_cpu_seconds_total", "counter", "CPU time used, in user and system mode.", cpu_seconds()),
        ("process_resident_memory_bytes", "gauge", "Memory held.", resident_bytes()),
    ] {
        if let Some(value) = value {
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
                .expect("writing to a string cannot fail");
        }
    }
    text
}

/// Records an answer.
pub(crate) fn request(method: &'static str, route: &str, status: StatusCode, took: Duration) {
    let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.as_str().to_owned())];
    metrics::counter!(REQUESTS, &labels).increment(1);
    metrics::histogram!(REQUEST_SECONDS, &labels).record(took.as_secs_f64());
}

/// A method's name as a label: callers can invent methods, and every label costs memory for good.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Counts a socket as open for as long as it lives.
pub(crate) struct OpenSocket(());

impl OpenSocket {
    pub(crate) fn count() -> Self {
        metrics::gauge!(SOCKETS).increment(1);
        Self(())
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        metrics::gauge!(SOCKETS).decrement(1);
    }
}

fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The command's name, in parentheses, may itself hold spaces and parentheses.
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut ticks = after_name.split(' ').skip(11);
    let (user, system): (f64, f64) = (ticks.next()?.parse().ok()?, ticks.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_process_tells_its_time_and_memory() {
        let text = metrics_text(None);
        for name in ["process_cpu_seconds_total", "process_resident_memory_bytes"] {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).expect("it is told");
            assert!(line.rsplit(' ').next().is_some_and(|value| value.parse::<f64>().is_ok()), "{line}");
        }
        assert!(resident_bytes() > Some(1_000_000.0));
    }
}
