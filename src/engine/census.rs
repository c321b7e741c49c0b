//! Looks at stores whose listings show only names: a look at every tag shows which tags each image has. A tag that cannot be
//! looked at may belong to any image, so one failure is a failure of the whole.

use std::{collections::HashMap, hash::BuildHasher};

use futures_util::future::join_all;

use super::{look::BY_NAME, pace::Op, pages::Progress, read::Refused, session::Session};
use crate::{
    error::{Error, Kind, Result},
    image::ImageId,
    store::Image,
};

/// How many images are looked at together before they are sent: they share the looks at all tags.
pub(super) const TOGETHER: usize = 100;

impl Session {
    /// Every image that has a tag, with all its tags, in the order of the listing.
    pub(super) async fn census(&self) -> Result<Vec<Image>> {
        let mut progress = Progress::default();
        // Some listings describe images after all.
        let mut images: Vec<Image> = Vec::new();
        let mut tags = Vec::new();
        while !progress.ended {
            let page = self.ask(Op::List, || self.store.list(progress.next.as_deref())).await?;
            let page = progress.turn(page, |hasher, image| Some(hasher.hash_one((image.id.as_ref()?, &image.tags))))?;
            for image in page {
                match &image.id {
                    Some(ImageId::Digest(_)) => images.push(image),
                    id => tags.extend(id.clone()),
                }
            }
        }
        let found = self.each(Op::Get, &tags, BY_NAME, Refused::Halve).await;
        let mut places: HashMap<Option<ImageId>, usize> =
            images.iter().enumerate().map(|(place, image)| (image.id.clone(), place)).collect();
        for (tag, found) in tags.iter().zip(found) {
            let image = match found {
                Ok(image) => image,
                // It was removed since the listing, or never led anywhere.
                Err(error) if error.kind == Kind::NotFound => continue,
                Err(error) => {
                    let message =
                        format!("cannot look at the tag {tag}, which may belong to any image: {}", error.message);
                    return Err(Error { message, ..error });
                }
            };
            match places.get(&image.id) {
                Some(place) => images[*place].tags.extend(image.tags),
                None => {
                    places.insert(image.id.clone(), images.len());
                    images.push(image);
                }
            }
        }
        Ok(images)
    }

    /// Describes images by name: with all their tags, and with what they say about themselves.
    pub(super) async fn in_census(&self, ids: &[ImageId]) -> Vec<Result<Image>> {
        let census = match self.census().await {
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
