//! The tries of one call: how many are left, and the pauses between them. A throttled call needs no pause: the pace slows
//! down, and the call keeps its place before all that were asked for later.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::queue::Place;

pub struct Tries {
    pub(super) place: Place,
    left: usize,
    growing: ExponentialBackoff,
}

impl Tries {
    pub(super) fn new(place: Place, attempts: usize) -> Self {
        let growing = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(250))
            .with_max_delay(Duration::from_secs(20))
            .without_max_times()
            .with_jitter()
            .build();
        Self { place, left: attempts.saturating_sub(1), growing }
    }

    /// The pause before the next try, or `None` when all tries are used.
    pub fn pause(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let own = self.growing.next()?;
        Some(asked.map_or(own, |asked| asked.max(own)))
    }
}
