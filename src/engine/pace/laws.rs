//! The laws of the pace, held against a service that counts the calls of each kind in a bucket, or in any window of a
//! second. Time is paused and nothing is random: a run always ends the same way.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::{join, join_all};
use tokio::time::{Instant, sleep};

use super::{Line, Wish};
use crate::{
    engine::{Calls, Options, Outcome, Session, Stop, Target, Verdict, journal::Journal},
    error::{Error, Kind, Result},
    image::{ImageId, Provider, StoreRef},
    store::{Answer, Deletion, Image, ImageStore, Limit, Op, Page, Receipt},
};

/// The kinds of calls that are counted apart.
const DELETE: &str = "delete";
const LOOK: &str = "look";
const READ: &str = "read";

/// A service that lets calls through while the bucket of their kind holds something.
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
    /// What each bucket holds, and since when.
    buckets: HashMap<&'static str, (f64, Instant)>,
    passed: Vec<Duration>,
    throttled: Vec<Duration>,
}

impl Service {
    fn new(rate: f64, holds: f64, latency: u64) -> Self {
        let started = Instant::now();
        Self {
            limit: Limit { call: "any", batch: 1, per_second: 2000, in_flight: 16 },
            latency: Duration::from_millis(latency),
            rate,
            later: (usize::MAX, rate),
            holds,
            retry_after: None,
            state: Mutex::new(State { started, buckets: HashMap::new(), passed: Vec::new(), throttled: Vec::new() }),
        }
    }

    /// One call, with its latency.
    async fn call(&self, kind: &'static str) -> Result<()> {
        sleep(self.latency / 2).await;
        let passed = self.arrive(kind);
        sleep(self.latency / 2).await;
        passed
    }

    fn arrive(&self, kind: &'static str) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        let now = Instant::now();
        let at = now - state.started;
        let rate = if state.passed.len() < self.later.0 { self.rate } else { self.later.1 };
        let (held, since) = *state.buckets.entry(kind).or_insert((self.holds, now));
        let holds = (held + (now - since).as_secs_f64() * rate).min(self.holds);
        let passes = holds >= 1.0;
        state.buckets.insert(kind, (if passes { holds - 1.0 } else { holds }, now));
        if !passes {
            state.throttled.push(at);
            return Err(Error { retry_after: self.retry_after, ..Error::new(Kind::Throttled, "too many calls") });
        }
        state.passed.push(at);
        Ok(())
    }

    fn session(service: Self, wish: Wish) -> (Arc<Self>, Session) {
        let service = Arc::new(service);
        let line = Arc::new(Line::new(&*service, wish));
        let session = Session::new(service.clone(), line, Calls::new(Stop::default(), 1, Arc::default()));
        (service, session)
    }
}

#[async_trait]
impl ImageStore for Service {
    fn home(&self) -> Arc<StoreRef> {
        Arc::new(StoreRef::of(Provider::Cvm))
    }

    fn limit(&self, op: Op) -> Option<Limit> {
        let call = match op {
            Op::Delete => DELETE,
            Op::Get => LOOK,
            _ => READ,
        };
        Some(Limit { call, ..self.limit })
    }

    async fn delete(&self, _ids: &[ImageId]) -> Result<Receipt<Answer<ImageId, Deletion>>> {
        self.call(DELETE).await.map(|()| Receipt::new(Answer::All(Deletion::Deleted), None::<String>))
    }

    async fn get(&self, _ids: &[ImageId]) -> Result<Answer<ImageId, Image>> {
        unreachable!("exact ids are not looked at")
    }

    async fn list(&self, _after: Option<&str>) -> Result<Page<Image>> {
        unreachable!("exact ids are not looked at")
    }
}

/// Reads what a record would know of each batch.
struct Reading<'s> {
    reads: bool,
    looks: Session,
    manifests: Session,
    service: &'s Service,
    verdicts: Mutex<Vec<Verdict>>,
}

