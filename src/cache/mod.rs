//! Keeps on disk what never changes, so that each run reads it once: manifests and configurations of images by digest, and
//! answers of services by a name that says everything that was asked. Bytes from disk count only if they are the ones that were put there. An
//! unusable cache is never an error. Disk access runs beside the event loop.

mod packs;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use packs::Packs;

use crate::image::Digest;

#[derive(Default)]
pub struct Cache {
    manifests: Shelf,
    answers: Shelf,
}

type Shelf = Option<Arc<Mutex<Packs>>>;

impl Cache {
    /// Keeps everything below this folder, if there is one.
    pub fn new(folder: Option<PathBuf>) -> Self {
        let shelf = |name: &str, genuine| {
            let folder = folder.as_ref()?.join(name);
            Some(Arc::new(Mutex::new(Packs::new(folder, genuine))))
        };
        let is_manifest = |digest: &Digest, bytes: &[u8]| Digest::sha256_of(bytes) == *digest;
        Self { manifests: shelf("manifests", is_manifest), answers: shelf("answers", is_answer) }
    }

    /// The bytes of each digest, if they are on disk.
    pub async fn get(&self, digests: &[Digest]) -> Vec<Option<Vec<u8>>> {
        let digests = digests.to_vec();
        let count = digests.len();
        with(&self.manifests, move |packs| packs.get(&digests)).await.unwrap_or_else(|| vec![None; count])
    }

    /// The bytes of one digest, if they are on disk.
    pub async fn one(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.get(std::slice::from_ref(digest)).await.pop()?
    }

    /// Stores these bytes, whose digests were checked.
    pub async fn put(&self, manifests: Vec<(Digest, Vec<u8>)>) {
        if !manifests.is_empty() {
            with(&self.manifests, move |packs| packs.put(&manifests)).await;
        }
    }

    /// The answers with these names, if they are on disk.
    pub async fn answers(&self, names: &[String]) -> Vec<Option<String>> {
        let digests: Vec<_> = names.iter().map(|name| Digest::sha256_of(name.as_bytes())).collect();
        let kept = with(&self.answers, move |packs| packs.get(&digests)).await;
        let answer = |kept: Option<Vec<u8>>| {
            let text = String::from_utf8(kept?.split_off(HASH)).ok()?;
            Some(text.split_once('\n')?.1.to_owned())
        };
        kept.map_or_else(|| vec![None; names.len()], |kept| kept.into_iter().map(answer).collect())
    }

    /// Stores answers, each with its name.
    pub async fn put_answers(&self, answers: Vec<(String, String)>) {
        let record = |(name, answer): (String, String)| {
            let text = format!("{name}\n{answer}");
            let hash = Digest::sha256_of(text.as_bytes());
            let bytes = [hash.to_string().as_bytes(), text.as_bytes()].concat();
            (Digest::sha256_of(name.as_bytes()), bytes)
        };
        let records: Vec<_> = answers.into_iter().filter(|(name, _)| !name.contains('\n')).map(record).collect();
        if !records.is_empty() {
            with(&self.answers, move |packs| packs.put(&records)).await;
        }
    }
}

/// The length of `sha256:` and 64 digits, which stand before the name and the answer.
const HASH: usize = 7 + 64;

/// Whether a record is whole, and was put under the name with this digest.
fn is_answer(digest: &Digest, bytes: &[u8]) -> bool {
    let Some((hash, text)) = bytes.split_at_checked(HASH) else {
        return false;
    };
    let name = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Digest::sha256_of(text).to_string().as_bytes() == hash && Digest::sha256_of(name) == *digest
}

async fn with<T: Send + 'static>(shelf: &Shelf, work: impl FnOnce(&mut Packs) -> T + Send + 'static) -> Option<T> {
    let packs = Arc::clone(shelf.as_ref()?);
    let work = move || work(&mut packs.lock().expect("no holder of this lock panics"));
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_kept_under_its_name_and_a_changed_record_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Cache::new(Some(folder.path().to_owned()));
        let names = ["https://ecs/ revision a".to_owned(), "b".to_owned()];
        let one = Some("[\"host/app:v1\"]\n{}".to_owned());
        let answers = open();
        assert_eq!(answers.answers(&names).await, [None, None]);
        answers.put_answers(vec![(names[0].clone(), one.clone().unwrap())]).await;
        assert_eq!(open().answers(&names).await, [one, None]);

        let pack = fs::read_dir(folder.path().join("answers")).unwrap().next().unwrap().unwrap().path();
        let text = fs::read(&pack).unwrap();
        let at = text.windows(3).position(|part| part == b"app").unwrap();
        fs::write(&pack, [&text[..at], b"APP", &text[at + 3..]].concat()).unwrap();
        assert_eq!(open().answers(&names).await, [None, None]);
    }
}
