//! The files of the cache. Each run appends to its own files, so that runs never disturb each other, and reads those of
//! all runs. A record is a digest, a length and the bytes. The rest of a file after a cut is ignored. A file with wrong
//! bytes is removed, and so are the oldest files when the cache grows too large. Only regular files with a name of this
//! form are touched.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::image::Digest;

/// The largest total size of the files: about 100,000 indexes.
const MOST_BYTES: u64 = 256 << 20;

/// A larger file gets no more records, so that removing the oldest file does not remove everything.
const FULL: u64 = 16 << 20;

/// More files than this are merged into one, because every run opens each of them.
const MOST_FILES: usize = 32;

/// Anything larger is not a manifest: registries accept at most 4 MiB.
const LARGEST: u32 = 4 << 20;

type Hash = [u8; 32];

/// Where a manifest is.
struct Place {
    file: usize,
    offset: u64,
    length: u32,
}

/// The file that this run appends to.
struct Own {
    file: File,
    number: usize,
    length: u64,
}

pub(super) struct Packs {
    folder: PathBuf,
    /// Whether bytes are those that were put under a digest.
    genuine: fn(&Digest, &[u8]) -> bool,
    most_bytes: u64,
    /// The files that were there, and those of this run.
    files: Vec<PathBuf>,
    places: HashMap<Hash, Place>,
    looked: bool,
    own: Option<Own>,
}

impl Packs {
    pub fn new(folder: PathBuf, genuine: fn(&Digest, &[u8]) -> bool) -> Self {
        let (files, places) = (Vec::new(), HashMap::new());
        Self { folder, genuine, most_bytes: MOST_BYTES, files, places, looked: false, own: None }
    }

    pub fn get(&mut self, digests: &[Digest]) -> Vec<Option<Vec<u8>>> {
        if let Err(error) = self.look() {
            tracing::debug!(folder = %self.folder.display(), %error, "cannot read what was kept");
        }
        // In the order on disk, so that each file is read once and forwards.
        let mut wanted: Vec<_> = digests.iter().enumerate().collect();
        let place = |digest: &Digest| self.places.get(&hash(digest)?).map(|place| (place.file, place.offset));
        wanted.retain(|(_, digest)| place(digest).is_some());
        wanted.sort_by_cached_key(|(_, digest)| place(digest));
        let mut found = vec![None; digests.len()];
        let mut open: Option<(usize, BufReader<File>)> = None;
        for (number, digest) in wanted {
            let Some(place) = hash(digest).and_then(|hash| self.places.get(&hash)) else {
                continue;
            };
            let file = place.file;
            match read(&mut open, &self.files, place) {
                Ok(bytes) if (self.genuine)(digest, &bytes) => found[number] = Some(bytes),
                _ => self.forget(file),
            }
        }
        found
    }

    pub fn put(&mut self, manifests: &[(Digest, Vec<u8>)]) {
        if let Err(error) = self.append(manifests) {
            tracing::debug!(folder = %self.folder.display(), %error, "cannot keep what was read");
            // How much of it was written is unknown, so continue in another file.
            self.own = None;
        }
    }

    fn append(&mut self, manifests: &[(Digest, Vec<u8>)]) -> io::Result<()> {
        for manifests in manifests.chunks(100) {
            let own = match self.own.take() {
                Some(own) if own.length < FULL => own,
                _ => self.begin()?,
            };
            let own = self.own.insert(own);
            let (mut records, mut places) = (Vec::new(), Vec::new());
            for (digest, bytes) in manifests {
                let (Some(hash), Ok(length)) = (hash(digest), u32::try_from(bytes.len())) else {
                    continue;
                };
                records.extend_from_slice(&hash);
                records.extend_from_slice(&length.to_le_bytes());
                let offset = own.length + records.len() as u64;
                records.extend_from_slice(bytes);
                places.push((hash, Place { file: own.number, offset, length }));
            }
            own.file.write_all(&records)?;
            own.length += records.len() as u64;
            self.places.extend(places);
        }
        Ok(())
    }

