//! Carrying out what was agreed to: by `prune` after its plan, by `delete --from` from a saved one. Each image is held
//! against its store as it is now; what changed is refused by name, the rest is deleted in passes.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::join_all;

use crate::{
    context::Context,
    delete::named::would,
    delete::passes::{Going, purge},
    engine::Outcome,
    engine::{Options, Session, Verdict},
    error::{Error, Kind, Result},
    output::question::Place,
    prune::{Evidence, Guards, Saved, Step, Stock, recheck},
    report::Item,
    store::Image,
    survey::{self, Cache, Files, InUse},
};

/// What was agreed to, store by store.
pub struct Carrying<'m> {
    pub stores: Vec<Agreed<'m>>,
    /// What was known to be in use when it was agreed to.
    pub evidence: Evidence,
    /// Newer lists of what is in use, to be read once it is known what they may name.
    pub files: Files,
    pub in_use: InUse,
}

/// Images of one store that are to go.
pub struct Agreed<'m> {
    pub session: Arc<Session>,
    pub guards: Guards,
    /// The store as it was a moment ago; without it, it is looked at afresh.
    pub stock: Option<&'m Stock>,
    /// As they were, each with the item that will tell of it.
    pub images: Vec<(Item, Saved)>,
}

/// One store, checked: of each of its images whether and when it may go.
struct Checked<'m> {
    stock: Result<Cow<'m, Stock>>,
    steps: Vec<Result<Step>>,
}

impl<'m> Carrying<'m> {
    pub fn is_empty(&self) -> bool {
        self.stores.iter().all(|of| of.images.is_empty())
    }

    pub fn places(&self) -> impl Iterator<Item = Place> {
        let sessions = self.stores.iter().map(|of| &of.session);
        sessions.map(|session| Place { home: session.store.home(), caller: session.store.caller() })
    }

    /// Everything is looked at afresh before it is carried out.
    pub fn forget_stocks(&mut self) {
        self.stores.iter_mut().for_each(|of| of.stock = None);
    }

    /// What would become of each image if nothing changes any more.
    pub fn expected(&self) -> Vec<Item> {
        let items = self.stores.iter().flat_map(|of| &of.images);
        items.map(|(item, _)| item.clone()).collect()
    }

    /// What would become of each image as things are now.
    pub async fn rehearse(&mut self, context: &Context) -> Result<Vec<Item>> {
        let checked = self.check(context).await?;
        let mut items = Vec::new();
        for (of, checked) in self.stores.iter().zip(&checked) {
            for ((item, saved), step) in of.images.iter().zip(&checked.steps) {
                let verdict = match step {
                    Ok(_) => Verdict::of(Outcome::WouldDelete),
                    Err(error) => would(checked.refusal(error)),
                };
                let image = checked.find(saved);
                items.push(ended(of, item, image, verdict));
            }
        }
        Ok(items)
    }

    /// Deletes, and tells of each image once, in the order of the plan.
    pub async fn out(&mut self, context: &Context, options: &Options) -> Result<Vec<Item>> {
        let checked = self.check(context).await?;
        let images = self.stores.iter().map(|of| of.images.len()).sum();
        context.printer.doing("deleting", Some(images));
        let end = |item: &Item| context.printer.ended_with(item);
        let stores = self.stores.iter().zip(&checked);
        let items = join_all(stores.map(|(of, checked)| delete(of, checked, options, &end))).await;
        let items: Vec<_> = items.into_iter().flatten().collect();
        for of in &self.stores {
            if let Some(error) = of.session.halted() {
                context.printer.error(error);
            }
        }
        if !context.printer.streams() {
            items.iter().for_each(|item| context.printer.item(item));
        }
        Ok(items)
    }

