//! `imgctl list`: the images of stores, page by page as they come, or sorted.

mod order;

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use tokio::sync::mpsc;

use self::order::{Sort, Waiting};
use crate::{
    commands::values::at_least_one,
    context::Context,
    context::lookup,
    engine::{Pages, Session},
    error::{Error, Result},
    exit::Exit,
    help::{Example, examples},
    image::StoreRef,
    prune::{Selection, Selectors, Stock, listed},
    report::Item,
    settings::{Kinds, Sharing},
    store::{Image, Op},
    survey,
};

/// The end of the help.
const EXAMPLES: [Example; 4] = [
    ("All repositories that a pattern matches; quotes keep the shell out of it.", "imgctl list 'ecr:team/*'"),
    (
        "What is large in an OCI registry, and was built long ago.",
        "imgctl list ghcr.io/team/app --built-before 90d --larger-than 1MB",
    ),
    ("The ten largest images of all repositories.", "imgctl list 'ecr:**' --sort size --limit 10"),
    ("References alone, for other programs.", "imgctl list workspace: -q -o ndjson | jq -r .ref"),
];

/// So many stores are fetched side by side; each has at most two pages in memory.
const AHEAD: usize = 32;

/// List the images of stores
///
/// In a pipe, each image is one line with tabs between the columns: reference, state, digest, tags, name, bytes, pushed or
/// created, last pulled, error. `-o table` prints the table of a terminal. See `imgctl help json`.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Stores: `ecr:team/app`, `ecr:team/*`, `cvm:`, `workspace://cn-north-4/`, `ghcr.io/owner/app`
    #[arg(value_name = "STORE", required = true)]
    stores: Vec<String>,
    /// Sort all images, and show them at the end of the listing [default in a terminal: the newest of each store first]
    #[arg(long, value_name = "BY", value_enum)]
    sort: Option<Sort>,
    /// Show at most N images
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<usize>,
    /// Show whole references, names and tags, and the last pull, however wide the table becomes
    #[arg(long)]
    wide: bool,
    #[command(flatten, next_help_heading = "Which images")]
    selectors: Selectors,
    #[command(flatten)]
    pub kinds: Kinds,
    #[command(flatten)]
    pub sharing: Sharing,
}

pub async fn run(args: Args, context: &Context) -> Result<Exit> {
    let stores: Vec<StoreRef> = args.stores.iter().map(|text| Ok(text.parse()?)).collect::<Result<_>>()?;
    context.one_profile(stores.iter().map(|store| store.provider))?;
    let selection = args.selectors.compile(chrono::Utc::now())?;
    let printer = &context.printer;
    printer.page(context.settings.env.pager());
    printer.lists();
    printer.columns(args.wide, args.wide || args.sort == Some(Sort::Pulled));
    // Sorting one store needs its images in memory. That is worth it for a person, who looks at the newest.
    let of_store = printer.for_terminal().then_some(Sort::Pushed);
    let shown = Shown {
        selection: &selection,
        sort: args.sort,
        of_store,
        left: args.limit.unwrap_or(usize::MAX),
        waiting: Waiting::default(),
    };
    // A store each, for the exit code: one that could be listed counts beside those that could not.
    let mut tally = Vec::new();
    let mut seen = HashSet::new();
    let mut sessions = Vec::new();
    for (store, found) in stores.iter().zip(join_all(stores.iter().map(|store| lookup::stores(context, store))).await) {
        match found {
            Ok(found) => {
                for session in found.into_iter().filter(|session| seen.insert(session.store.home())) {
                    let home = session.store.home();
                    let told = session.told(&selection.needs()).await;
                    match told.and_then(|told| selection.answered(&home, &told)) {
                        Ok(()) => sessions.push(session),
                        Err(error) => tally.push(failed(context, &home, error)),
                    }
                }
            }
            Err(error) => tally.push(failed(context, store, error)),
        }
    }
    tally.extend(print_all(context, sessions, shown).await);
    if context.printer.closed() {
        return Ok(Exit::Done);
    }
    context.finish();
    Ok(Exit::of_items(&tally, false))
}

/// Which images are shown, in which order.
struct Shown<'s> {
    selection: &'s Selection,
    /// The order of all images.
    sort: Option<Sort>,
    /// Otherwise, the order of the images of one store. Without any, they come as the provider lists them.
    of_store: Option<Sort>,
    /// How many more may be shown.
    left: usize,
    waiting: Waiting,
}

