//! Reads what a record must know of images before they are sent: their manifests, and what a look shows of those that
//! nobody looked at. Both are read side by side, unless one tells what the other may ask for.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use chrono::Utc;
use futures_util::future::join;
use tokio::sync::OnceCell;

use super::{form::Line, writer::Writer};
use crate::{
    cache::Cache,
    engine::{CLOCKS, Op, Session, Target},
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    secrets,
    store::Image,
};

/// Reads for one store.
pub struct Reading<'r> {
    /// Two sessions whose errors stop neither the deletion nor each other.
    looks: Session,
    manifests: Session,
    cache: &'r Cache,
    writer: &'r Writer,
    /// A look failed. One missing image makes a call about many fail, so from then on, something else tells first which are
    /// there: their manifests, or a listing.
    look_failed: AtomicBool,
    listing: OnceCell<Result<HashMap<Digest, Image>>>,
}

/// What was read of one target.
pub struct Read {
    /// A look at it, if the run had not looked.
    pub look: Option<Box<Image>>,
    pub manifest: Result<Text, Why>,
}

/// A manifest's text, and its media type where the registry named it.
pub type Text = (String, Option<String>);

/// Why a manifest cannot be restored.
pub type Why = (&'static str, Option<Error>);

/// What a look shows, by the place of the target.
type Looks = HashMap<usize, Result<Image>>;

impl<'r> Reading<'r> {
    pub fn new(session: &Session, cache: &'r Cache, writer: &'r Writer) -> Self {
        let (looks, manifests) = (session.aside(), session.aside());
        Self { looks, manifests, cache, writer, look_failed: AtomicBool::default(), listing: OnceCell::default() }
    }

    /// Whether images of this store have manifests.
    pub fn has_manifests(&self) -> bool {
        self.manifests.store.limit(Op::Manifests).is_some()
    }

    /// Reads what must be known of each of these targets.
    pub async fn read(&self, targets: &[&Target]) -> Vec<Read> {
        let began = Utc::now();
        let mut wanted: Vec<Result<Digest, Why>> =
            targets.iter().map(|target| target.digest().ok_or(("its digest is unknown", None))).collect();
        let unseen: Vec<usize> = (0..targets.len()).filter(|place| targets[*place].seen.is_none()).collect();
        let (mut looks, manifests) = if !unseen.is_empty() && self.looks.may_fetch().await {
            // A manifest that is not there would be fetched from another registry.
            let looks = self.look_first(targets, &unseen).await;
            for (place, look) in &looks {
                if let Err(error) = look {
                    wanted[*place] = Err((reason(error), Some(error.clone())));
                }
            }
            (looks, self.texts(wanted).await)
        } else {
            let (mut looks, manifests) = join(self.look_at_once(targets, &unseen), self.texts(wanted)).await;
            let open = |place: &usize| !looks.contains_key(place) && !is_missing(&manifests[*place]);
            let open = unseen.into_iter().filter(open).collect();
            looks.extend(self.look(targets, open).await);
            (looks, manifests)
        };
        let read = |(place, manifest)| {
            let mut look = looks.remove(&place).and_then(Result::ok).map(Box::new);
            if let Some(image) = &mut look {
                // This pull may be the reading of the manifest.
                image.pulled_at = image.pulled_at.filter(|pulled_at| *pulled_at < began - CLOCKS);
            }
            Read { look, manifest }
        };
        manifests.into_iter().enumerate().map(read).collect()
    }

    async fn look(&self, targets: &[&Target], places: Vec<usize>) -> Looks {
        let names: Vec<ImageId> = places.iter().map(|place| targets[*place].look_up()).collect();
        places.into_iter().zip(self.looks.get(&names).await).collect()
    }

    /// Looks at these before their manifests are read. What is asked for by name and is not there may cost a call for each,
    /// where a listing shows all.
    async fn look_first(&self, targets: &[&Target], places: &[usize]) -> Looks {
        let mut looks = self.look_at_once(targets, places).await;
        let absent = || Err(Error::new(Kind::NotFound, "the listing does not show this image"));
        for place in places {
            if looks.contains_key(place) {
                continue;
            }
            let image = match (self.listing().await, targets[*place].digest()) {
                (Ok(listing), Some(digest)) => listing.get(&digest).cloned().map_or_else(absent, Ok),
                (Ok(_), None) => absent(),
                (Err(error), _) => Err(error.clone()),
            };
            looks.insert(*place, image);
        }
        looks
    }

    /// All images of the store, listed once.
    async fn listing(&self) -> &Result<HashMap<Digest, Image>> {
        let list = || async {
            let (mut pages, mut listing) = (self.looks.pages(), HashMap::new());
            while let Some(page) = pages.next().await? {
                listing.extend(page.into_iter().filter_map(|image| Some((image.digest()?, image))));
            }
            Ok(listing)
        };
        self.listing.get_or_init(list).await
    }

    /// Looks at these in as few calls as if all were there, until a look fails.
    async fn look_at_once(&self, targets: &[&Target], places: &[usize]) -> Looks {
        if self.look_failed.load(Ordering::Relaxed) {
            return Looks::new();
        }
        let names: Vec<ImageId> = places.iter().map(|place| targets[*place].look_up()).collect();
        let looks: Vec<Option<Result<Image>>> = self.looks.get_at_once(&names).await;
        let is_there = |look: &Option<Result<Image>>| look.as_ref().is_some_and(Result::is_ok);
        self.look_failed.fetch_or(!looks.iter().all(is_there), Ordering::Relaxed);
        places.iter().zip(looks).filter_map(|(place, look)| Some((*place, look?))).collect()
    }

    /// The text and media type of each manifest, from disk or from the registry.
    async fn texts(&self, wanted: Vec<Result<Digest, Why>>) -> Vec<Result<Text, Why>> {
        let known: Vec<Digest> = wanted.iter().flatten().cloned().collect();
        let mut found: HashMap<Digest, Result<Text, Why>> = HashMap::with_capacity(known.len());
        for (digest, bytes) in known.iter().zip(self.cache.get(&known).await) {
            if let Some(bytes) = bytes {
                found.insert(digest.clone(), text(digest, bytes, None));
            }
        }
        let mut unknown: Vec<Digest> = known.into_iter().filter(|digest| !found.contains_key(digest)).collect();
        unknown.sort();
        unknown.dedup();
        if !unknown.is_empty() {
            let reference = self.looks.store.home().to_string();
            // A sync takes less time than the call, so nothing waits for it.
            drop(self.writer.begin(vec![Line::Read { reference, at: Utc::now(), digests: unknown.clone() }]));
        }
        let ids: Vec<ImageId> = unknown.iter().cloned().map(ImageId::Digest).collect();
        for (digest, answer) in unknown.into_iter().zip(self.manifests.manifests(&ids).await) {
            let read = match answer {
                Ok(manifest) => text(&digest, manifest.bytes, manifest.media_type),
                Err(error) => Err((reason(self.manifests.halted().unwrap_or(&error)), Some(error))),
            };
            found.insert(digest, read);
        }
        wanted.into_iter().map(|digest| found[&digest?].clone()).collect()
    }
}

/// The text of a manifest, checked against its digest.
fn text(digest: &Digest, bytes: Vec<u8>, media_type: Option<String>) -> Result<Text, Why> {
    if Digest::sha256_of(&bytes) != *digest {
        return Err(("its digest cannot be checked", None));
    }
    match String::from_utf8(bytes) {
        // Masked, it would no longer have its digest.
        Ok(text) if secrets::masked(&text) != text => Err(("its manifest contains a secret of this run", None)),
        Ok(text) => Ok((text, media_type)),
        Err(_) => Err(("its manifest is not text", None)),
    }
}

fn is_missing(manifest: &Result<Text, Why>) -> bool {
    matches!(manifest, Err((_, Some(error))) if error.kind == Kind::NotFound)
}

/// Why a manifest could not be read, in the words of the warning that counts such images.
fn reason(error: &Error) -> &'static str {
    match error.kind {
        Kind::NotFound => "the registry has no manifest of it",
        Kind::WrongState => "it is archived",
        Kind::Denied => "the credentials may not read its manifest",
        _ => "its manifest could not be read",
    }
}
