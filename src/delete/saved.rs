//! Makes an order of what a saved plan deletes, and recognises a plan in the input of `delete`.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read},
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
    error::{Error, Kind, Result},
    image::{Hashed, ImageRef},
    intake::{self, Empty},
    prune::{
        GuardArgs, Guards,
        saved::{self, Planned, SavedPlan},
    },
    record::{Folder, Reads, Source},
    report::Item,
    survey,
};

/// How much of the input is read to recognise a plan.
const BEGINNING: u64 = 4096;

/// The byte order mark of UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// The input of a deletion.
pub enum Given {
    /// With the name and the digest of its file.
    Plan(Box<SavedPlan>, Source),
    Images {
        images: Vec<ImageRef>,
        /// A dry run with `--archive` printed them.
        archive: bool,
    },
}

/// Reads a plan, or references.
pub fn given(images: &[String], files: &[PathBuf], empty: Empty) -> Result<Given> {
    let mut given = images.iter().map(PathBuf::from).chain(files.to_vec());
    let only = match (given.next(), given.next()) {
        (Some(only), None) => only,
        _ => return intake::read_all(images, files, empty)?.try_into(),
    };
    let (name, mut source): (_, Box<dyn Read>) = match files {
        _ if only.as_os_str() == "-" => ("standard input".into(), Box::new(io::stdin())),
        [file] => {
            let name = file.display().to_string();
            let file = File::open(file).map_err(|error| Error::of_file(&name, &error))?;
            (name, Box::new(file))
        }
        _ => return intake::read_all(images, files, empty)?.try_into(),
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
    let whole = Cursor::new(beginning).chain(source);
    if !is_plan {
        return intake::read_source(&name, whole, empty)?.try_into();
    }
    // The digest is that of large parts, though JSON is read byte by byte.
    let mut whole = BufReader::with_capacity(1 << 16, Hashed::new(whole));
    let plan = saved::read(&name, &mut whole)?;
    let digest = whole.into_inner().digest().map_err(|error| Error::of_file(&name, &error))?;
    Ok(Given::Plan(Box::new(plan), Source { file: name, digest }))
}

impl TryFrom<intake::Given> for Given {
    type Error = Error;

    fn try_from(given: intake::Given) -> Result<Self> {
        if given.archives && given.others {
            let message = "cannot tell what to do: some of these items are to be archived, and others are not";
            return Err(
                Error::new(Kind::Usage, message).hint("run imgctl once for each, or archive all with --archive")
            );
        }
        Ok(Self::Images { images: given.references, archive: given.archives })
    }
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
        let folder = context.settings.env.state().map(|state| Folder::below(&state));
        let reads = folder.map(|folder| Reads::since(&folder, plan.head.made_at)).unwrap_or_default();
        let mut order = Self { usage, archive: plan.head.deletion.archive, ..Self::default() };
        for ((store, images), session) in stores.into_iter().zip(opened) {
            match session {
                Ok(session) => {
                    let guards = guards.remove(&store).map_or_else(|| GuardArgs::default().compile(), Ok)?;
                    order.stores.push(of_store(session, guards, images, &reads));
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

fn of_store(
    session: Arc<Session>,
    guards: Guards,
    images: Vec<(usize, Planned)>,
    reads: &Reads,
) -> StoreOrder<'static> {
    let home = session.store.home();
    let count = images.len();
    let (mut goes, mut asked, mut saved) =
        (Vec::with_capacity(count), Vec::with_capacity(count), Vec::with_capacity(count));
    for (place, mut planned) in images {
        let read_at = planned.reference.id.digest().and_then(|digest| reads.of(&home, digest));
        planned.saved.read_at = planned.saved.read_at.max(read_at);
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