/// Prints stores in their order, and fetches the next ones meanwhile. Returns how each ended.
async fn print_all(context: &Context, sessions: Vec<Arc<Session>>, mut shown: Shown<'_>) -> Vec<Item> {
    let selection = shown.selection;
    let mut ends = Vec::new();
    let mut sessions = sessions.into_iter();
    let mut fetching = FuturesUnordered::new();
    let mut stores = VecDeque::new();
    loop {
        while stores.len() < AHEAD
            && let Some(session) = sessions.next()
        {
            let (found, pages) = mpsc::channel(1);
            fetching.push(fetch(context, Arc::clone(&session), selection.wants_orphans(), found));
            stores.push_back(Listing { session, pages, any: false, waiting: Vec::new() });
        }
        let Some(store) = stores.front_mut().filter(|_| shown.left > 0) else {
            shown.end(context);
            return ends;
        };
        let page = tokio::select! {
            biased;
            Some(()) = fetching.next() => continue,
            page = store.pages.recv() => page,
        };
        // The request for the next page leaves before this one is printed.
        tokio::task::yield_now().await;
        let answered = matches!(page, Some(Ok(_)));
        store.any |= answered;
        let end = match page {
            Some(Ok(mut images)) if selection.needs_all() => {
                store.waiting.append(&mut images);
                None
            }
            Some(Ok(images)) => {
                shown.images(context, &store.session, images);
                None
            }
            Some(Err(error)) => {
                let home = store.session.store.home();
                // The pages before the error are printed, and count as done.
                let printed = store.any && !selection.needs_all();
                ends.extend(printed.then(|| Item::new(home.clone())));
                shown.end_of_store(context);
                Some(failed(context, &home, error))
            }
            None => {
                shown.images(context, &store.session, std::mem::take(&mut store.waiting));
                shown.end_of_store(context);
                context.warn_of_less(&store.session);
                Some(Item::new(store.session.store.home()))
            }
        };
        if context.printer.closed() {
            return ends;
        }
        if let Some(end) = end {
            ends.push(end);
            stores.pop_front();
        }
    }
}

/// A store that is being fetched.
struct Listing {
    session: Arc<Session>,
    pages: mpsc::Receiver<Result<Vec<Image>>>,
    /// Whether a page came.
    any: bool,
    /// Its images so far, where the selectors must see all of them.
    waiting: Vec<Image>,
}

/// Passes on one store's pages, each before it asks for the next.
async fn fetch(context: &Context, session: Arc<Session>, orphans: bool, found: mpsc::Sender<Result<Vec<Image>>>) {
    let mut pages = session.pages();
    while let Some(mut page) = next_page(context, &session, &mut pages).await.transpose() {
        if let (true, Ok(images)) = (orphans, &mut page) {
            page = survey::without_attached(&session, std::mem::take(images)).await;
        }
        let failed = page.is_err();
        // The reader of the output may be gone.
        if found.send(page).await.is_err() || failed {
            return;
        }
    }
}

async fn next_page(context: &Context, session: &Session, pages: &mut Pages<'_>) -> Result<Option<Vec<Image>>> {
    let mut page = pages.next().await?;
    if let Some(images) = &mut page
        && context.settings.options.sharing
        && session.store.limit(Op::Sharing).is_some()
    {
        session.add_sharing(images).await?;
    }
    Ok(page)
}

impl Shown<'_> {
    /// Prints those images that the selectors choose, or keeps them to be sorted.
    fn images(&mut self, context: &Context, session: &Session, images: Vec<Image>) {
        let home = session.store.home();
        let stock = Stock::new(home.clone(), images);
        let selection = self.selection.by_clock(session.store.clock_ahead());
        for (image, shown) in stock.images().iter().zip(listed(&stock, &selection)) {
            if let (true, Some(id)) = (shown, &image.id) {
                context.printer.progress.seen(1);
                let item = Item::found(home.image(id.clone()), Arc::clone(image));
                match self.sort.or(self.of_store) {
                    Some(sort) => self.waiting.add(item, sort, self.left),
                    None => self.print(context, &item),
                }
            }
        }
        context.printer.flush();
    }

    fn print(&mut self, context: &Context, item: &Item) {
        if self.left > 0 {
            self.left -= 1;
            context.printer.item(item);
        }
    }

    /// Prints what waits for the end of its store.
    fn end_of_store(&mut self, context: &Context) {
        if let (None, Some(sort)) = (self.sort, self.of_store) {
            self.take(context, sort);
        }
    }

    /// Prints what waits for the end of all stores.
    fn end(&mut self, context: &Context) {
        if let Some(sort) = self.sort {
            self.take(context, sort);
        }
    }

    fn take(&mut self, context: &Context, sort: Sort) {
        let items = self.waiting.take(sort, self.left);
        items.iter().for_each(|item| self.print(context, item));
        context.printer.flush();
    }
}

/// Reports a store that could not be listed at once; it counts for the exit code.
fn failed(context: &Context, store: &StoreRef, error: Error) -> Item {
    context.printer.error(&error);
    Item { error: Some(error), ..Item::new(store.clone()) }
}
