//! Checks again exactly those targets with an uncertain outcome: deletions that were only accepted, items that an answer
//! left out, images that were already being deleted, and jobs. After a tag is removed, it checks the image.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::time::Instant;

use super::{
    delete::Run,
    outcome::Outcome,
    pace::Op,
    read::in_order,
    target::{Now, Verdict},
};
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::{Answer, Deletion, Image, Job},
};

/// How long to wait for an accepted deletion to show before its outcome is unknown.
const ACCEPTED: Duration = Duration::from_secs(60);

/// The pause between two looks grows from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const FIRST_POLL: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// How often to look at an image that still shows a tag which the provider removed.
const LOOKS: u32 = 4;

/// A target with an uncertain outcome.
pub(super) struct Pending {
    pub place: usize,
    pub doubt: Doubt,
}

/// Why the outcome is uncertain.
pub(super) enum Doubt {
    /// The provider accepted the request and said no more.
    Requested,
    /// The answer left it out.
    Silent(Error),
    /// It is already being deleted, by someone else or by a call without an answer.
    Leaving,
}

impl Run<'_> {
    /// Looks until each pending target is gone or its time is up.
    pub async fn confirm(&self) {
        let mut pending = std::mem::take(&mut self.state().pending);
        if self.options.no_wait {
            pending.retain(|Pending { place, doubt }| {
                let silent = matches!(doubt, Doubt::Silent(_));
                if !silent {
                    self.settle(*place, Verdict::of(Outcome::Accepted));
                }
                silent
            });
        }
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        while !pending.is_empty() {
            let names: Vec<_> = pending.iter().map(|one| self.targets[one.place].look_up()).collect();
            let found = self.session.get(&names).await;
            let waited = started.elapsed();
            pending = pending
                .into_iter()
                .zip(found)
                .filter_map(|(one, now)| match self.look_at(&one, now, waited) {
                    Some(verdict) => {
                        self.settle(one.place, verdict);
                        None
                    }
                    None => Some(one),
                })
                .collect();
            if !pending.is_empty() {
                // If the run is stopped meanwhile, the next look fails at once and says so.
                let _ = self.session.stop.sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// The verdict on a pending target, or `None` while it is worth waiting.
    fn look_at(&self, one: &Pending, now: Result<Image>, waited: Duration) -> Option<Verdict> {
        let in_time = waited < self.options.job_timeout;
        let verdict = match (&one.doubt, self.compare(one.place, now)) {
            (_, Now::Archived) => Verdict::of(Outcome::Archived),
            (Doubt::Requested, Now::Gone(_)) if !self.options.archive => Verdict::of(Outcome::Deleted),
            (_, Now::Gone(error) | Now::Replaced(error)) => self.gone(one.place, error),
            (_, Now::Going) if in_time => return None,
            (_, Now::Going) => Verdict::unknown(
                Error::new(Kind::Lost, "it is still being deleted").hint("check again later with `imgctl get`"),
            ),
            (Doubt::Silent(error), Now::Unclear(_)) => Verdict::unknown(error.clone()),
            (Doubt::Requested | Doubt::Leaving, Now::Unclear(error)) if error.kind.not_tried() => Verdict::unknown(
                Error::new(Kind::Lost, "the run was stopped before a look confirmed the outcome")
                    .hint("check again later with `imgctl get`"),
            ),
            (_, Now::Unclear(error)) => Verdict::unknown(error),
            (Doubt::Requested, _) if waited < ACCEPTED.min(self.options.job_timeout) => {
                return None;
            }
            (Doubt::Requested, _) => Verdict::unknown(
                Error::new(
                    Kind::Lost,
                    match self.options.archive {
                        true => "the provider accepted the request, but the image is not archived",
                        false => "the provider accepted the deletion, but the image still exists",
                    },
                )
                .hint("check again later with `imgctl get`"),
            ),
            (Doubt::Silent(error), _) if error.kind == Kind::Failed => Verdict::failed(error.clone()),
            (Doubt::Silent(error), _) => Verdict::unknown(error.clone()),
            (Doubt::Leaving, _) => {
                Verdict::failed(Error::new(Kind::Failed, "it was being deleted, but it still exists"))
            }
        };
        Some(verdict)
    }

    /// Removing an image's last tag deletes the image. Only a look at the images shows whether it did.
    pub async fn confirm_untagged(&self) {
        let mut open = std::mem::take(&mut self.state().untagged);
        let mut pause = FIRST_PAUSE;
        for look in 1.. {
            let found = self.look_at_images(&open).await;
            open.retain(|(place, from)| {
                let now = &found[from];
                let tag = self.targets[*place].id.tag().unwrap_or_default();
                let stale = now.as_ref().is_ok_and(|image| image.tags.iter().any(|other| other == tag));
                if stale && look < LOOKS && self.session.stop.cause().is_none() {
                    return true;
                }
                self.journal.ended(*place, self.untagged(*place, from, now, stale));
                false
            });
            if open.is_empty() {
                return;
            }
            // A listing may lag behind by seconds.
            let _ = self.session.stop.sleep(pause).await;
            pause *= 2;
        }
    }

    /// Looks at the images that tags were removed from. Those that should still exist are asked for apart from those that
    /// should not, because one missing image makes a call about many fail.
    async fn look_at_images(&self, untagged: &[(usize, Digest)]) -> HashMap<Digest, Result<Image>> {
        let (mut stay, mut go) = (Vec::new(), Vec::new());
        let mut known = HashSet::new();
        for (place, from) in untagged.iter().filter(|(_, from)| known.insert(from)) {
            let takes_image = self.targets[*place].takes_image(self.removed(*place));
            if takes_image { &mut go } else { &mut stay }.push(from.clone());
        }
        let ids = |digests: &[Digest]| digests.iter().cloned().map(ImageId::Digest).collect::<Vec<_>>();
        let (stayed, went) = (ids(&stay), ids(&go));
        let (stayed, went) = tokio::join!(self.session.get(&stayed), self.session.look_for_gone(&went));
        stay.into_iter().zip(stayed).chain(go.into_iter().zip(went)).collect()
    }

    /// The verdict on a tag that was removed from an image, after a look at the image.
    fn untagged(&self, place: usize, from: &Digest, now: &Result<Image>, stale: bool) -> Verdict {
        let target = self.targets[place];
        let tag = target.id.tag().unwrap_or_default();
        let image_is_gone = now.as_ref().is_err_and(|error| error.kind == Kind::NotFound);
        if let Some(expected) = target.digest()
            && expected != *from
        {
            let message = format!("the tag {tag} was moved to {from} just before imgctl removed it there");
            let error = Error::new(Kind::Failed, message).code("TagMoved");
            return Verdict::failed(match image_is_gone {
                true => error.hint(format!("{from} had no other tag, so it is deleted; push it again if you need it")),
                false => error.hint(format!("if you need it, tag {from} as {tag} again")),
            });
        }
        match now {
            Err(_) if image_is_gone => Verdict::of(Outcome::Deleted),
            Err(error) => Verdict::unknown(
                Error::new(
                    Kind::Lost,
                    format!("the tag is removed, but whether its image still exists is unknown: {error}"),
                )
                .hint("check again later with `imgctl get`"),
            ),
            Ok(_) if stale => Verdict::unknown(
                Error::new(Kind::Lost, "the provider confirmed the removal of the tag, but the image still has it")
                    .hint("check again later with `imgctl get`"),
            ),
            Ok(_) => Verdict::of(Outcome::Untagged),
        }
    }

    /// Waits for all started jobs side by side.
    pub async fn follow_jobs(&self) {
        let jobs = std::mem::take(&mut self.state().jobs);
        join_all(jobs.into_iter().map(|(job, places)| async move { self.follow(job, places).await })).await;
    }

    async fn follow(&self, job: Job, places: Vec<usize>) {
        let runs_on = |verdict: Verdict| Verdict { job: Some(job.clone()), ..verdict };
        if self.options.no_wait {
            return places.iter().for_each(|place| self.settle(*place, runs_on(Verdict::of(Outcome::Accepted))));
        }
        let started = Instant::now();
        let mut pause = FIRST_POLL;
        loop {
            match self.session.ask(Op::Poll, || self.session.store.poll(&job)).await {
                Ok(Some(answer)) => return self.judge_job(&places, answer, runs_on),
                Ok(None) => {}
                Err(error) if error.kind.not_tried() => {
                    let stopped = Error::new(Kind::Lost, "the run was stopped before the job ended")
                        .hint("check again later with `imgctl get --job`");
                    return places
                        .iter()
                        .for_each(|place| self.settle(*place, runs_on(Verdict::unknown(stopped.clone()))));
                }
                Err(error) => return self.doubt_all(&places, error),
            }
            if started.elapsed() >= self.options.job_timeout {
                let late = Error::new(Kind::Lost, format!("the job {} is still running", job.id))
                    .code("JobTimeout")
                    .hint("check again later with `imgctl get --job`");
                return places.iter().for_each(|place| self.settle(*place, runs_on(Verdict::unknown(late.clone()))));
            }
            // If the run is stopped meanwhile, the next poll fails at once and says so.
            let _ = self.session.stop.sleep(pause).await;
            pause = pause.mul_f32(1.5).min(LONGEST_PAUSE);
        }
    }

    fn judge_job(&self, places: &[usize], answer: Answer<ImageId, Deletion>, named: impl Fn(Verdict) -> Verdict) {
        let ids: Vec<_> = places.iter().map(|place| self.targets[*place].id.clone()).collect();
        let answers = match answer {
            Answer::All(deletion) => vec![Ok(deletion); ids.len()],
            Answer::Each(answers) => in_order(&ids, answers),
        };
        for (place, answer) in places.iter().copied().zip(answers) {
            match answer {
                Ok(Deletion::Deleted) => self.settle(place, named(Verdict::of(Outcome::Deleted))),
                Ok(_) => self.state().pending.push(Pending { place, doubt: Doubt::Requested }),
                Err(error) if error.kind == Kind::Lost => self.doubt_all(&[place], error),
                Err(error) => self.settle(place, named(Verdict::failed(error))),
            }
        }
    }

    fn doubt_all(&self, places: &[usize], error: Error) {
        self.state().lost.extend(places.iter().map(|place| (*place, error.clone())));
        let pending = places.iter().map(|place| Pending { place: *place, doubt: Doubt::Silent(error.clone()) });
        self.state().pending.extend(pending);
    }
}
