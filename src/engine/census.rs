//! Looks at stores whose listings show only names: a look at every tag shows which tags each image has. A tag that cannot be
//! looked at may belong to any image, so one failure is a failure of the whole.

use std::{
    collections::{HashMap, HashSet},
    hash::BuildHasher,
};

use futures_util::future::join_all;

use super::{look::BY_NAME, pace::Op, pages::Progress, read::Refused, session::Session};
use crate::{
    error::{Error, Kind, Result},
    image::ImageId,
    store::Image,
};

/// How many images are looked at together before they are sent: they share the looks at all tags.
pub(super) const TOGETHER: usize = 100;

/// What a census trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// A listing that describes images: good enough to plan with.
    Listing,
    /// Looks at tags alone: a listing may lag behind them.
    Looks,
}

impl Session {
    /// Every image that has a tag, with all its tags, in the order of the listing; and those without, if the listing shows
    /// them.
    pub(super) async fn census(&self, trust: Trust) -> Result<Vec<Image>> {
        let (mut images, mut tags) = self.listed_images().await?;
        let mut told = HashSet::new();
        for image in &mut images.all {
            told.extend(image.tags.iter().cloned().map(ImageId::Tag));
            if trust == Trust::Looks {
                image.tags.clear();
            }
        }
        match trust {
            Trust::Listing => tags.retain(|tag| !told.contains(tag)),
            Trust::Looks => {
                let listed: HashSet<ImageId> = tags.iter().cloned().collect();
                tags.extend(told.into_iter().filter(|tag| !listed.contains(tag)));
            }
        }
        let found = self.each(Op::Get, &tags, BY_NAME, Refused::Halve).await;
        for (tag, found) in tags.iter().zip(found) {
            match found {
                Ok(image) => images.add(image),
                // It was removed since the listing, or never led anywhere.
                Err(error) if error.kind == Kind::NotFound => {}
                Err(error) => {
                    let message =
                        format!("cannot look at the tag {tag}, which may belong to any image: {}", error.message);
                    return Err(Error { message, ..error });
                }
            }
        }
        Ok(images.all)
    }

    /// The images that a listing describes, and the names of tags that are on it.
    async fn listed_images(&self) -> Result<(Images, Vec<ImageId>)> {
        let mut progress = Progress::default();
        let (mut images, mut tags) = (Images::default(), Vec::new());
        while !progress.ended {
            let page = self.ask(Op::List, || self.store.list(progress.next.as_deref())).await?;
            let page = progress.turn(page, |hasher, image| Some(hasher.hash_one((image.id.as_ref()?, &image.tags))))?;
            for image in page {
                match &image.id {
                    Some(ImageId::Digest(_)) => images.add(image),
                    id => tags.extend(id.clone()),
                }
            }
        }
        Ok((images, tags))
    }

    /// Describes images by name: with all their tags, and with what they say about themselves.
    pub(super) async fn in_census(&self, ids: &[ImageId]) -> Vec<Result<Image>> {
        let census = match self.census(Trust::Looks).await {
            Ok(census) => census,
            // A repository without any tag may not be there at all.
            Err(error) if error.kind == Kind::NoStore => Vec::new(),
            Err(error) => return vec![Err(error); ids.len()],
        };
        let mut known: HashMap<ImageId, &Image> = HashMap::new();
        for image in &census {
            let tags = image.tags.iter().cloned().map(ImageId::Tag);
            known.extend(tags.chain(image.id.clone()).map(|name| (name, image)));
        }
        let open: Vec<ImageId> = ids.iter().filter(|id| !known.contains_key(id)).cloned().collect();
        let mut answers = self.each(Op::Get, &open, BY_NAME, Refused::Halve).await.into_iter();
        let answer = |id: &ImageId| match known.get(id) {
            Some(image) => Ok((*image).clone()),
            None => answers.next().expect("an answer an id"),
        };
        let found: Vec<Result<Image>> = ids.iter().map(answer).collect();
        self.described(found).await
    }

    /// Adds what images say about themselves. What cannot be read is left out: it decides nothing alone.
    pub(super) async fn described(&self, found: Vec<Result<Image>>) -> Vec<Result<Image>> {
        if self.store.limit(Op::Details).is_none() {
            return found;
        }
        let describe = |found: Result<Image>| async move {
            let image = found?;
            // What takes no call takes no turn either.
            if let Some(known) = self.store.known_details(&image).await {
                return Ok(known);
            }
            match self.aside().ask(Op::Details, || self.store.details(&image)).await {
                Ok(image) => Ok(image),
                Err(error) if error.kind.not_tried() => Err(error),
                Err(_) => Ok(image),
            }
        };
        join_all(found.into_iter().map(describe)).await
    }

    /// Describes images as they were asked for. Unlike [`Session::get`], it need not know all tags of each.
    pub async fn describe(&self, ids: &[ImageId]) -> Vec<Result<Image>> {
        match self.store.lists_names() {
            true => self.described(self.each(Op::Get, ids, BY_NAME, Refused::Halve).await).await,
            false => self.get(ids).await,
        }
    }
}

/// Images, each once.
#[derive(Default)]
struct Images {
    all: Vec<Image>,
    places: HashMap<Option<ImageId>, usize>,
}

impl Images {
    /// Adds an image, or what is new about one that is known. A listing may show an image once for each of its tags.
    fn add(&mut self, image: Image) {
        match self.places.get(&image.id) {
            Some(place) => {
                let known = &mut self.all[*place];
                let new: Vec<String> = image.tags.into_iter().filter(|tag| !known.tags.contains(tag)).collect();
                known.tags.extend(new);
                known.updated_at = known.updated_at.max(image.updated_at);
                known.pulled_at = known.pulled_at.max(image.pulled_at);
                known.subject = known.subject.take().or(image.subject);
            }
            None => {
                self.places.insert(image.id.clone(), self.all.len());
                self.all.push(image);
            }
        }
    }
}
