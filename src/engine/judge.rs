//! What an answer to a deletion means for each target: done, refused, to be tried again, or to be looked at. What the
//! answer leaves out is never done.

use super::{
    confirm::{Doubt, Pending},
    delete::Run,
    outcome::Outcome,
    read::in_order,
    target::Verdict,
};
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::{Answer, Deletion},
};

impl Run<'_> {
    /// Settles a batch by its answer. `doubt`: an earlier try of it may have done some of it.
    pub fn judge(
        &self,
        batch: &[usize],
        ids: &[ImageId],
        answer: Answer<ImageId, Deletion>,
        doubt: bool,
        tries: usize,
    ) {
        let answers = match answer {
            Answer::All(deletion) => vec![Ok(deletion); ids.len()],
            Answer::Each(answers) => in_order(ids, answers),
        };
        for (place, answer) in batch.iter().copied().zip(answers) {
            self.judge_one(place, answer, doubt, tries);
        }
    }

    fn judge_one(&self, place: usize, answer: Result<Deletion>, doubt: bool, tries: usize) {
        let target = self.targets[place];
        match answer {
            Ok(Deletion::Deleted) => self.settle(place, Verdict::of(Outcome::Deleted)),
            Ok(Deletion::Untagged(from)) => self.untagged(place, &from),
            Ok(Deletion::Requested) => self.state().pending.push(Pending { place, doubt: Doubt::Requested }),
            Ok(Deletion::Accepted(job)) => self.state().jobs.entry(job).or_default().push(place),
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::Changed) && target.was_there(doubt, tries) => {
                self.settle(place, Verdict::of(Outcome::Gone));
            }
            Err(error) if error.kind == Kind::Lost => {
                self.state().pending.push(Pending { place, doubt: Doubt::Silent(error) });
            }
            Err(error) if error.kind == Kind::InUse || error.kind.transient() => {
                self.state().deferred.push((place, error));
            }
            Err(error) => self.settle(place, Verdict::failed(error)),
        }
    }

    /// A tag went. With the image's last tag goes the image; which one was last shows when all have answered.
    fn untagged(&self, place: usize, from: &Digest) {
        let target = self.targets[place];
        if let Some(expected) = target.digest()
            && expected != *from
        {
            let tag = target.id.tag().unwrap_or_default();
            let message = format!("the tag {tag} was moved to {from} just before it was removed, from there");
            let hint = format!("if it is needed, put the tag {tag} on {from} again");
            return self.settle(place, Verdict::failed(Error::new(Kind::Failed, message).code("TagMoved").hint(hint)));
        }
        match self.going.get(from) {
            Some(tags) if target.takes_image(tags) && target.unguarded() => {
                self.state().done += 1;
                self.state().untagged.entry(from.clone()).or_default().push(place);
            }
            _ if target.unguarded() => self.settle(place, Verdict::of(Outcome::Untagged)),
            _ => self.settle(place, Verdict::of(Outcome::Deleted)),
        }
    }

    /// Tells what became of images all of whose tags were to go.
    pub fn last_tags(&self) {
        for (digest, places) in std::mem::take(&mut self.state().untagged) {
            let all = places.len() == self.going[&digest].len();
            let outcome = if all { Outcome::Deleted } else { Outcome::Untagged };
            places.into_iter().for_each(|place| (self.emit)(place, Verdict::of(outcome)));
        }
    }
}
