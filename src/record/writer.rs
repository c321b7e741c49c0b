//! Writes lines to a record on a thread of its own. What several batches write meanwhile shares one sync.

use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
    sync::mpsc::{self, Receiver, Sender},
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
        let thread = thread::spawn(move || write_all(&received, Disk { file, path, is_cut }));
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
        let text = secrets::masked(&text).into_owned();
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

/// The file, and whether its last line may be cut.
struct Disk {
    file: File,
    path: PathBuf,
    is_cut: bool,
}

fn write_all(entries: &Receiver<Entry>, mut disk: Disk) {
    while let Ok(Entry { mut text, written }) = entries.recv() {
        let mut waiting = Vec::from_iter(written);
        while text.len() < TOGETHER
            && let Ok(more) = entries.try_recv()
        {
            text.push_str(&more.text);
            waiting.extend(more.written);
        }
        let result = disk.append(&text).map_err(|error| unwritable(&disk.path, &error));
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
        self.is_cut = true;
        self.file.write_all(text.as_bytes())?;
        self.is_cut = false;
        self.file.sync_data()
    }
}