    /// Creates a file of this run. Names sort by the time at which they began.
    fn begin(&mut self) -> io::Result<Own> {
        fs::create_dir_all(&self.folder)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let path = self.folder.join(format!("{:020}-{:010}.pack", now.as_nanos(), process::id()));
        let file = File::options().append(true).create_new(true).open(&path)?;
        self.files.push(path);
        Ok(Own { file, number: self.files.len() - 1, length: 0 })
    }

    /// Reads once what is on disk, and tidies up.
    fn look(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.looked, true) {
            return Ok(());
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // The metadata of an entry are its own: those of a link are not those of a file.
            let about = entry.metadata()?;
            if about.is_file() && is_ours(&entry.file_name().to_string_lossy()) {
                files.push((entry.path(), about.len()));
            }
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, length)| length).sum();
        let many = files.len() > MOST_FILES;
        let most = if bytes > self.most_bytes { self.most_bytes / 4 * 3 } else { self.most_bytes };
        for (path, length) in files {
            if bytes > most {
                bytes -= length;
                // Another run that trims at the same time removes the same files.
                let _ = fs::remove_file(path);
            } else if many && length < FULL / 16 {
                self.move_over(path)?;
            } else {
                self.scan(path)?;
            }
        }
        Ok(())
    }

    /// Records what a file holds, up to a cut.
    fn scan(&mut self, path: PathBuf) -> io::Result<()> {
        let (file, length) = match File::open(&path) {
            // Another run removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file.and_then(|file| Ok((file.metadata()?.len(), file)).map(|(length, file)| (file, length)))?,
        };
        let mut file = BufReader::with_capacity(1 << 16, file);
        let number = self.files.len();
        self.files.push(path);
        let mut offset = 0;
        let mut head = [0; 36];
        while file.read_exact(&mut head).is_ok() {
            let (hash, size) = head.split_at(32);
            let size = u32::from_le_bytes(size.try_into().expect("four bytes"));
            offset += head.len() as u64;
            if size > LARGEST || offset + u64::from(size) > length {
                break;
            }
            let hash = hash.try_into().expect("32 bytes");
            self.places.insert(hash, Place { file: number, offset, length: size });
            file.seek_relative(size.into())?;
            offset += u64::from(size);
        }
        Ok(())
    }

    /// Writes what a small file holds into this run's own, and removes it.
    fn move_over(&mut self, path: PathBuf) -> io::Result<()> {
        let number = self.files.len();
        self.scan(path.clone())?;
        let mut open = None;
        let mut manifests = Vec::new();
        for (hash, place) in self.places.iter().filter(|(_, place)| place.file == number) {
            let bytes = read(&mut open, &self.files, place)?;
            manifests.push((digest(hash), bytes));
        }
        self.append(&manifests)?;
        fs::remove_file(path)
    }

    /// Removes a file with wrong bytes.
    fn forget(&mut self, file: usize) {
        self.places.retain(|_, place| place.file != file);
        let _ = fs::remove_file(&self.files[file]);
        self.own = None;
    }
}

fn read(open: &mut Option<(usize, BufReader<File>)>, files: &[PathBuf], place: &Place) -> io::Result<Vec<u8>> {
    if open.as_ref().is_none_or(|(file, _)| *file != place.file) {
        *open = Some((place.file, BufReader::with_capacity(1 << 16, File::open(&files[place.file])?)));
    }
    let (_, file) = open.as_mut().expect("it was just opened");
    // Within what was read ahead this costs nothing.
    let here = file.stream_position()?;
    match place.offset.checked_sub(here) {
        Some(ahead) => file.seek_relative(ahead as i64)?,
        None => drop(file.seek(SeekFrom::Start(place.offset))?),
    }
    let mut bytes = vec![0; place.length as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Digests of other kinds cannot be checked here, so they are not kept.
fn hash(digest: &Digest) -> Option<Hash> {
    digest.sha256().copied()
}

fn digest(hash: &Hash) -> Digest {
    Digest::of_sha256(*hash)
}

fn is_ours(name: &str) -> bool {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = name.strip_suffix(".pack").and_then(|name| name.split_once('-'));
    parts.is_some_and(|(time, process)| digits(time, 20) && digits(process, 10))
}

#[cfg(test)]
mod tests;
