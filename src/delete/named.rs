//! Makes an order of named images: opens their stores side by side, looks at the images, and pins each to what was seen.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::{join, join_all};

use super::{look::Looked, order::Order};
use crate::{
    context::{Context, lookup::by_store},
    engine::{Session, Verdict},
    error::Error,
    image::{ImageId, ImageRef, StoreRef},
    report::Item,
};

/// Options of a deletion that change what is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// A tag stands for its whole image, with all its tags.
    pub all_tags: bool,
    /// Archive the images instead.
    pub archive: bool,
    /// A person, or a dry run, will see the plan: everything is looked at.
    pub shown: bool,
    /// The run is recorded, with the manifests of the images.
    pub recorded: bool,
}

impl Order<'static> {
    /// Opens the stores of these distinct images, and looks at the images that must be known.
    pub async fn named(context: &Context, images: Vec<ImageRef>, wish: Wish) -> Self {
        let named = by_store(&images, |image| &image.store).into_iter().map(|(store, images)| {
            let ids = images.into_iter().map(|(place, image)| (place, image.id.clone()));
            (store, ids.collect::<Vec<_>>())
        });
        let named: Vec<_> = named.collect();
        // Each of up to a million references names its store in full.
        drop(images);
        let opened = join_all(named.iter().map(|(store, _)| context.open(store))).await;
        let mut order = Self { archive: wish.archive, ..Self::default() };
        let mut stores = Vec::new();
        for ((store, images), session) in named.into_iter().zip(opened) {
            match session {
                Ok(session) => stores.push((session, images)),
                Err(error) => {
                    context.printer.error(&error);
                    order.unopened.extend(images.into_iter().map(|(place, id)| (place, unopened(&store, id, &error))));
                }
            }
        }
        let mut spellings: HashMap<StoreRef, usize> = HashMap::new();
        for (session, _) in &stores {
            *spellings.entry(without_owner(session)).or_default() += 1;
        }
        let copies = stores.iter().map(|(session, _)| {
            let session = Arc::clone(session);
            async move { session.copies().await }
        });
        let copies = join_all(copies.collect::<Vec<_>>());
        let looks = stores.into_iter().map(|(session, images)| {
            // A store may be named with its account and without. Only an answer tells that both are the same.
            let ambiguous = spellings[&without_owner(&session)] > 1;
            Looked::at(session, images, wish.shown || wish.archive || ambiguous, wish.recorded)
        });
        let mut places: HashMap<StoreRef, usize> = HashMap::new();
        let mut looked: Vec<Looked> = Vec::new();
        // Asked meanwhile, so that it takes no time of its own.
        for look in join(join_all(looks), copies).await.0 {
            match places.get(&look.home()) {
                Some(place) => looked[*place].join(look),
                None => {
                    places.insert(look.home(), looked.len());
                    looked.push(look);
                }
            }
        }
        order.stores = looked.into_iter().map(|look| look.pinned(wish)).collect();
        order
    }
}

/// What is known about a store before any answer, however it was named.
fn without_owner(session: &Session) -> StoreRef {
    StoreRef { owner: None, ..Arc::unwrap_or_clone(session.store.home()).by_any_host() }
}

pub fn unopened(store: &Arc<StoreRef>, id: ImageId, error: &Error) -> Item {
    let Verdict { outcome, error, .. } = Verdict::not_sent(error.clone());
    let item = Item::new(store.image(id));
    Item { outcome: Some(outcome), error, ..item }
}
