//! `imgctl delete --from PLAN`: recognising a plan among what a deletion is given, and its stores opened again.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Cursor, Read},
    path::PathBuf,
};

use super::agreed::{Agreed, Carrying};
use crate::{
    context::Context,
    engine::Outcome,
    error::{Error, Result},
    image::{ImageRef, StoreRef},
    intake,
    prune::saved::{self, Planned, SavedPlan},
    prune::{Evidence, GuardArgs, Saved},
    report::Item,
    survey::{Files, InUse},
};

/// Bytes of a source by which a plan is recognised.
const BEGINNING: u64 = 4096;

/// That a text is UTF-8, where somebody thought that this must be said.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// What a deletion was given.
pub enum Asked {
    Plan(SavedPlan),
    Images(Vec<ImageRef>),
}

/// Reads a plan, or references.
pub fn asked(images: &[String], files: &[PathBuf]) -> Result<Asked> {
    let mut given = images.iter().map(PathBuf::from).chain(files.to_vec());
    let only = match (given.next(), given.next()) {
        (Some(only), None) => only,
        _ => return Ok(Asked::Images(intake::read(images, files)?)),
    };
    let (name, mut source): (_, Box<dyn Read>) = match files {
        _ if only.as_os_str() == "-" => ("standard input".into(), Box::new(io::stdin())),
        [file] => {
            let name = file.display().to_string();
            let file = File::open(file).map_err(|error| Error::of_file(&name, &error))?;
            (name, Box::new(file))
        }
        _ => return Ok(Asked::Images(intake::read(images, files)?)),
    };
    let mut beginning = Vec::new();
    let begun = source.by_ref().take(BEGINNING).read_to_end(&mut beginning);
    begun.map_err(|error| Error::of_file(&name, &error))?;
    // Some shells put a mark before what they write to a file.
    if beginning.starts_with(MARK) {
        beginning.drain(..MARK.len());
    }
    let is_plan = saved::is_plan(&beginning);
    // A pipe gives each byte once.
    let whole = io::BufReader::new(Cursor::new(beginning).chain(source));
    Ok(match is_plan {
        true => Asked::Plan(saved::read(&name, whole)?),
        false => Asked::Images(intake::read_source(&name, whole)?),
    })
}

/// Opens the stores of a plan.
pub async fn open(context: &Context, plan: SavedPlan, files: Files, check: bool) -> Result<Carrying<'static>> {
    let mut stores: Vec<(StoreRef, Vec<(Item, Saved)>)> = Vec::new();
    let mut places: HashMap<&StoreRef, usize> = HashMap::new();
    for Planned { reference, choice, saved } in &plan.images {
        let mut item = Item::new(reference.to_string(), reference.store.provider);
        item.choice = Some(choice.clone());
        item.outcome = Some(Outcome::WouldDelete);
        let place = *places.entry(&reference.store).or_insert_with(|| {
            stores.push((reference.store.clone(), Vec::new()));
            stores.len() - 1
        });
        stores[place].1.push((item, saved.clone()));
    }
    let mut guards = plan.guards()?;
    let mut agreed = Vec::new();
    for (store, images) in stores {
        agreed.push(Agreed {
            session: context.open(&store).await?,
            guards: match guards.remove(&store) {
                Some(guards) => guards,
                None => GuardArgs::default().compile()?,
            },
            stock: None,
            images,
        });
    }
    if files.is_empty() && !plan.head.in_use.is_empty() {
        context.printer.warn(
            "the plan was made with lists of what is in use, which are not read again; --in-use takes newer ones",
        );
    }
    Ok(Carrying {
        stores: agreed,
        evidence: Evidence::default(),
        files,
        in_use: InUse { check, recursive: plan.head.recursive },
    })
}
