//! Looks at images in the fewest calls: by name where a call takes many, by listing where that is cheaper.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use futures_util::{
    TryStreamExt,
    future::{join, join_all},
    stream::FuturesUnordered,
};

use super::{
    pace::Op,
    read::{Ask, Refused},
    session::Session,
};
use crate::{
    error::{Error, Kind, Result},
    image::ImageId,
    store::Image,
};

type Found = HashMap<ImageId, Result<Image>>;

pub(super) const BY_NAME: Ask<ImageId, Image> = |store, ids| store.get(ids);

/// Below this number, refused ids are found by halving the call: a listing may have any length.
const FEW: usize = 8;

impl Session {
    /// Describes each of these distinct images as the provider knows it now.
    pub async fn get(&self, ids: &[ImageId]) -> Vec<Result<Image>> {
        if self.store.lists_names() {
            return if ids.is_empty() { Vec::new() } else { self.in_census(ids).await };
        }
        let mut found = self.list_instead(ids).await;
        let named: Vec<_> = ids.iter().filter(|id| !found.contains_key(id)).cloned().collect();
        if named.len() < FEW {
            let answers = self.each(Op::Get, &named, BY_NAME, Refused::Halve).await;
            found.extend(named.into_iter().zip(answers));
            return ids.iter().map(|id| found.remove(id).expect("an answer an id")).collect();
        }
        let refused = Mutex::new(Vec::new());
        let answers = self.each(Op::Get, &named, BY_NAME, Refused::Keep(&refused)).await;
        found.extend(named.into_iter().zip(answers));

        let refused = refused.into_inner().expect("no holder of this lock panics");
        let mut listed = self.list_refused(&refused).await;
        for (id, answer) in &mut listed {
            // The code with which the service refused the call is its own code for a missing image.
            if let (Err(absent), Some(Err(refusal))) = (answer, found.get(id)) {
                absent.code.clone_from(&refusal.code);
                absent.request_id.clone_from(&refusal.request_id);
            }
        }
        // Ask for the rest in ever smaller calls.
        let open: Vec<_> = refused.into_iter().filter(|id| !listed.contains_key(id)).collect();
        let answers = self.each(Op::Get, &open, BY_NAME, Refused::Halve).await;
        found.extend(listed);
        found.extend(open.into_iter().zip(answers));
        ids.iter().map(|id| found.remove(id).expect("an answer an id")).collect()
    }

    /// Describes these, side by side. One that a service refused to describe together with others has no answer.
    pub async fn get_at_once(&self, ids: &[ImageId]) -> Vec<Option<Result<Image>>> {
        if self.store.lists_names() {
            return self.get(ids).await.into_iter().map(Some).collect();
        }
        let refused = Mutex::new(Vec::new());
        let answers = self.each(Op::Get, ids, BY_NAME, Refused::Keep(&refused)).await;
        let refused: HashSet<ImageId> =
            refused.into_inner().expect("no holder of this lock panics").into_iter().collect();
        ids.iter().zip(answers).map(|(id, answer)| (!refused.contains(id)).then_some(answer)).collect()
    }

    /// Describes images that most likely no longer exist: a few are asked for one by one, many are looked for in a listing.
    pub async fn look_for_gone(&self, ids: &[ImageId]) -> Vec<Result<Image>> {
        if self.store.lists_names() {
            return self.get(ids).await;
        }
        // Most are absent, and how that is asked depends on the rules.
        let rules = async {
            if self.asks_manifests(ids.len()) {
                self.may_fetch().await;
            }
        };
        let (mut found, ()) = join(self.list_refused(ids), rules).await;
        let open: Vec<_> = ids.iter().filter(|id| !found.contains_key(id)).cloned().collect();
        let answers = self.each_alone(&open).await;
        found.extend(open.into_iter().zip(answers));
        ids.iter().map(|id| found.remove(id).expect("an answer an id")).collect()
    }

    async fn each_alone(&self, ids: &[ImageId]) -> Vec<Result<Image>> {
        join_all(ids.iter().map(|id| async { self.get(std::slice::from_ref(id)).await.remove(0) })).await
    }

