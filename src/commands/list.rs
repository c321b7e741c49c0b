//! `imgctl list`: the images of stores, page by page as they come.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use tokio::sync::mpsc;

use crate::{
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
};

/// The end of the help.
const EXAMPLES: [Example; 4] = [
    ("All repositories that a pattern matches; quotes keep the shell out of it.", "imgctl list 'ecr:team/*'"),
    (
        "What is old, large and without a tag.",
        "imgctl list ecr:tools/ci --untagged --older-than 90d --larger-than 200MB",
    ),
    ("The newest three stay, the rest is shown: a rehearsal of a cleaning rule.", "imgctl list cvm: --keep 3"),
    ("References alone, for other programs.", "imgctl list workspace: -q -o ndjson | jq -r .ref"),
];

/// So many stores are fetched side by side; each has at most two pages in memory.
const AHEAD: usize = 32;

/// List the images of stores
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Stores: `ecr:team/app`, `ecr:team/*`, `cvm:`, `workspace://cn-north-4/`
    #[arg(value_name = "STORE", required = true)]
    stores: Vec<String>,
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
    // A store each, for the exit code: one that could be listed counts beside those that could not.
    let mut tally = Vec::new();
    let mut seen = HashSet::new();
    let mut sessions = Vec::new();
    for (store, found) in stores.iter().zip(join_all(stores.iter().map(|store| lookup::stores(context, store))).await) {
        match found {
            Ok(found) => {
                for session in found.into_iter().filter(|session| seen.insert(session.store.home())) {
                    let home = session.store.home();
                    match selection.answered(&home, |fact| session.store.tells(fact)) {
                        Ok(()) => sessions.push(session),
                        Err(error) => tally.push(failed(context, &home, error)),
                    }
                }
            }
            Err(error) => tally.push(failed(context, store, error)),
        }
    }
    tally.extend(print_all(context, sessions, &selection).await);
    if context.printer.closed() {
        return Ok(Exit::Done);
    }
    context.finish();
    Ok(Exit::of_items(&tally, false))
}

/// Prints stores in their order, and fetches the next ones meanwhile. Returns how each ended.
async fn print_all(context: &Context, sessions: Vec<Arc<Session>>, selection: &Selection) -> Vec<Item> {
    let mut ends = Vec::new();
    let mut sessions = sessions.into_iter();
    let mut fetching = FuturesUnordered::new();
    let mut stores = VecDeque::new();
    loop {
        while stores.len() < AHEAD
            && let Some(session) = sessions.next()
        {
            let (found, pages) = mpsc::channel(1);
            fetching.push(fetch(context, Arc::clone(&session), found));
            stores.push_back(Listing { session, pages, any: false, waiting: Vec::new() });
        }
        let Some(store) = stores.front_mut() else {
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
                print(context, &store.session, images, selection);
                None
            }
            Some(Err(error)) => {
                let home = store.session.store.home();
                // The pages before the error are printed, and count as done.
                let printed = store.any && !selection.needs_all();
                ends.extend(printed.then(|| Item::new(home.clone())));
                Some(failed(context, &home, error))
            }
            None => {
                print(context, &store.session, std::mem::take(&mut store.waiting), selection);
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
async fn fetch(context: &Context, session: Arc<Session>, found: mpsc::Sender<Result<Vec<Image>>>) {
    let mut pages = session.pages();
    while let Some(page) = next_page(context, &session, &mut pages).await.transpose() {
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

/// Prints those images that the selectors choose.
fn print(context: &Context, session: &Session, images: Vec<Image>, selection: &Selection) {
    let home = session.store.home();
    let stock = Stock::new(home.clone(), images);
    let selection = selection.by_clock(session.store.clock_ahead());
    for (image, shown) in stock.images().iter().zip(listed(&stock, &selection)) {
        if let (true, Some(id)) = (shown, &image.id) {
            context.printer.progress.seen(1);
            context.printer.item(&Item::found(home.image(id.clone()), Arc::clone(image)));
        }
    }
    context.printer.flush();
}

/// Reports a store that could not be listed at once; it counts for the exit code.
fn failed(context: &Context, store: &StoreRef, error: Error) -> Item {
    context.printer.error(&error);
    Item { error: Some(error), ..Item::new(store.clone()) }
}
