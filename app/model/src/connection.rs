//! The socket's life: connecting → catching up → live → reconnecting(n) → offline.
//!
//! Sockets are numbered, so that a late word of an old one changes nothing. It knows nothing of what the frames say.

use crate::{
    effect::Effect,
    time::{Millis, Now, earliest},
};

/// A socket's number: each new one gets the next.
pub type SocketNumber = u32;

/// The first retry waits at most this long, the next ones twice as long each, by chance (full jitter).
const FIRST_BACKOFF_MS: Millis = 250;
/// No retry waits longer.
const LONGEST_BACKOFF_MS: Millis = 15_000;
/// A connection that lasted this long was a good one: the next retry starts from the shortest wait.
const STABLE_AFTER_MS: Millis = 10_000;
/// The server speaks at least every 15 s; after this silence it is taken for dead.
const SILENCE_MS: Millis = 25_000;
/// Opening and being answered may each take this long.
const OPENING_MS: Millis = 10_000;
/// A disturbance shorter than this gets no banner, and neither does loading the page.
pub const GRACE_MS: Millis = 2_000;

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A socket is being opened.
    Connecting {
        /// Its number.
        socket: SocketNumber,
        /// When that has taken too long.
        deadline_ms: Millis,
    },
    /// The socket is open; what was missed is being delivered.
    CatchingUp {
        /// Its number.
        socket: SocketNumber,
    },
    /// Everything arrives as it happens.
    Live {
        /// Its number.
        socket: SocketNumber,
        /// Since when.
        since_ms: Millis,
    },
    /// Waiting for the next attempt.
    Reconnecting {
        /// When it starts.
        retry_at_ms: Millis,
    },
    /// The device has no network.
    Offline,
}

/// The connection.
#[derive(Clone, Debug)]
pub struct Connection {
    phase: Phase,
    last_socket: SocketNumber,
    /// Failures since the last good connection.
    failures: u32,
    heard_ms: Millis,
    /// Since when outcomes do not arrive by themselves.
    down_since_ms: Option<Millis>,
    last_gap_ms: Option<Millis>,
    was_live: bool,
}

impl Connection {
    /// A page that has just been opened.
    #[must_use]
    pub fn new(now: Now) -> Self {
        Self {
            phase: Phase::Offline,
            last_socket: 0,
            failures: 0,
            heard_ms: now.ms,
            down_since_ms: Some(now.ms),
            last_gap_ms: None,
            was_live: false,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether outcomes arrive as they happen.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live { .. })
    }

