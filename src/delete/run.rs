//! Runs one deletion from the plan to the report: rehearse, show, ask, send, report.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;

use super::order::{Order, StoreOrder, in_order};
use crate::{
    context::Context,
    engine::{Copies, Options, Verdict},
    error::{Error, Result},
    exit::Tally,
    output::question::{Place, question},
    report::{Item, Sizes},
    survey::copies::{copied, not_allowed, not_known},
};

/// How an order is carried out.
#[derive(Clone, Debug)]
pub struct How {
    /// Only show what would happen.
    pub dry_run: bool,
    /// Do not ask.
    pub yes: bool,
    /// What the plan frees, if it was shown already.
    pub shown: Option<Sizes>,
    /// Do not wait for jobs and slow deletions.
    pub no_wait: bool,
    /// The longest wait for one job.
    pub job_timeout: Duration,
    /// Count a missing image as done.
    pub ignore_missing: bool,
    /// Allow deletions that are repeated in other registries.
    pub replicated: bool,
}

/// Runs an order: shows it, asks if needed, deletes, and prints the result of each image. Any answer but yes is an error,
/// and nothing is deleted.
pub async fn run(order: &mut Order<'_>, context: &Context, how: How) -> Result<Tally> {
    let mut agreed = false;
    order.find_copies().await;
    if how.dry_run {
        order.rehearse(context).await?;
        let mut tally = Tally::new(how.ignore_missing);
        for item in order.expected() {
            context.printer.item(&item);
            tally.add(&item);
        }
        tell_halted(order, context);
        order.tell_copies(context, true);
        if let Err(error) = order.may_be_copied(how.replicated) {
            context.finish();
            return Err(error);
        }
        return Ok(tally);
    }
    if !how.yes && !order.is_empty() {
        ask(order, context, &how).await?;
        agreed = true;
    } else {
        if how.shown.is_none() {
            order.tell_copies(context, false);
        }
        order.may_be_copied(how.replicated)?;
    }
    order.check(context).await?;
    let options = Options { agreed, no_wait: how.no_wait, job_timeout: how.job_timeout };
    Ok(order.carry_out(context, &options, how.ignore_missing).await)
}

async fn ask(order: &mut Order<'_>, context: &Context, how: &How) -> Result<()> {
    let shown = how.shown.clone();
    if shown.is_none() {
        order.rehearse(context).await?;
    }
    let items: Vec<Item> = order.expected().collect();
    if shown.is_none() {
        context.printer.plan(&items);
        order.tell_copies(context, true);
    }
    order.may_be_copied(how.replicated)?;
    let places = order
        .sessions()
        .map(|session| Place { home: Arc::unwrap_or_clone(session.store.home()), caller: session.store.caller() });
    context.agreed(&question(&items, shown, places)?).await?;
    // Answering takes a while, so look at everything again.
    order.forget_stocks();
    Ok(())
}

fn tell_halted(order: &Order, context: &Context) {
    let halted = order.stores.iter().filter_map(|of| of.session.halted());
    halted.for_each(|error| context.printer.error(error));
}

impl Order<'_> {
    /// Finds out whether deletions are repeated elsewhere.
    async fn find_copies(&mut self) {
        join_all(self.stores.iter_mut().map(|of| async { of.copies = of.session.copies().await })).await;
    }

    /// Tells what a person should know about copies. What is not known belongs to a plan.
    fn tell_copies(&self, context: &Context, plan: bool) {
        for of in self.stores.iter().filter(|of| !of.goes.is_empty()) {
            let home = of.session.store.home();
            match &of.copies {
                Copies::In(replicas) => context.printer.warn(&copied(&home, replicas)),
                Copies::Unknown(error) if plan => context.printer.remark(&not_known(&home, error)),
                Copies::Unknown(_) | Copies::None => {}
            }
        }
    }

    /// Refuses deletions that are repeated in other registries, unless they are allowed.
    fn may_be_copied(&self, allowed: bool) -> Result<()> {
        let of_stores = self.stores.iter().filter(|of| !of.goes.is_empty());
        let mut copied = of_stores.filter_map(|of| match &of.copies {
            Copies::In(replicas) => Some((of.session.store.home(), replicas)),
            Copies::Unknown(_) | Copies::None => None,
        });
        match copied.next() {
            Some((home, replicas)) if !allowed => Err(Error::from(not_allowed(&home, replicas))),
            _ => Ok(()),
        }
    }

    /// Finds out what would be refused as things are now. Asks services that can say what they would delete.
    async fn rehearse(&mut self, context: &Context) -> Result<()> {
        self.check(context).await?;
        self.foresee(context).await;
        join_all(self.stores.iter_mut().map(StoreOrder::ask_service)).await;
        Ok(())
    }

    async fn carry_out(&self, context: &Context, options: &Options, ignore_missing: bool) -> Tally {
        let printer = &context.printer;
        let asked = self.unopened.len() + self.stores.iter().map(|of| of.asked.len()).sum::<usize>();
        printer.progress.doing("deleting", Some(asked));
        let told = Mutex::new((Tally::new(ignore_missing), Vec::new()));
        let tell = |place: usize, item: Item| {
            printer.ended_with(&item);
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.0.add(&item);
            if !printer.streams() {
                told.1.push((place, item));
            }
        };
        self.unopened.iter().for_each(|(place, item)| tell(*place, item.clone()));
        join_all(self.stores.iter().map(|of| of.delete(options, &tell))).await;
        let (tally, items) = told.into_inner().unwrap_or_else(PoisonError::into_inner);
        tell_halted(self, context);
        in_order(items).iter().for_each(|item| printer.item(item));
        tally
    }
}

impl StoreOrder<'_> {
    /// Asks the service what it would refuse, if it offers that.
    async fn ask_service(&mut self) {
        if !self.session.store.rehearses() {
            return;
        }
        // No need to ask about images that are already being deleted.
        let asked = self.goes.iter().filter(|going| !going.leaving && going.refused.is_none());
        let ids: Vec<_> = asked.map(|going| going.target.id.clone()).collect();
        let answers = self.session.rehearse(&ids).await;
        let mut answers: HashMap<_, _> = ids.into_iter().zip(answers).collect();
        for going in &mut self.goes {
            if let Some(Err(error)) = answers.remove(&going.target.id) {
                going.refused = Some(Box::new(Verdict::failed(error)));
            }
        }
    }
}
