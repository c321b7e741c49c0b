//! Sends the order of one store in passes: an index before the images in it, and no image whose owner still exists.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::order::{Going, Next, StoreOrder};
use crate::{
    engine::{Journal, Options, Outcome, Target, Verdict},
    error::{Error, Kind, Result},
    record::{Entries, Recorder},
    report::Item,
};

impl StoreOrder<'_> {
    /// Deletes the targets, and reports each image that was asked for exactly once, with its place. What is sent is on
    /// record before.
    pub async fn carry_out(
        &self,
        options: &Options,
        record: Option<Part<'_>>,
        tell: &(dyn Fn(usize, Item) + Send + Sync),
    ) {
        let mut askers = Vec::with_capacity(self.asked.len());
        for asked in &self.asked {
            match &asked.next {
                Next::Goes(at) => askers.push((*at, asked)),
                Next::Ended(verdict, _) => {
                    let item = self.item(asked, (**verdict).clone());
                    if let Some(part) = &record {
                        part.recorder.not_sent(part.targets + asked.place, &item.reference, verdict);
                    }
                    tell(asked.place, item);
                }
            }
        }
        askers.sort_by_key(|(at, _)| *at);
        let ends = Mutex::new(vec![None; self.goes.len()]);
        let end = |at: usize, verdict: Verdict| {
            ends.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(verdict.outcome);
            if let Some(part) = &record {
                part.entries.ended(at, &verdict);
            }
            let of_target = &askers[askers.partition_point(|(other, _)| *other < at)..];
            let of_target = of_target.iter().take_while(|(other, _)| *other == at);
            of_target.for_each(|(_, asked)| tell(asked.place, self.item(asked, verdict.clone())));
        };
        for (at, going) in self.goes.iter().enumerate() {
            if let Some(verdict) = &going.refused {
                end(at, (**verdict).clone());
            }
        }
        // Rules chose from a listing, so always look again: a tag may have been added since.
        let options = Options { agreed: options.agreed || self.chosen.is_some(), ..options.clone() };
        for pass in self.passes() {
            let (mut sent, mut blocked) = (Vec::new(), Vec::new());
            for (at, _) in self.goes.iter().enumerate().filter(|(_, going)| going.is_of(pass)) {
                match self.blocked(at, &ends.lock().unwrap_or_else(PoisonError::into_inner), options.archive) {
                    Some(error) => blocked.push((at, error)),
                    None => sent.push(at),
                }
            }
            for (at, error) in blocked {
                // After an interrupt, the owner's verdict no longer explains anything.
                end(at, Verdict::failed(self.session.stop.error().unwrap_or(error)));
            }
            let targets: Vec<&Target> = sent.iter().map(|at| &self.goes[*at].target).collect();
            let leaving: HashSet<usize> = (0..sent.len()).filter(|at| self.goes[sent[*at]].leaving).collect();
            let journal = Pass { sent: &sent, entries: record.as_ref().map(|part| &part.entries), end: &end };
            self.session.delete(&targets, &leaving, self.looked_at, &options, &journal).await;
        }
    }

    /// The passes in which something is sent.
    fn passes(&self) -> Vec<usize> {
        let sent = self.goes.iter().filter(|going| going.refused.is_none());
        let mut passes: Vec<_> = sent.map(|going| going.step.pass).collect();
        passes.sort_unstable();
        passes.dedup();
        passes
    }

    /// Why a target must not be sent: the image it belongs to still exists.
    fn blocked(&self, at: usize, ends: &[Option<Outcome>], archive: bool) -> Option<Error> {
        use Outcome::{AlreadyArchived, Archived, Deleted, Gone, Missing};
        let gone = |owner: &usize| matches!(ends[*owner], Some(Deleted | Gone | Missing | Archived | AlreadyArchived));
        let stays = *self.goes[at].step.after.iter().find(|owner| !gone(owner))?;
        if ends[stays] == Some(Outcome::Skipped) {
            return Some(Error::new(Kind::Stopped, "not tried: the run was stopped").code("Interrupted"));
        }
        let owner = self.goes[stays].target.digest();
        let owner = owner.map_or("an image".into(), |digest| digest.to_string());
        let message = match ends[stays] {
            Some(Outcome::Unknown) => format!("it belongs to {owner}, and whether that still exists is unknown"),
            _ => format!("it belongs to {owner}, which was not {}", if archive { "archived" } else { "deleted" }),
        };
        Some(Error::new(Kind::InUse, message).code("OwnerNotDeleted"))
    }
}

/// The part of a run's record about one store.
pub struct Part<'r> {
    pub recorder: &'r Recorder,
    pub entries: Entries<'r>,
    /// The number of targets of the whole run. Images for which nothing is sent are numbered after them.
    pub targets: usize,
}

/// What is told about one pass: its places are those of the targets that it sends.
struct Pass<'p, F> {
    sent: &'p [usize],
    entries: Option<&'p Entries<'p>>,
    end: &'p F,
}

impl<F> Pass<'_, F> {
    fn places(&self, batch: &[usize]) -> Vec<usize> {
        batch.iter().map(|at| self.sent[*at]).collect()
    }
}

#[async_trait]
impl<F: Fn(usize, Verdict) + Send + Sync> Journal for Pass<'_, F> {
    fn reads(&self) -> bool {
        self.entries.is_some_and(Entries::reads)
    }

    async fn prepare(&self, batch: &[usize]) -> Option<DateTime<Utc>> {
        self.entries?.prepare(&self.places(batch)).await
    }

    async fn before(&self, batch: &[usize]) -> Result<()> {
        match self.entries {
            Some(entries) => entries.before(&self.places(batch)).await,
            None => Ok(()),
        }
    }

    fn ended(&self, at: usize, verdict: Verdict) {
        (self.end)(self.sent[at], verdict);
    }
}

impl Going {
    fn is_of(&self, pass: usize) -> bool {
        self.refused.is_none() && self.step.pass == pass
    }
}
