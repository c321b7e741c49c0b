//! Manifests on disk, by digest. What a digest names never changes, so each is fetched once in its life; what is on the
//! disk is believed only if it has its digest. A cache that cannot be used is none, and never an error.

use std::{
    cell::Cell,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::image::Digest;

/// The most that the files may take together: some 100,000 indexes.
const MOST_BYTES: u64 = 256 << 20;

/// A manifest that is larger than this is no manifest: registries take at most 4 MiB.
const LARGEST: u64 = 4 << 20;

pub struct Cache {
    folder: Option<PathBuf>,
    most_bytes: u64,
    written: Cell<bool>,
}

impl Cache {
    /// Keeps manifests below this folder, if there is one.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder: folder.map(|folder| folder.join("manifests")),
            most_bytes: MOST_BYTES,
            written: Cell::new(false),
        }
    }

    /// The bytes with this digest. A file with other bytes is removed.
    pub fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        let path = self.path(digest)?;
        if fs::metadata(&path).ok()?.len() > LARGEST {
            let _ = fs::remove_file(&path);
            return None;
        }
        let bytes = fs::read(&path).ok()?;
        if Digest::sha256_of(&bytes) == *digest {
            return Some(bytes);
        }
        let _ = fs::remove_file(&path);
        None
    }

    /// Keeps these bytes, whose digest was checked.
    pub fn put(&self, digest: &Digest, bytes: &[u8]) {
        let Some(path) = self.path(digest) else {
            return;
        };
        match write(&path, bytes) {
            Ok(()) => self.written.set(true),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "cannot keep a manifest");
            }
        }
    }

    /// A file in a folder of its first two digits. Digests of other kinds cannot be checked here, so they are not kept.
    fn path(&self, digest: &Digest) -> Option<PathBuf> {
        let digits = digest.as_str().strip_prefix("sha256:")?;
        Some(self.folder.as_ref()?.join(digits.get(..2)?).join(digits))
    }

    /// Removes the oldest files, if there is more than there may be.
    fn trim(&self) -> io::Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let mut files = Vec::new();
        for shelf in fs::read_dir(folder)? {
            // What else lies there is not ours.
            let Ok(shelf) = fs::read_dir(shelf?.path()) else {
                continue;
            };
            for file in shelf {
                let file = file?;
                let about = file.metadata()?;
                let written = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push((written, about.len(), file.path()));
            }
        }
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        if bytes <= self.most_bytes {
            return Ok(());
        }
        files.sort();
        // A quarter more than needed, so that the next run does not do it again.
        for (_, length, path) in files {
            if bytes <= self.most_bytes / 4 * 3 {
                break;
            }
            fs::remove_file(path)?;
            bytes -= length;
        }
        Ok(())
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        if self.written.get() {
            // Whoever else trims at the same time removes the same files.
            let _ = self.trim();
        }
    }
}

/// Writes beside the place and moves into it, so that nobody ever reads half a file.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let beside = path.with_extension(std::process::id().to_string());
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    // On a full disk, half a file helps nobody.
    written.inspect_err(|_| drop(fs::remove_file(&beside)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(folder: &tempfile::TempDir) -> Cache {
        Cache::new(Some(folder.path().into()))
    }

    #[test]
    fn what_was_kept_comes_back_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::sha256_of(b"{}");
        assert_eq!(cache(&folder).get(&digest), None);
        cache(&folder).put(&digest, b"{}");
        assert_eq!(cache(&folder).get(&digest).as_deref(), Some(&b"{}"[..]));

        let path = cache(&folder).path(&digest).unwrap();
        fs::write(&path, b"{\"manifests\":[]}").unwrap();
        assert_eq!(cache(&folder).get(&digest), None, "bytes of another digest");
        assert!(!path.exists());
    }

    #[test]
    fn it_does_not_grow_beyond_its_bound_and_the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = |number: u8| vec![number; 100];
        let digests: Vec<_> = (0..10).map(|number| Digest::sha256_of(&bytes(number))).collect();
        let bounded = || {
            let mut cache = cache(&folder);
            cache.most_bytes = 800;
            cache
        };
        for (number, digest) in (0..).zip(&digests) {
            bounded().put(digest, &bytes(number));
            std::thread::sleep(std::time::Duration::from_millis(5));
            fs::write(folder.path().join("manifests").join("a file"), b"").unwrap();
        }
        let kept: Vec<_> = (0..10).filter(|number| cache(&folder).get(&digests[*number]).is_some()).collect();
        assert_eq!(kept, [3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn where_nothing_can_be_written_there_is_no_cache() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"").unwrap();
        for cache in [Cache::new(Some(file)), Cache::new(None)] {
            let digest = Digest::sha256_of(b"{}");
            cache.put(&digest, b"{}");
            assert_eq!(cache.get(&digest), None);
        }
    }
}
