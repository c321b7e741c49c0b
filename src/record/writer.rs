//! Writes lines to a record on a thread of its own. What several batches write meanwhile shares one sync.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Write},
    path::PathBuf,
    sync::mpsc::{self, Receiver, Sender, TryRecvError},
    thread::{self, JoinHandle},
};

use tokio::sync::oneshot;

use super::{folder::unwritable, form::Line};
use crate::{
    error::{Error, Kind, Result},
    secrets,
};

/// More than this is written in several steps.
const TOGETHER: usize = 1 << 20;

/// Lines to write, and whom to tell that they are on the disk.
struct Entry {
    text: String,
    written: Option<oneshot::Sender<Result<()>>>,
}

pub struct Writer {
    entries: Option<Sender<Entry>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Adds to this file, whose last line may be cut; errors name its path.
    pub fn new(file: File, path: PathBuf, is_cut: bool) -> Self {
        let (entries, received) = mpsc::channel();
        let thread =
            thread::spawn(move || write_all(&received, Disk { file, path, is_cut, is_dirty: false, lost: None }));
        Self { entries: Some(entries), thread: Some(thread) }
    }

    /// Writes lines, and waits until they are on the disk.
    pub async fn write(&self, lines: &[Line]) -> Result<()> {
        let (written, answer) = oneshot::channel();
        self.send(lines, Some(written));
        answer.await.unwrap_or_else(|_| Err(Error::new(Kind::Unrecorded, "the record was closed")))
    }

    /// Writes lines soon.
    pub fn add(&self, lines: &[Line]) {
        self.send(lines, None);
    }

    fn send(&self, lines: &[Line], written: Option<oneshot::Sender<Result<()>>>) {
        let line = |line| serde_json::to_string(line).expect("a line has only text keys") + "\n";
        let text: String = lines.iter().map(line).collect();
        let text = if let Cow::Owned(masked) = secrets::masked(&text) { masked } else { text };
        if let Some(entries) = &self.entries {
            // Without the thread, nobody answers, and that is an error.
            let _ = entries.send(Entry { text, written });
        }
    }
}

impl Drop for Writer {
    /// Waits until everything is written.
    fn drop(&mut self) {
        self.entries = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The file, and what is known about it.
struct Disk {
    file: File,
    path: PathBuf,
    /// Its last line may be cut.
    is_cut: bool,
    /// Something was written since the last sync.
    is_dirty: bool,
    /// A sync failed. What was written before it may be lost, though later ones succeed.
    lost: Option<Error>,
}

fn write_all(entries: &Receiver<Entry>, mut disk: Disk) {
    loop {
        // Lines that nobody waits for are synced once no more come.
        let entry = match entries.try_recv() {
            Err(TryRecvError::Empty) if disk.is_dirty => {
                let _ = disk.sync();
                continue;
            }
            Err(TryRecvError::Empty) => entries.recv().ok(),
            entry => entry.ok(),
        };
        let Some(Entry { mut text, written }) = entry else {
            let _ = disk.sync();
            return;
        };
        let mut waiting = Vec::from_iter(written);
        while text.len() < TOGETHER
            && let Ok(more) = entries.try_recv()
        {
            text.push_str(&more.text);
            waiting.extend(more.written);
        }
        let mut result = disk.append(&text).map_err(|error| unwritable(&disk.path, &error));
        if result.is_ok() && !waiting.is_empty() {
            result = disk.sync();
        }
        for written in waiting {
            // A run that was stopped no longer waits.
            let _ = written.send(result.clone());
        }
    }
}

impl Disk {
    fn append(&mut self, text: &str) -> io::Result<()> {
        if self.is_cut {
            // What follows begins on a line of its own.
            self.file.write_all(b"\n")?;
        }
        (self.is_cut, self.is_dirty) = (true, true);
        self.file.write_all(text.as_bytes())?;
        self.is_cut = false;
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.is_dirty = false;
        if let Err(error) = self.file.sync_data() {
            self.lost.get_or_insert_with(|| unwritable(&self.path, &error));
        }
        self.lost.clone().map_or(Ok(()), Err)
    }
}
