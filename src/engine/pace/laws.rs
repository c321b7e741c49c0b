//! The laws of the pace, held against a service that counts calls in a bucket, or in any window of a second. Time is
//! paused and nothing is random: a run always ends the same way.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::{Line, Wish};
use crate::{
    engine::{Calls, Options, Outcome, Session, Stop, Target, Verdict},
    error::{Error, Kind, Result},
    image::{ImageId, Provider, StoreRef},
    store::{Answer, Deletion, Image, ImageStore, Limit, Op, Page, Receipt},
};

/// A service that lets calls through while its bucket holds something.
struct Service {
    limit: Limit,
    latency: Duration,
    /// What flows into the bucket, in calls a second: at first, and after so many calls.
    rate: f64,
    later: (usize, f64),
    holds: f64,
    retry_after: Option<Duration>,
    state: Mutex<State>,
}

struct State {
    started: Instant,
    filled: Instant,
    bucket: f64,
    passed: Vec<Duration>,
    throttled: Vec<Duration>,
}

impl Service {
    fn new(rate: f64, holds: f64, latency: u64) -> Self {
        let now = Instant::now();
        Self {
            limit: Limit { call: "any", batch: 1, per_second: 2000, in_flight: 16 },
            latency: Duration::from_millis(latency),
            rate,
            later: (usize::MAX, rate),
            holds,
            retry_after: None,
            state: Mutex::new(State {
                started: now,
                filled: now,
                bucket: holds,
                passed: Vec::new(),
                throttled: Vec::new(),
            }),
        }
    }

    fn arrive(&self) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        let now = Instant::now();
        let at = now - state.started;
        let rate = if state.passed.len() < self.later.0 { self.rate } else { self.later.1 };
        let flown = (now - state.filled).as_secs_f64() * rate;
        (state.filled, state.bucket) = (now, (state.bucket + flown).min(self.holds));
        if state.bucket < 1.0 {
            state.throttled.push(at);
            return Err(Error { retry_after: self.retry_after, ..Error::new(Kind::Throttled, "too many calls") });
        }
        state.bucket -= 1.0;
        state.passed.push(at);
        Ok(())
    }
}

#[async_trait]
impl ImageStore for Service {
    fn home(&self) -> Arc<StoreRef> {
        Arc::new(StoreRef::of(Provider::Cvm))
    }

    fn limit(&self, _op: Op) -> Option<Limit> {
        Some(self.limit)
    }

    async fn delete(&self, _ids: &[ImageId]) -> Result<Receipt<Answer<ImageId, Deletion>>> {
        sleep(self.latency / 2).await;
        let passed = self.arrive();
        sleep(self.latency / 2).await;
        passed.map(|()| Receipt::new(Answer::All(Deletion::Deleted), None::<String>))
    }

    async fn get(&self, _ids: &[ImageId]) -> Result<Answer<ImageId, Image>> {
        unreachable!("exact ids are not looked at")
    }

    async fn list(&self, _after: Option<&str>) -> Result<Page<Image>> {
        unreachable!("exact ids are not looked at")
    }
}

struct Ran {
    seconds: f64,
    verdicts: Vec<Verdict>,
    service: Arc<Service>,
}

impl Ran {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.service.state.lock().unwrap()
    }

    /// The part of the calls after the first second that were throttled.
    fn throttled(&self) -> f64 {
        let state = self.state();
        let late = |calls: &[Duration]| calls.iter().filter(|at| at.as_secs() > 0).count() as f64;
        late(&state.throttled) / (late(&state.throttled) + late(&state.passed)).max(1.0)
    }

    fn all_deleted(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.outcome == Outcome::Deleted)
    }
}

/// Deletes `count` images, one a call.
fn delete(count: usize, wish: Wish, service: impl FnOnce() -> Service) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let service = Arc::new(service());
        let line = Arc::new(Line::new(&*service, wish));
        let session = Session::new(service.clone(), line, Calls::new(Stop::default(), 1, Arc::default()));
        let targets: Vec<_> = (0..count).map(|number| Target::exact(ImageId::Named(format!("i{number}")))).collect();
        let targets: Vec<&Target> = targets.iter().collect();
        let verdicts = Mutex::new(Vec::new());
        let options = Options { archive: false, agreed: false, no_wait: false, job_timeout: Duration::from_secs(600) };
        let emit = |_, verdict| verdicts.lock().unwrap().push(verdict);
        let started = Instant::now();
        session.delete(&targets, &HashSet::new(), started, &options, &emit).await;
        Ran { seconds: started.elapsed().as_secs_f64(), verdicts: verdicts.into_inner().unwrap(), service }
    })
}

