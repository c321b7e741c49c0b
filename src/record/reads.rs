//! When earlier runs read manifests for their records. Services count that as a pull, so a plan that is run again must not
//! take it for a pull by others.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use chrono::{DateTime, Utc};

use super::{folder::Folder, form::Line};
use crate::{
    engine::CLOCKS,
    image::{Digest, StoreRef},
};

/// How a line about reading begins.
const BEGINNING: &[u8] = br#"{"line":"read","#;

/// For each image, by store: the time up to which a pull may be our own reading.
#[derive(Default)]
pub struct Reads(HashMap<StoreRef, HashMap<Digest, DateTime<Utc>>>);

impl Reads {
    /// Of all runs that were recorded since then.
    pub fn since(folder: &Folder, since: DateTime<Utc>) -> Self {
        let mut reads = Self::default();
        for run in folder.runs().unwrap_or_default() {
            reads.add(&folder.path(&run), since);
        }
        reads
    }

    pub fn of(&self, store: &StoreRef, digest: &Digest) -> Option<DateTime<Utc>> {
        self.0.get(&place(store))?.get(digest).copied()
    }

    fn add(&mut self, path: &Path, since: DateTime<Utc>) {
        let Ok(file) = File::open(path) else { return };
        let changed = file.metadata().and_then(|about| about.modified());
        if changed.is_ok_and(|changed| DateTime::<Utc>::from(changed) < since) {
            return;
        }
        let mut lines = BufReader::with_capacity(1 << 16, file);
        let mut text = Vec::new();
        while lines.read_until(b'\n', &mut text).is_ok_and(|read| read > 0) {
            if text.starts_with(BEGINNING)
                && let Ok(Line::Read { reference, at, digests }) = serde_json::from_slice(&text)
                && let Ok(store) = reference.parse::<StoreRef>()
            {
                let of_store = self.0.entry(place(&store)).or_default();
                of_store.extend(digests.into_iter().map(|digest| (digest, at + CLOCKS)));
            }
            text.clear();
        }
    }
}

/// A store, whether or not its account was known.
fn place(store: &StoreRef) -> StoreRef {
    StoreRef { owner: None, ..store.clone().by_any_host() }
}