    /// Holds every image against its store as it is now.
    async fn check(&mut self, context: &Context) -> Result<Vec<Checked<'m>>> {
        if self.stores.iter().any(|of| of.stock.is_none()) {
            context.printer.doing("looking again", None);
        }
        let cache = Cache::new(context.settings.env.cache());
        let take = |of: &Agreed<'m>| {
            let (session, stock, cache) = (Arc::clone(&of.session), of.stock, &cache);
            async move {
                match stock {
                    Some(stock) => Ok(Cow::Borrowed(stock)),
                    None => survey::stock(&session, cache, |_| true, |_| ()).await.map(Cow::Owned),
                }
            }
        };
        let stocks = join_all(self.stores.iter().map(take)).await;
        if !self.files.is_empty() {
            // A list says nothing of stores that nobody could read.
            if let Some(error) = stocks.iter().find_map(|stock| stock.as_ref().err()) {
                return Err(error.clone());
            }
            let known = stocks.iter().filter_map(|stock| stock.as_deref().ok());
            for told in self.files.read(known, &mut self.evidence)? {
                context.printer.remark(&told);
            }
        }
        let mut all = Vec::new();
        for (of, mut stock) in self.stores.iter().zip(stocks) {
            if let (Ok(fresh), None) = (&stock, of.stock) {
                let asked: Vec<_> = of.images.iter().filter_map(|(_, saved)| find(fresh, saved).cloned()).collect();
                let told = survey::in_use(&of.session, fresh, &asked, self.in_use, &mut self.evidence);
                if let Err(error) = told.await {
                    stock = Err(error);
                }
            }
            if let Err(error) = &stock
                && error.kind != Kind::Stopped
            {
                context.printer.error(error);
            }
            let saved: Vec<_> = of.images.iter().map(|(_, saved)| saved.clone()).collect();
            let steps = match &stock {
                Ok(stock) => recheck(&saved, stock, &self.evidence, &of.guards),
                Err(error) => saved.iter().map(|_| Err(error.clone())).collect(),
            };
            all.push(Checked { stock, steps });
        }
        Ok(all)
    }
}

impl Checked<'_> {
    /// What an image ends with that may not go.
    fn refusal(&self, error: &Error) -> Verdict {
        match self.stock {
            Ok(_) => Verdict::failed(error.clone()),
            Err(_) => Verdict::not_sent(error.clone()),
        }
    }

    fn find(&self, saved: &Saved) -> Option<&Image> {
        find(self.stock.as_deref().ok()?, saved)
    }
}

fn find<'s>(stock: &'s Stock, saved: &Saved) -> Option<&'s Image> {
    Some(&stock.images()[stock.place(&saved.id)?])
}

/// Deletes what may go of one store; every item comes back, in order.
async fn delete(of: &Agreed<'_>, checked: &Checked<'_>, options: &Options, end: &(dyn Fn(&Item) + Sync)) -> Vec<Item> {
    let items: Mutex<Vec<Option<Item>>> = Mutex::new(vec![None; of.images.len()]);
    let tell = |place: usize, image: Option<&Image>, verdict: Verdict| {
        let item = ended(of, &of.images[place].0, image, verdict);
        end(&item);
        let mut items = items.lock().unwrap_or_else(PoisonError::into_inner);
        items[place] = Some(item);
    };
    let (mut places, mut going) = (Vec::new(), Vec::new());
    // Where each image that goes stands among those that go.
    let mut moved = vec![None; of.images.len()];
    for (place, step) in checked.steps.iter().enumerate() {
        let image = checked.find(&of.images[place].1);
        match (step, image) {
            (Ok(step), Some(image)) => {
                moved[place] = Some(going.len());
                places.push(place);
                going.push(Going { image: image.clone(), step: step.clone() });
            }
            (Err(error), image) => tell(place, image, checked.refusal(error)),
            (Ok(_), None) => {
                let error = Error::new(Kind::NotFound, "it is not there any more");
                tell(place, None, Verdict::failed(error));
            }
        }
    }
    for next in &mut going {
        // A step waits only for images that go themselves.
        let after = next.step.after.iter();
        next.step.after = after.filter_map(|place| moved[*place]).collect();
    }
    let done = |at: usize, verdict: Verdict| tell(places[at], Some(&going[at].image), verdict);
    purge(&of.session, &going, options, &done).await;
    let items = items.into_inner().unwrap_or_else(PoisonError::into_inner);
    items.into_iter().flatten().collect()
}

/// The item that tells what became of an image, as it was last seen.
fn ended(of: &Agreed, planned: &Item, image: Option<&Image>, verdict: Verdict) -> Item {
    let mut item = planned.clone();
    if let Some(image) = image {
        item.image = image.clone();
    }
    item.end(&of.session.store.home(), verdict);
    item
}
