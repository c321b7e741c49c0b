//! `imgctl list`: the images of stores, page by page as they come.

use crate::{
    context::Context,
    context::lookup,
    engine::Session,
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
    let mut seen = std::collections::HashSet::new();
    for store in &stores {
        let sessions = match lookup::stores(context, store).await {
            Ok(sessions) => sessions,
            Err(error) => {
                tally.push(failed(context, store, error));
                continue;
            }
        };
        for session in sessions {
            if seen.insert(session.store.home()) {
                let listed = images(context, &session, &selection).await;
                let home = session.store.home();
                tally.push(match listed {
                    Ok(()) => Item::new(home),
                    Err(error) => failed(context, &home, error),
                });
            }
            if context.printer.closed() {
                return Ok(Exit::Done);
            }
        }
    }
    context.finish();
    Ok(Exit::of_items(&tally, false))
}

/// Prints one store's images; each page before the next is asked for, unless the selectors must see all of them.
async fn images(context: &Context, session: &Session, selection: &Selection) -> Result<()> {
    let mut pages = session.pages();
    let mut waiting = Vec::new();
    while let Some(mut images) = pages.next().await? {
        if context.settings.options.sharing && session.store.limit(Op::Sharing).is_some() {
            session.add_sharing(&mut images).await?;
        }
        if selection.needs_all() {
            waiting.append(&mut images);
            continue;
        }
        print(context, session, images, selection);
        if context.printer.closed() {
            return Ok(());
        }
    }
    print(context, session, waiting, selection);
    Ok(())
}

/// Prints those of some images that the selectors choose.
fn print(context: &Context, session: &Session, images: Vec<Image>, selection: &Selection) {
    let home = session.store.home();
    let stock = Stock::new(home.clone(), images);
    for (image, shown) in stock.images().iter().zip(listed(&stock, selection)) {
        if let (true, Some(id)) = (shown, &image.id) {
            context.printer.progress.seen(1);
            context.printer.item(&Item::found(home.image(id.clone()), image.clone()));
        }
    }
    context.printer.flush();
}

/// A store that could not be listed is said at once, and counts for the exit code.
fn failed(context: &Context, store: &StoreRef, error: Error) -> Item {
    context.printer.error(&error);
    Item { error: Some(error), ..Item::new(store.clone()) }
}
