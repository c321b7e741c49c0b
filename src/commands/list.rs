//! `imgctl list`: the images of stores, page by page as they come.

use crate::{
    context::Context,
    engine::Session,
    error::{Error, Result},
    exit::Exit,
    image::{ImageId, StoreRef},
    lookup,
    report::Item,
    settings::Settings,
};

/// List the images of stores
#[derive(clap::Args)]
pub struct Args {
    /// Stores: `ecr:team/app`, `ecr:team/*`, `cvm:`, `workspace://cn-north-4/`
    #[arg(value_name = "STORE", required = true)]
    stores: Vec<String>,
    /// CVM: also images that other accounts share with this one
    #[arg(long)]
    shared: bool,
    /// CVM: also public images
    #[arg(long)]
    public: bool,
    /// CVM: ask which accounts each image is shared with, one call an image
    #[arg(long)]
    sharing: bool,
}

impl Args {
    /// What this command's flags change in the settings.
    pub fn settle(&self, settings: &mut Settings) {
        settings.shared = self.shared;
        settings.public = self.public;
        settings.sharing = self.sharing;
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Exit> {
    let stores: Vec<StoreRef> = args
        .stores
        .iter()
        .map(|text| Ok(text.parse()?))
        .collect::<Result<_>>()?;
    context.one_profile(stores.iter().map(|store| store.provider))?;
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
            if seen.insert(session.store.home())
                && let Err(error) = images(context, &session).await
            {
                tally.push(failed(context, &session.store.home(), error));
            }
            if context.printer.closed() {
                return Ok(Exit::Done);
            }
        }
    }
    context.finish();
    Ok(Exit::of_items(&tally, false))
}

/// Prints one store's images; each page before the next is asked for.
async fn images(context: &Context, session: &Session) -> Result<()> {
    let mut pages = session.pages();
    while let Some(mut images) = pages.next().await? {
        if context.settings.sharing && session.store.sharing().is_some() {
            session.add_sharing(&mut images).await?;
        }
        let home = session.store.home();
        for image in images {
            let id = image
                .id
                .clone()
                .unwrap_or_else(|| ImageId::Named(String::new()));
            let item = Item {
                image,
                ..Item::new(home.image(id).to_string(), home.provider)
            };
            context.printer.item(&item);
        }
        context.printer.flush();
        if context.printer.closed() {
            break;
        }
    }
    Ok(())
}

/// A store that could not be listed is said at once, and counts for the exit code.
fn failed(context: &Context, store: &StoreRef, error: Error) -> Item {
    context.printer.error(&error);
    Item {
        error: Some(error),
        ..Item::new(store.to_string(), store.provider)
    }
}
