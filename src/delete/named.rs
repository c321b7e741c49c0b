//! From references to a report: stores opened and planned side by side, deleted from side by side, each image told of
//! exactly once.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use futures_util::future::join_all;

use crate::{
    context::Context,
    context::lookup::by_store,
    delete::look::{Next, Step, StorePlan, Wish},
    engine::Outcome,
    engine::{Options, Verdict},
    error::Error,
    image::{ImageId, ImageRef, StoreRef},
    output::question::Place,
    report::Item,
};

/// The plan of a whole run.
pub struct Plan {
    pub stores: Vec<StorePlan>,
    /// Images whose store could not be opened.
    pub unopened: Vec<(usize, Item)>,
    /// Images asked for.
    pub asked: usize,
}

impl Plan {
    /// Opens the stores of these distinct images, and looks at what must be known.
    pub async fn make(context: &Context, asked: &[ImageRef], wish: Wish) -> Self {
        let named = by_store(asked, |image| &image.store);
        let opened = join_all(named.iter().map(|(store, _)| context.open(store))).await;
        let mut plan = Self { stores: Vec::new(), unopened: Vec::new(), asked: asked.len() };
        // The same store under two names, with its region and without, is one store.
        let mut homes: HashMap<StoreRef, usize> = HashMap::new();
        let mut sessions = Vec::new();
        for ((store, images), session) in named.into_iter().zip(opened) {
            let images = images.into_iter().map(|(place, image)| (place, image.id.clone()));
            match session {
                Ok(session) => match homes.get(&session.store.home()) {
                    Some(place) => {
                        let (_, known): &mut (_, Vec<(usize, ImageId)>) = &mut sessions[*place];
                        // Named in both ways, an image is still one.
                        let ids: HashSet<_> = known.iter().map(|(_, id)| id.clone()).collect();
                        known.extend(images.filter(|(_, id)| !ids.contains(id)));
                    }
                    None => {
                        homes.insert(session.store.home(), sessions.len());
                        sessions.push((session, images.collect()));
                    }
                },
                Err(error) => {
                    context.printer.error(&error);
                    plan.unopened.extend(images.map(|(place, id)| (place, unopened(&store, id, &error))));
                }
            }
        }
        let plans = sessions.into_iter().map(|(session, images)| StorePlan::make(session, images, wish));
        plan.stores = join_all(plans).await;
        plan
    }

    /// The stores from which something would go.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        let stores = self.stores.iter().filter(|of| !of.targets.is_empty());
        stores.map(|of| Place { home: of.session.store.home(), caller: of.session.store.caller() })
    }

    /// What would happen, image by image, in the order asked; the services are asked themselves where they can be.
    pub async fn rehearse(&mut self) -> Vec<Item> {
        let mut items: Vec<_> = self.unopened.clone();
        let rehearsed = join_all(self.stores.iter_mut().map(rehearse)).await;
        for (store, verdicts) in self.stores.iter().zip(rehearsed) {
            for step in &store.steps {
                let verdict = match &step.next {
                    Next::Target(place) => verdicts[*place].clone(),
                    Next::Ended(verdict, _) => would(verdict.clone()),
                };
                items.push((step.place, store.item(step, verdict)));
            }
        }
        in_order(items)
    }

    /// Deletes what was planned. Every item is handed to `done` as it ends; all of them come back in the order asked.
    pub async fn apply(&self, options: &Options, done: impl Fn(&Item) + Send + Sync) -> Vec<Item> {
        let items = Mutex::new(Vec::with_capacity(self.asked));
        let end = |place: usize, item: Item| {
            done(&item);
            items.lock().expect("no holder of this lock panics").push((place, item));
        };
        for (place, item) in &self.unopened {
            end(*place, item.clone());
        }
        join_all(self.stores.iter().map(|store| delete(store, options, &end))).await;
        in_order(items.into_inner().expect("no holder of this lock panics"))
    }
}

async fn delete(store: &StorePlan, options: &Options, end: &(impl Fn(usize, Item) + Send + Sync)) {
    let mut steps_of: Vec<Vec<&Step>> = vec![Vec::new(); store.targets.len()];
    for step in &store.steps {
        match &step.next {
            Next::Target(place) => steps_of[*place].push(step),
            Next::Ended(verdict, _) => end(step.place, store.item(step, verdict.clone())),
        }
    }
    let tell = |place: usize, verdict: Verdict| {
        for step in &steps_of[place] {
            end(step.place, store.item(step, verdict.clone()));
        }
    };
    for (place, verdict) in &store.refused {
        tell(*place, verdict.clone());
    }
    let sent: Vec<usize> = (0..store.targets.len()).filter(|place| !store.refused.contains_key(place)).collect();
    let targets: Vec<_> = sent.iter().map(|place| store.targets[*place].clone()).collect();
    let leaving = (0..sent.len()).filter(|place| store.leaving.contains(&sent[*place])).collect();
    let emit = |place: usize, verdict: Verdict| tell(sent[place], verdict);
    store.session.delete(&targets, &leaving, store.looked_at, options, &emit).await;
}

async fn rehearse(store: &mut StorePlan) -> Vec<Verdict> {
    let expected = store.expected().into_iter().map(Verdict::of);
    if !store.session.store.rehearses() {
        return expected.collect();
    }
    // What is on its way out already would go anyway.
    let ids: Vec<_> = (0..store.targets.len())
        .filter(|place| !store.leaving.contains(place))
        .map(|place| store.targets[place].id.clone())
        .collect();
    let mut answers: HashMap<_, _> = ids.iter().cloned().zip(store.session.rehearse(&ids).await).collect();
    let mut verdicts: Vec<_> = expected.collect();
    for (place, target) in store.targets.iter().enumerate() {
        if let Some(Err(error)) = answers.remove(&target.id) {
            let verdict = Verdict::failed(error);
            verdicts[place] = would(verdict.clone());
            store.refused.insert(place, verdict);
        }
    }
    verdicts
}

/// What a dry run calls an ending.
pub fn would(verdict: Verdict) -> Verdict {
    let outcome = match verdict.outcome {
        Outcome::Refused => Outcome::WouldRefuse,
        outcome => outcome,
    };
    Verdict { outcome, ..verdict }
}

fn unopened(store: &StoreRef, id: ImageId, error: &Error) -> Item {
    let Verdict { outcome, error, .. } = Verdict::not_sent(error.clone());
    let item = Item::new(store.image(id).to_string(), store.provider);
    Item { outcome: Some(outcome), error, ..item }
}

fn in_order(mut items: Vec<(usize, Item)>) -> Vec<Item> {
    items.sort_by_key(|(place, _)| *place);
    items.into_iter().map(|(_, item)| item).collect()
}
