//! Sends what was planned for one store, level by level, and looks at everything again: only a look makes an image
//! restored.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use futures_util::future::join_all;

use super::{
    look::Seen,
    plan::{Planned, Step, TagStep, without},
    wish::Wish,
};
use crate::{
    engine::{Outcome, Session, Verdict},
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    output::Printer,
    record::{OfStore, Recorder, Saved},
    report::Item,
    store::{Image, Put, Storage},
};

/// What is restored in one store.
pub struct Part<'r> {
    pub session: &'r Session,
    pub wishes: &'r [Wish],
    pub seen: &'r Seen,
    pub plans: &'r [Planned],
    pub no_wait: bool,
    /// The longest wait for the archive.
    pub most: Duration,
    pub printer: &'r Printer,
    pub entries: Entries<'r>,
}

/// The part of the run's record about one store.
pub struct Entries<'r> {
    pub recorder: Option<&'r Recorder>,
    /// The number of the store.
    pub store: usize,
    /// The number of its first image.
    pub first: usize,
}

/// How the calls for one image ended, as far as their answers say.
struct Sent {
    image: Result<()>,
    tags: Vec<(String, Result<()>)>,
}

impl Part<'_> {
    /// Restores the images. Returns the items of each: itself, then each tag that is not back.
    pub async fn carry_out(&self) -> Vec<Vec<Item>> {
        let mut sent: Vec<Option<Sent>> = self.plans.iter().map(|_| None).collect();
        let sending = || self.plans.iter().filter(|plan| plan.sends()).map(|plan| plan.level);
        let lowest = sending().min().unwrap_or(0);
        for level in lowest..=sending().max().unwrap_or(0) {
            let places = (0..self.plans.len()).filter(|place| self.plans[*place].level == level);
            let places: Vec<usize> = places.filter(|place| self.plans[*place].sends()).collect();
            if let Err(error) = self.record(&places, level == lowest).await {
                // What cannot be recorded is not sent.
                self.session.halt_on(&error);
                for place in places {
                    sent[place] = Some(Sent { image: Err(error.clone()), tags: Vec::new() });
                }
                continue;
            }
            let missing = |place: &usize| self.plans[*place].after.iter().find_map(|below| self.missing(&sent, *below));
            let missing: Vec<Option<Error>> = places.iter().map(missing).collect();
            let ends = join_all(places.iter().zip(missing).map(|(place, missing)| self.send(*place, missing))).await;
            for (place, end) in places.into_iter().zip(ends) {
                sent[place] = Some(end);
            }
        }
        self.finish_activations(&mut sent).await;
        let found = self.look(&sent).await;
        let items = |place: usize| self.items(place, sent[place].as_ref(), found[place].as_ref());
        let items: Vec<Vec<Item>> = (0..self.plans.len()).map(items).collect();
        if let Some(recorder) = self.entries.recorder {
            for (place, items) in items.iter().enumerate() {
                let Item { outcome: Some(outcome), error, reference, .. } = items[0].clone() else { continue };
                let (n, verdict) = (self.entries.first + place, Verdict { outcome, error, job: None });
                match sent[place] {
                    Some(_) => recorder.restored(n, &verdict),
                    None => recorder.not_sent(n, &reference, &verdict),
                }
            }
        }
        items
    }

    /// Writes down what is about to be sent.
    async fn record(&self, places: &[usize], is_first: bool) -> Result<()> {
        let Entries { recorder: Some(recorder), store: number, first } = self.entries else { return Ok(()) };
        if places.is_empty() {
            return Ok(());
        }
        let store = &self.session.store;
        let of_store = OfStore { store: number, reference: store.home().to_string(), caller: store.caller() };
        let saved = |place: &usize| {
            let wish = &self.wishes[*place];
            let tags = self.plans[*place].puts_tags().map(str::to_owned).collect();
            let manifest = wish.manifest.as_ref().ok();
            let image = Image { digest: Some(wish.digest.to_string()), tags, ..wish.image.clone() };
            Saved {
                n: first + place,
                store: number,
                at: Utc::now(),
                reference: store.home().image(ImageId::Digest(wish.digest.clone())).to_string(),
                takes_along: Vec::new(),
                left_behind: Vec::new(),
                image: Box::new(image),
                manifest: manifest.and_then(|manifest| String::from_utf8(manifest.bytes.clone()).ok()),
                manifest_type: manifest.and_then(|manifest| manifest.media_type.clone()),
                unrestorable: None,
            }
        };
        let stores = if is_first { vec![of_store] } else { Vec::new() };
        recorder.restoring(stores, places.iter().map(saved).collect()).await
    }

    /// Why an image cannot be sent that needs this one, if that was sent and is not there.
    fn missing(&self, sent: &[Option<Sent>], place: usize) -> Option<Error> {
        match &sent[place].as_ref()?.image {
            Ok(()) => None,
            // After an interrupt, a part that is missing explains nothing.
            Err(error) if error.kind.not_tried() => Some(error.clone()),
            Err(_) => Some(self.session.stop.error().unwrap_or_else(|| without(&self.wishes[place].digest))),
        }
    }

    /// Sends the calls for one image, unless one that it needs could not be restored.
    async fn send(&self, place: usize, missing: Option<Error>) -> Sent {
        let (wish, plan) = (&self.wishes[place], &self.plans[place]);
        let end = match (&plan.step, missing) {
            (Step::Put, Some(missing)) => Sent { image: Err(missing), tags: Vec::new() },
            (Step::Put, None) => self.put(place).await,
            (Step::Activate, _) => {
                let image = self.session.activate(&ImageId::Digest(wish.digest.clone())).await;
                let image = image.map(|request_id| self.answered(place, request_id));
                Sent { image, tags: Vec::new() }
            }
            (Step::There, _) => Sent { image: Ok(()), tags: self.put_tags(place, plan.puts_tags()).await },
            (Step::Wait | Step::Ended(_), _) => Sent { image: Ok(()), tags: Vec::new() },
        };
        self.printer.progress.seen(1);
        end
    }

    /// Stores an image with its first tag, then once for each other tag.
    async fn put(&self, place: usize) -> Sent {
        let tags: Vec<&str> = self.plans[place].puts_tags().collect();
        let mut ends = self.put_tags(place, tags.first().copied()).await;
        // Without a first tag, or if that was taken meanwhile, the image itself can still come back.
        let image = match ends.first() {
            Some((_, Ok(()))) => Ok(()),
            Some((_, Err(error))) if error.kind != Kind::TagTaken => Err(error.clone()),
            _ => self.put_one(place, None).await,
        };
        if image.is_ok() {
            ends.extend(self.put_tags(place, tags.into_iter().skip(1)).await);
        }
        Sent { image, tags: ends }
    }

    async fn put_tags(&self, place: usize, tags: impl IntoIterator<Item = &str>) -> Vec<(String, Result<()>)> {
        let mut ends = Vec::new();
        for tag in tags {
            ends.push((tag.to_owned(), self.put_one(place, Some(tag)).await));
        }
        ends
    }

    async fn put_one(&self, place: usize, tag: Option<&str>) -> Result<()> {
        let manifest = self.wishes[place].manifest.clone()?;
        let put = Put { manifest, tag: tag.map(str::to_owned) };
        self.session.put(&put).await.map(|request_id| self.answered(place, request_id))
    }

    /// Records the provider's id of a call.
    fn answered(&self, place: usize, request_id: Option<String>) {
        if let (Some(recorder), Some(request_id)) = (self.entries.recorder, request_id) {
            recorder.answered(vec![self.entries.first + place], &request_id);
        }
    }

    /// Waits until images are out of the archive, then puts back their tags.
    async fn finish_activations(&self, sent: &mut [Option<Sent>]) {
        let leaves = |place: &usize| {
            let accepted = sent[*place].as_ref().is_some_and(|sent| sent.image.is_ok());
            accepted && matches!(self.plans[*place].step, Step::Activate | Step::Wait)
        };
        let places: Vec<usize> = (0..self.plans.len()).filter(leaves).collect();
        if places.is_empty() || self.no_wait {
            return;
        }
        let digests: Vec<Digest> = places.iter().map(|place| self.wishes[*place].digest.clone()).collect();
        self.printer.progress.doing("waiting for the archive", Some(digests.len()));
        let told = std::cell::Cell::new(0);
        let tell = |left: usize| {
            let done = digests.len() - left;
            self.printer.progress.seen(done.saturating_sub(told.replace(done)));
        };
        self.session.wait_until_active(&digests, self.most, tell).await;
        for place in places {
            let tags = self.put_tags(place, self.plans[place].puts_tags()).await;
            if let Some(sent) = &mut sent[place] {
                sent.tags = tags;
            }
        }
    }

    /// Looks at every image for which something was sent.
    async fn look(&self, sent: &[Option<Sent>]) -> Vec<Option<Result<Image>>> {
        let places: Vec<usize> = (0..sent.len()).filter(|place| sent[*place].is_some()).collect();
        let digests: Vec<Digest> = places.iter().map(|place| self.wishes[*place].digest.clone()).collect();
        let shows = |at: usize, image: &Result<Image>| {
            // What was refused needs no second look.
            let Some(Sent { image: Ok(()), tags }) = &sent[places[at]] else { return true };
            let tags = tags.iter().filter(|(_, end)| end.is_ok());
            image.as_ref().is_ok_and(|image| tags.into_iter().all(|(tag, _)| image.tags.contains(tag)))
        };
        let answers = self.session.look_for_stored(&digests, shows).await;
        let mut found: Vec<Option<Result<Image>>> = sent.iter().map(|_| None).collect();
        for (place, answer) in places.into_iter().zip(answers) {
            found[place] = Some(answer);
        }
        found
    }

    fn items(&self, place: usize, sent: Option<&Sent>, found: Option<&Result<Image>>) -> Vec<Item> {
        let plan = &self.plans[place];
        let found = found.or_else(|| self.seen.images.get(&self.wishes[place].digest));
        let now = found.and_then(|found| found.as_ref().ok());
        let verdict = match (sent, found) {
            (Some(sent), Some(found)) => self.verdict(plan, sent, found),
            _ => plan.unsent(),
        };
        let restored = matches!(verdict.outcome, Outcome::Restored | Outcome::Retagged | Outcome::AlreadyThere);
        let tags = plan.tags.iter().filter_map(|(tag, step)| {
            let verdict = match step {
                TagStep::Ended(verdict) => (**verdict).clone(),
                // The item of the image says why.
                _ if !restored => return None,
                TagStep::There => return None,
                TagStep::Put => tag_verdict(tag, sent?, now)?,
            };
            Some((tag, verdict))
        });
        items(self.session, &self.wishes[place], now, verdict, tags)
    }

    fn verdict(&self, plan: &Planned, sent: &Sent, found: &Result<Image>) -> Verdict {
        let unknown = |why: &str| {
            let error = Error::new(Kind::Lost, why).hint("check again later with `imgctl get`");
            Verdict::unknown(sent.image.clone().err().unwrap_or(error))
        };
        match (found, &sent.image) {
            (Ok(image), sent_image) => match (&plan.step, image.storage, sent_image) {
                (Step::There, ..) => {
                    let put = sent.tags.iter().any(|(tag, _)| image.tags.contains(tag));
                    Verdict::of(if put { Outcome::Retagged } else { Outcome::AlreadyThere })
                }
                (Step::Put, ..) | (_, Storage::Standard, _) => Verdict::of(Outcome::Restored),
                (_, _, Err(error)) if error.kind != Kind::Lost => Verdict::failed(error.clone()),
                (_, Storage::Activating, _) if self.no_wait => Verdict::of(Outcome::Accepted),
                (_, Storage::Activating, _) => unknown("it is still on its way out of the archive"),
                (_, Storage::Archived, _) => {
                    unknown("the provider accepted the request, but the image is still archived")
                }
            },
            (Err(_), Err(error)) if error.kind != Kind::Lost => Verdict::failed(error.clone()),
            (Err(error), _) if error.kind == Kind::NotFound => {
                unknown("the provider accepted the image, but a look does not show it")
            }
            (Err(error), _) if error.kind.not_tried() => {
                unknown("the run was stopped before a look confirmed the outcome")
            }
            (Err(error), _) => Verdict::unknown(error.clone()),
        }
    }
}

