//! How fast one account of one provider is called: calls at once, calls a second, and slower for a while after the
//! provider said that it was too much. Shared by all stores of that account.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::{
    sync::{Mutex, Semaphore, SemaphorePermit},
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use crate::{
    error::Kind,
    store::{ImageStore, Limit},
};

/// Spare time between two calls, so that the network's jitter never squeezes one call too many into a second.
const MARGIN: f64 = 1.05;

/// The slowest that throttling makes a store.
const SLOWEST: Duration = Duration::from_secs(2);

/// A kind of call, paced on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Delete,
    Get,
    List,
    Manifests,
    Layers,
    Poll,
    Sharing,
    Users,
}

impl Op {
    const ALL: [Self; 8] =
        [Self::Delete, Self::Get, Self::List, Self::Manifests, Self::Layers, Self::Poll, Self::Sharing, Self::Users];

    pub fn limit(self, store: &dyn ImageStore) -> Limit {
        let limits = store.limits();
        match self {
            Self::Delete => limits.delete,
            Self::Get => limits.get,
            Self::List => limits.list,
            Self::Manifests => limits.manifests,
            Self::Layers => limits.layers,
            Self::Poll => limits.poll,
            Self::Sharing => store.sharing().unwrap_or(limits.get),
            Self::Users => store.scanning().unwrap_or(limits.list),
        }
    }
}

/// The paces of all calls to one account.
pub struct Line {
    paces: [Pace; Op::ALL.len()],
}

impl Line {
    pub fn new(store: &dyn ImageStore, concurrency: Option<usize>) -> Self {
        Self { paces: Op::ALL.map(|op| Pace::new(op.limit(store), concurrency)) }
    }

    pub fn of(&self, op: Op) -> &Pace {
        &self.paces[op as usize]
    }
}

pub struct Pace {
    slots: Semaphore,
    ticks: Mutex<Interval>,
    /// Between two calls when all is well.
    period: Duration,
}

impl Pace {
    fn new(limit: Limit, concurrency: Option<usize>) -> Self {
        let slots = concurrency.unwrap_or(limit.in_flight).min(limit.in_flight).max(1);
        let period = Duration::from_secs(1).div_f64(f64::from(limit.per_second.max(1))).mul_f64(MARGIN);
        Self { slots: Semaphore::new(slots), ticks: Mutex::new(every(period, Instant::now())), period }
    }

    /// Waits for this call's turn; the turn lasts as long as the permit.
    pub async fn turn(&self) -> SemaphorePermit<'_> {
        let permit = self.slots.acquire().await.expect("the semaphore is never closed");
        self.ticks.lock().await.tick().await;
        permit
    }

    /// After a throttle: nothing for that long, and half the rate from then on.
    pub async fn slow_down(&self, pause: Duration) {
        let mut ticks = self.ticks.lock().await;
        let slower = (ticks.period() * 2).min(SLOWEST).max(self.period);
        *ticks = every(slower, Instant::now() + pause);
    }

    /// After an answer: a little faster again, up to the documented rate.
    pub async fn recover(&self) {
        let mut ticks = self.ticks.lock().await;
        if ticks.period() > self.period {
            let faster = ticks.period().mul_f64(0.75).max(self.period);
            *ticks = every(faster, Instant::now() + faster);
        }
    }
}

fn every(period: Duration, first: Instant) -> Interval {
    let mut ticks = interval_at(first, period);
    // A late call moves the later ones: catching up would exceed the rate.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The pauses between tries of one call.
pub struct Pauses {
    left: usize,
    throttled: backon::ExponentialBackoff,
    other: backon::ExponentialBackoff,
}

impl Pauses {
    pub fn new(attempts: usize) -> Self {
        let growing = |first: u64| {
            ExponentialBuilder::new()
                .with_min_delay(Duration::from_millis(first))
                .with_max_delay(Duration::from_secs(20))
                .without_max_times()
                .with_jitter()
                .build()
        };
        // Tencent's own clients pause 1, 2, 4 s when throttled; a broken connection is worth a quicker second try.
        Self { left: attempts.saturating_sub(1), throttled: growing(1000), other: growing(250) }
    }

    /// The pause before the next try, or nothing when all tries are used up.
    pub fn next(&mut self, kind: Kind, asked: Option<Duration>) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let own = if kind == Kind::Throttled { self.throttled.next() } else { self.other.next() }?;
        Some(asked.map_or(own, |asked| asked.max(own)))
    }
}
