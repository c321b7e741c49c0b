//! Reads a listing page by page. A listing that does not end is an error: taking any of its pages for the last would hide
//! images.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use super::{census::Trust, pace::Op, session::Session};
use crate::{
    error::{Error, Kind, Result},
    image::StoreRef,
    store::{Image, Page},
};

/// After so many pages in a row that bring nothing new, a listing counts as endless.
const IDLE: usize = 20;

/// How far a listing has come.
#[derive(Default)]
pub(super) struct Progress {
    pub next: Option<String>,
    pub ended: bool,
    tokens: HashSet<String>,
    /// A hash of each item so far, because a listing may have millions. Among a million, two different ones look the same
    /// once in 30 million listings.
    seen: HashSet<u64>,
    hasher: RandomState,
    /// Pages in a row that brought nothing new.
    idle: usize,
}

impl Progress {
    /// Takes those items of a page that were on no page before, and remembers where the next page begins. Pages overlap
    /// when others add or delete images meanwhile.
    pub fn turn<T>(&mut self, mut page: Page<T>, hash: impl Fn(&RandomState, &T) -> Option<u64>) -> Result<Vec<T>> {
        page.items.retain(|item| hash(&self.hasher, item).is_none_or(|hash| self.seen.insert(hash)));
        self.idle = if page.items.is_empty() { self.idle + 1 } else { 0 };
        let wrong = match page.next {
            None => {
                self.ended = true;
                return Ok(page.items);
            }
            Some(_) if self.idle >= IDLE => ("pages follow that bring nothing new", "NothingNew"),
            Some(token) if self.tokens.insert(token.clone()) => {
                self.next = Some(token);
                return Ok(page.items);
            }
            Some(_) => ("the provider sent the same page token twice", "RepeatedToken"),
        };
        self.ended = true;
        Err(Error::new(Kind::Unreadable, format!("the listing does not end: {}", wrong.0)).code(wrong.1))
    }
}

/// The pages of one store.
pub struct Pages<'s> {
    session: &'s Session,
    /// Without what images say about themselves, where that takes calls of its own.
    bare: bool,
    progress: Progress,
}

impl Session {
    pub fn pages(&self) -> Pages<'_> {
        Pages { session: self, bare: false, progress: Progress::default() }
    }

    /// The same, with no more than names, digests and media types where the rest takes calls of its own.
    pub fn bare_pages(&self) -> Pages<'_> {
        Pages { bare: true, ..self.pages() }
    }

    /// All stores of the account. The caller matches the pattern in a store's name.
    pub async fn stores(&self) -> Result<Vec<StoreRef>> {
        let mut progress = Progress::default();
        let mut stores = Vec::new();
        while !progress.ended {
            let page = self.ask(Op::List, || self.store.stores(progress.next.as_deref())).await?;
            stores.extend(progress.turn(page, |hasher, store| Some(hasher.hash_one(&store.name)))?);
        }
        Ok(stores)
    }
}

impl Pages<'_> {
    /// The next page's images, or nothing after the last page.
    pub async fn next(&mut self) -> Result<Option<Vec<Image>>> {
        if self.progress.ended {
            return Ok(None);
        }
        if self.session.store.lists_names() {
            let census = self.session.census(Trust::Listing).await?;
            self.progress.ended = true;
            if self.bare {
                return Ok(Some(census));
            }
            return self
                .session
                .described(census.into_iter().map(Ok).collect())
                .await
                .into_iter()
                .collect::<Result<_>>()
                .map(Some);
        }
        let after = self.progress.next.as_deref();
        let page = self.session.ask(Op::List, || self.session.store.list(after)).await?;
        // An image that lost a tag to another one meanwhile may come twice, with different tags.
        let hash = |hasher: &RandomState, image: &Image| Some(hasher.hash_one((image.id.as_ref()?, &image.tags)));
        let images = self.progress.turn(page, hash)?;
        Ok(Some(images))
    }
}
