//! The hard limit: at most N calls within any second. All N may go out at once; after that, each call waits until the
//! call N places before it is a second old.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// A little more than a second, because calls that leave a second apart may arrive closer together.
const SECOND: Duration = Duration::from_millis(1050);

pub(super) struct Window {
    most: usize,
    /// When the last calls were sent, at most `most` of them.
    sent: VecDeque<Instant>,
}

impl Window {
    pub fn new(most: u32) -> Self {
        Self { most: most.max(1) as usize, sent: VecDeque::new() }
    }

    /// When the next call may go out; `None` if at any time.
    pub fn ready(&self) -> Option<Instant> {
        let first = self.sent.front().filter(|_| self.sent.len() == self.most)?;
        Some(*first + SECOND)
    }

    pub fn send(&mut self, now: Instant) {
        if self.sent.len() == self.most {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }
}
