//! Gathers what `prune` must know: every image of a store, the contents of its indexes, and which images are in use.
//!
//! Data flow: [`stock`] lists one store and reads its indexes meanwhile, from disk if they were read before ([`crate::cache`]).
//! [`in_use`], [`ask`] and [`Files`] gather evidence from providers, from services and from in-use lists.

mod ask;
pub mod copies;
mod files;
mod in_use;
pub mod plan;
pub mod show;
pub mod sketch;
mod tree;
mod unlisted;

use std::collections::HashMap;

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use crate::{
    cache::Cache,
    engine::{Pages, Session},
    error::{Error, Result},
    image::manifest::{self, Contents},
    image::{Digest, ImageId},
    prune::{Exact, Freed, Reading, Stock, StorePlan, may_be_index},
    store::{Image, Storage},
};

pub use ask::{ask, askable};
pub use files::{Accept, Files};
pub use in_use::{InUse, in_use};
pub use unlisted::{find_all_unlisted, find_unlisted, without_attached};

/// Indexes per request to the engine: several calls, so that reading starts while the listing continues.
const TOGETHER: usize = 1000;

/// Requests that are sent ahead while the first is processed.
const SIDE_BY_SIDE: usize = 4;

/// Lists a store, and reads its indexes once there is an image that `may_go`. Without one, nothing can be deleted, so
/// indexes are not read: reading may count as a pull. A run that archives images sees only those outside the archive.
pub async fn stock(
    session: &Session,
    cache: &Cache,
    archive: bool,
    may_go: impl Fn(&Image) -> bool,
    seen: impl Fn(usize),
) -> Result<Stock> {
    stock_of(session, cache, session.pages(), archive, may_go, seen).await
}

/// Lists a store and reads its indexes, to find out what they need.
pub async fn bonds(session: &Session, cache: &Cache, seen: impl Fn(usize)) -> Result<Stock> {
    stock_of(session, cache, session.bare_pages(), false, |_| true, seen).await
}

async fn stock_of(
    session: &Session,
    cache: &Cache,
    mut pages: Pages<'_>,
    archive: bool,
    may_go: impl Fn(&Image) -> bool,
    seen: impl Fn(usize),
) -> Result<Stock> {
    let has_indexes = session.store.home().provider.has_containers();
    let (found, mut waiting) = mpsc::unbounded_channel();
    let listing = async move {
        let (mut stock, mut indexes, mut needed) = (Stock::new(session.store.home(), []), Vec::new(), false);
        while let Some(page) = pages.next().await? {
            seen(page.len());
            for image in page {
                needed = needed || may_go(&image);
                let readable = image.storage == Storage::Standard || !archive;
                if has_indexes && readable && may_be_index(&image) {
                    indexes.extend(image.digest());
                }
                if archive {
                    stock.add_to_archive(image);
                } else {
                    stock.add(image);
                }
            }
            if needed {
                // The receiver is only gone if the reading has failed.
                indexes.drain(..).for_each(|index| drop(found.send(index)));
            }
        }
        // An answer may have named the account.
        stock.store = session.store.home();
        Ok::<_, Error>((stock, needed))
    };
    let reading = async {
        let mut readings = HashMap::new();
        let mut indexes = Vec::new();
        while waiting.recv_many(&mut indexes, TOGETHER).await > 0 {
            read(session, cache, &indexes, &mut readings).await?;
            indexes.clear();
        }
        Ok::<_, Error>(readings)
    };
    let (listed, readings) = tokio::join!(listing, reading);
    // Without permission to read indexes, nothing in this store can be judged.
    if let Some(error) = session.halted() {
        return Err(error.clone());
    }
    let ((mut stock, needed), readings) = (listed?, readings?);
    if !needed {
        let indexes: Vec<_> = stock.unread().map(str::to_owned).collect();
        for index in indexes {
            stock.read(&index, Reading::plain());
        }
    }
    for (index, reading) in readings {
        stock.read(&index.to_string(), reading);
    }
    Ok(stock)
}

/// Reads the manifests of candidates for deletion whose subjects the listing may have left out; tells whether there were
/// any.
pub async fn read_candidates(
    session: &Session,
    cache: &Cache,
    stock: &mut Stock,
    candidates: impl IntoIterator<Item = usize>,
) -> Result<bool> {
    let images = candidates.into_iter().map(|place| &stock.images()[place]);
    let unknown = images.filter(|image| stock.may_be_referrer(image));
    let digests: Vec<Digest> = unknown.filter_map(|image| image.digest()).collect();
    let mut readings = HashMap::new();
    for digests in digests.chunks(TOGETHER) {
        read(session, cache, digests, &mut readings).await?;
    }
    if let Some(error) = session.halted() {
        return Err(error.clone());
    }
    for (digest, reading) in readings {
        stock.read(&digest.to_string(), reading);
    }
    Ok(!digests.is_empty())
}

/// Reads manifests.
async fn read(
    session: &Session,
    cache: &Cache,
    indexes: &[Digest],
    readings: &mut HashMap<Digest, Reading>,
) -> Result<()> {
    for (index, answer) in indexes.iter().zip(manifests(session, cache, indexes).await) {
        match answer {
            Err(error) if error.kind.not_tried() => return Err(error),
            manifest => readings.insert(index.clone(), Reading::of(manifest)),
        };
    }
    Ok(())
}

/// The bytes of manifests, in order: from disk, or from the registry.
async fn manifests(session: &Session, cache: &Cache, digests: &[Digest]) -> Vec<Result<Vec<u8>>> {
    let kept = cache.get(digests).await;
    let unknown = digests.iter().zip(&kept).filter(|(_, kept)| kept.is_none());
    let unknown: Vec<_> = unknown.map(|(digest, _)| ImageId::Digest(digest.clone())).collect();
    let mut answers = session.manifests(&unknown).await.into_iter();
    let mut new = Vec::new();
    let contents = |kept: Option<Vec<u8>>| match kept {
        Some(bytes) => Ok(bytes),
        None => {
            let manifest = answers.next().expect("one answer per question")?;
            manifest::contents(&manifest.bytes)?;
            new.push((manifest.digest, manifest.bytes.clone()));
            Ok(manifest.bytes)
        }
    };
    let contents = kept.into_iter().map(contents).collect();
    cache.put(new).await;
    contents
}

/// The bytes that the plan frees. Layers of kept images are not freed.
pub async fn freed(session: &Session, cache: &Cache, stock: &Stock, plan: &StorePlan) -> Freed {
    let mut exact = Exact::default();
    let read = plan.rows.chunks(TOGETHER).map(|rows| async move {
        let images = rows.iter().filter_map(|row| Some((row.action(), stock.images()[row.image].digest()?)));
        let (actions, digests): (Vec<_>, Vec<_>) = images.unzip();
        let answers = manifests(session, cache, &digests).await;
        (actions, answers)
    });
    let mut read = stream::iter(read).buffered(SIDE_BY_SIDE);
    while let Some((actions, answers)) = read.next().await {
        for (action, manifest) in actions.into_iter().zip(answers) {
            match manifest.and_then(|bytes| manifest::contents(&bytes)) {
                Ok(Contents::Image(blobs)) => exact.add(action, Some(&blobs)),
                Ok(Contents::Index(_)) => {}
                Err(_) => exact.add(action, None),
            }
        }
    }
    exact.freed()
}
