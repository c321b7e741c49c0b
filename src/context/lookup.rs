//! Looks things up for commands that only read: the stores that a pattern matches, and many images of several stores, in
//! the order asked.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};

use crate::{
    context::Context,
    engine::Session,
    error::{Error, Kind, Result},
    image::{ImageId, ImageRef, StoreRef},
    report::{Item, State},
    store::{Image, Op},
};

/// Items of one store, each with its place among all.
pub type OfStore<T> = (Arc<StoreRef>, Vec<(usize, T)>);

/// Groups items by store, in the order of each store's first item. Each item keeps its place among all.
pub fn by_store<T>(items: impl IntoIterator<Item = T>, store: impl Fn(&T) -> &Arc<StoreRef>) -> Vec<OfStore<T>> {
    let mut order: HashMap<Arc<StoreRef>, usize> = HashMap::new();
    let mut stores: Vec<OfStore<T>> = Vec::new();
    for (place, item) in items.into_iter().enumerate() {
        let store = store(&item);
        let of_store = *order.entry(Arc::clone(store)).or_insert_with(|| {
            stores.push((Arc::clone(store), Vec::new()));
            stores.len() - 1
        });
        stores[of_store].1.push((place, item));
    }
    stores
}

/// Describes images and hands each to `each` once, in the order asked, however many names it was asked for by.
pub async fn images(context: &Context, images: &[ImageRef], mut each: impl FnMut(Item)) {
    let mut stores: FuturesUnordered<_> = by_store(images, |image| &image.store)
        .into_iter()
        .map(|(store, images)| describe(context, store, images))
        .collect();
    let mut early: HashMap<usize, Item> = HashMap::new();
    let mut told = 0;
    let mut known = HashSet::new();
    while let Some(described) = stores.next().await {
        for (place, item) in described {
            early.insert(place, item);
            while let Some(item) = early.remove(&told) {
                if known.insert(item.reference.clone()) {
                    each(item);
                }
                told += 1;
            }
        }
    }
}

/// There may be a million items, so each is made when it is told.
async fn describe(
    context: &Context,
    store: Arc<StoreRef>,
    images: Vec<(usize, &ImageRef)>,
) -> impl Iterator<Item = (usize, Item)> + use<> {
    let ids: Vec<ImageId> = images.iter().map(|(_, image)| image.id.clone()).collect();
    let (home, answers) = match context.open(&store).await {
        Ok(session) => {
            let mut answers = session.describe(&ids).await;
            if context.settings.options.sharing && session.store.limit(Op::Sharing).is_some() {
                let found = answers.iter_mut().filter_map(|answer| answer.as_mut().ok());
                if let Err(error) = session.add_sharing(found).await {
                    context.printer.error(&error);
                }
            }
            if let Some(error) = session.halted() {
                context.printer.error(error);
            }
            (session.store.home(), answers)
        }
        Err(error) => {
            context.printer.error(&error);
            (store, vec![Err(error); ids.len()])
        }
    };
    let places: Vec<usize> = images.into_iter().map(|(place, _)| place).collect();
    let items = ids.into_iter().zip(answers).map(move |(id, answer)| item(&home, id, answer));
    places.into_iter().zip(items)
}

fn item(home: &Arc<StoreRef>, id: ImageId, answer: Result<Image>) -> Item {
    let complete = match (&answer, &id) {
        (Ok(image), ImageId::Tag(tag)) => {
            image.digest().map_or(id.clone(), |digest| ImageId::TagAt(tag.clone(), digest))
        }
        _ => id,
    };
    let reference = home.image(complete);
    match answer {
        Ok(image) => Item::found(reference, image),
        Err(error) => {
            let state = if error.kind == Kind::NotFound { State::Missing } else { State::Unknown };
            Item { state: Some(state), error: Some(error), ..Item::new(reference) }
        }
    }
}

/// The stores that a reference names: itself, or all that its pattern matches.
pub async fn stores(context: &Context, store: &StoreRef) -> Result<Vec<Arc<Session>>> {
    let session = context.open(store).await?;
    if !store.is_pattern() {
        return Ok(vec![session]);
    }
    let pattern = store.pattern()?;
    let all = session.stores().await?;
    let matching: Vec<_> = all.into_iter().filter(|found| pattern.matches(&found.name)).collect();
    if matching.is_empty() {
        return Err(Error::new(Kind::NoStore, format!("no repository matches {store}"))
            .hint("`*` matches anything except `/`, `**` matches anything"));
    }
    join_all(matching.iter().map(|store| context.open(store))).await.into_iter().collect()
}
