//! Finds out how the calls ended of a run that is over: it was killed, or nobody saw the end. It only looks.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    delete::CLOCKS,
    outcome::Outcome,
    pace::Op,
    read::in_order,
    session::Session,
    target::{Target, Verdict},
};
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::{Answer, Deletion, Hold, Image, Job, Storage},
};

/// A service may carry out a call that was sent so long ago, though its sender is gone.
const MAY_COME: TimeDelta = TimeDelta::seconds(60);

/// What a call was to do with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    Delete,
    Archive,
    Restore,
}

/// A call that may have been sent.
pub struct Sent {
    pub target: Target,
    /// The job that does it, if the provider named one.
    pub job: Option<Job>,
    /// When it was about to be sent.
    pub at: DateTime<Utc>,
}

impl Session {
    /// Looks at the images of these calls. An error says why an outcome is still not certain.
    pub async fn settle(&self, aim: Aim, sent: &[Sent]) -> Vec<Result<Verdict>> {
        let names = sent.iter().map(|sent| sent.target.look_up());
        let images = sent.iter().filter_map(|sent| Some(ImageId::Digest(sent.tagged()?)));
        let mut places = HashMap::new();
        let mut wanted = Vec::new();
        for id in names.chain(images) {
            places.entry(id.clone()).or_insert_with(|| {
                wanted.push(id);
                wanted.len() - 1
            });
        }
        let found = self.get(&wanted).await;
        let look = |id: ImageId| &found[places[&id]];
        let now = Utc::now();
        let mut jobs = HashMap::new();
        for sent in sent.iter().filter(|sent| look(sent.target.look_up()).is_ok()) {
            if let Some(job) = sent.job.as_ref().filter(|job| !jobs.contains_key(*job)) {
                jobs.insert(job, self.ask(Op::Poll, || self.store.poll(job)).await);
            }
        }
        let settle = |sent: &Sent| {
            let named = look(sent.target.look_up());
            if let (Ok(_), Some(job)) = (named, sent.job.as_ref().and_then(|job| jobs.get(job))) {
                return sent.of_job(job);
            }
            match sent.tagged() {
                _ if aim != Aim::Delete => sent.of_storage(aim, named, now),
                Some(digest) => sent.of_tag(&digest, named, look(ImageId::Digest(digest.clone())), now),
                None => sent.of_image(named, now),
            }
        };
        sent.iter().map(settle).collect()
    }
}

impl Sent {
    /// The image of a tag that was sent.
    fn tagged(&self) -> Option<Digest> {
        self.target.id.tag()?;
        self.target.digest()
    }

    /// Of an image that still exists, with what its job says.
    fn of_job(&self, job: &Result<Option<Answer<ImageId, Deletion>>>) -> Result<Verdict> {
        match job.as_ref().map_err(Clone::clone)? {
            None => Err(still("its job is still running")),
            Some(Answer::All(_)) => Err(still("its job has ended, but it still exists")),
            Some(Answer::Each(answers)) => {
                match in_order(std::slice::from_ref(&self.target.id), answers.clone()).remove(0) {
                    Ok(_) => Err(still("its job has ended, but it still exists")),
                    Err(error) if error.kind == Kind::Lost => Err(error),
                    Err(error) => Ok(Verdict::failed(error)),
                }
            }
        }
    }

    /// Of an image that was to be moved into the archive, or brought back.
    fn of_storage(&self, aim: Aim, look: &Result<Image>, now: DateTime<Utc>) -> Result<Verdict> {
        match (aim, look) {
            (Aim::Archive, Ok(image)) if image.storage == Storage::Archived => Ok(Verdict::of(Outcome::Archived)),
            (Aim::Restore, Ok(image)) if image.storage == Storage::Standard => Ok(Verdict::of(Outcome::Restored)),
            (Aim::Restore, Ok(image)) if image.storage == Storage::Activating => {
                Err(still("it is on its way out of the archive"))
            }
            (Aim::Restore, Err(error)) if error.kind == Kind::NotFound => self.stays("it does not exist", now),
            (_, Ok(_)) => self.stays("it is where it was", now),
            (_, Err(error)) if error.kind == Kind::NotFound => Ok(Verdict::failed(error.clone())),
            (_, Err(error)) => Err(error.clone()),
        }
    }

    fn of_image(&self, look: &Result<Image>, now: DateTime<Utc>) -> Result<Verdict> {
        let image = match look {
            Err(error) if error.kind == Kind::NotFound => return Ok(Verdict::gone(&self.target)),
            Err(error) => return Err(error.clone()),
            Ok(image) => image,
        };
        let born = |image: &Image| image.pushed_at.or(image.created_at).map(|born| born.timestamp());
        let was = self.target.seen.as_deref().and_then(born);
        let is = born(image);
        let again = "an image with this digest was pushed at about that time; it may be a new one";
        match (was, is) {
            _ if image.hold == Some(Hold::Going) => Err(still("it is still being deleted")),
            (Some(was), Some(is)) if is > was => Ok(Verdict::gone(&self.target)),
            (None, Some(is)) if is > (self.at + CLOCKS).timestamp() => Ok(Verdict::gone(&self.target)),
            (None, Some(is)) if is > (self.at - CLOCKS).timestamp() => Err(still(again)),
            _ => self.stays("it still exists", now),
        }
    }

