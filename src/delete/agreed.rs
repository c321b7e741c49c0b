//! Compares the images that rules chose with their store as it is now, and refuses those that changed since the plan.

use std::{borrow::Cow, sync::Arc};

use chrono::Utc;
use futures_util::future::join_all;

use super::order::{Chosen, Order, StoreOrder, Usage};
use crate::{
    cache::Cache,
    context::Context,
    engine::{Outcome, Session, Verdict},
    error::{Error, Kind, Result},
    image::ImageId,
    prune::{Saved, Stock, recheck},
    store::Image,
    survey,
};

impl<'m> Order<'m> {
    /// Decides for each chosen image whether and in which pass it may be sent. Named images are compared by the engine,
    /// right before they are sent.
    pub async fn check(&mut self, context: &Context) -> Result<()> {
        let chosen = || self.stores.iter().filter_map(|of| Some((&of.session, of.chosen.as_ref()?)));
        if chosen().any(|(_, chosen)| chosen.stock.is_none()) {
            context.printer.progress.doing("looking again", None);
        }
        let archive = self.archive;
        let stocks = join_all(chosen().map(|(session, chosen)| stock(session, chosen, archive, &context.cache))).await;
        if !self.usage.files.is_empty() {
            // A list says nothing about stores that could not be read.
            if let Some(error) = stocks.iter().find_map(|stock| stock.as_ref().err()) {
                return Err(error.clone());
            }
            let known = stocks.iter().filter_map(|stock| stock.as_deref().ok());
            for told in self.usage.files.read(known, &mut self.usage.evidence)? {
                context.printer.remark(&told);
            }
        }
        self.ask_services(context, &stocks).await?;
        let stores = self.stores.iter_mut().filter(|of| of.chosen.is_some());
        for (of, stock) in stores.zip(stocks) {
            let stock = of.ask_usage(context, stock, &mut self.usage).await;
            if let Err(error) = &stock
                && !error.kind.not_tried()
            {
                context.printer.error(error);
            }
            of.compare(stock, &self.usage);
        }
        self.follow();
        Ok(())
    }

    /// Asks services again who uses the images of stores that were listed again.
    async fn ask_services(&mut self, context: &Context, stocks: &[Result<Cow<'_, Stock>>]) -> Result<()> {
        let known: Vec<&Stock> = stocks.iter().filter_map(|stock| stock.as_deref().ok()).collect();
        let again = |of: &&StoreOrder| of.chosen.as_ref().is_some_and(|chosen| chosen.stock.is_none());
        let sessions = self.stores.iter().filter(again).map(|of| &*of.session);
        let Usage { evidence, in_use, .. } = &mut self.usage;
        let copies = self.stores.iter().map(|of| (of.session.store.home(), &of.copies));
        let ask = survey::copies::asked_there(&in_use.ask, copies);
        let told = survey::ask(context, sessions, &ask, in_use.allow_empty, &known, evidence).await?;
        told.iter().for_each(|line| context.printer.remark(line));
        Ok(())
    }
}

async fn stock<'m>(session: &Session, chosen: &Chosen<'m>, archive: bool, cache: &Cache) -> Result<Cow<'m, Stock>> {
    if let Some(stock) = chosen.stock {
        return Ok(Cow::Borrowed(stock));
    }
    let mut stock = survey::stock(session, cache, archive, |_| true, |_| ()).await?;
    let candidates = |stock: &Stock| chosen.saved.iter().filter_map(|saved| stock.place(&saved.id)).collect::<Vec<_>>();
    let listed = candidates(&stock);
    survey::find_all_unlisted(session, cache, &mut stock, listed).await?;
    whole(session, &mut stock, &chosen.saved).await?;
    let there = candidates(&stock);
    survey::read_candidates(session, cache, &mut stock, there).await?;
    Ok(Cow::Owned(stock))
}

