//! Deleting: send in batches, judge each answer, and never send blindly what might delete something new. What is not
//! certain after an answer is handed to `confirm`.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use tokio::time::Instant;

use super::{
    confirm::{Doubt, Pending},
    outcome::Outcome,
    pace::Op,
    session::Session,
    target::{Now, Target, Verdict, tags_going},
};
use crate::{
    error::{Error, Kind},
    image::{Digest, ImageId},
    store::Job,
};

/// A look older than this is repeated before something is sent that the service will not check itself.
const FRESH: Duration = Duration::from_secs(2);

/// Times that images in use by others of the same run are tried: deletions of an index take a moment to show.
const PASSES: u32 = 5;

/// Before the second pass; each later one waits that much longer.
const PASS_PAUSE: Duration = Duration::from_millis(500);

/// How one run deletes.
#[derive(Clone, Debug)]
pub struct Options {
    /// A person agreed to a plan: everything is looked at again before it is sent.
    pub agreed: bool,
    /// Do not wait for jobs and slow deletions.
    pub no_wait: bool,
    /// The longest wait for one job.
    pub job_timeout: Duration,
}

/// Told of each verdict as it falls, with the target's place.
pub type Emit<'r> = dyn Fn(usize, Verdict) + Send + Sync + 'r;

/// One deletion of many targets in one store.
pub(super) struct Run<'r> {
    pub session: &'r Session,
    pub targets: &'r [&'r Target],
    pub options: &'r Options,
    pub emit: &'r Emit<'r>,
    looked_at: Instant,
    /// How many ids a call may carry; lower once the service refused that many.
    batch: AtomicUsize,
    /// Tags that this run removes, of each image of which it removes several.
    pub going: HashMap<Digest, HashSet<String>>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// Images and tags that went.
    pub done: usize,
    /// Refused for now; perhaps not after others went.
    pub deferred: Vec<(usize, Error)>,
    pub pending: Vec<Pending>,
    pub jobs: HashMap<Job, Vec<usize>>,
    /// Tags that went from images whose other tags are going too.
    pub untagged: HashMap<Digest, Vec<usize>>,
}

impl Session {
    /// Deletes these distinct targets and tells `emit` exactly one verdict of each. Those in `leaving` are on their
    /// way out already and only waited for. `looked_at` is when the targets were seen.
    pub async fn delete(
        &self,
        targets: &[&Target],
        leaving: &HashSet<usize>,
        looked_at: Instant,
        options: &Options,
        emit: &Emit<'_>,
    ) {
        let run = Run {
            session: self,
            targets,
            options,
            emit,
            looked_at,
            batch: AtomicUsize::new(self.limit(Op::Delete).batch.max(1)),
            going: tags_going(targets.iter().copied()),
            state: Mutex::default(),
        };
        run.in_passes((0..targets.len()).filter(|place| !leaving.contains(place)).collect()).await;
        run.state().pending.extend(leaving.iter().map(|place| Pending { place: *place, doubt: Doubt::Leaving }));
        run.follow_jobs().await;
        run.confirm().await;
        run.last_tags();
    }
}

