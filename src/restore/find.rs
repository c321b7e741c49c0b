//! Finds what a command line names: runs and files are records; a reference is an image of the archive, or one that some
//! record knows.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::PathBuf,
    sync::Arc,
};

use futures_util::future::join_all;

use super::wish::{Wish, Wishes, knows};
use crate::{
    context::{Context, lookup::by_store},
    engine::{Session, Verdict},
    error::{Error, Kind, Result},
    image::{
        Digest, ImageId, ImageRef, StoreRef,
        manifest::{self, Contents},
    },
    record::{
        Folder, Manifests, Record,
        read::{self, read},
    },
    report::Item,
    store::{Image, Manifest, Storage},
};

/// One word of the command line.
#[derive(Clone, Debug, PartialEq)]
pub enum Named {
    /// The id of a run, its beginning, or `last`.
    Run(String),
    File(PathBuf),
    Stdin,
    Image(ImageRef),
}

impl Named {
    /// A reference has a scheme or the host of a registry, a file exists, and anything else is a run.
    pub fn read(word: &str) -> Result<Self> {
        if word == "-" {
            return Ok(Self::Stdin);
        }
        match word.parse::<ImageRef>() {
            Ok(image) if image.store.provider.undo().is_none() => {
                let title = image.store.provider.title();
                Err(Error::new(Kind::Unsupported, format!("{title} cannot restore images: {word}")))
            }
            Ok(image) => Ok(Self::Image(image)),
            Err(_) if PathBuf::from(word).is_file() => Ok(Self::File(word.into())),
            Err(error) if word.contains([':', '/', '@']) => Err(error.into()),
            Err(_) => Ok(Self::Run(word.to_owned())),
        }
    }
}

/// Everything that these words name.
pub async fn wishes(named: Vec<Named>, context: &Context) -> Result<Wishes> {
    let folder = context.settings.env.state().map(|state| Folder::below(&state));
    let (images, records): (Vec<Named>, Vec<Named>) = named.into_iter().partition(|one| matches!(one, Named::Image(_)));
    let images: Vec<ImageRef> = images
        .into_iter()
        .filter_map(|named| match named {
            Named::Image(image) => Some(image),
            _ => None,
        })
        .collect();
    let mut wishes = Wishes::default();
    let records = context.blocking({
        let folder = folder.clone();
        move || records.iter().map(|named| record(named, folder.as_ref())).collect::<Result<Vec<Record>>>()
    });
    records.await?.iter().for_each(|record| wishes.add_record(record));
    let absent = look(&images, folder.as_ref(), &mut wishes, context).await;
    if absent.is_empty() {
        return Ok(wishes);
    }
    context
        .blocking(move || {
            search(absent, folder.as_ref(), &mut wishes)?;
            Ok(wishes)
        })
        .await
}

fn record(named: &Named, folder: Option<&Folder>) -> Result<Record> {
    match named {
        Named::File(path) => read::file(path, Manifests::Keep),
        Named::Run(run) => {
            let folder = folder.ok_or_else(|| {
                Error::new(Kind::Usage, format!("no run on record: {run}"))
                    .hint("imgctl keeps no records here; see `imgctl help environment` about IMGCTL_STATE_DIR")
            })?;
            read::file(&folder.path(&folder.find(run)?), Manifests::Keep)
        }
        Named::Stdin | Named::Image(_) => read("standard input", io::stdin(), Manifests::Keep),
    }
}

/// Wishes for images that are there. Returns the others, each with the error of the look.
async fn look(
    images: &[ImageRef],
    folder: Option<&Folder>,
    wishes: &mut Wishes,
    context: &Context,
) -> Vec<(ImageRef, Error)> {
    let mut absent = Vec::new();
    let stores = by_store(images, |image| &image.store);
    let looks = stores.into_iter().map(|(store, images)| async move {
        let ids: Vec<ImageId> = images.iter().map(|(_, image)| image.id.clone()).collect();
        match context.open(&store).await {
            Ok(session) => {
                let found = session.get(&ids).await;
                let indexes = found.iter().flatten().filter(|image| image.is_index()).cloned().collect();
                let parts = parts(&session, indexes, folder, context).await;
                (session.store.home(), ids.into_iter().zip(found).collect::<Vec<_>>(), parts)
            }
            Err(error) => (store, ids.into_iter().map(|id| (id, Err(error.clone()))).collect(), Parts::default()),
        }
    });
    for (home, found, mut parts) in join_all(looks).await {
        for (id, found) in found {
            match found.and_then(|image| there(&home, &id, image, &parts)) {
                Ok(wish) => wishes.add(wish),
                Err(error) if matches!(error.kind, Kind::NotFound | Kind::Changed) => {
                    absent.push((home.image(id), error));
                }
                Err(error) => {
                    context.printer.error(&error);
                    wishes.ended.push(ended(&home.image(id), error));
                }
            }
        }
        parts.wishes(&home).into_iter().for_each(|wish| wishes.add(wish));
    }
    absent
}

/// What indexes are made of, as far as it matters for a restore.
#[derive(Default)]
struct Parts {
    manifests: HashMap<Digest, Arc<Manifest>>,
    /// Images that they hold and that are not active.
    held: Vec<Image>,
}

impl Parts {
    /// Wishes for what they hold.
    fn wishes(&mut self, home: &Arc<StoreRef>) -> Vec<Wish> {
        let held = std::mem::take(&mut self.held).into_iter();
        held.filter_map(|image| there(home, &image.id.clone()?, image, self).ok()).collect()
    }
}

