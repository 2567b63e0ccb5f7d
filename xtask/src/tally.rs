//! Reads from what test runners say how many tests passed, failed and were skipped.

use std::{
    fmt,
    ops::{Add, AddAssign},
};

use anyhow::{Context, Result};
use serde::Deserialize;

/// Tests by their outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Did what they should.
    pub passed: u64,
    /// Did not, or did not end, or could not start.
    pub failed: u64,
    /// Were left out on purpose.
    pub skipped: u64,
}

impl Tally {
    /// A stage that has no tests to count but went wrong is one failure, so that no sum hides it.
    pub fn one_failure() -> Self {
        Self { failed: 1, ..Self::default() }
    }

    /// The same, with one failure at least.
    pub fn at_least_one_failure(self) -> Self {
        Self { failed: self.failed.max(1), ..self }
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// The closing line of a whole run.
impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// cargo-nextest's summary: `Summary [ 1.2s] 9 tests run: 7 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
pub fn of_nextest(printed: &str) -> Option<Tally> {
    let summary = printed.lines().rev().find(|line| line.trim_start().starts_with("Summary ["))?;
    let (_, counts) = summary.split_once(" run: ")?;
    let mut tally = Tally::default();
    for part in counts.split(", ") {
        let (count, outcome) = part.trim().split_once(' ')?;
        // Notes in brackets, as in `7 passed (1 slow, 1 leaky)`, count nothing of their own.
        let Ok(count) = count.parse::<u64>() else { continue };
        match outcome.split(" (").next().unwrap_or(outcome) {
            "passed" => tally.passed += count,
            "skipped" => tally.skipped += count,
            "failed" | "exec failed" | "timed out" => tally.failed += count,
            _ => {}
        }
    }
    Some(tally)
}

/// The results of `cargo test`, one line a test binary: `test result: ok. 5 passed; 0 failed; 1 ignored; …`.
pub fn of_libtest(printed: &str) -> Option<Tally> {
    let results = printed.lines().filter_map(|line| line.split_once("test result: ")?.1.split_once(". "));
    let of_line = |counts: &str| {
        let mut tally = Tally::default();
        for part in counts.split(';') {
            match part.trim().split_once(' ') {
                Some((count, "passed")) => tally.passed += count.parse::<u64>().unwrap_or(0),
                Some((count, "failed")) => tally.failed += count.parse::<u64>().unwrap_or(0),
                Some((count, "ignored")) => tally.skipped += count.parse::<u64>().unwrap_or(0),
                _ => {}
            }
        }
        tally
    };
    results.map(|(_, counts)| of_line(counts)).reduce(Add::add)
}

/// The report of Playwright's JSON reporter. A test that passed at a second try passed; Playwright calls it flaky.
pub fn of_playwright(report: &str) -> Result<Tally> {
    #[derive(Deserialize)]
    struct Report {
        stats: Stats,
    }
    #[derive(Deserialize)]
    struct Stats {
        expected: u64,
        unexpected: u64,
        flaky: u64,
        skipped: u64,
    }
    let Report { stats } = serde_json::from_str(report).context("Playwright's report can't be understood")?;
    Ok(Tally { passed: stats.expected + stats.flaky, failed: stats.unexpected, skipped: stats.skipped })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally { passed, failed, skipped }
    }

    #[test]
    fn nextests_summary_is_counted() {
        let short = "     Summary [   0.010s] 5 tests run: 5 passed, 0 skipped\n";
        assert_eq!(of_nextest(short), Some(tally(5, 0, 0)));
        let long = "     Summary [  61.0s] 12 tests run: 7 passed (2 slow, 1 leaky), 2 failed, 1 exec failed, 2 timed out, 3 skipped\n  FAIL a";
        assert_eq!(of_nextest(long), Some(tally(7, 5, 3)));
        let cancelled = "     Summary [   1.0s] 3/9 tests run: 2 passed, 1 failed, 0 skipped";
        assert_eq!(of_nextest(cancelled), Some(tally(2, 1, 0)));
        assert_eq!(of_nextest("error: could not compile `tramline`"), None);
    }

    #[test]
    fn the_results_of_all_test_binaries_are_summed() {
        let printed = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
                       test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(of_libtest(printed), Some(tally(7, 1, 1)));
        assert_eq!(of_libtest("error: no such thing"), None);
    }

    #[test]
    fn playwrights_report_is_counted() {
        let report =
            r#"{"suites": [], "stats": {"expected": 4, "unexpected": 1, "flaky": 2, "skipped": 3, "duration": 1.5}}"#;
        assert_eq!(of_playwright(report).unwrap(), tally(6, 1, 3));
        assert!(of_playwright("{}").is_err());
    }

    #[test]
    fn the_closing_line_is_plain() {
        assert_eq!((tally(1, 0, 2) + tally(3, 1, 0)).to_string(), "4 passed, 1 failed, 2 skipped");
    }
}
