//! Runs one deletion from the plan to the report: rehearse, show, ask, send, report.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::sync::Notify;

use super::{
    notes::notes,
    order::{Order, StoreOrder, in_order},
    passes::{Part, Sending},
    sketch,
};
use crate::{
    cache::Cache,
    context::Context,
    engine::{Copies, Options, Outcome, Target, Verdict},
    error::{Error, Result},
    exit::Tally,
    output::{
        human,
        question::{Place, question},
    },
    record::{About, Action, Folder, Recorder, Source},
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
    /// Write a record of the run.
    pub record: bool,
    /// The saved plan, or the policy, that says what is deleted.
    pub plan: Option<Source>,
    pub policy: Option<Source>,
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
        let sketched =
            context.printer.has_screen(true) && sketched(context, &order.expected().collect::<Vec<_>>(), true);
        for item in order.expected() {
            match sketched {
                true => context.printer.counts(&item),
                false => context.printer.item(&item),
            }
            tally.add(&item);
        }
        tell_halted(order, context);
        notes(order.expected()).into_iter().for_each(|note| context.printer.remark_last(note));
        order.tell_copies(context, true);
        if let Err(error) = order.may_be_copied(how.replicated) {
            context.finish();
            return Err(error);
        }
        return Ok(tally);
    }
    let state = context.settings.env.state().filter(|_| how.record && !order.is_empty());
    let folder = state.map(|state| Folder::below(&state));
    if let Some(folder) = &folder {
        // Nobody should agree to what cannot be recorded.
        folder.prepare()?;
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
    order.forget_choice();
    order.protect(context).await;
    let recorder = match folder {
        Some(folder) if order.sends() => Some(Recorder::begin(folder, about(context, order.archive, &how)).await?),
        _ => None,
    };
    let options = Options { archive: order.archive, agreed, no_wait: how.no_wait, job_timeout: how.job_timeout };
    let tally = order.carry_out(context, &options, recorder.as_ref(), how.ignore_missing).await;
    if let Some(recorder) = recorder {
        end(recorder, order, context).await;
    }
    Ok(tally)
}

/// What the run is, for its record.
fn about(context: &Context, archive: bool, how: &How) -> About {
    About {
        command: context.command,
        action: if archive { Action::Archive } else { Action::Delete },
        command_line: context.command_line.clone(),
        plan: how.plan.clone(),
        policy: how.policy.clone(),
    }
}

/// Ends the record of the run, and says what it cannot bring back.
async fn end(recorder: Recorder, order: &Order<'_>, context: &Context) {
    for (why, images) in recorder.lost() {
        let images = human::count(images, "deleted image");
        context.printer.warn(&format!("the record of this run cannot restore {images}: {why}"));
    }
    let can_undo = order.sessions().any(|session| session.store.home().provider.undo().is_some());
    use Outcome::{Archived, Deleted, Gone, Untagged};
    if can_undo && recorder.has_any(&[Deleted, Untagged, Gone, Archived]) {
        context.printer.tip_last(format!("Undo: imgctl restore {}", recorder.run));
    }
    let halted = || order.stores.iter().find_map(|of| of.session.halted().cloned());
    let stopped = context.stop.error().or_else(halted);
    if let Err(error) = recorder.end(stopped).await {
        context.printer.error(&error);
    }
}

async fn ask(order: &mut Order<'_>, context: &Context, how: &How) -> Result<()> {
    let shown = how.shown.clone();
    if shown.is_none() {
        order.rehearse(context).await?;
    }
    let items: Vec<Item> = order.expected().collect();
    if items.iter().all(|item| item.outcome == Some(Outcome::AlreadyArchived)) {
        return Ok(());
    }
    if shown.is_none() {
        if !sketched(context, &items, false) {
            context.printer.plan(&items);
        }
        notes(&items).iter().for_each(|note| context.printer.remark(note));
        order.tell_copies(context, true);
    }
    order.may_be_copied(how.replicated)?;
    let places = order.sessions().map(Place::of);
    let done = if order.archive { "archived" } else { "deleted" };
    context.agreed(&question(&items, order.archive, shown, places)?, done).await?;
    // Answering takes a while, so look at everything again.
    order.forget_stocks();
    Ok(())
}

/// Shows a plan that is longer than the screen of a person on one screen, and whether it did.
fn sketched(context: &Context, items: &[Item], dry_run: bool) -> bool {
    let long = context.printer.is_too_long(items, dry_run);
    if long {
        let notes = notes(items);
        let beside: Vec<&str> = notes.iter().map(String::as_str).collect();
        context.printer.sketch(&sketch::sections(items), &beside, dry_run, "-v");
    }
    long
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
                Copies::In(replicas) => context.printer.warn_of(&copied(&home, replicas)),
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
        join_all(self.stores.iter_mut().map(|of| of.look_out(context))).await;
        join_all(self.stores.iter_mut().map(StoreOrder::ask_service)).await;
        Ok(())
    }

    async fn carry_out(
        &self,
        context: &Context,
        options: &Options,
        recorder: Option<&Recorder>,
        ignore_missing: bool,
    ) -> Tally {
        let printer = &context.printer;
        if let Some(recorder) = recorder {
            printer.run(&recorder.run);
        }
        let asked = self.unopened.len() + self.stores.iter().map(|of| of.asked.len()).sum::<usize>();
        printer.progress.doing(if self.archive { "archiving" } else { "deleting" }, Some(asked));
        let told = Mutex::new((Tally::new(ignore_missing), Vec::new()));
        let printed = Notify::new();
        let tell = |place: usize, item: Item| {
            printer.ended_with(&item);
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.0.add(&item);
            match printer.streams() {
                true => printed.notify_one(),
                false => told.1.push((place, item)),
            }
        };
        self.unopened.iter().for_each(|(place, item)| tell(*place, item.clone()));
        let parts = self.parts(recorder, &context.cache);
        let sendings: Vec<_> =
            self.stores.iter().zip(parts).map(|(of, part)| Sending::begin(of, part, &tell)).collect();
        let send = async {
            for round in 0..self.rounds() {
                join_all(sendings.iter().map(|sending| sending.send(round, options, &sendings))).await;
            }
        };
        // What one answer ended goes out together: a reader that is woken for each line slows the run down.
        let flush = async {
            loop {
                printed.notified().await;
                printer.flush();
            }
        };
        tokio::select! {
            () = send => printer.flush(),
            never = flush => never,
        }
        drop(sendings);
        let (tally, items) = told.into_inner().unwrap_or_else(PoisonError::into_inner);
        tell_halted(self, context);
        in_order(items).iter().for_each(|item| printer.item(item));
        tally
    }
}

impl Order<'_> {
    /// The part of the record about each store. Their targets are numbered one store after the other.
    fn parts<'r>(&'r self, recorder: Option<&'r Recorder>, cache: &'r Cache) -> Vec<Option<Part<'r>>> {
        let targets = self.stores.iter().map(|of| of.goes.len()).sum();
        let mut first = 0;
        let part = |(number, of): (usize, &'r StoreOrder<'_>)| {
            let recorder = recorder?;
            let goes: Vec<&Target> = of.goes.iter().map(|going| &going.target).collect();
            let before = first;
            first += goes.len();
            let entries = recorder.store(number, &of.session, cache, goes, before);
            Some(Part { recorder, entries, targets })
        };
        self.stores.iter().enumerate().map(part).collect()
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
