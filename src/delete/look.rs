//! Looks at the named images of one store where something depends on it, and pins each to what was seen. An image is sent
//! once, however often it was named. Nothing here deletes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::future::join;
use tokio::time::Instant;

use super::{
    named::Wish,
    order::{Asked, Chosen, Going, Next, StoreOrder},
};
use crate::{
    engine::{Copies, Outcome, Session, Target, Verdict},
    error::{Error, Kind, Result},
    image::{Digest, ImageId, StoreRef},
    prune::{Guards, Saved},
    store::{Condition, Hold, Image, Storage},
    words,
};

/// Named images and what a look showed.
pub struct Looked {
    session: Arc<Session>,
    asked: Vec<(usize, ImageId)>,
    seen: HashMap<ImageId, Result<Arc<Image>>>,
}

/// The name by which an image is looked up.
fn name(id: &ImageId) -> ImageId {
    Target::exact(id.clone()).look_up()
}

impl Looked {
    /// Looks at the images that must be known, or at all of them. If the run is recorded, it also asks what the record
    /// must know of the store.
    pub async fn at(session: Arc<Session>, asked: Vec<(usize, ImageId)>, all: bool, recorded: bool) -> Self {
        let must_look = |id: &ImageId| all || session.store.all_or_nothing() || !matches!(id, ImageId::Digest(_));
        // Their manifests are read, and how depends on this.
        let rules = async {
            if recorded && !asked.iter().all(|(_, id)| must_look(id)) {
                session.may_fetch().await;
            }
        };
        let mut known = HashSet::new();
        let names = asked.iter().filter(|(_, id)| must_look(id)).map(|(_, id)| name(id));
        let names: Vec<ImageId> = names.filter(|name| known.insert(name.clone())).collect();
        let (found, ()) = join(session.get(&names), rules).await;
        let found = found.into_iter().map(|image| image.map(Arc::new));
        let seen = names.into_iter().zip(found).collect();
        Self { session, asked, seen }
    }

    /// The store, with everything that the look told about it.
    pub fn home(&self) -> StoreRef {
        Arc::unwrap_or_clone(self.session.store.home()).by_any_host()
    }

    /// Takes over the images of the same store under another name. An image named both ways is one image.
    pub fn join(&mut self, other: Self) {
        let known: HashSet<_> = self.asked.iter().map(|(_, id)| id.clone()).collect();
        self.asked.extend(other.asked.into_iter().filter(|(_, id)| !known.contains(id)));
        self.asked.sort_by_key(|(place, _)| *place);
        self.seen.extend(other.seen);
    }

    /// Decides what to send for each image. With `all_tags` a tag stands for its whole image.
    pub fn pinned(self, wish: Wish) -> StoreOrder<'static> {
        let Self { session, asked, seen } = self;
        let names = asked.iter().filter_map(|(_, id)| Some((id, seen.get(&name(id))?.as_ref().ok()?.digest()?)));
        let mut named: HashMap<Digest, Vec<ImageId>> = HashMap::new();
        names.for_each(|(id, digest)| named.entry(digest).or_default().push(id.clone()));
        let leaves_images = session.store.lists_names();
        let mut pins = Pins { wish, leaves_images, named, goes: Vec::new(), places: HashMap::new() };
        let next = |(place, id): (usize, ImageId)| {
            let next = match seen.get(&name(&id)) {
                None => pins.target(Target::exact(id.clone()), false),
                Some(Ok(image)) => pins.pin(&id, image),
                Some(Err(error)) => Next::Ended(Box::new(Verdict::not_sent(error.clone())), None),
            };
            Asked { place, id, choice: None, next }
        };
        let mut asked: Vec<_> = asked.into_iter().map(next).collect();
        let goes = pins.without_covered_tags(&mut asked);
        let chosen = wish.archive.then(|| compared(&goes));
        StoreOrder { session, goes, asked, looked_at: Instant::now(), copies: Copies::None, chosen }
    }
}

