//! Sends the order of one store in passes: an index before the images in it, and no image whose owner still exists.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::order::{Asked, Going, Next, StoreOrder};
use crate::{
    engine::{Journal, Options, Outcome, Target, Verdict},
    error::{Error, Kind, Result},
    record::{Entries, Recorder},
    report::Item,
};

/// One store's part of a run while it is carried out. What is sent is on record before.
pub struct Sending<'o> {
    of: &'o StoreOrder<'o>,
    record: Option<Part<'o>>,
    tell: &'o (dyn Fn(usize, Item) + Send + Sync),
    /// Who asked for each target, in the order of the targets.
    askers: Vec<(usize, &'o Asked)>,
    ends: Mutex<Vec<Option<Outcome>>>,
}

impl<'o> Sending<'o> {
    /// Reports what is not sent. Each image that was asked for is reported exactly once, with its place.
    pub fn begin(
        of: &'o StoreOrder<'o>,
        record: Option<Part<'o>>,
        tell: &'o (dyn Fn(usize, Item) + Send + Sync),
    ) -> Self {
        let mut askers = Vec::with_capacity(of.asked.len());
        for asked in &of.asked {
            match &asked.next {
                Next::Goes(at) => askers.push((*at, asked)),
                Next::Ended(verdict, _) => {
                    let item = of.item(asked, (**verdict).clone());
                    if let Some(part) = &record {
                        part.recorder.not_sent(part.targets + asked.place, &item.reference, verdict);
                    }
                    tell(asked.place, item);
                }
            }
        }
        askers.sort_by_key(|(at, _)| *at);
        let sending = Self { of, record, tell, askers, ends: Mutex::new(vec![None; of.goes.len()]) };
        for (at, going) in of.goes.iter().enumerate() {
            if let Some(verdict) = &going.refused {
                sending.end(at, (**verdict).clone());
            }
        }
        sending
    }

    /// Sends the targets of one round, pass by pass. `all` are the stores of the run.
    pub async fn send(&self, round: usize, options: &Options, all: &[Sending<'_>]) {
        let of = self.of;
        // Rules chose from a listing, so always look again: a tag may have been added since.
        let options = Options { agreed: options.agreed || of.chosen.is_some(), ..options.clone() };
        for pass in of.passes(round) {
            let (mut sent, mut blocked) = (Vec::new(), Vec::new());
            for (at, going) in of.goes.iter().enumerate().filter(|(_, going)| going.is_of(round, pass)) {
                match self.blocked(going, options.archive, all) {
                    Some(error) => blocked.push((at, error)),
                    None => sent.push(at),
                }
            }
            for (at, error) in blocked {
                // After an interrupt, the owner's verdict no longer explains anything.
                self.end(at, Verdict::failed(of.session.stop.error().unwrap_or(error)));
            }
            let targets: Vec<&Target> = sent.iter().map(|at| &of.goes[*at].target).collect();
            let leaving: HashSet<usize> = (0..sent.len()).filter(|at| of.goes[sent[*at]].leaving).collect();
            let journal = Pass { sent: &sent, sending: self };
            of.session.delete(&targets, &leaving, of.looked_at, &options, &journal).await;
        }
    }

    fn end(&self, at: usize, verdict: Verdict) {
        let verdict = match verdict.outcome {
            // Some registries delete what belongs to an image with it.
            Outcome::Missing if self.owner_went(at) => Verdict::of(Outcome::Gone),
            _ => verdict,
        };
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(verdict.outcome);
        if let Some(part) = &self.record {
            part.entries.ended(at, &verdict);
        }
        let of_target = &self.askers[self.askers.partition_point(|(other, _)| *other < at)..];
        let of_target = of_target.iter().take_while(|(other, _)| *other == at);
        of_target.for_each(|(_, asked)| (self.tell)(asked.place, self.of.item(asked, verdict.clone())));
    }

    /// Whether this run deleted an image that a target belongs to.
    fn owner_went(&self, at: usize) -> bool {
        let mut owners = self.of.goes[at].step.after.iter();
        owners.any(|owner| matches!(self.ended(*owner), Some(Outcome::Deleted | Outcome::Gone)))
    }

    fn ended(&self, at: usize) -> Option<Outcome> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)[at]
    }

    /// Why a target must not be sent: an image that it belongs to still exists.
    fn blocked(&self, going: &Going, archive: bool, all: &[Sending<'_>]) -> Option<Error> {
        use Outcome::{AlreadyArchived, Archived, Deleted, Gone, Missing};
        let here = going.step.after.iter().map(|at| (self.of, self.ended(*at), *at));
        let elsewhere = going.across.iter().map(|(store, at)| (all[*store].of, all[*store].ended(*at), *at));
        let gone = |end| matches!(end, Some(Deleted | Gone | Missing | Archived | AlreadyArchived));
        let (of, end, at) = here.chain(elsewhere).find(|(_, end, _)| !gone(*end))?;
        if end == Some(Outcome::Skipped) {
            return Some(Error::new(Kind::Stopped, "not tried: the run was stopped").code("Interrupted"));
        }
        let owner = of.goes[at].target.digest();
        let owner = owner.map_or("an image".into(), |digest| digest.to_string());
        let message = match end {
            Some(Outcome::Unknown) => format!("it belongs to {owner}, and whether that still exists is unknown"),
            _ => format!("it belongs to {owner}, which was not {}", if archive { "archived" } else { "deleted" }),
        };
        Some(Error::new(Kind::InUse, message).code("OwnerNotDeleted"))
    }
}

impl StoreOrder<'_> {
    /// The passes of a round in which something is sent.
    fn passes(&self, round: usize) -> Vec<usize> {
        let sent = self.goes.iter().filter(|going| going.refused.is_none() && going.round == round);
        let mut passes: Vec<_> = sent.map(|going| going.step.pass).collect();
        passes.sort_unstable();
        passes.dedup();
        passes
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
struct Pass<'p> {
    sent: &'p [usize],
    sending: &'p Sending<'p>,
}

impl Pass<'_> {
    fn places(&self, batch: &[usize]) -> Vec<usize> {
        batch.iter().map(|at| self.sent[*at]).collect()
    }

    fn entries(&self) -> Option<&Entries<'_>> {
        self.sending.record.as_ref().map(|part| &part.entries)
    }
}

#[async_trait]
impl Journal for Pass<'_> {
    fn reads(&self) -> bool {
        self.entries().is_some_and(Entries::reads)
    }

    async fn prepare(&self, batch: &[usize]) -> Option<DateTime<Utc>> {
        self.entries()?.prepare(&self.places(batch)).await
    }

    async fn before(&self, batch: &[usize]) -> Result<()> {
        match self.entries() {
            Some(entries) => entries.before(&self.places(batch)).await,
            None => Ok(()),
        }
    }

    fn answered(&self, batch: &[usize], request_id: &str) {
        if let Some(entries) = self.entries() {
            entries.answered(&self.places(batch), request_id);
        }
    }

    fn ended(&self, at: usize, verdict: Verdict) {
        self.sending.end(self.sent[at], verdict);
    }
}

impl Going {
    fn is_of(&self, round: usize, pass: usize) -> bool {
        self.refused.is_none() && self.round == round && self.step.pass == pass
    }
}
