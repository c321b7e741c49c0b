//! An order of images that were named: their stores are opened and looked at side by side, and each image is pinned to
//! what was seen.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::join_all;

use super::{look::Looked, order::Order};
use crate::{
    context::{Context, lookup::by_store},
    engine::{Outcome, Session, Verdict},
    error::{Error, Kind, Result},
    image::{ImageId, ImageRef, StoreRef},
    report::Item,
};

/// What a deletion of named images is asked to do, as far as it changes what is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// A tag stands for its whole image, with all its tags.
    pub all_tags: bool,
    /// A person, or a dry run, will see the plan: everything is looked at.
    pub shown: bool,
}

impl Order<'static> {
    /// Opens the stores of these distinct images, and looks at what must be known.
    pub async fn named(context: &Context, images: &[ImageRef], wish: Wish) -> Self {
        let named = by_store(images);
        let opened = join_all(named.iter().map(|of| context.open(of.store))).await;
        let mut order = Self::default();
        let mut stores: Vec<(Arc<Session>, Vec<(usize, ImageId)>)> = Vec::new();
        for (of, session) in named.into_iter().zip(opened) {
            let images = of.places.into_iter().zip(of.ids);
            match session {
                Ok(session) => stores.push((session, images.collect())),
                Err(error) => {
                    context.printer.error(&error);
                    order.unopened.extend(images.map(|(place, id)| (place, unopened(of.store, id, &error))));
                }
            }
        }
        let mut spellings: HashMap<StoreRef, usize> = HashMap::new();
        for (session, _) in &stores {
            *spellings.entry(without_owner(session)).or_default() += 1;
        }
        let looks = stores.into_iter().map(|(session, images)| {
            // A store that was named with its account and without: only an answer tells that it is one.
            let ambiguous = spellings[&without_owner(&session)] > 1;
            Looked::at(session, images, wish.shown || ambiguous)
        });
        let mut places: HashMap<StoreRef, usize> = HashMap::new();
        let mut looked: Vec<Looked> = Vec::new();
        for look in join_all(looks).await {
            match places.get(&look.home()) {
                Some(place) => looked[*place].join(look),
                None => {
                    places.insert(look.home(), looked.len());
                    looked.push(look);
                }
            }
        }
        order.stores = looked.into_iter().map(|look| look.pinned(wish.all_tags)).collect();
        order
    }
}

/// What is known of a store before any answer, however it was spelled.
fn without_owner(session: &Session) -> StoreRef {
    StoreRef { owner: None, ..session.store.home().by_any_host() }
}

pub fn unopened(store: &StoreRef, id: ImageId, error: &Error) -> Item {
    let Verdict { outcome, error, .. } = Verdict::not_sent(error.clone());
    let item = Item::new(store.image(id).to_string(), store.provider);
    Item { outcome: Some(outcome), error, ..item }
}

/// One question for the whole plan, or an error where a plan cannot be agreed to.
pub fn question(sessions: &[&Session], items: &[Item]) -> Result<String> {
    let count = |outcome| items.iter().filter(|item| item.outcome == Some(outcome)).count();
    let bytes: u64 = items
        .iter()
        .filter(|item| item.outcome == Some(Outcome::WouldDelete))
        .filter(|item| !item.image.is_index())
        .filter_map(|item| item.image.bytes)
        .sum();
    let mut what = Vec::new();
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    match (count(Outcome::WouldDelete), bytes) {
        (0, _) => {}
        (images, 0) => what.push(format!("delete {}", plural(images, "image"))),
        (images, bytes) => {
            what.push(format!("delete {} ({})", plural(images, "image"), crate::output::human::size(bytes)));
        }
    }
    match count(Outcome::WouldUntag) {
        0 => {}
        tags => what.push(format!("remove {} from images that stay", plural(tags, "tag"))),
    }
    match items.iter().map(|item| item.takes_along.len()).sum() {
        0 => {}
        around => what.push(format!("take along {around} groups and machines around them")),
    }
    if what.is_empty() {
        return Err(Error::new(Kind::Guard, "nothing of this can be deleted"));
    }
    let mut places: Vec<String> = Vec::new();
    for session in sessions {
        let place = whereabouts(session);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let sentence = format!("{} in {}?", what.join(" and "), places.join(" and "));
    let mut letters = sentence.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    Ok(first.chain(letters).collect())
}

/// Provider, account and region of a store; where no answer names the account, whose key it is.
fn whereabouts(session: &Session) -> String {
    let home = session.store.home();
    let region = home.region.unwrap_or_default();
    let account = match (home.owner, session.store.caller()) {
        (Some(owner), _) => format!("{} {owner}", home.provider.owner_word()),
        (None, Some(caller)) => format!("the account of key {caller}"),
        (None, None) => "an unknown account".into(),
    };
    format!("{} {region} of {account}", home.provider.title())
}