/// Images to archive are compared with their whole store, like those that rules chose: the service does not say whether
/// it protects what an active index holds.
fn compared(goes: &[Going]) -> Chosen<'static> {
    let saved = |going: &Going| Saved {
        id: going.target.digest().map(|digest| digest.to_string()).unwrap_or_default(),
        was: going.target.seen.as_deref().map(Condition::from).unwrap_or_default(),
        // Not known yet, so any number is as before.
        attached: usize::MAX,
        read_at: None,
    };
    Chosen { guards: Guards::none(), stock: None, saved: goes.iter().map(saved).collect() }
}

struct Pins {
    wish: Wish,
    /// Removing an image's last tag leaves the image.
    leaves_images: bool,
    /// The names by which each image was asked for.
    named: HashMap<Digest, Vec<ImageId>>,
    goes: Vec<Going>,
    places: HashMap<ImageId, usize>,
}

impl Pins {
    fn pin(&mut self, id: &ImageId, image: &Arc<Image>) -> Next {
        let ended = |error| Next::Ended(Box::new(Verdict::failed(error)), Some(Arc::clone(image)));
        if let Some(Hold::Refused(error)) = &image.hold {
            return ended((**error).clone());
        }
        let archive = self.wish.archive;
        // Where the last tag does not take its image along, all of them together stand for the image.
        let whole = self.wish.all_tags || archive || self.leaves_images && self.uncovered(image).is_none();
        match Target::pinned(id, image, whole) {
            Ok(_) if archive && image.storage == Storage::Archived => {
                Next::Ended(Box::new(Verdict::of(Outcome::AlreadyArchived)), Some(Arc::clone(image)))
            }
            Ok(target) if archive => match image.hold_from_archive().or_else(|| self.uncovered(image)) {
                Some(error) => ended(error),
                None => self.target(target, false),
            },
            Ok(target) => self.target(target, image.hold == Some(Hold::Going)),
            Err(error) => ended(error),
        }
    }

    /// An image is archived with all its tags, so the user must have named them all.
    fn uncovered(&self, image: &Image) -> Option<Error> {
        let named = image.digest().and_then(|digest| self.named.get(&digest)).map_or(&[][..], Vec::as_slice);
        if self.wish.all_tags || named.iter().any(|id| matches!(id, ImageId::Digest(_))) {
            return None;
        }
        let covered = |tag: &String| named.iter().any(|id| id.tag() == Some(tag));
        let others: Vec<&str> = image.tags.iter().filter(|tag| !covered(tag)).map(String::as_str).collect();
        let message = || format!("archiving it would also archive its tags {}", words::some(&others));
        let error = || {
            Error::new(Kind::Protected, message())
                .code("OtherTags")
                .request_id(image.request_id.clone())
                .hint("name these tags too, name the image by its digest, or use --all-tags")
        };
        (!others.is_empty()).then(error)
    }

    fn target(&mut self, target: Target, leaving: bool) -> Next {
        let place = *self.places.entry(target.id.clone()).or_insert_with(|| {
            self.goes.push(Going { leaving, ..Going::new(target) });
            self.goes.len() - 1
        });
        Next::Goes(place)
    }

    /// Leaves out tags of images that are deleted as a whole.
    fn without_covered_tags(self, asked: &mut [Asked]) -> Vec<Going> {
        let cover = |going: &Going| {
            going.target.id.tag()?;
            self.places.get(&ImageId::Digest(going.target.digest()?)).copied()
        };
        let covers: Vec<Option<usize>> = self.goes.iter().map(cover).collect();
        if covers.iter().all(Option::is_none) {
            return self.goes;
        }
        // Where each target stands among those that are sent.
        let mut sent = 0;
        let places = covers.iter().map(|cover| {
            sent += usize::from(cover.is_none());
            sent.saturating_sub(1)
        });
        let places: Vec<usize> = places.collect();
        for asked in asked {
            if let Next::Goes(place) = &mut asked.next {
                *place = places[covers[*place].unwrap_or(*place)];
            }
        }
        let goes = self.goes.into_iter().zip(&covers);
        goes.filter(|(_, cover)| cover.is_none()).map(|(going, _)| going).collect()
    }
}
