//! Runs one restore from the wishes to the report: look, show, ask, send, look again, report.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;

use super::{
    look::Seen,
    plan::{Planned, TagStep, plan},
    send::{self, Entries, Part},
    wish::{Wish, Wishes},
};
use crate::{
    context::{Context, lookup::by_store},
    engine::{Outcome, Session, Verdict},
    error::Result,
    exit::Tally,
    image::ImageId,
    output::question::{Place, restoring},
    record::{About, Action, Folder, Recorder},
    report::Item,
};

/// How a restore is carried out.
#[derive(Clone, Debug)]
pub struct How {
    /// Only show what would happen.
    pub dry_run: bool,
    /// Do not ask.
    pub yes: bool,
    /// Do not wait for the archive.
    pub no_wait: bool,
    /// The longest wait for the archive.
    pub most: Duration,
    /// Write a record of the run.
    pub record: bool,
}

/// The images of one store, with what is to be done for each.
struct OfStore {
    session: Arc<Session>,
    places: Vec<usize>,
    wishes: Vec<Wish>,
    seen: Seen,
    plans: Vec<Planned>,
}

/// What restored images lose.
const LOSES: &str = "restored images count as pushed now: rules by age begin anew, and pull times and scans are lost";

pub async fn run(wishes: Wishes, context: &Context, how: How) -> Result<Tally> {
    let Wishes { wishes, ended, .. } = wishes;
    context.printer.progress.doing("looking", Some(wishes.len()));
    let mut items: Vec<(usize, Vec<Item>)> = Vec::new();
    let mut stores = Vec::new();
    let grouped = by_store(wishes, |wish| &wish.store);
    let opened = join_all(grouped.iter().map(|(store, _)| context.open(store))).await;
    for ((store, wishes), session) in grouped.into_iter().zip(opened) {
        let (places, wishes): (Vec<usize>, Vec<Wish>) = wishes.into_iter().unzip();
        match session {
            Ok(session) => stores.push((session, places, wishes)),
            Err(error) => {
                context.printer.error(&error);
                let unopened = places.into_iter().zip(wishes).map(|(place, wish)| {
                    let mut item = Item::new(store.image(ImageId::Digest(wish.digest)));
                    item.end(&store, Verdict::not_sent(error.clone()));
                    (place, vec![item])
                });
                items.extend(unopened);
            }
        }
    }
    let looks = stores.into_iter().map(|(session, places, mut wishes)| async move {
        let seen = Seen::at(&session, &mut wishes).await;
        let plans = plan(&wishes, &seen);
        OfStore { session, places, wishes, seen, plans }
    });
    let stores: Vec<OfStore> = join_all(looks).await;
    let halted = || stores.iter().filter_map(|of| of.session.halted());
    halted().for_each(|error| context.printer.error(error));

    let puts = stores.iter().flat_map(|of| &of.plans).any(|plan| plan.would().outcome == Outcome::WouldRestore);
    let expected = || in_order(items.iter().cloned().chain(stores.iter().flat_map(OfStore::expected)), &ended);
    if how.dry_run {
        let items = expected();
        items.iter().for_each(|item| context.printer.item(item));
        if puts {
            context.printer.remark_last(format!("restore: {LOSES}"));
        }
        return Ok(Tally::of(&items, false));
    }
    let sends = stores.iter().flat_map(|of| &of.plans).any(Planned::sends);
    let state = context.settings.env.state().filter(|_| how.record && sends);
    let folder = state.map(|state| Folder::below(&state));
    if let Some(folder) = &folder {
        // Nobody should agree to what cannot be recorded.
        folder.prepare()?;
    }
    if sends && !how.yes {
        let items = expected();
        context.printer.plan(&items);
        if puts {
            context.printer.remark(&format!("restore: {LOSES}"));
        }
        let sending = stores.iter().filter(|of| of.plans.iter().any(Planned::sends));
        let places = sending.map(|of| Place::of(&of.session));
        let tags = stores.iter().flat_map(|of| &of.plans).map(|plan| plan.puts_tags().count()).sum();
        context.agreed(&restoring(&items, tags, places), "restored").await?;
    }
    let recorder = match folder {
        Some(folder) => Some(Recorder::begin(folder, about(context)).await?),
        None => None,
    };
    if let Some(recorder) = &recorder {
        context.printer.run(&recorder.run);
    }
    context.printer.progress.doing("restoring", Some(stores.iter().map(|of| of.plans.len()).sum()));
    let mut first = 0;
    let numbered = stores.iter().enumerate().map(|(number, of)| {
        let entries = Entries { recorder: recorder.as_ref(), store: number, first };
        first += of.plans.len();
        (entries, of)
    });
    let numbered: Vec<_> = numbered.collect();
    let sent = join_all(numbered.into_iter().map(|(entries, of)| async move {
        let part = Part {
            session: &of.session,
            wishes: &of.wishes,
            seen: &of.seen,
            plans: &of.plans,
            no_wait: how.no_wait,
            most: how.most,
            printer: &context.printer,
            entries,
        };
        of.places.iter().copied().zip(part.carry_out().await).collect::<Vec<_>>()
    }));
    items.extend(sent.await.into_iter().flatten());
    halted().for_each(|error| context.printer.error(error));
    let items = in_order(items, &ended);
    items.iter().for_each(|item| context.printer.item(item));
    if let Some(recorder) = recorder {
        let halted = halted().next().cloned();
        if let Err(error) = recorder.end(context.stop.error().or(halted)).await {
            context.printer.error(&error);
        }
    }
    Ok(Tally::of(&items, false))
}

/// What the run is, for its record.
fn about(context: &Context) -> About {
    About {
        command: context.command,
        action: Action::Restore,
        command_line: context.command_line.clone(),
        plan: None,
        policy: None,
    }
}

/// Items in the order of the wishes, then those that cannot be restored at all.
fn in_order(items: impl IntoIterator<Item = (usize, Vec<Item>)>, ended: &[Item]) -> Vec<Item> {
    let mut items: Vec<_> = items.into_iter().collect();
    items.sort_by_key(|(place, _)| *place);
    items.into_iter().flat_map(|(_, items)| items).chain(ended.iter().cloned()).collect()
}

impl OfStore {
    /// The items if all goes well.
    fn expected(&self) -> Vec<(usize, Vec<Item>)> {
        let item = |((place, wish), plan): ((&usize, &Wish), &Planned)| {
            let tags = plan.tags.iter().filter_map(|(tag, step)| match step {
                TagStep::Ended(verdict) => Some((tag, (**verdict).clone().rehearsed())),
                TagStep::Put | TagStep::There => None,
            });
            let now = self.seen.images.get(&wish.digest).and_then(|image| image.as_ref().ok());
            (*place, send::items(&self.session, wish, now, plan.would(), tags))
        };
        self.places.iter().zip(&self.wishes).zip(&self.plans).map(item).collect()
    }
}
