//! The pauses between tries of a call that got no answer. A throttled call needs no pause: the pace slows down.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

pub struct Pauses {
    left: usize,
    growing: ExponentialBackoff,
}

impl Pauses {
    pub fn new(attempts: usize) -> Self {
        let growing = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(250))
            .with_max_delay(Duration::from_secs(20))
            .without_max_times()
            .with_jitter()
            .build();
        Self { left: attempts.saturating_sub(1), growing }
    }

    /// The pause before the next try, or `None` when all tries are used.
    pub fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let own = self.growing.next()?;
        Some(asked.map_or(own, |asked| asked.max(own)))
    }
}
