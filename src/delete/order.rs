//! What to delete, store by store: each target once, and every image that was asked for with its result so far.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::time::Instant;

use super::across::Place;
use crate::{
    engine::{Copies, Outcome, Session, Target, Verdict, tags_going},
    image::{Digest, ImageId},
    prune::{Choice, Evidence, Guards, Saved, Step, Stock},
    report::Item,
    store::{Image, LeftBehind},
    survey::{Files, InUse},
};

/// Everything that one run deletes.
#[derive(Default)]
pub struct Order<'m> {
    pub stores: Vec<StoreOrder<'m>>,
    /// Images of stores that could not be opened, with their places among all that was asked for.
    pub unopened: Vec<(usize, Item)>,
    pub usage: Usage,
    /// The images are archived instead.
    pub archive: bool,
}

/// What is known to be in use, for images that rules chose.
#[derive(Default)]
pub struct Usage {
    pub evidence: Evidence,
    /// Lists that are read once it is known which images they may name.
    pub files: Files,
    pub in_use: InUse,
}

/// What one run deletes in one store.
pub struct StoreOrder<'m> {
    pub session: Arc<Session>,
    /// What to send, each target once.
    pub goes: Vec<Going>,
    /// What was asked for, in order.
    pub asked: Vec<Asked>,
    pub looked_at: Instant,
    /// Whether what is deleted here is deleted elsewhere too.
    pub copies: Copies,
    /// What images that rules chose are compared with before they are sent.
    pub chosen: Option<Chosen<'m>>,
}

/// One target.
pub struct Going {
    pub target: Target,
    pub step: Step,
    /// Targets of other stores that must be deleted first.
    pub across: Vec<Place>,
    /// It is sent when everything of earlier rounds has ended, in all stores.
    pub round: usize,
    /// It is already being deleted, so it is only waited for.
    pub leaving: bool,
    /// What stays, though it is attached to this image.
    pub leaves: Vec<LeftBehind>,
    /// What nobody asked for, and goes with it.
    pub takes: Vec<LeftBehind>,
    /// Its verdict if it is not sent, because a check or the provider refused it.
    pub refused: Option<Box<Verdict>>,
}

/// One image that was asked for.
pub struct Asked {
    /// Its place among all that the run was asked for.
    pub place: usize,
    pub id: ImageId,
    /// Why rules chose it.
    pub choice: Option<Box<Choice>>,
    pub next: Next,
}

/// How it ends.
pub enum Next {
    /// With the verdict on this target.
    Goes(usize),
    /// With the look at it.
    Ended(Box<Verdict>, Option<Arc<Image>>),
}

/// Of images that rules chose: what they looked like, one for each target, and what they are compared with.
pub struct Chosen<'m> {
    pub guards: Guards,
    /// The store as it was a moment ago. Without it, the store is listed again.
    pub stock: Option<&'m Stock>,
    pub saved: Vec<Saved>,
}

impl Order<'_> {
    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.stores.iter().all(|of| of.goes.is_empty())
    }

    /// Whether something is sent, now that it is checked.
    pub fn sends(&self) -> bool {
        self.stores.iter().flat_map(|of| &of.goes).any(|going| going.refused.is_none())
    }

    /// The stores from which something would be deleted.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.stores.iter().filter(|of| !of.goes.is_empty()).map(|of| &*of.session)
    }

    /// Forgets what stores looked like: they are listed again before anything is sent.
    pub fn forget_stocks(&mut self) {
        self.stores.iter_mut().filter_map(|of| of.chosen.as_mut()).for_each(|chosen| chosen.stock = None);
    }

    /// Forgets what chosen images looked like when they were chosen: it was compared for the last time.
    pub fn forget_choice(&mut self) {
        self.stores.iter_mut().filter_map(|of| of.chosen.as_mut()).for_each(|chosen| chosen.saved = Vec::new());
    }

    /// The result of each image if all goes well, in the order asked. There may be a million, so each is made when it is
    /// looked at.
    pub fn expected(&self) -> impl Iterator<Item = Item> {
        let expectations: Vec<_> = self.stores.iter().map(|of| Expectation::of(of, self.archive)).collect();
        let unopened = self.unopened.iter().map(|(place, item)| (*place, Expected::Unopened(item)));
        let asked = self.stores.iter().enumerate();
        let asked = asked.flat_map(|(store, of)| of.asked.iter().map(move |asked| (asked, store)));
        let mut all: Vec<_> = unopened.chain(asked.map(|(asked, of)| (asked.place, Expected::Of(of, asked)))).collect();
        all.sort_by_key(|(place, _)| *place);
        all.into_iter().map(move |(_, expected)| match expected {
            Expected::Unopened(item) => item.clone(),
            Expected::Of(store, asked) => expectations[store].item(asked),
        })
    }
}