impl Run<'_> {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    pub fn settle(&self, place: usize, verdict: Verdict) {
        if matches!(verdict.outcome, Outcome::Deleted | Outcome::Untagged | Outcome::Gone) {
            self.state().done += 1;
        }
        (self.emit)(place, verdict);
    }

    /// Sends these; then again those that others of this run still needed, as long as that helps.
    async fn in_passes(&self, mut queue: Vec<usize>) {
        let mut done = 0;
        for pass in 1.. {
            self.send_all(queue).await;
            let deferred = std::mem::take(&mut self.state().deferred);
            let progress = self.state().done > done;
            done = self.state().done;
            let helps = |error: &Error| {
                if error.kind == Kind::InUse { progress } else { pass == 1 }
            };
            let (again, refused): (Vec<_>, Vec<_>) =
                deferred.into_iter().partition(|(_, error)| pass < PASSES && helps(error));
            for (place, error) in refused {
                self.settle(place, Verdict::failed(error));
            }
            if again.is_empty() {
                return;
            }
            if self.session.stop.sleep(PASS_PAUSE * pass).await.is_err() {
                return again.into_iter().for_each(|(place, error)| self.settle(place, Verdict::failed(error)));
            }
            queue = again.into_iter().map(|(place, _)| place).collect();
        }
    }

    async fn send_all(&self, queue: Vec<usize>) {
        let queue = Mutex::new(VecDeque::from(queue));
        let next = || {
            let mut queue = queue.lock().expect("no holder of this lock panics");
            let size = self.batch.load(Ordering::Relaxed).min(queue.len());
            let batch: Vec<_> = queue.drain(..size).collect();
            (!batch.is_empty()).then_some(batch)
        };
        let worker = || async {
            while let Some(batch) = next() {
                self.send(batch, false).await;
            }
        };
        join_all((0..self.session.limit(Op::Delete).in_flight.max(1)).map(|_| worker())).await;
    }

    /// Sends one batch until its answer is known. `halved` batches were part of a refused call.
    fn send(&self, mut batch: Vec<usize>, halved: bool) -> BoxFuture<'_, ()> {
        async move {
            let mut pauses = self.session.pauses();
            let mut look = self.needs_look(&batch);
            // Whether an earlier try of this batch may have done some of it.
            let mut doubt = false;
            let mut looked_for_culprit = halved;
            for tries in 1.. {
                if look {
                    batch = self.look_again(batch, doubt).await;
                }
                if batch.is_empty() {
                    return;
                }
                let ids: Vec<_> = batch.iter().map(|place| self.targets[*place].id.clone()).collect();
                let error = match self.session.once(Op::Delete, self.session.store.delete(&ids)).await {
                    Ok(answer) => return self.judge(&batch, &ids, answer, doubt, tries),
                    Err(error) => error,
                };
                if error.kind == Kind::Stopped {
                    return self.settle_all(&batch, |_| Verdict::failed(error.clone()));
                }
                if error.kind.transient() {
                    doubt |= error.kind == Kind::Lost;
                    if self.session.pause(&mut pauses, &error).await.is_ok() {
                        look = doubt || batch.iter().any(|place| self.targets[*place].unguarded());
                        continue;
                    }
                    return self.give_up(batch, error, doubt, tries).await;
                }
                if error.kind.splits() && batch.len() > 1 {
                    if error.kind == Kind::TooMany {
                        self.batch.fetch_min(batch.len().div_ceil(2), Ordering::Relaxed);
                    } else if !looked_for_culprit && error.kind.names_state() {
                        looked_for_culprit = true;
                        let before = batch.len();
                        batch = self.look_again(batch, doubt).await;
                        if batch.len() < before {
                            look = false;
                            continue;
                        }
                    }
                    let right = batch.split_off(batch.len() / 2);
                    self.send(batch, true).await;
                    return self.send(right, true).await;
                }
                return self.give_up(batch, error, doubt, tries).await;
            }
        }
        .boxed()
    }

    /// A batch whose call failed for good.
    async fn give_up(&self, batch: Vec<usize>, error: Error, doubt: bool, tries: usize) {
        let unreadable = error.kind == Kind::Unreadable;
        let left = if doubt || unreadable { self.look_again(batch, true).await } else { batch };
        self.session.halt_on(&error);
        self.settle_all(&left, |target| match error.kind {
            // It was there a moment ago, and nobody knows what that answer meant.
            Kind::Unreadable => Verdict::unknown(error.clone()),
            // Looked at again and still there.
            Kind::Lost => Verdict { outcome: Outcome::Failed, error: Some(error.clone()), job: None },
            Kind::NotFound if target.was_there(doubt, tries) => Verdict::of(Outcome::Gone),
            _ => Verdict::failed(error.clone()),
        });
    }

    fn settle_all(&self, batch: &[usize], verdict: impl Fn(&Target) -> Verdict) {
        for place in batch {
            self.settle(*place, verdict(self.targets[*place]));
        }
    }

    /// Whether a batch must be looked at before it is sent for the first time.
    fn needs_look(&self, batch: &[usize]) -> bool {
        let stale = self.looked_at.elapsed() > FRESH;
        batch.iter().map(|place| self.targets[*place]).any(|target| {
            let checked_by_service = matches!(target.id, ImageId::TagAt(..) | ImageId::Named(_));
            target.seen.is_some() && (self.options.agreed || stale && !checked_by_service)
        })
    }

    /// Looks at a batch and keeps what is still there and still the same; the rest is settled.
    async fn look_again(&self, batch: Vec<usize>, doubt: bool) -> Vec<usize> {
        let names: Vec<_> = batch.iter().map(|place| self.targets[*place].look_up()).collect();
        let found = self.session.get(&names).await;
        let mut left = Vec::with_capacity(batch.len());
        for (place, now) in batch.into_iter().zip(found) {
            match self.targets[place].compare(now) {
                Now::Same => left.push(place),
                Now::Gone(_) if doubt => self.settle(place, Verdict::of(Outcome::Gone)),
                Now::Gone(error) | Now::Refused(error) => self.settle(place, Verdict::failed(error)),
                Now::Going => self.state().pending.push(Pending { place, doubt: Doubt::Leaving }),
                Now::Unclear(error) if doubt => self.settle(place, Verdict::unknown(error)),
                Now::Unclear(error) => self.settle(place, Verdict::not_sent(error)),
            }
        }
        left
    }
}