    /// Whether the device has no network, so that a command could not be sent.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.phase == Phase::Offline
    }

    /// Whether it was live before.
    #[must_use]
    pub fn was_live(&self) -> bool {
        self.was_live
    }

    /// Whether outcomes have not arrived by themselves for so long that it matters.
    #[must_use]
    pub fn is_down(&self, now_ms: Millis) -> bool {
        self.down_since_ms.is_some_and(|since_ms| now_ms >= since_ms + GRACE_MS)
    }

    /// The socket that counts, if there is one.
    #[must_use]
    pub fn socket(&self) -> Option<SocketNumber> {
        match self.phase {
            Phase::Connecting { socket, .. } | Phase::CatchingUp { socket } | Phase::Live { socket, .. } => {
                Some(socket)
            }
            Phase::Reconnecting { .. } | Phase::Offline => None,
        }
    }

    /// Opens a new socket at once, dropping the present one.
    pub fn open(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.drop_socket(effects);
        self.last_socket += 1;
        self.heard_ms = now.ms;
        self.down_since_ms.get_or_insert(now.ms);
        self.phase = Phase::Connecting { socket: self.last_socket, deadline_ms: now.ms + OPENING_MS };
        effects.push(Effect::OpenSocket(self.last_socket));
    }

    /// The socket is open. Says whether it is the one that counts, so that a hello is due.
    #[must_use]
    pub fn opened(&mut self, socket: SocketNumber, now: Now) -> bool {
        let counts = matches!(self.phase, Phase::Connecting { socket: present, .. } if present == socket);
        if counts {
            self.heard_ms = now.ms;
            self.phase = Phase::CatchingUp { socket };
        }
        counts
    }

    /// Something was heard from a socket. Says whether it is the one that counts.
    #[must_use]
    pub fn heard(&mut self, socket: SocketNumber, now: Now) -> bool {
        let counts = self.socket() == Some(socket);
        if counts {
            self.heard_ms = now.ms;
        }
        counts
    }

    /// Nothing is missing any more.
    pub fn caught_up(&mut self, now: Now) {
        if let Phase::CatchingUp { socket } = self.phase {
            self.phase = Phase::Live { socket, since_ms: now.ms };
            self.down_since_ms = None;
            self.was_live = true;
        }
    }

    /// A socket has closed or could not be opened. An old one's close is ignored.
    pub fn closed(&mut self, socket: SocketNumber, now: Now, effects: &mut Vec<Effect>) {
        if self.socket() == Some(socket) {
            self.retry_later(now, effects);
        }
    }

    /// A frame is missing: a new socket asks for it at once, unless that has just been tried.
    pub fn found_gap(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let repeated = self.last_gap_ms.is_some_and(|last_ms| now.ms < last_ms + STABLE_AFTER_MS);
        self.last_gap_ms = Some(now.ms);
        if repeated {
            self.retry_later(now, effects);
        } else {
            self.open(now, effects);
        }
    }

    /// The device lost its network.
    pub fn went_offline(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.drop_socket(effects);
        self.down_since_ms.get_or_insert(now.ms);
        self.phase = Phase::Offline;
    }

    /// The network is back, the page is visible again or the reader asks for it: no further waiting.
    pub fn retry_now(&mut self, now: Now, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::Reconnecting { .. } | Phase::Offline => {
                self.failures = 0;
                self.open(now, effects);
            }
            Phase::Connecting { .. } | Phase::CatchingUp { .. } | Phase::Live { .. } => {}
        }
    }

    /// Acts on deadlines that have passed.
    pub fn tick(&mut self, now: Now, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::Connecting { deadline_ms, .. } if now.ms >= deadline_ms => self.retry_later(now, effects),
            Phase::CatchingUp { .. } | Phase::Live { .. } if now.ms >= self.heard_ms + SILENCE_MS => {
                self.retry_later(now, effects);
            }
            Phase::Reconnecting { retry_at_ms } if now.ms >= retry_at_ms => self.open(now, effects),
            Phase::Connecting { .. }
            | Phase::CatchingUp { .. }
            | Phase::Live { .. }
            | Phase::Reconnecting { .. }
            | Phase::Offline => {}
        }
    }

    /// When something here is due, the banner's countdown included.
    #[must_use]
    pub fn next_wake(&self, now_ms: Millis) -> Option<Millis> {
        let due = match self.phase {
            Phase::Connecting { deadline_ms, .. } => Some(deadline_ms),
            Phase::CatchingUp { .. } | Phase::Live { .. } => Some(self.heard_ms + SILENCE_MS),
            Phase::Reconnecting { retry_at_ms } => {
                let left_ms = retry_at_ms.saturating_sub(now_ms);
                Some(if left_ms > 1_000 { now_ms + (left_ms - 1) % 1_000 + 1 } else { retry_at_ms })
            }
            Phase::Offline => None,
        };
        let banner = self.down_since_ms.map(|since_ms| since_ms + GRACE_MS).filter(|due_ms| *due_ms > now_ms);
        earliest(due, banner)
    }

    fn retry_later(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Live { since_ms, .. } if now.ms >= since_ms + STABLE_AFTER_MS) {
            self.failures = 0;
        }
        self.drop_socket(effects);
        self.down_since_ms.get_or_insert(now.ms);
        let longest_ms = (FIRST_BACKOFF_MS << self.failures.min(10)).min(LONGEST_BACKOFF_MS);
        self.failures += 1;
        self.phase = Phase::Reconnecting { retry_at_ms: now.ms + jitter(longest_ms, now.chance) };
    }

    fn drop_socket(&mut self, effects: &mut Vec<Effect>) {
        if let Some(socket) = self.socket() {
            effects.push(Effect::CloseSocket(socket));
        }
    }
}

/// Full jitter: anything up to the longest, so that many clients do not come back at once.
#[must_use]
pub fn jitter(longest_ms: Millis, chance: f64) -> Millis {
    (longest_ms as f64 * chance.clamp(0.0, 1.0)) as Millis
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
