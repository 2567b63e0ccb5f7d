//! What is said aloud and what pops up: at most one polite message in two seconds, however much happens.

use crate::{
    effect::Effect,
    text::count,
    time::{Millis, earliest},
};
use std::collections::VecDeque;
use tramline_contract::OrderState;

/// The pause between two polite messages: a screen reader must be able to finish one.
const PAUSE_MS: Millis = 2_000;
/// How long a toast stays.
const TOAST_MS: Millis = 6_000;
/// How many toasts stand at once; the oldest gives way.
const TOASTS_AT_ONCE: usize = 3;

/// A message at the edge of the page about something that is out of sight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// Tells toasts apart.
    pub number: u32,
    /// What happened.
    pub text: String,
    /// Whether it is bad news.
    pub is_bad: bool,
    until_ms: Millis,
}

/// Collects what happened and says it in good time.
#[derive(Clone, Debug, Default)]
pub struct Announcer {
    approved: usize,
    rejected: usize,
    cancelled: usize,
    /// The words for a single outcome.
    single: String,
    note: Option<String>,
    last_ms: Option<Millis>,
    toasts: VecDeque<Toast>,
    last_toast: u32,
}

impl Announcer {
    /// An order of the user's own was decided.
    pub fn outcome(&mut self, state: OrderState, words: String) {
        match state {
            OrderState::Approved => self.approved += 1,
            OrderState::Rejected => self.rejected += 1,
            OrderState::Cancelled => self.cancelled += 1,
            OrderState::Pending | OrderState::CancelPending | OrderState::RevisionPending => return,
        }
        self.single = words;
    }

    /// Something else is worth a word; a later note takes the place of one that was not said yet.
    pub fn note(&mut self, text: impl Into<String>) {
        self.note = Some(text.into());
    }

    /// Shows a toast.
    pub fn toast(&mut self, text: String, is_bad: bool, now_ms: Millis) {
        self.last_toast += 1;
        self.toasts.push_back(Toast { number: self.last_toast, text, is_bad, until_ms: now_ms + TOAST_MS });
        if self.toasts.len() > TOASTS_AT_ONCE {
            self.toasts.pop_front();
        }
    }

    /// The toasts that stand.
    #[must_use]
    pub fn toasts(&self) -> Vec<Toast> {
        self.toasts.iter().cloned().collect()
    }

    /// Speaks if it is time, and takes old toasts away.
    pub fn tick(&mut self, now_ms: Millis, effects: &mut Vec<Effect>) {
        self.toasts.retain(|toast| toast.until_ms > now_ms);
        if self.due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
            effects.push(Effect::Announce(self.words()));
            self.last_ms = Some(now_ms);
        }
    }

    /// When something here is due.
    #[must_use]
    pub fn next_wake(&self) -> Option<Millis> {
        earliest(self.due_ms(), self.toasts.iter().map(|toast| toast.until_ms).min())
    }

    fn due_ms(&self) -> Option<Millis> {
        let has_words = self.note.is_some() || self.approved + self.rejected + self.cancelled > 0;
        has_words.then(|| self.last_ms.map_or(0, |last_ms| last_ms + PAUSE_MS))
    }

    fn words(&mut self) -> String {
        let outcomes = [(self.approved, "approved"), (self.rejected, "rejected"), (self.cancelled, "cancelled")];
        let total: usize = outcomes.iter().map(|(number, _)| number).sum();
        let outcome = match total {
            0 => None,
            1 => Some(std::mem::take(&mut self.single)),
            _ => {
                let parts = outcomes.into_iter().filter(|(number, _)| *number > 0);
                let parts: Vec<_> = parts.map(|(number, word)| count(number, word, word)).collect();
                Some(format!("{}.", parts.join(", ")))
            }
        };
        (self.approved, self.rejected, self.cancelled) = (0, 0, 0);
        [outcome, self.note.take()].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(announcer: &mut Announcer, now_ms: Millis) -> Option<String> {
        let mut effects = Vec::new();
        announcer.tick(now_ms, &mut effects);
        match effects.pop() {
            Some(Effect::Announce(text)) => Some(text),
            _ => None,
        }
    }

    #[test]
    fn one_outcome_is_told_and_many_are_counted() {
        let mut announcer = Announcer::default();
        announcer.outcome(OrderState::Approved, "Order 1 approved.".to_owned());
        assert_eq!(said(&mut announcer, 0).as_deref(), Some("Order 1 approved."));
        for state in [OrderState::Approved, OrderState::Rejected, OrderState::Approved, OrderState::Approved] {
            announcer.outcome(state, String::new());
        }
        assert_eq!(said(&mut announcer, 1_999), None, "the first message has its time");
        assert_eq!(said(&mut announcer, 2_000).as_deref(), Some("3 approved, 1 rejected."));
        assert_eq!(announcer.next_wake(), None);
    }

    #[test]
    fn toasts_are_few_and_leave() {
        let mut announcer = Announcer::default();
        for number in 0..5 {
            announcer.toast(number.to_string(), false, number);
        }
        assert_eq!(announcer.toasts().len(), TOASTS_AT_ONCE);
        said(&mut announcer, 10_000);
        assert!(announcer.toasts().is_empty());
    }

    proptest! {
        #[test]
        fn never_two_messages_within_two_seconds(steps in prop::collection::vec((any::<bool>(), 0u64..900), 0..60)) {
            let (mut announcer, mut now_ms, mut last) = (Announcer::default(), 0, None);
            for (happens, passed_ms) in steps {
                now_ms += passed_ms;
                if happens {
                    announcer.outcome(OrderState::Approved, "Approved.".to_owned());
                }
                if said(&mut announcer, now_ms).is_some() {
                    prop_assert!(last.is_none_or(|last| now_ms - last >= PAUSE_MS));
                    last = Some(now_ms);
                }
            }
        }
    }
}
