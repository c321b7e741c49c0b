//! What to send for an image that was asked for, and its verdict. A tag is pinned to the digest that was seen. Pure.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::outcome::Outcome;
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::{Condition, Difference, Hold, Image, Job},
    words,
};

/// One thing to delete.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// What is sent.
    pub id: ImageId,
    /// The image as it was seen, where it was looked at.
    pub seen: Option<Arc<Image>>,
    /// When imgctl last read its manifest. Services count that as a pull, so earlier pulls may be our own.
    pub read_at: Option<DateTime<Utc>>,
}

/// The outcome of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub outcome: Outcome,
    pub error: Option<Error>,
    pub job: Option<Job>,
}

impl Target {
    /// An id that is sent as it was given.
    pub fn exact(id: ImageId) -> Self {
        Self { id, seen: None, read_at: None }
    }

    /// An id, with the image as it was seen.
    pub fn seen(id: ImageId, image: Arc<Image>) -> Self {
        Self { id, seen: Some(image), read_at: None }
    }

    /// Decides what to send for an image that was seen.
    ///
    /// An image's only tag is sent with its digest, which the service checks. One tag of several is sent alone: given the
    /// digest as well, some services delete the image with all its tags.
    pub fn pinned(asked: &ImageId, seen: &Arc<Image>, whole: bool) -> Result<Self> {
        let id = match asked {
            ImageId::Named(_) | ImageId::Digest(_) => asked.clone(),
            ImageId::Tag(tag) | ImageId::TagAt(tag, _) => {
                let digest = seen.digest().ok_or_else(|| {
                    Error::new(Kind::Unreadable, format!("the provider did not say what {tag} points to"))
                })?;
                if let ImageId::TagAt(_, expected) = asked
                    && *expected != digest
                {
                    return Err(moved(tag, &digest, expected).request_id(seen.request_id.as_ref()));
                }
                if whole {
                    ImageId::Digest(digest)
                } else if seen.tags.iter().all(|other| other == tag) {
                    ImageId::TagAt(tag.clone(), digest)
                } else {
                    ImageId::Tag(tag.clone())
                }
            }
        };
        Ok(Self::seen(id, Arc::clone(seen)))
    }

    /// The name to look this target up by. A pinned tag is looked up by the tag, to find out where it points now.
    pub fn look_up(&self) -> ImageId {
        match &self.id {
            ImageId::TagAt(tag, _) => ImageId::Tag(tag.clone()),
            id => id.clone(),
        }
    }

    /// The digest it pointed to when it was seen.
    pub fn digest(&self) -> Option<Digest> {
        self.id.digest().cloned().or_else(|| self.seen.as_ref()?.digest())
    }

    /// Sending this again without a look could delete something new.
    pub fn unguarded(&self) -> bool {
        matches!(self.id, ImageId::Tag(_))
    }

    /// A tag that cannot be removed alone: names the others of its image.
    pub fn with_others(&self, error: Error) -> Error {
        let (ImageId::Tag(tag), Some(seen), Kind::Protected) = (&self.id, &self.seen, error.kind) else {
            return error;
        };
        let others: Vec<&str> = seen.tags.iter().filter(|other| *other != tag).map(String::as_str).collect();
        match others.is_empty() {
            true => error,
            false => Error { message: format!("{}; it also has {}", error.message, words::some(&others)), ..error },
        }
    }

    /// Whether removing this tag deletes the image, given all the tags that this run removes.
    pub fn takes_image(&self, going: &HashSet<String>) -> bool {
        match (&self.id, &self.seen) {
            (ImageId::Tag(_), Some(seen)) => seen.tags.iter().all(|tag| going.contains(tag)),
            (ImageId::Tag(_), None) => false,
            _ => true,
        }
    }

    /// Whether it was seen to be an index of other images.
    pub fn is_index(&self) -> bool {
        self.seen.as_ref().is_some_and(|image| image.is_index())
    }

