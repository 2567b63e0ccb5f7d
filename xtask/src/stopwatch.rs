//! How long a step took: the one place here that looks at a clock.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// Runs from its making on.
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to count.
    #[expect(clippy::disallowed_methods, reason = "a build tool measures real time")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// What has passed since then.
    pub fn elapsed(&self) -> Elapsed {
        Elapsed(self.0.elapsed())
    }
}

/// A duration that reads like `4.2 s` or `3 min 07 s`.
#[derive(Clone, Copy)]
pub struct Elapsed(Duration);

impl Elapsed {
    /// The bare duration.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(formatter, "{:.1} s", self.0.as_secs_f64()),
            _ => write!(formatter, "{} min {:02} s", seconds / 60, seconds % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_well() {
        assert_eq!(Elapsed(Duration::from_millis(4_240)).to_string(), "4.2 s");
        assert_eq!(Elapsed(Duration::from_secs(187)).to_string(), "3 min 07 s");
    }
}
