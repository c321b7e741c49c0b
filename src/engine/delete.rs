//! Deletes targets, or archives them: sends batches, judges each answer, and never sends again what might delete something
//! new. `confirm` checks what is uncertain after that.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        LazyLock, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use tokio::{
    sync::{Semaphore, oneshot},
    time::Instant,
};

use super::{
    census::TOGETHER,
    confirm::{Doubt, Pending},
    journal::Journal,
    outcome::Outcome,
    pace::Op,
    session::Session,
    target::{Now, Target, Verdict, tags_going},
};
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::{Answer, Deletion, Image, Job, Limit, Receipt, Storage, StorageClass},
};

/// A look that is older than this is repeated before a deletion that the service does not check itself.
const FRESH: Duration = Duration::from_secs(2);

/// How often to try images that others of the same run still use: the deletion of an index takes a moment to show.
const PASSES: u32 = 5;

/// While a batch is sent, this many in all are prepared or sent: preparing one takes up to two more calls.
const AHEAD: usize = 3;

/// The pause before the second try; each later one adds the same again.
const PASS_PAUSE: Duration = Duration::from_millis(500);

/// How one run deletes.
#[derive(Clone, Debug)]
pub struct Options {
    /// Archive the images instead.
    pub archive: bool,
    /// A person agreed to a plan, so everything is looked at again before it is sent.
    pub agreed: bool,
    /// Do not wait for jobs and slow deletions.
    pub no_wait: bool,
    /// The longest wait for one job.
    pub job_timeout: Duration,
}

/// How much the clocks of this machine and of a service may differ. An image that was never looked at, and was pushed
/// later than this before the run, may be a new one with the same digest.
pub const CLOCKS: TimeDelta = TimeDelta::minutes(15);

/// One deletion of many targets in one store.
pub(super) struct Run<'r> {
    pub session: &'r Session,
    pub targets: &'r [&'r Target],
    pub options: &'r Options,
    pub journal: &'r dyn Journal,
    looked_at: Instant,
    began: DateTime<Utc>,
    /// The call that is sent.
    op: Op,
    /// How many targets are looked at together; for a deletion, how many ids a call may carry. It shrinks when the service
    /// refuses that many.
    batch: AtomicUsize,
    /// The tags that this run removes from each image.
    going: HashMap<Digest, HashSet<String>>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// Images and tags that were deleted so far.
    pub done: usize,
    /// Refused for now; the service may accept them after others are deleted.
    pub deferred: Vec<(usize, Error)>,
    pub pending: Vec<Pending>,
    pub jobs: HashMap<Job, Vec<usize>>,
    /// Tags that an answer reported as removed, each with the image it was removed from.
    pub untagged: Vec<(usize, Digest)>,
    /// Targets that a call without an answer may have deleted, with the last such error.
    pub lost: HashMap<usize, Error>,
    /// Targets whose manifest this run read, each with the time up to which a pull may be that reading.
    pub read: HashMap<usize, DateTime<Utc>>,
}

impl Session {
    /// Deletes these distinct targets and tells `journal` exactly one verdict on each. It only waits for those in `leaving`,
    /// which are already being deleted. `looked_at` is when the targets were seen.
    pub async fn delete(
        &self,
        targets: &[&Target],
        leaving: &HashSet<usize>,
        looked_at: Instant,
        options: &Options,
        journal: &dyn Journal,
    ) {
        let op = if options.archive { Op::StorageClass } else { Op::Delete };
        let run = Run {
            session: self,
            targets,
            options,
            journal,
            looked_at,
            began: Utc::now(),
            op,
            // A call about one image still shares its look with others.
            batch: AtomicUsize::new(match self.store.lists_names() {
                true => TOGETHER,
                false => self.limit(if options.archive { Op::Get } else { op }).batch.max(1),
            }),
            going: tags_going(targets.iter().copied()),
            state: Mutex::default(),
        };
        run.in_passes((0..targets.len()).filter(|place| !leaving.contains(place)).collect()).await;
        run.state().pending.extend(leaving.iter().map(|place| Pending { place: *place, doubt: Doubt::Leaving }));
        run.follow_jobs().await;
        run.confirm().await;
        run.confirm_untagged().await;
    }
}