#[async_trait]
impl Journal for Reading<'_> {
    fn reads(&self) -> bool {
        self.reads
    }

    async fn prepare(&self, _batch: &[usize]) -> Option<DateTime<Utc>> {
        let look = self.looks.ask(Op::Get, || self.service.call(LOOK));
        let read = self.manifests.ask(Op::Manifests, || self.service.call(READ));
        let (looked, read) = join(look, read).await;
        looked.and(read).expect("an answer");
        None
    }

    async fn before(&self, _batch: &[usize]) -> Result<()> {
        Ok(())
    }

    fn answered(&self, _batch: &[usize], _request_id: &str) {}

    fn ended(&self, _at: usize, verdict: Verdict) {
        self.verdicts.lock().unwrap().push(verdict);
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

    /// Nearly as fast as the service lets it be, with few throttled calls, and everything deleted.
    fn keeps_the_law(&self, ideal: f64, case: &str) {
        assert!(self.seconds <= 1.3 * ideal, "{case}: {:.2} s, {ideal:.2} s at best", self.seconds);
        assert!(self.throttled() <= 0.15, "{case}: {:.2} throttled", self.throttled());
        assert!(self.verdicts.iter().all(|verdict| verdict.outcome == Outcome::Deleted), "{case}");
    }
}

/// Deletes `count` images, one a call.
fn delete(count: usize, wish: Wish, service: impl FnOnce() -> Service) -> Ran {
    run(count, wish, service, false)
}

/// The same, where with `reads` two calls are made about each image before it is sent, as for a record.
fn run(count: usize, wish: Wish, service: impl FnOnce() -> Service, reads: bool) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (service, session) = Service::session(service(), wish);
        let targets: Vec<_> = (0..count).map(|number| Target::exact(ImageId::Named(format!("i{number}")))).collect();
        let targets: Vec<&Target> = targets.iter().collect();
        let (looks, manifests) = (session.aside(), session.aside());
        let journal = Reading { reads, looks, manifests, service: &service, verdicts: Mutex::default() };
        let options = Options { archive: false, agreed: false, no_wait: false, job_timeout: Duration::from_secs(600) };
        let started = Instant::now();
        session.delete(&targets, &HashSet::new(), started, &options, &journal).await;
        let verdicts = journal.verdicts.into_inner().unwrap();
        Ran { seconds: started.elapsed().as_secs_f64(), verdicts, service }
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
                ran.keeps_the_law(ideal, &case);
                assert_eq!(ran.verdicts.len(), count);
            }
        }
    }
}

#[test]
fn calls_about_an_image_that_are_counted_apart_take_no_longer_than_one() {
    for rate in [5.0, 20.0, 100.0] {
        for latency in [1, 20, 50] {
            let count = (rate * 12.0 + rate) as usize;
            let ran = run(count, Wish::default(), || Service::new(rate, rate, latency), true);
            ran.keeps_the_law(12.0, &format!("{rate} a second, {latency} ms"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_throttled_goes_before_those_that_were_asked_for_later() {
    let (service, session) = Service::session(Service::new(20.0, 20.0, 20), Wish::default());
    let passed = Mutex::new(Vec::new());
    let call = |number: usize| {
        let (service, passed, session) = (&service, &passed, &session);
        let call = move || async move { service.call(READ).await.map(|()| passed.lock().unwrap().push(number)) };
        async move { session.ask(Op::Manifests, call).await.expect("an answer") }
    };
    join_all((0..300).map(call)).await;
    let passed = passed.into_inner().unwrap();
    // Those in flight go before it, and perhaps once more.
    let late = passed.iter().enumerate().map(|(place, number)| place.saturating_sub(*number)).max();
    assert!(late <= Some(2 * 16), "{late:?} calls later than asked");
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
            ran.keeps_the_law(20.0, &format!("{before}, then {after} a second, {latency} ms"));
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
