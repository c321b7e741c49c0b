//! Writes lines to a record on a thread of its own. What several batches write meanwhile shares one sync.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Write},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{folder::unwritable, form::Line};
use crate::{
    error::{Error, Kind, Result},
    secrets,
};

/// More than this is written in several steps.
const TOGETHER: usize = 1 << 20;

/// Lines that nobody waits for are written together, and synced after as long a time without another.
const SOON: Duration = Duration::from_millis(10);

/// What the thread is told. It also makes the text, which takes a tenth of a run with many images.
enum Entry {
    /// Lines to write, and whom to tell that they are on the disk.
    Now(Vec<Line>, oneshot::Sender<Result<()>>),
    /// There are lines that nobody waits for.
    Soon,
}

/// Lines that nobody waits for. Each verdict is one, and waking the thread for each would take longer than to write it.
type Later = Arc<Mutex<Vec<Line>>>;

pub struct Writer {
    entries: Option<Sender<Entry>>,
    later: Later,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Adds to this file, whose last line may be cut; errors name its path.
    pub fn new(file: File, path: PathBuf, is_cut: bool) -> Self {
        let (entries, received) = mpsc::channel();
        let later = Later::default();
        let disk = Disk { file, path, is_cut, is_dirty: false, lost: None };
        let lines = Arc::clone(&later);
        let thread = thread::spawn(move || write_all(&received, &lines, disk));
        Self { entries: Some(entries), later, thread: Some(thread) }
    }

    /// Writes lines, and waits until they are on the disk.
    pub async fn write(&self, lines: Vec<Line>) -> Result<()> {
        let answer = self.begin(lines);
        answer.await.unwrap_or_else(|_| Err(Error::new(Kind::Unrecorded, "the record was closed")))
    }

    /// Begins to write lines. The answer comes when they are on the disk.
    pub fn begin(&self, lines: Vec<Line>) -> oneshot::Receiver<Result<()>> {
        let (written, answer) = oneshot::channel();
        // Sent under the lock, so that lines stay in their order.
        let mut later = lock(&self.later);
        let mut all = std::mem::take(&mut *later);
        all.extend(lines);
        self.tell(Entry::Now(all, written));
        answer
    }

    /// Writes a line soon.
    pub fn add(&self, line: Line) {
        let mut later = lock(&self.later);
        if later.is_empty() {
            self.tell(Entry::Soon);
        }
        later.push(line);
    }

    fn tell(&self, entry: Entry) {
        if let Some(entries) = &self.entries {
            // Without the thread, nobody answers, and that is an error.
            let _ = entries.send(entry);
        }
    }
}

/// Lines as they are written.
fn text_of(lines: &[Line]) -> String {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line).expect("a line has only text keys");
        bytes.push(b'\n');
    }
    let text = String::from_utf8(bytes).expect("JSON is text");
    if let Cow::Owned(masked) = secrets::masked(&text) { masked } else { text }
}

fn lock(later: &Mutex<Vec<Line>>) -> MutexGuard<'_, Vec<Line>> {
    later.lock().unwrap_or_else(PoisonError::into_inner)
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

fn write_all(entries: &Receiver<Entry>, later: &Mutex<Vec<Line>>, mut disk: Disk) {
    let rest = || {
        // Whoever adds lines does not wait for the text of these.
        let lines = std::mem::take(&mut *lock(later));
        text_of(&lines)
    };
    let mut waiting = false;
    loop {
        let entry = match waiting || disk.is_dirty {
            true => entries.recv_timeout(SOON),
            false => entries.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match entry {
            Ok(Entry::Soon) => waiting = true,
            Ok(Entry::Now(lines, written)) => waiting |= disk.write_now(&lines, written, entries),
            Err(RecvTimeoutError::Timeout) if waiting => {
                // A failure shows when the next lines are written.
                let _ = disk.append(&rest());
                waiting = false;
            }
            Err(RecvTimeoutError::Timeout) => drop(disk.sync()),
            Err(RecvTimeoutError::Disconnected) => {
                let _ = disk.append(&rest());
                let _ = disk.sync();
                return;
            }
        }
    }
}

impl Disk {
    /// Writes lines with those that came meanwhile, and tells who waits for them. Returns whether others were announced.
    fn write_now(&mut self, lines: &[Line], written: oneshot::Sender<Result<()>>, entries: &Receiver<Entry>) -> bool {
        let (mut text, mut written, mut soon) = (text_of(lines), vec![written], false);
        while text.len() < TOGETHER
            && let Ok(entry) = entries.try_recv()
        {
            match entry {
                Entry::Now(more, also) => {
                    text.push_str(&text_of(&more));
                    written.push(also);
                }
                Entry::Soon => soon = true,
            }
        }
        let appended = self.append(&text).map_err(|error| unwritable(&self.path, &error));
        let result = appended.and_then(|()| self.sync());
        for written in written {
            // A run that was stopped no longer waits.
            let _ = written.send(result.clone());
        }
        soon
    }

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
