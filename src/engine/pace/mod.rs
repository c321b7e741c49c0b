//! How fast imgctl calls one account of one provider: calls at once, calls per second, and fewer after the provider
//! throttled one. All stores of the account share it, and nothing else limits calls.

#[cfg(test)]
mod laws;
mod queue;
mod rate;
mod tries;
mod window;

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    sync::{Notify, OnceCell},
    time::{Instant, sleep_until},
};

pub use tries::Tries;

use self::{
    queue::{Place, Queue},
    rate::{Rate, Sent},
    window::Window,
};
use crate::{
    error::Error,
    store::{CacheRule, ImageStore, Limit, Replication},
};

pub use crate::store::Op;

/// The longest pause that a provider may ask for.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);

const OPS: [Op; 13] = [
    Op::Delete,
    Op::Get,
    Op::List,
    Op::Manifests,
    Op::Layers,
    Op::Poll,
    Op::Sharing,
    Op::Registry,
    Op::Rules,
    Op::Put,
    Op::StorageClass,
    Op::Details,
    Op::Referrers,
];

/// For a call that the provider does not have: it is never sent, because its store refuses it.
const NO_CALL: Limit = Limit { call: "", batch: 1, per_second: 1, in_flight: 1 };

/// What the user sets, instead of the limits of a provider.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub in_flight: Option<usize>,
    pub per_second: Option<u32>,
    /// How long a provider may throttle without letting anything through.
    pub patience: Duration,
}

impl Default for Wish {
    fn default() -> Self {
        Self { in_flight: None, per_second: None, patience: Duration::from_secs(60) }
    }
}

impl Wish {
    /// A provider's limit, as far as the user sets no other.
    pub fn over(self, limit: Limit) -> Limit {
        Limit {
            in_flight: self.in_flight.unwrap_or(limit.in_flight).max(1),
            per_second: self.per_second.unwrap_or(limit.per_second).max(1),
            ..limit
        }
    }
}

/// The paces of all calls to one account in one region, and what applies to all its stores.
pub struct Line {
    paces: Vec<(Limit, Arc<Pace>)>,
    /// What was asked once about the whole registry.
    pub(super) replication: OnceCell<Result<Replication, Error>>,
    pub(super) cache_rules: OnceCell<Result<Vec<CacheRule>, Error>>,
}

impl Line {
    pub fn new(store: &dyn ImageStore, wish: Wish) -> Self {
        let mut paces: Vec<(Limit, Arc<Pace>)> = Vec::with_capacity(OPS.len());
        for op in OPS {
            let limit = store.limit(op).unwrap_or(NO_CALL);
            let limit = wish.over(limit);
            // A provider counts all uses of one call together.
            let same = paces.iter().find(|(other, _)| other.call == limit.call);
            let pace = same.map_or_else(|| Arc::new(Pace::of(limit, wish)), |(_, pace)| Arc::clone(pace));
            paces.push((limit, pace));
        }
        Self { paces, replication: OnceCell::new(), cache_rules: OnceCell::new() }
    }

    /// The limits of a call in this run.
    pub fn limit(&self, op: Op) -> Limit {
        self.paces[op as usize].0
    }

    pub fn of(&self, op: Op) -> &Pace {
        &self.paces[op as usize].1
    }
}

/// `10 → 5 calls a second, next call in 0.4 s`. Calls that were under way change the rate only once.
fn slower([before, after]: [f64; 2], pause: Duration) -> String {
    let number = |rate: f64| format!("{rate:.1}").trim_end_matches(".0").to_owned();
    let (before, after) = (number(before), number(after));
    let rate = if before == after { after } else { format!("{before} → {after}") };
    format!("{rate} calls a second, next call in {:.1} s", pause.as_secs_f64())
}

pub struct Pace {
    state: Mutex<State>,
    patience: Duration,
}

struct State {
    queue: Queue,
    window: Window,
    rate: Rate,
    /// When the provider began to throttle every call.
    throttled: Option<Instant>,
    /// The provider's error, once it throttled every call for too long.
    given_up: Option<Error>,
}

