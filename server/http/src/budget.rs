//! How many calls may be repeated: about one in ten (*retry budget*, Google's *Site Reliability Engineering*, chapter 21).
//!
//! Without a bound, a service that is too slow gets twice the calls just when it can bear fewer. Pure, like the breaker.

use std::time::Duration;

/// A call puts one of these by, a repetition takes [`PRICE`] of them.
const PRICE: u32 = 10;
/// What can be put by: ten repetitions, enough to bridge a restart until the breaker knows.
const FULL: u32 = 10 * PRICE;
/// Put by without any call, so that quiet times have repetitions too: one each second.
const REFILL_EVERY: Duration = Duration::from_millis(100);

/// What a client may still repeat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryBudget {
    left: u32,
    refilled_at: Duration,
}

impl RetryBudget {
    pub(crate) const fn new() -> Self {
        Self { left: FULL, refilled_at: Duration::ZERO }
    }

    /// A call was made.
    pub(crate) fn earn(&mut self) {
        self.left = self.left.saturating_add(1).min(FULL);
    }

    /// Whether a call may be repeated; if so, it is paid for.
    pub(crate) fn spend(&mut self, now: Duration) -> bool {
        let steps = now.saturating_sub(self.refilled_at).as_millis() / REFILL_EVERY.as_millis();
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.refilled_at = self.refilled_at.saturating_add(REFILL_EVERY.saturating_mul(steps));
        self.left = self.left.saturating_add(steps).min(FULL);
        match self.left.checked_sub(PRICE) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_calls_that_all_fail_one_in_ten_is_repeated() {
        let mut budget = RetryBudget::new();
        let mut repeated = 0;
        for _ in 0..10_000 {
            budget.earn();
            repeated += u32::from(budget.spend(Duration::ZERO));
        }
        assert!((1_000..=1_010).contains(&repeated), "{repeated}");
    }

    #[test]
    fn a_quiet_client_may_repeat_once_a_second() {
        let mut budget = RetryBudget::new();
        while budget.spend(Duration::ZERO) {}
        assert!(!budget.spend(Duration::from_millis(900)));
        assert!(budget.spend(Duration::from_millis(1_000)));
        assert!(!budget.spend(Duration::from_millis(1_000)));
    }
}