#[test]
fn a_rate_that_nothing_publishes_is_found_and_used() {
    for rate in [5.0, 10.0, 20.0, 50.0, 100.0, 200.0] {
        for holds in [f64::max(rate / 5.0, 2.0), rate, 3.0 * rate] {
            for latency in [1, 20, 50] {
                let count = (rate * 12.0 + holds) as usize;
                let ran = delete(count, Wish::default(), || Service::new(rate, holds, latency));
                let by_latency = count as f64 * latency as f64 / 1000.0 / 16.0;
                let ideal = by_latency.max((count as f64 - holds) / rate);
                let case = format!("{rate} a second, {holds} at once, {latency} ms");
                assert!(ran.seconds <= 1.3 * ideal, "{case}: {:.2} s, {ideal:.2} s at best", ran.seconds);
                assert!(ran.throttled() <= 0.15, "{case}: {:.2} throttled", ran.throttled());
                assert_eq!(ran.verdicts.len(), count);
                assert!(ran.all_deleted(), "{case}");
            }
        }
    }
}

#[test]
fn a_rate_that_changes_is_followed() {
    for (before, after) in [(100.0, 20.0), (20.0, 100.0), (200.0, 5.0), (5.0, 50.0), (50.0, 40.0)] {
        for latency in [1, 50] {
            let count = (before * 10.0 + after * 10.0) as usize;
            let ran = delete(count, Wish::default(), || Service {
                later: (before as usize * 10, after),
                ..Service::new(before, 10.0, latency)
            });
            let case = format!("{before}, then {after} a second, {latency} ms");
            assert!(ran.seconds <= 1.3 * 20.0, "{case}: {:.2} s", ran.seconds);
            assert!(ran.throttled() <= 0.15, "{case}: {:.2} throttled", ran.throttled());
            assert!(ran.all_deleted(), "{case}");
        }
    }
}

#[test]
fn where_nothing_throttles_only_calls_in_flight_limit() {
    let ran = delete(800, Wish::default(), || Service::new(1e9, 1e9, 50));
    assert!(ran.seconds < 2.6, "{}", ran.seconds);
    let wish = Wish { in_flight: Some(32), ..Wish::default() };
    let ran = delete(800, wish, || Service::new(1e9, 1e9, 50));
    assert!(ran.seconds < 1.4, "{}", ran.seconds);
}

#[test]
fn a_published_rate_is_used_up_and_never_exceeded() {
    for (published, wanted, latency) in
        [(10, None, 50), (40, None, 20), (10, None, 1), (40, Some(7), 50), (10, Some(25), 50)]
    {
        let rate = wanted.unwrap_or(published) as usize;
        let wish = Wish { per_second: wanted, ..Wish::default() };
        let ran = delete(rate * 10, wish, || {
            let limit = Limit { call: "any", batch: 1, per_second: published, in_flight: 10 };
            Service { limit, ..Service::new(1e9, 1e9, latency) }
        });
        assert!(ran.seconds <= 9.0 * 1.1, "{rate} a second: {}", ran.seconds);
        let mut last_second = VecDeque::new();
        for at in &ran.state().passed {
            last_second.push_back(*at);
            last_second.retain(|earlier| *at - *earlier < Duration::from_secs(1));
            assert!(last_second.len() <= rate, "{} calls in a second, {rate} are allowed", last_second.len());
        }
    }
}

#[test]
fn calls_that_are_throttled_together_make_it_fall_once() {
    let ran = delete(400, Wish::default(), || Service::new(100.0, 100.0, 20));
    let first = ran.state().throttled[0];
    let next = ran.state().passed.iter().filter(|at| **at > first && **at < first + Duration::from_millis(500)).count();
    assert!(next >= 30, "{next} calls in the half second after the first throttle");
}

#[test]
fn a_pause_that_the_provider_asks_for_is_kept() {
    let asked = Duration::from_secs(3);
    let ran = delete(40, Wish::default(), || Service { retry_after: Some(asked), ..Service::new(20.0, 20.0, 0) });
    let state = ran.state();
    let first = state.throttled[0];
    assert!(state.passed.iter().all(|at| *at <= first || *at >= first + asked));
    assert!(state.throttled.iter().all(|at| *at == first || *at >= first + asked));
}

#[test]
fn a_service_that_throttles_everything_ends_the_run_with_its_own_error() {
    let patience = Duration::from_secs(60);
    let ran = delete(1000, Wish { patience, ..Wish::default() }, || Service::new(0.0, 0.0, 20));
    assert!((60.0..70.0).contains(&ran.seconds), "{}", ran.seconds);
    assert_eq!(ran.verdicts.len(), 1000);
    let throttled = |verdict: &Verdict| verdict.error.as_ref().is_some_and(|error| error.kind == Kind::Throttled);
    assert!(ran.verdicts.iter().all(throttled));
    assert!(ran.state().throttled.len() < 60, "{}", ran.state().throttled.len());
}
