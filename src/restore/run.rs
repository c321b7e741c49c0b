//! Runs one restore from the wishes to the report: look, show, ask, send, look again, report.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;

use super::{
    find::held,
    look::Seen,
    plan::{Planned, TagStep, plan, without},
    send::{self, Entries, Part},
    wish::{Wish, Wishes},
};
use crate::{
    context::{Context, lookup::by_store},
    engine::{Outcome, Session, Verdict},
    error::Result,
    exit::Tally,
    image::{Digest, ImageId, ImageRef, Reference},
    output::question::{Place, restoring},
    record::{About, Action, Folder, Recorder},
    report::Item,
    store::{Image, Storage},
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

/// What is known only later.
const PARTS: &str = "no record knows what an archived index holds; once it is back, imgctl restores that too";

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
    let looks = stores.into_iter().map(|(session, places, wishes)| OfStore::look(session, places, wishes));
    let mut stores: Vec<OfStore> = join_all(looks).await;
    let halted = |stores: &[OfStore]| stores.iter().find_map(|of| of.session.halted().cloned());
    halted(&stores).iter().for_each(|error| context.printer.error(error));

    let puts = stores.iter().flat_map(|of| &of.plans).any(|plan| plan.would().outcome == Outcome::WouldRestore);
    let notes = [(puts, LOSES), (stores.iter().any(OfStore::has_unknown_parts), PARTS)];
    let notes = notes.into_iter().filter(|(applies, _)| *applies);
    let notes: Vec<String> = notes.map(|(_, note)| format!("restore: {note}")).collect();
    let expected = || in_order(items.iter().cloned().chain(stores.iter().flat_map(OfStore::expected)), &ended);
    if how.dry_run {
        let items = expected();
        items.iter().for_each(|item| context.printer.item(item));
        notes.into_iter().for_each(|note| context.printer.remark_last(note));
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
        notes.iter().for_each(|note| context.printer.remark(note));
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
    let (mut first, mut stopped, mut holds) = (0, None, Vec::new());
    while !stores.is_empty() {
        let ended = carry_out(&stores, first, recorder.as_ref(), context, &how).await;
        first += stores.iter().map(|of| of.plans.len()).sum::<usize>();
        halted(&stores).iter().for_each(|error| context.printer.error(error));
        stopped = stopped.or_else(|| halted(&stores));
        stores = if how.no_wait { Vec::new() } else { parts(&stores, &ended, &mut holds, context).await };
        items.extend(ended);
    }
    let mut items = in_order(items, &ended);
    fail_without_parts(&mut items, &holds);
    items.iter().for_each(|item| context.printer.item(item));
    if let Some(recorder) = recorder
        && let Err(error) = recorder.end(context.stop.error().or(stopped)).await
    {
        context.printer.error(&error);
    }
    Ok(Tally::of(&items, false))
}

/// Restores what was planned, in all stores side by side. In the record, images are numbered from `first`.
async fn carry_out(
    stores: &[OfStore],
    mut first: usize,
    recorder: Option<&Recorder>,
    context: &Context,
    how: &How,
) -> Vec<(usize, Vec<Item>)> {
    context.printer.progress.doing("restoring", Some(stores.iter().map(|of| of.plans.len()).sum()));
    let sending = stores.iter().enumerate().map(|(number, of)| {
        let entries = Entries { recorder, store: number, first };
        first += of.plans.len();
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
        async move { of.places.iter().copied().zip(part.carry_out().await).collect::<Vec<_>>() }
    });
    join_all(sending).await.concat()
}

/// An index, and the images that it holds.
type Holds = (ImageRef, Vec<ImageRef>);

/// What indexes hold that came out of the archive, if no record knew it. Its items follow those of its store.
async fn parts(
    stores: &[OfStore],
    ended: &[(usize, Vec<Item>)],
    holds: &mut Vec<Holds>,
    context: &Context,
) -> Vec<OfStore> {
    let mut rest = Vec::new();
    for of in stores.iter().filter(|of| of.has_unknown_parts()) {
        let home = of.session.store.home();
        let is_back = |wish: &&Wish| {
            let reference = Reference::from(home.image(ImageId::Digest(wish.digest.clone())));
            let mut items = ended.iter().flat_map(|(_, items)| items);
            items.any(|item| item.reference == reference && item.outcome == Some(Outcome::Restored))
        };
        let indexes = of.wishes.iter().filter(|wish| wish.has_unknown_parts()).filter(is_back);
        let active = indexes.map(|wish| Image { storage: Storage::Standard, ..wish.image.clone() });
        let (mut wishes, found) = held(&of.session, active.collect(), context).await;
        let image = |digest: Digest| home.image(ImageId::Digest(digest));
        holds.extend(
            found.into_iter().map(|(index, parts)| (image(index), parts.into_iter().map(image).collect::<Vec<_>>())),
        );
        wishes.retain(|wish| of.wishes.iter().all(|known| known.digest != wish.digest));
        if !wishes.is_empty() {
            let last = of.places.iter().copied().max().unwrap_or_default();
            rest.push(OfStore::look(Arc::clone(&of.session), vec![last; wishes.len()], wishes).await);
        }
    }
    rest
}

/// An index is not restored as long as an image that it holds is not.
fn fail_without_parts(items: &mut [Item], holds: &[Holds]) {
    use Outcome::{AlreadyThere, Restored, Retagged};
    let is_back = |item: &Item| matches!(item.outcome, Some(Restored | AlreadyThere | Retagged));
    // An index may hold indexes.
    for _ in 0..=holds.len() {
        for (index, parts) in holds {
            let missing = items.iter().filter(|item| !is_back(item)).find_map(|item| match &item.reference {
                Reference::Image(image) if parts.contains(image) => image.id.digest().cloned(),
                _ => None,
            });
            let of_index = |item: &&mut Item| item.reference == Reference::from(index.clone());
            if let Some(missing) = missing {
                let whole = items.iter_mut().filter(of_index).filter(|item| is_back(item));
                whole.for_each(|item| item.end(&index.store, Verdict::failed(without(&missing))));
            }
        }
    }
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
    /// Looks at the images of a store, and plans what to do.
    async fn look(session: Arc<Session>, places: Vec<usize>, mut wishes: Vec<Wish>) -> Self {
        let seen = Seen::at(&session, &mut wishes).await;
        let plans = plan(&wishes, &seen);
        Self { session, places, wishes, seen, plans }
    }

    fn has_unknown_parts(&self) -> bool {
        self.wishes.iter().any(Wish::has_unknown_parts)
    }

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