/// A call that waits for its turn, until this is dropped.
struct Waiting<'p> {
    pace: &'p Pace,
    place: Place,
    woken: Arc<Notify>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.pace.state().queue.leave(self.place);
    }
}

/// A call that may go out; it is in flight until this is dropped.
pub struct Turn<'p> {
    pace: &'p Pace,
    sent: Sent,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.pace.state().queue.ended();
    }
}

impl Pace {
    pub fn of(limit: Limit, Wish { patience, .. }: Wish) -> Self {
        let (queue, window) = (Queue::new(limit.in_flight), Window::new(limit.per_second));
        let rate = Rate::new(limit.per_second);
        Self { state: Mutex::new(State { queue, window, rate, throttled: None, given_up: None }), patience }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// The tries of a call that is asked for now.
    pub fn tries(&self, attempts: usize) -> Tries {
        Tries::new(self.state().queue.place(), attempts)
    }

    /// Waits for a call's turn, unless `closed` says why it must not be sent any more. After the pace gave up, it returns
    /// the provider's last error.
    pub async fn turn(&self, tries: &Tries, closed: impl Fn() -> Option<Error>) -> Result<Turn<'_>, Error> {
        let place = tries.place;
        let waiting = Waiting { pace: self, place, woken: self.state().queue.wait(place) };
        loop {
            if let Some(closed) = closed() {
                return Err(closed);
            }
            let now = Instant::now();
            let ready = {
                let mut state = self.state();
                if let Some(error) = &state.given_up {
                    return Err(error.clone());
                }
                let ready = state.rate.ready().max(state.window.ready().unwrap_or(now));
                let is_next = state.queue.is_next(place);
                if is_next && ready <= now {
                    state.window.send(now);
                    state.queue.sent();
                    return Ok(Turn { pace: self, sent: state.rate.send(now) });
                }
                is_next.then_some(ready)
            };
            match ready {
                Some(ready) => sleep_until(ready).await,
                None => waiting.woken.notified().await,
            }
        }
    }

    /// After an answer: a little faster again, up to the limit.
    pub fn answered(&self, turn: &Turn<'_>) {
        let mut state = self.state();
        state.rate.rise(turn.sent);
        (state.throttled, state.given_up) = (None, None);
    }

    /// After a throttle: slower, and nothing for as long as the provider asked. Returns what changes, in words.
    pub fn throttled(&self, turn: &Turn<'_>, error: &Error) -> String {
        let now = Instant::now();
        let mut state = self.state();
        let pause = error.retry_after.unwrap_or_default().min(LONGEST_PAUSE);
        let before = state.rate.per_second();
        state.rate.fall(turn.sent, now, pause);
        let said = slower([before, state.rate.per_second()], state.rate.ready().saturating_duration_since(now));
        let since = *state.throttled.get_or_insert(now);
        if now - since >= self.patience {
            state.given_up = Some(error.clone());
        }
        said
    }

    /// Whether another try of a throttled call may help.
    pub fn hopeful(&self) -> bool {
        self.state().given_up.is_none()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn a_call_that_no_longer_waits_leaves_its_turn_to_the_next() {
        let pace = Pace::of(Limit { call: "any", batch: 1, per_second: 2000, in_flight: 1 }, Wish::default());
        let [first, second, third] = [(); 3].map(|()| pace.tries(1));
        let turn = pace.turn(&first, || None).await;
        let (mut waits, mut next) = (Box::pin(pace.turn(&second, || None)), Box::pin(pace.turn(&third, || None)));
        assert!(poll!(&mut waits).is_pending() && poll!(&mut next).is_pending());
        // The second is woken, and gives up before it goes.
        drop(turn);
        assert!(poll!(&mut next).is_pending());
        drop(waits);
        assert!(poll!(&mut next).is_ready());
    }

    #[test]
    fn a_throttle_says_how_fast_it_goes_on_and_when() {
        let pause = Duration::from_millis(430);
        assert_eq!(slower([10.0, 5.0], pause), "10 → 5 calls a second, next call in 0.4 s");
        assert_eq!(slower([7.25, 7.25], Duration::ZERO), "7.2 calls a second, next call in 0.0 s");
    }
}