/// Wishes for what indexes hold that no record knew and that are active again, so that they can be read. Also what each
/// index holds.
pub async fn held(
    session: &Session,
    indexes: Vec<Image>,
    context: &Context,
) -> (Vec<Wish>, Vec<(Digest, Vec<Digest>)>) {
    let mut parts = parts(session, indexes, None, context).await;
    let holds = parts.manifests.values().map(|manifest| (manifest.digest.clone(), children(manifest))).collect();
    (parts.wishes(&session.store.home()), holds)
}

fn children(manifest: &Manifest) -> Vec<Digest> {
    match manifest::contents(&manifest.bytes) {
        Ok(Contents::Index(children)) => children.into_iter().map(|child| child.digest).collect(),
        _ => Vec::new(),
    }
}

/// Finds the archived images that indexes hold: without them, an index cannot be pulled. The manifest of an archived index
/// is only in the record of the run that archived it.
async fn parts(session: &Session, mut indexes: Vec<Image>, folder: Option<&Folder>, context: &Context) -> Parts {
    let mut parts = Parts::default();
    let mut known: HashSet<Digest> = HashSet::new();
    loop {
        let open: Vec<(Digest, Storage)> =
            indexes.iter().filter_map(|image| Some((image.digest()?, image.storage))).collect();
        let open: Vec<(Digest, Storage)> =
            open.into_iter().filter(|(digest, _)| known.insert(digest.clone())).collect();
        let (active, archived): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|(_, storage)| *storage == Storage::Standard);
        let ids: Vec<_> = active.into_iter().map(|(digest, _)| ImageId::Digest(digest)).collect();
        let mut manifests: Vec<Manifest> = session.manifests(&ids).await.into_iter().flatten().collect();
        if let Some(folder) = folder.filter(|_| !archived.is_empty()) {
            let (folder, wanted) = (folder.clone(), archived.into_iter().map(|(digest, _)| digest).collect());
            manifests.extend(context.blocking(move || saved_manifests(&folder, wanted)).await.unwrap_or_default());
        }
        let held: Vec<_> = manifests.iter().flat_map(children).map(ImageId::Digest).collect();
        parts.manifests.extend(manifests.into_iter().map(|manifest| (manifest.digest.clone(), Arc::new(manifest))));
        if held.is_empty() {
            return parts;
        }
        indexes = session.get(&held).await.into_iter().flatten().collect();
        parts.held.extend(indexes.iter().filter(|image| image.storage != Storage::Standard).cloned());
        indexes.retain(Image::is_index);
    }
}

/// The manifests that some record has of these images.
fn saved_manifests(folder: &Folder, mut wanted: HashSet<Digest>) -> Result<Vec<Manifest>> {
    let mut found = Vec::new();
    for run in folder.runs()?.iter().rev() {
        if wanted.is_empty() {
            break;
        }
        let Ok(light) = read::file(&folder.path(run), Manifests::Skip) else { continue };
        let digests = |record: &Record| {
            record
                .images
                .iter()
                .filter_map(|image| image.saved.as_ref()?.digest())
                .any(|digest| wanted.contains(&digest))
        };
        if !digests(&light) {
            continue;
        }
        let record = read::file(&folder.path(run), Manifests::Keep)?;
        for saved in record.images.iter().filter_map(|image| image.saved.as_ref()) {
            if let Some((digest, text)) = saved.restorable().filter(|(digest, _)| wanted.contains(digest)) {
                wanted.remove(&digest);
                let media_type = saved.manifest_type.clone().or_else(|| saved.image.media_type.clone());
                found.push(Manifest { digest, media_type, bytes: text.as_bytes().to_vec() });
            }
        }
    }
    Ok(found)
}

/// A wish for an image that is there: it may be archived, or lack the tag.
fn there(home: &Arc<StoreRef>, id: &ImageId, image: Image, parts: &Parts) -> Result<Wish> {
    let unnamed = || Error::new(Kind::Unreadable, "the answer does not say which image this is");
    let digest = image.digest().ok_or_else(unnamed)?;
    let unknown = || Error::new(Kind::NotFound, "no record has its manifest");
    Ok(Wish {
        store: home.clone(),
        tags: id.tag().map(str::to_owned).into_iter().collect(),
        manifest: parts.manifests.get(&digest).cloned().ok_or_else(unknown),
        digest,
        image,
    })
}

/// Searches the records for images that are not there, the newest first.
fn search(mut absent: Vec<(ImageRef, Error)>, folder: Option<&Folder>, wishes: &mut Wishes) -> Result<()> {
    let runs = folder.map_or(Ok(Vec::new()), Folder::runs)?;
    for run in runs.iter().rev() {
        if absent.is_empty() {
            return Ok(());
        }
        let path = folder.map(|folder| folder.path(run)).unwrap_or_default();
        // An unreadable record of another run must not stop this one.
        let Ok(light) = read::file(&path, Manifests::Skip) else { continue };
        let (known, rest): (Vec<_>, Vec<_>) = absent.into_iter().partition(|(image, _)| knows(&light, image));
        absent = rest;
        if !known.is_empty() {
            let record = read::file(&path, Manifests::Keep)?;
            known.iter().for_each(|(image, _)| wishes.add_image(image, &record));
        }
    }
    for (image, error) in absent {
        let hint = "no record of this machine knows it; `imgctl history` lists the runs on record";
        wishes.ended.push(ended(&image, error.hint(hint)));
    }
    Ok(())
}

fn ended(image: &ImageRef, error: Error) -> Item {
    let mut item = Item::new(image.clone());
    item.end(
        &image.store,
        match error.kind {
            Kind::Changed => Verdict::failed(Error { kind: Kind::TagTaken, ..error }),
            _ => Verdict::not_sent(error),
        },
    );
    item
}