    /// Adds to each of these images the accounts it is shared with, one call for each. On an error the image stays
    /// unchanged.
    pub async fn add_sharing<'i>(&self, images: impl IntoIterator<Item = &'i mut Image>) -> Result<()> {
        let ask = |image: &'i mut Image| async move {
            // Ask on a copy: a try that fails half-way must leave nothing behind.
            let shared = self
                .ask(Op::Sharing, || {
                    let mut image = image.clone();
                    async move { self.store.add_sharing(&mut image).await.map(|()| image) }
                })
                .await?;
            *image = shared;
            Ok(())
        };
        images.into_iter().map(ask).collect::<FuturesUnordered<_>>().try_collect().await
    }

    /// Lists a store that takes one image a call, as long as that needs fewer calls. Images that the listing does not show
    /// may still exist, so they are asked for by name.
    async fn list_instead(&self, ids: &[ImageId]) -> Found {
        let mut found = Found::new();
        if self.limit(Op::Get).batch > 1 || ids.len() < 2 {
            return found;
        }
        let wanted: HashSet<_> = ids.iter().collect();
        let page_size = self.limit(Op::List).batch;
        let mut after: Option<String> = None;
        for pages in 1.. {
            let Ok(page) = self.ask(Op::List, || self.store.list(after.as_deref())).await else {
                break;
            };
            let more = page.total.map_or(0, |total| total.div_ceil(page_size).saturating_sub(pages));
            let images = page.items.into_iter().filter_map(|image| Some((image.id.clone()?, Ok(image))));
            found.extend(images.filter(|(id, _)| wanted.contains(id)));
            let left = ids.len() - found.len();
            match page.next {
                Some(next) if left > 0 && more < left && after.as_ref() != Some(&next) => after = Some(next),
                _ => break,
            }
        }
        found
    }

    /// Lists a store that refused calls about many images because some do not exist. A listing shows most of them in a page
    /// or two, where halving would need a call for each. It settles nothing if it is longer than the halving or does not
    /// reach its end.
    async fn list_refused(&self, ids: &[ImageId]) -> Found {
        if ids.len() < FEW || ids.iter().any(|id| matches!(id, ImageId::TagAt(..))) {
            return Found::new();
        }
        let Some(mut found) = self.listed(ids).await else {
            return Found::new();
        };
        let absent: Vec<_> = ids.iter().filter(|id| !found.contains_key(id)).cloned().collect();
        // A tag that moves while pages are read may be on none of them, so missing images are asked for by name.
        found.extend(self.absent(absent).await);
        found
    }

    /// Those of some images that are missing, most likely all. Manifests are the only thing that some services can be asked
    /// for by many names of which none exists; of an image that does exist, this counts as a pull.
    async fn absent(&self, ids: Vec<ImageId>) -> Found {
        if !self.asks_manifests(ids.len()) || self.may_fetch().await {
            return Found::new();
        }
        // A permission that is missing here must not stop the store.
        let answers = self.aside().manifests(&ids).await;
        let missing = |error: &Error| error.kind == Kind::NotFound;
        let absent = ids.into_iter().zip(answers).filter_map(|(id, answer)| Some((id, answer.err().filter(missing)?)));
        absent.map(|(id, error)| (id, Err(error))).collect()
    }

    fn asks_manifests(&self, ids: usize) -> bool {
        ids >= FEW && self.store.limit(Op::Manifests).is_some()
    }

    /// What a whole listing shows of these, unless it is longer than asking for each.
    async fn listed(&self, ids: &[ImageId]) -> Option<Found> {
        let mut found = Found::new();
        let wanted: HashSet<_> = ids.iter().collect();
        let mut pages = self.pages();
        for _ in 0..ids.len() / 2 {
            let Some(images) = pages.next().await.ok()? else {
                return Some(found);
            };
            for image in images {
                let tags = image.tags.iter().cloned().map(ImageId::Tag);
                for name in tags.chain(image.id.clone()).filter(|name| wanted.contains(name)) {
                    found.insert(name, Ok(image.clone()));
                }
            }
        }
        None
    }
}
