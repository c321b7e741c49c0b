//! Decides what an answer to a deletion means for each target: done, refused, retry, or look again. A target that the
//! answer leaves out is never called done.

use super::{
    confirm::{Doubt, Pending},
    delete::Run,
    outcome::Outcome,
    read::in_order,
    target::Verdict,
};
use crate::{
    error::{Kind, Result},
    image::ImageId,
    store::{Answer, Deletion},
};

impl Run<'_> {
    /// Settles a batch by its answer.
    pub fn judge(&self, batch: &[usize], ids: &[ImageId], answer: Answer<ImageId, Deletion>) {
        let answers = match answer {
            Answer::All(deletion) => vec![Ok(deletion); ids.len()],
            Answer::Each(answers) => in_order(ids, answers),
        };
        for (place, answer) in batch.iter().copied().zip(answers) {
            self.judge_one(place, answer);
        }
    }

    fn judge_one(&self, place: usize, answer: Result<Deletion>) {
        match answer {
            Ok(Deletion::Deleted) => self.settle(place, Verdict::of(Outcome::Deleted)),
            Ok(Deletion::Untagged(from)) => {
                let mut state = self.state();
                state.done += 1;
                state.untagged.push((place, from));
            }
            Ok(Deletion::Requested) => self.state().pending.push(Pending { place, doubt: Doubt::Requested }),
            Ok(Deletion::Accepted(job)) => self.state().jobs.entry(job).or_default().push(place),
            Err(error) if error.kind == Kind::NotFound && self.lost(place).is_some() => {
                self.settle(place, self.gone(place, error));
            }
            Err(error) if error.kind == Kind::Lost => {
                let mut state = self.state();
                state.lost.insert(place, error.clone());
                state.pending.push(Pending { place, doubt: Doubt::Silent(error) });
            }
            Err(error) if error.kind == Kind::InUse || error.kind.transient() => {
                self.state().deferred.push((place, error));
            }
            Err(error) => self.settle(place, Verdict::failed(self.targets[place].with_others(error))),
        }
    }
}