/// A listing proves only what it shows. Images of the plan that it does not show are asked for by name: if it should show
/// one of them, it leaves out images, and what else it leaves out is unknown.
async fn whole(session: &Session, stock: &mut Stock, saved: &[Saved]) -> Result<()> {
    let unlisted = saved.iter().filter(|saved| stock.place(&saved.id).is_none() && !stock.is_archived(&saved.id));
    let unlisted: Vec<&Saved> = unlisted.collect();
    let ids: Vec<ImageId> = unlisted.iter().map(|saved| saved.image_id()).collect();
    if !session.store.lists_untagged() {
        return with_untagged(session, stock, &unlisted, &ids).await;
    }
    for (id, now) in ids.iter().zip(session.get(&ids).await) {
        match now {
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(incomplete(stock, id)),
        }
    }
    Ok(())
}

/// The same for a listing that shows only images with tags. Adds those that have none.
async fn with_untagged(session: &Session, stock: &mut Stock, saved: &[&Saved], ids: &[ImageId]) -> Result<()> {
    let tags = saved.iter().flat_map(|saved| saved.was.tags.iter().map(|tag| (ImageId::Tag(tag.clone()), &saved.id)));
    let (tags, had_by): (Vec<ImageId>, Vec<&String>) = tags.unzip();
    for ((tag, id), now) in tags.iter().zip(had_by).zip(session.look_beside(&tags).await) {
        match now {
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(error),
            Ok(image) if image.digest.as_ref() == Some(id) => return Err(incomplete(stock, tag)),
            // It is on another image now, which the listing shows.
            Ok(_) => {}
        }
    }
    for now in session.look_beside(ids).await {
        match now {
            Err(error) if error.kind == Kind::NotFound => {}
            now => drop(stock.add_unlisted([now?])),
        }
    }
    Ok(())
}

fn incomplete(stock: &Stock, id: &ImageId) -> Error {
    let message = format!("the listing of {} leaves out {id}, which exists", stock.store);
    Error::new(Kind::Unreadable, message).code("ListingIncomplete")
}

impl StoreOrder<'_> {
    /// Asks who uses the images of a store that was listed again.
    async fn ask_usage<'s>(
        &self,
        context: &Context,
        stock: Result<Cow<'s, Stock>>,
        usage: &mut Usage,
    ) -> Result<Cow<'s, Stock>> {
        let stock = stock?;
        let Some(Chosen { stock: None, saved, .. }) = &self.chosen else {
            return Ok(stock);
        };
        let asked: Vec<Arc<Image>> = saved.iter().filter_map(|saved| stock.find(&saved.id).cloned()).collect();
        let Usage { evidence, in_use, .. } = usage;
        survey::in_use(context, &self.session, &stock, &asked, in_use, evidence).await?;
        Ok(stock)
    }

    fn compare(&mut self, stock: Result<Cow<Stock>>, usage: &Usage) {
        let Some(Chosen { guards, saved, stock: known }) = &self.chosen else { return };
        let stock = match stock {
            Ok(stock) => stock,
            Err(error) => {
                let verdict = Box::new(Verdict::not_sent(error));
                return self.goes.iter_mut().for_each(|going| going.refused = Some(verdict.clone()));
            }
        };
        let fresh = known.is_none();
        let steps = recheck(saved, &stock, &usage.evidence, guards);
        for ((going, saved), step) in self.goes.iter_mut().zip(saved).zip(steps) {
            if let Some(image) = stock.find(&saved.id)
                && fresh
            {
                going.target.seen = Some(Arc::clone(image));
                // Listing the store again read its indexes.
                going.target.read_at = saved.read_at.max(image.is_index().then(Utc::now));
            }
            match step {
                Ok(step) => going.step = step,
                Err(_) if stock.is_archived(&saved.id) => {
                    going.refused = Some(Box::new(Verdict::of(Outcome::AlreadyArchived)));
                }
                Err(error) => going.refused = Some(Box::new(Verdict::failed(error))),
            }
        }
    }
}
