//! Makes an order of what a saved plan deletes, and recognises a plan in the input of `delete`.

use std::{
    fs::File,
    io::{self, Cursor, Read},
    path::PathBuf,
    sync::Arc,
};

use futures_util::future::join_all;
use tokio::time::Instant;

use super::{
    named::unopened,
    order::{Asked as Image, Chosen, Going, Next, Order, StoreOrder, Usage},
};
use crate::{
    context::{Context, lookup::by_store},
    engine::{Copies, Session, Target},
    error::{Error, Result},
    image::ImageRef,
    intake,
    prune::{
        GuardArgs, Guards,
        saved::{self, Planned, SavedPlan},
    },
    report::Item,
    survey,
};

/// How much of the input is read to recognise a plan.
const BEGINNING: u64 = 4096;

/// The byte order mark of UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// The input of a deletion.
pub enum Given {
    Plan(SavedPlan),
    Images(Vec<ImageRef>),
}

/// Reads a plan, or references.
pub fn given(images: &[String], files: &[PathBuf]) -> Result<Given> {
    let mut given = images.iter().map(PathBuf::from).chain(files.to_vec());
    let only = match (given.next(), given.next()) {
        (Some(only), None) => only,
        _ => return Ok(Given::Images(intake::read(images, files)?)),
    };
    let (name, mut source): (_, Box<dyn Read>) = match files {
        _ if only.as_os_str() == "-" => ("standard input".into(), Box::new(io::stdin())),
        [file] => {
            let name = file.display().to_string();
            let file = File::open(file).map_err(|error| Error::of_file(&name, &error))?;
            (name, Box::new(file))
        }
        _ => return Ok(Given::Images(intake::read(images, files)?)),
    };
    let mut beginning = Vec::new();
    let begun = source.by_ref().take(BEGINNING).read_to_end(&mut beginning);
    begun.map_err(|error| Error::of_file(&name, &error))?;
    // Some shells put a byte order mark before what they write to a file.
    if beginning.starts_with(MARK) {
        beginning.drain(..MARK.len());
    }
    let is_plan = saved::is_plan(&beginning);
    // A pipe can be read only once.
    let whole = io::BufReader::new(Cursor::new(beginning).chain(source));
    Ok(match is_plan {
        true => Given::Plan(saved::read(&name, whole)?),
        false => Given::Images(intake::read_source(&name, whole)?),
    })
}

impl Order<'static> {
    /// Opens the stores of a saved plan.
    pub async fn saved(context: &Context, plan: SavedPlan, usage: Usage) -> Result<Self> {
        let mut guards = plan.guards()?;
        let stores = by_store(plan.images, |planned| &planned.reference.store);
        let opened = join_all(stores.iter().map(|(store, _)| context.open(store))).await;
        if opened.iter().all(Result::is_ok) {
            survey::askable(&usage.in_use.ask, opened.iter().flatten().map(|session| &**session))?;
        }
        let mut order = Self { usage, ..Self::default() };
        for ((store, images), session) in stores.into_iter().zip(opened) {
            match session {
                Ok(session) => {
                    let guards = guards.remove(&store).map_or_else(|| GuardArgs::default().compile(), Ok)?;
                    order.stores.push(of_store(session, guards, images));
                }
                Err(error) => {
                    context.printer.error(&error);
                    let items = images.into_iter().map(|(place, planned)| {
                        let item = unopened(&store, planned.reference.id, &error);
                        (place, Item { choice: Some(planned.choice), ..item })
                    });
                    order.unopened.extend(items);
                }
            }
        }
        Ok(order)
    }
}

fn of_store(session: Arc<Session>, guards: Guards, images: Vec<(usize, Planned)>) -> StoreOrder<'static> {
    let (mut goes, mut asked, mut saved) = (Vec::new(), Vec::new(), Vec::new());
    for (place, planned) in images {
        let id = planned.reference.id;
        asked.push(Image {
            place,
            id: id.clone(),
            choice: Some(Box::new(planned.choice)),
            next: Next::Goes(goes.len()),
        });
        goes.push(Going::new(Target::exact(id)));
        saved.push(planned.saved);
    }
    let chosen = Some(Chosen { guards, stock: None, saved });
    StoreOrder { session, goes, asked, looked_at: Instant::now(), copies: Copies::None, chosen }
}