/// The verdict on a tag that was sent, if it is not back.
fn tag_verdict(tag: &str, sent: &Sent, now: Option<&Image>) -> Option<Verdict> {
    if now.is_some_and(|image| image.tags.iter().any(|other| other == tag)) {
        return None;
    }
    let silent = || Error::new(Kind::Lost, "the provider accepted the tag, but a look does not show it");
    let end = sent.tags.iter().find(|(sent, _)| sent == tag).map(|(_, end)| end.clone());
    Some(match end {
        Some(Err(error)) => Verdict::failed(error),
        Some(Ok(())) => Verdict::unknown(silent()),
        None => Verdict::failed(Error::new(Kind::Stopped, "not tried: its image is not active yet")),
    })
}

/// The item of an image, and one for each tag that is not back.
pub fn items<'t>(
    session: &Session,
    wish: &Wish,
    now: Option<&Image>,
    verdict: Verdict,
    tags: impl Iterator<Item = (&'t String, Verdict)>,
) -> Vec<Item> {
    let home = session.store.home();
    let mut item = Item::new(home.image(ImageId::Digest(wish.digest.clone())));
    let image = match now {
        Some(now) => now.clone(),
        None => Image { tags: wish.tags.clone(), ..wish.image.clone() },
    };
    item.image = Arc::new(Image { digest: Some(wish.digest.to_string()), ..image });
    item.end(&home, verdict);
    let tag = |(tag, verdict): (&String, Verdict)| {
        let mut item = Item::new(home.image(ImageId::TagAt(tag.clone(), wish.digest.clone())));
        item.image = Arc::new(Image { digest: Some(wish.digest.to_string()), ..Image::default() });
        item.end(&home, verdict);
        item
    };
    let tags: Vec<Item> = tags.map(tag).collect();
    [vec![item], tags].concat()
}