    /// Of a tag, with a look at the tag and one at the image that had it.
    fn of_tag(
        &self,
        digest: &Digest,
        tag: &Result<Image>,
        image: &Result<Image>,
        now: DateTime<Utc>,
    ) -> Result<Verdict> {
        match tag {
            Err(error) if error.kind != Kind::NotFound => return Err(error.clone()),
            Ok(image) if image.digest().as_ref() == Some(digest) => return self.stays("it still has the tag", now),
            _ => {}
        }
        match image {
            Err(error) if error.kind == Kind::NotFound => Ok(Verdict::gone(&self.target)),
            Err(error) => Err(error.clone()),
            Ok(_) => Ok(Verdict::of(Outcome::Untagged)),
        }
    }

    fn stays(&self, what: &str, now: DateTime<Utc>) -> Result<Verdict> {
        if now - self.at < MAY_COME {
            return Err(still(&format!("{what}, but the service may yet carry out the call")));
        }
        Ok(Verdict::failed(Error::new(Kind::Failed, format!("{what}: the call was not carried out"))))
    }
}

fn still(why: &str) -> Error {
    Error::new(Kind::Lost, why).hint("check again in a few minutes")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn at() -> DateTime<Utc> {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    fn image(pushed: TimeDelta) -> Image {
        let digest = Some(Digest::sha256_of(b"{}").to_string());
        Image { digest, pushed_at: Some(at() + pushed), ..Image::default() }
    }

    fn gone() -> Result<Image> {
        Err(Error::new(Kind::NotFound, "no"))
    }

    fn word(verdict: Result<Verdict>) -> String {
        match verdict {
            Ok(verdict) => verdict.outcome.word().into(),
            Err(error) => error.message.split([',', ';']).next().unwrap_or_default().into(),
        }
    }

    #[test]
    fn an_image_is_gone_there_or_pushed_again() {
        let digest = Digest::sha256_of(b"{}");
        let old = TimeDelta::days(-9);
        let seen = Target::seen(ImageId::Digest(digest.clone()), Arc::new(image(old)));
        let unseen = Target::exact(ImageId::Digest(digest));
        let later = at() + TimeDelta::hours(1);
        let going = Image { hold: Some(Hold::Going), ..image(old) };
        for (target, look, now, outcome) in [
            (&seen, gone(), later, "gone"),
            (&seen, Ok(image(old)), later, "failed"),
            (&seen, Ok(image(old)), at() + TimeDelta::seconds(9), "it still exists"),
            (&seen, Ok(image(TimeDelta::seconds(1))), later, "gone"),
            (&seen, Ok(going), later, "it is still being deleted"),
            (&unseen, Ok(image(old)), later, "failed"),
            (&unseen, Ok(image(TimeDelta::hours(1))), later, "gone"),
            (
                &unseen,
                Ok(image(TimeDelta::seconds(1))),
                later,
                "an image with this digest was pushed at about that time",
            ),
            (&seen, Err(Error::new(Kind::Denied, "denied")), later, "denied"),
        ] {
            let sent = Sent { target: target.clone(), job: None, at: at() };
            assert_eq!(word(sent.of_image(&look, now)), outcome, "{look:?}");
        }
    }

    #[test]
    fn a_tag_is_settled_by_itself_and_its_image() {
        let old = || Ok(image(TimeDelta::days(-9)));
        let other = || Ok(Image { digest: Some(Digest::sha256_of(b"other").to_string()), ..Image::default() });
        let target = Target::seen(ImageId::Tag("v1".into()), Arc::new(image(TimeDelta::days(-9))));
        let sent = Sent { target, job: None, at: at() };
        let digest = sent.tagged().unwrap();
        for (tag, image, outcome) in [
            (gone(), gone(), "gone"),
            (gone(), old(), "untagged"),
            (old(), old(), "failed"),
            (other(), old(), "untagged"),
            (other(), gone(), "gone"),
        ] {
            assert_eq!(word(sent.of_tag(&digest, &tag, &image, at() + TimeDelta::hours(1))), outcome);
        }
    }

    #[test]
    fn a_move_into_the_archive_or_back_is_settled_by_where_the_image_is() {
        let sent = || Sent { target: Target::exact(ImageId::Digest(Digest::sha256_of(b"a"))), job: None, at: at() };
        let stored = |storage| Ok(Image { storage, ..Image::default() });
        let gone = || Err(Error::new(Kind::NotFound, "gone"));
        let late = at() + TimeDelta::hours(1);
        let cases: [(Aim, Result<Image>, Option<Outcome>); 9] = [
            (Aim::Archive, stored(Storage::Archived), Some(Outcome::Archived)),
            (Aim::Archive, stored(Storage::Standard), Some(Outcome::Failed)),
            (Aim::Archive, gone(), Some(Outcome::Missing)),
            (Aim::Archive, Err(Error::new(Kind::Lost, "no answer")), None),
            (Aim::Restore, stored(Storage::Standard), Some(Outcome::Restored)),
            (Aim::Restore, stored(Storage::Activating), None),
            (Aim::Restore, stored(Storage::Archived), Some(Outcome::Failed)),
            (Aim::Restore, gone(), Some(Outcome::Failed)),
            (Aim::Restore, Err(Error::new(Kind::Denied, "no")), None),
        ];
        for (aim, look, expected) in cases {
            let told = sent().of_storage(aim, &look, late).ok().map(|verdict| verdict.outcome);
            assert_eq!(told, expected, "{aim:?} {look:?}");
        }
        // The service may still carry out a call of a moment ago.
        assert!(sent().of_storage(Aim::Restore, &gone(), at()).is_err());
    }
}