impl Run<'_> {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    pub fn settle(&self, place: usize, verdict: Verdict) {
        if matches!(verdict.outcome, Outcome::Deleted | Outcome::Untagged | Outcome::Gone | Outcome::Archived) {
            self.state().done += 1;
        }
        self.journal.ended(place, verdict);
    }

    /// The error of the last call that may have deleted this target without an answer.
    pub fn lost(&self, place: usize) -> Option<Error> {
        self.state().lost.get(&place).cloned()
    }

    /// Compares a target with a fresh look at it.
    pub fn compare(&self, place: usize, now: Result<Image>) -> Now {
        let read_at = self.state().read.get(&place).copied();
        match now {
            Ok(image) if self.options.archive && image.storage == Storage::Archived => Now::Archived,
            now => self.targets[place].compare(now, self.removed(place), read_at),
        }
    }

    /// The verdict on a target that a call without an answer may have changed, and that no longer exists.
    pub fn gone(&self, place: usize, error: Error) -> Verdict {
        if self.options.archive { Verdict::failed(error) } else { Verdict::gone(self.targets[place]) }
    }

    /// The tags that this run removes from the image of a target.
    pub fn removed(&self, place: usize) -> &HashSet<String> {
        static NONE: LazyLock<HashSet<String>> = LazyLock::new(HashSet::new);
        self.targets[place].digest().and_then(|digest| self.going.get(&digest)).unwrap_or(&NONE)
    }

    /// Sends these targets, then retries those that others of this run still used, as long as that helps.
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
        let queue = Mutex::new((VecDeque::from(queue), None));
        // A batch, and the two ends of its place in the order: the batch before it has begun, and it has begun.
        let next = || {
            let mut queue = queue.lock().expect("no holder of this lock panics");
            let (places, last) = &mut *queue;
            let size = self.batch.load(Ordering::Relaxed).min(places.len());
            let batch: Vec<_> = places.drain(..size).collect();
            let (begun, begins) = oneshot::channel::<()>();
            (!batch.is_empty()).then(|| (batch, last.replace(begins), begun))
        };
        let Limit { batch, in_flight, .. } = self.session.limit(self.op);
        // Where a batch makes many calls, it is looked at right before them, and the next one meanwhile.
        let in_flight = if self.batch.load(Ordering::Relaxed) > batch { in_flight.min(2) } else { in_flight };
        let workers = if self.journal.reads() { AHEAD * in_flight } else { in_flight };
        let turns = Semaphore::new(in_flight);
        let worker = || async {
            while let Some((batch, before, begun)) = next() {
                let (batch, looked_at) = self.prepare(batch).await;
                if let Some(before) = before {
                    // The other end is dropped as soon as that batch has begun.
                    let _ = before.await;
                }
                let _turn = turns.acquire().await;
                drop(begun);
                self.send(batch, looked_at, false).await;
            }
        };
        join_all((0..workers).map(|_| worker())).await;
    }

    /// Lets the journal read what it must know of a batch. Reading may count as a pull, so a look that notices pulls comes
    /// first. Returns what still exists unchanged, and when that was seen.
    async fn prepare(&self, mut batch: Vec<usize>) -> (Vec<usize>, Option<Instant>) {
        if !self.journal.reads() {
            return (batch, None);
        }
        let mut looked_at = None;
        if self.needs_look(&batch) {
            batch = self.look_again(batch).await;
            looked_at = Some(Instant::now());
        }
        if let Some(read_at) = self.journal.prepare(&batch).await {
            self.state().read.extend(batch.iter().map(|place| (*place, read_at)));
        }
        (batch, looked_at)
    }

    /// Sends one batch, which was just looked at or was not, until its answer is known. A `halved` batch was part of a
    /// refused call.
    fn send(&self, mut batch: Vec<usize>, looked_at: Option<Instant>, halved: bool) -> BoxFuture<'_, ()> {
        async move {
            let mut tries = self.session.tries(self.op);
            let mut look = self.needs_look(&batch) && looked_at.is_none_or(|at| at.elapsed() > FRESH);
            let mut looked_for_culprit = halved;
            loop {
                if look {
                    batch = self.look_again(batch).await;
                }
                if batch.is_empty() {
                    return;
                }
                if let Err(error) = self.journal.before(&batch).await {
                    return self.give_up(batch, error).await;
                }
                let most = self.session.limit(self.op).batch.max(1);
                if batch.len() > most {
                    let parts = batch.chunks(most).map(|part| self.send(part.to_vec(), Some(Instant::now()), false));
                    join_all(parts).await;
                    return;
                }
                let ids: Vec<_> = batch.iter().map(|place| self.targets[*place].id.clone()).collect();
                let error = match self.session.once(self.op, &tries, self.call(&ids)).await {
                    Ok(Receipt { said, request_id }) => {
                        if let Some(request_id) = request_id {
                            self.journal.answered(&batch, &request_id);
                        }
                        return self.judge(&batch, &ids, said);
                    }
                    Err(error) => error,
                };
                if matches!(error.kind, Kind::Lost | Kind::Unreadable) {
                    self.state().lost.extend(batch.iter().map(|place| (*place, error.clone())));
                }
                if error.kind.transient() {
                    if self.session.pause(self.op, &mut tries, &error).await.is_err() {
                        return self.give_up(batch, error).await;
                    }
                    look = batch.iter().any(|place| self.lost(*place).is_some() || self.targets[*place].unguarded());
                    continue;
                }
                if error.kind.splits() && batch.len() > 1 {
                    if error.kind == Kind::TooMany {
                        self.batch.fetch_min(batch.len().div_ceil(2), Ordering::Relaxed);
                    } else if !looked_for_culprit && error.kind.names_state() {
                        looked_for_culprit = true;
                        let before = batch.len();
                        batch = self.look_again(batch).await;
                        if batch.len() < before {
                            look = false;
                            continue;
                        }
                    }
                    let right = batch.split_off(batch.len() / 2);
                    self.send(batch, None, true).await;
                    return self.send(right, None, true).await;
                }
                return self.give_up(batch, error).await;
            }
        }
        .boxed()
    }

    /// One call about a batch.
    async fn call(&self, ids: &[ImageId]) -> Result<Receipt<Answer<ImageId, Deletion>>> {
        let store = &self.session.store;
        match (self.options.archive, ids) {
            // The answer names a state, and only a look shows that the image is in it.
            (true, [id]) => {
                let Receipt { request_id, .. } = store.set_storage_class(id, StorageClass::Archive).await?;
                Ok(Receipt::new(Answer::All(Deletion::Requested), request_id))
            }
            (true, _) => Err(Error::new(Kind::TooMany, "images are archived one by one")),
            (false, ids) => store.delete(ids).await,
        }
    }

    /// Ends a batch whose call failed for good. It looks at targets that a call without an answer may have deleted.
    async fn give_up(&self, batch: Vec<usize>, error: Error) {
        if error.kind == Kind::Unreadable {
            // Before the look, because other batches would go on deleting meanwhile.
            self.session.halt_on(&error);
        }
        let (lost, mut left): (Vec<_>, Vec<_>) = batch.into_iter().partition(|place| self.lost(*place).is_some());
        if !lost.is_empty() {
            left.extend(self.look_again(lost).await);
        }
        self.session.halt_on(&error);
        for place in left {
            let verdict = match self.lost(place) {
                Some(_) if error.kind == Kind::NotFound => self.gone(place, error.clone()),
                // It still exists, and the service may yet carry out the call.
                Some(lost) => Verdict::unknown(lost),
                None => Verdict::failed(error.clone()),
            };
            self.settle(place, verdict);
        }
    }

    /// Whether to look at a batch before it is sent for the first time.
    fn needs_look(&self, batch: &[usize]) -> bool {
        let stale = self.looked_at.elapsed() > FRESH;
        batch.iter().map(|place| self.targets[*place]).any(|target| {
            let checked_by_service = matches!(target.id, ImageId::TagAt(..) | ImageId::Named(_));
            target.seen.is_some() && (self.options.agreed || stale && !checked_by_service)
        }) || batch.iter().any(|place| self.lost(*place).is_some())
    }

    /// Looks at a batch, settles what changed, and returns what still exists unchanged.
    async fn look_again(&self, batch: Vec<usize>) -> Vec<usize> {
        let names: Vec<_> = batch.iter().map(|place| self.targets[*place].look_up()).collect();
        let found = self.session.get(&names).await;
        let mut left = Vec::with_capacity(batch.len());
        for (place, now) in batch.into_iter().zip(found) {
            let verdict = match (self.compare(place, now), self.lost(place)) {
                (Now::Same(pushed_at), Some(_)) if self.may_be_new(place, pushed_at) => {
                    let why = "it was pushed at about the time of this run, so it may be a new image; not sent again";
                    Verdict::unknown(Error::new(Kind::Changed, why).code("PushedAgain"))
                }
                (Now::Same(_), _) => {
                    left.push(place);
                    continue;
                }
                (Now::Going, _) => {
                    self.state().pending.push(Pending { place, doubt: Doubt::Leaving });
                    continue;
                }
                (Now::Archived, Some(_)) => Verdict::of(Outcome::Archived),
                (Now::Archived, None) => Verdict::of(Outcome::AlreadyArchived),
                (Now::Gone(error) | Now::Replaced(error), Some(_)) => self.gone(place, error),
                // The service may have carried out the lost call before that, or may yet do so.
                (Now::Refused(error) | Now::Changed(error), Some(_)) => Verdict::unknown(error),
                (Now::Unclear(_), Some(lost)) => Verdict::unknown(lost),
                (Now::Unclear(error), None) => Verdict::not_sent(error),
                (Now::Gone(error) | Now::Replaced(error) | Now::Refused(error) | Now::Changed(error), None) => {
                    Verdict::failed(error)
                }
            };
            self.settle(place, verdict);
        }
        left
    }

    /// Whether an image that was never looked at may have been pushed during this run.
    fn may_be_new(&self, place: usize, pushed_at: Option<DateTime<Utc>>) -> bool {
        self.targets[place].seen.is_none() && pushed_at.is_some_and(|pushed_at| pushed_at > self.began - CLOCKS)
    }
}