    /// Compares it with a fresh look, given the tags that this run removes from the image, and when this run read its
    /// manifest. A target that changed is not sent.
    pub fn compare(&self, now: Result<Image>, removed: &HashSet<String>, read_at: Option<DateTime<Utc>>) -> Now {
        let now = match now {
            Ok(now) => now,
            Err(error) if error.kind == Kind::NotFound => return Now::Gone(error),
            Err(error) => return Now::Unclear(error),
        };
        if let (Some(tag), Some(was), Some(is)) = (self.id.tag(), self.digest(), now.digest())
            && was != is
        {
            return Now::Changed(moved(tag, &is, &was).request_id(now.request_id));
        }
        let read_at = self.read_at.max(read_at);
        let seen = self.seen.as_deref().map(Condition::from);
        let difference = seen.and_then(|seen| Difference::between(&seen, &now, removed, read_at));
        let changed = |what: &Difference| {
            Error::new(Kind::Changed, format!("{what} since it was looked at"))
                .code(what.code())
                .request_id(now.request_id.clone())
                .hint("run the command again to see the current state")
        };
        match (difference, &now.hold) {
            (Some(what @ Difference::PushedAgain), _) => Now::Replaced(changed(&what)),
            (_, Some(Hold::Going)) => Now::Going,
            (_, Some(Hold::Refused(error))) => Now::Refused((**error).clone()),
            (Some(what), Some(Hold::Unsure) | None) => Now::Changed(changed(&what)),
            (None, Some(Hold::Unsure) | None) => Now::Same(now.pushed_at),
        }
    }
}

/// What a fresh look shows of a target.
#[derive(Debug)]
pub enum Now {
    /// Unchanged; with the time it was pushed.
    Same(Option<DateTime<Utc>>),
    /// It is in the archive, where this run moves it.
    Archived,
    /// It no longer exists.
    Gone(Error),
    /// It was deleted, and the same content was pushed again.
    Replaced(Error),
    /// It exists and has changed.
    Changed(Error),
    /// Already being deleted.
    Going,
    /// It exists, and the provider refuses to delete it.
    Refused(Error),
    /// The look itself failed.
    Unclear(Error),
}

/// The tags that these targets remove, by image.
pub fn tags_going<'t>(targets: impl IntoIterator<Item = &'t Target>) -> HashMap<Digest, HashSet<String>> {
    let mut going: HashMap<_, HashSet<_>> = HashMap::new();
    for target in targets {
        if let (Some(tag), Some(digest)) = (target.id.tag(), target.digest()) {
            going.entry(digest).or_default().insert(tag.to_owned());
        }
    }
    going
}

fn moved(tag: &str, is: &Digest, expected: &Digest) -> Error {
    Error::new(Kind::Changed, format!("the tag {tag} points to {is} now, not to {expected}"))
        .code("ImageTagDoesNotMatchDigest")
        .hint("nothing was deleted; check the image that the tag points to now")
}

impl Verdict {
    pub fn of(outcome: Outcome) -> Self {
        Self { outcome, error: None, job: None }
    }

    pub fn failed(error: Error) -> Self {
        Self { outcome: Outcome::of(error.kind), error: Some(error), job: None }
    }

    /// Of an image that was not sent because an earlier step failed: the image is unchanged.
    pub fn not_sent(error: Error) -> Self {
        let outcome = match error.kind {
            Kind::NotFound => Outcome::Missing,
            Kind::Stopped | Kind::StoreStopped => Outcome::Skipped,
            _ => Outcome::Failed,
        };
        Self { outcome, error: Some(error), job: None }
    }

    /// Of a target that a call without an answer may have deleted, and that does not exist now.
    pub fn gone(target: &Target) -> Self {
        let unseen = || {
            Error::new(
                Kind::Lost,
                "no answer confirmed the deletion, and the image does not exist now; it may never have existed",
            )
            .code("NotSeenBefore")
        };
        Self { error: target.seen.is_none().then(unseen), ..Self::of(Outcome::Gone) }
    }

    /// The verdict as a dry run words it.
    pub fn rehearsed(self) -> Self {
        let outcome = match self.outcome {
            Outcome::Refused => Outcome::WouldRefuse,
            outcome => outcome,
        };
        Self { outcome, ..self }
    }

    pub fn unknown(error: Error) -> Self {
        Self { outcome: Outcome::Unknown, error: Some(error), job: None }
    }
}

impl Image {
    /// An index of other images: an OCI index or a Docker manifest list.
    pub fn is_index(&self) -> bool {
        let kind = self.media_type.as_deref().unwrap_or_default();
        kind.ends_with("image.index.v1+json") || kind.ends_with("manifest.list.v2+json")
    }

    /// The digest it has, as a digest.
    pub fn digest(&self) -> Option<Digest> {
        self.digest.as_ref()?.parse().ok()
    }
}