enum Expected<'o> {
    Unopened(&'o Item),
    /// Of a store, by its number.
    Of(usize, &'o Asked),
}

/// A store's results if all goes well.
struct Expectation<'o> {
    order: &'o StoreOrder<'o>,
    archive: bool,
    going: HashMap<Digest, HashSet<String>>,
}

impl<'o> Expectation<'o> {
    fn of(order: &'o StoreOrder<'o>, archive: bool) -> Self {
        Self { order, archive, going: tags_going(order.goes.iter().map(|going| &going.target)) }
    }

    fn item(&self, asked: &Asked) -> Item {
        let verdict = match &asked.next {
            Next::Ended(verdict, _) => (**verdict).clone(),
            Next::Goes(at) => {
                let Going { target, refused, .. } = &self.order.goes[*at];
                let tags = target.digest().and_then(|digest| self.going.get(&digest));
                let whole = target.takes_image(tags.unwrap_or(&HashSet::new()));
                let outcome = match whole {
                    _ if self.archive => Outcome::WouldArchive,
                    true => Outcome::WouldDelete,
                    false => Outcome::WouldUntag,
                };
                refused.as_deref().cloned().unwrap_or(Verdict::of(outcome))
            }
        };
        self.order.item(asked, verdict.rehearsed())
    }
}

impl StoreOrder<'_> {
    /// The item that reports the result of an image.
    pub fn item(&self, asked: &Asked, verdict: Verdict) -> Item {
        let home = self.session.store.home();
        let (id, image) = match &asked.next {
            Next::Goes(at) => {
                let target = &self.goes[*at].target;
                let id = match (&asked.id, target.digest()) {
                    // An image asked for by tag is named by the tag and what it pointed to.
                    (ImageId::Tag(tag), Some(digest)) => ImageId::TagAt(tag.clone(), digest),
                    (id, _) => id.clone(),
                };
                (id, target.seen.as_ref())
            }
            Next::Ended(_, image) => (asked.id.clone(), image.as_ref()),
        };
        let mut item = Item::new(home.image(id));
        if let Some(image) = image {
            item.image = Arc::clone(image);
        }
        if item.image.digest.is_none()
            && let Some(digest) = asked.id.digest()
        {
            Arc::make_mut(&mut item.image).digest = Some(digest.to_string());
        }
        if let Next::Goes(at) = asked.next
            && let Going { leaves, takes, .. } = &self.goes[at]
            && !(leaves.is_empty() && takes.is_empty())
        {
            let image = Arc::make_mut(&mut item.image);
            image.leaves_behind.extend(leaves.iter().cloned());
            image.takes_along.extend(takes.iter().cloned());
        }
        item.choice = asked.choice.as_deref().cloned();
        if let Copies::In(replicas) = &self.copies {
            item.replicated_to.clone_from(replicas);
        }
        item.end(&home, verdict);
        item
    }
}

impl Going {
    pub fn new(target: Target) -> Self {
        // Registries refuse to delete what an index holds as long as the index is there.
        let pass = usize::from(!target.is_index());
        Self {
            target,
            step: Step { pass, after: Vec::new() },
            across: Vec::new(),
            round: 0,
            leaving: false,
            leaves: Vec::new(),
            takes: Vec::new(),
            refused: None,
        }
    }
}

pub fn in_order(mut items: Vec<(usize, Item)>) -> Vec<Item> {
    items.sort_by_key(|(place, _)| *place);
    items.into_iter().map(|(_, item)| item).collect()
}
