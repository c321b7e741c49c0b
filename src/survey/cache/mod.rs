//! Keeps manifests on disk by digest. The content of a digest never changes, so each is fetched once; bytes from disk
//! count only if they have the digest. An unusable cache is never an error. Disk access runs beside the event loop.

mod packs;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use packs::Packs;

use crate::image::Digest;

pub struct Cache {
    packs: Option<Arc<Mutex<Packs>>>,
}

impl Cache {
    /// Keeps manifests below this folder, if there is one.
    pub fn new(folder: Option<PathBuf>) -> Self {
        let packs = folder.map(|folder| Packs::new(folder.join("manifests")));
        Self { packs: packs.map(|packs| Arc::new(Mutex::new(packs))) }
    }

    /// The bytes of each digest, if they are on disk.
    pub async fn get(&self, digests: &[Digest]) -> Vec<Option<Vec<u8>>> {
        let digests = digests.to_vec();
        let count = digests.len();
        self.with(move |packs| packs.get(&digests)).await.unwrap_or_else(|| vec![None; count])
    }

    /// Stores these bytes, whose digests were checked.
    pub async fn put(&self, manifests: Vec<(Digest, Vec<u8>)>) {
        if !manifests.is_empty() {
            self.with(move |packs| packs.put(&manifests)).await;
        }
    }

    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut Packs) -> T + Send + 'static) -> Option<T> {
        let packs = Arc::clone(self.packs.as_ref()?);
        let work = move || work(&mut packs.lock().expect("no holder of this lock panics"));
        tokio::task::spawn_blocking(work).await.ok()
    }
}
