//! Finds the rate that a service allows. Nothing limits the calls until the service throttles one. From then on, the
//! rate rises with each clean answer and falls once per congestion, to what the service was seen to allow.

use std::time::Duration;

use tokio::time::Instant;

/// The slowest that throttling makes a pace, in calls a second.
const SLOWEST: f64 = 0.5;

/// After the first throttle the rate is at least this, in calls a second.
const FIRST: f64 = 10.0;

/// While the service's rate is not known, each clean answer adds a quarter of the rate after the last fall, at most
/// this many calls a second.
const SEARCH_STEP: f64 = 5.0;

/// This many clean answers between two congestions show how fast the service is.
const ENOUGH: u32 = 4;

/// The first rise from what the service allows back to it takes a second, or this many answers if they take longer:
/// each rise ends in a throttled call.
const RISE: f64 = 16.0;

/// A call may go out this much early to make up for one that was late: timers tick in milliseconds.
const SLACK: Duration = Duration::from_millis(5);

pub(super) struct Rate {
    /// Calls per second; `None` before the first throttle.
    current: Option<f64>,
    /// The rate right after the last fall.
    base: f64,
    /// Whether `base` is a guess, because too few answers came between the last two congestions.
    searching: bool,
    /// Never faster than this.
    most: f64,
    /// When the next call may go out.
    next: Instant,
    /// How often the rate fell.
    falls: u64,
    /// When it fell, or when the first call was sent.
    since: Option<Instant>,
    /// Clean answers since then, of calls sent since then.
    clean: u32,
    /// Those among them that had to wait for their turn: only they show that a higher rate would be used.
    waited: u32,
}

/// What the rate was when a call went out.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    falls: u64,
    waited: bool,
}

impl Rate {
    pub fn new(most: u32) -> Self {
        Self {
            current: None,
            base: 0.0,
            searching: true,
            most: f64::from(most),
            next: Instant::now(),
            falls: 0,
            since: None,
            clean: 0,
            waited: 0,
        }
    }

    /// When the next call may go out.
    pub fn ready(&self) -> Instant {
        self.next
    }

    /// Calls a second, as of now.
    pub fn per_second(&self) -> f64 {
        self.current.unwrap_or(self.most)
    }

    pub fn send(&mut self, now: Instant) -> Sent {
        self.since.get_or_insert(now);
        let due = self.next + SLACK;
        if let Some(rate) = self.current {
            self.next = self.next.max(now - SLACK) + Duration::from_secs_f64(1.0 / rate);
        }
        Sent { falls: self.falls, waited: self.current.is_some() && now <= due }
    }

    /// Notes that a call was not throttled.
    pub fn rise(&mut self, sent: Sent) {
        if sent.falls < self.falls {
            return;
        }
        self.clean += 1;
        self.waited += u32::from(sent.waited);
        if let (Some(rate), true) = (self.current, sent.waited) {
            self.current = Some(self.risen(rate).min(self.most));
        }
    }

    fn risen(&self, rate: f64) -> f64 {
        if self.searching {
            return rate + SEARCH_STEP.min(self.base / 4.0);
        }
        // Little at first, around what the service allows; more and more where it allows more than it did.
        let rises = f64::from(self.waited) / RISE.max(self.base);
        self.base * (1.0 + 0.1 * rises + 0.05 * rises.powi(3))
    }

    /// Notes that a call was throttled. Calls that went out before the last fall belong to the same congestion.
    pub fn fall(&mut self, sent: Sent, now: Instant, pause: Duration) {
        self.next = self.next.max(now + pause);
        if sent.falls < self.falls {
            return;
        }
        let seconds = self.since.map_or(0.0, |since| (now - since).as_secs_f64());
        let clean = f64::from(self.clean);
        self.base = match self.current {
            // Services that count in buckets usually hold a second's calls in them.
            None => (clean / (1.0 + seconds)).clamp(FIRST, FIRST.max(self.most / 2.0)).min(self.most),
            // Between two congestions the service let through what it allows; a little less where it could not save up
            // what the slow start of a rise left over, so the fall is small.
            Some(rate) if self.clean >= ENOUGH => {
                let least = if self.searching { 0.0 } else { 0.8 * rate };
                (0.95 * clean / seconds).clamp(least, 0.95 * rate)
            }
            Some(rate) => rate / 2.0,
        }
        .max(SLOWEST);
        self.searching = self.current.is_none() || self.clean < ENOUGH;
        self.current = Some(self.base);
        self.falls += 1;
        (self.since, self.clean, self.waited) = (Some(now), 0, 0);
        self.next = self.next.max(now + Duration::from_secs_f64(1.0 / self.base));
    }
}
