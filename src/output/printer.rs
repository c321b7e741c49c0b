//! The output of a command while it runs: data in the requested format, progress, notes, questions, errors. Each goes to
//! its own stream, and progress never breaks up other lines.

mod aside;
mod paged;
mod runs;
mod screen;

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    path::PathBuf,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    Format, Look, SANDBOX, checkup, exact, github::Notes, human, json, json::Extras, pager::Sink, progress::Progress,
    rows, safe, stdout::wrote, table::Columns, terminal,
};
use crate::{
    engine::Outcome,
    error::Error,
    prune::saved::Head,
    report::{Item, Summary},
    secrets,
};

/// Rows that a table collects before it prints them, so that a long list appears page by page.
const TABLE_PAGE: usize = 1000;

pub struct Printer {
    pub look: Look,
    command: &'static str,
    dry_run: bool,
    out: Mutex<Out>,
    pub progress: Progress,
    /// The file for the step summary of GitHub Actions.
    step_summary: Option<PathBuf>,
    /// Whether the run reached a store that is not in a sandbox, and one that is.
    reached: [AtomicBool; 2],
    /// Lines for stderr that wait until the user has left the pager, if one runs.
    held: Mutex<Option<Vec<String>>>,
}

struct Out {
    stdout: BufWriter<Sink>,
    rows: Vec<Item>,
    /// Each item is a row for another program.
    tabbed: bool,
    /// The layout of the table so far.
    columns: Columns,
    /// Skipped images of a table, by their reason: one line counts them.
    skipped: BTreeMap<String, usize>,
    summary: Summary,
    /// The head of the JSON document or table is printed.
    begun: bool,
    /// Stdout takes no more: its reader is gone, or a write failed.
    closed: bool,
    /// Errors that were printed.
    errors: HashSet<String>,
    /// What a JSON document holds besides its items.
    extras: Extras,
    /// Warnings so far, for the end of a JSON document.
    warnings: Vec<String>,
    /// Lines for the end of the run, before its summary.
    last: Vec<String>,
    /// Notes for GitHub Actions.
    notes: Option<Notes>,
}

impl Printer {
    /// For GitHub Actions, the run is also summed up in the file `step_summary`.
    pub fn new(look: Look, command: &'static str, dry_run: bool, step_summary: Option<PathBuf>) -> Self {
        let stdout = BufWriter::with_capacity(1 << 16, Sink::new());
        let out = Out {
            stdout,
            rows: Vec::new(),
            tabbed: false,
            columns: Columns::default(),
            skipped: BTreeMap::new(),
            summary: Summary::default(),
            begun: false,
            closed: false,
            errors: HashSet::new(),
            extras: Extras::default(),
            warnings: Vec::new(),
            last: Vec::new(),
            notes: look.github.then(|| Notes::new(command, dry_run)),
        };
        Self {
            look,
            command,
            dry_run,
            out: Mutex::new(out),
            progress: Progress::new(look.shows_progress(io::stderr().is_terminal()), io::stderr().is_terminal()),
            step_summary,
            reached: Default::default(),
            held: Mutex::default(),
        }
    }

    /// A printer for an error before a run begins.
    pub fn for_errors(format: Format) -> Self {
        let look = Look { width: None, ..Look::of_terminal(format, false, Some(false), false) };
        Self::new(look, "", false, None)
    }

    /// Notes whether a store of this run is in `imgctl sandbox`.
    pub fn reached(&self, sandbox: Option<bool>) {
        self.reached[usize::from(sandbox == Some(true))].store(true, Ordering::Relaxed);
    }

    /// Whether all stores of this run are.
    fn in_sandbox(&self) -> bool {
        let [real, sandbox] = &self.reached;
        sandbox.load(Ordering::Relaxed) && !real.load(Ordering::Relaxed)
    }

    /// Counts missing images as done.
    pub fn ignore_missing(&self) {
        if let Some(notes) = &mut self.out().notes {
            notes.ignore_missing();
        }
    }

    /// Prints items as they finish, in any order; otherwise items are printed in the order asked.
    pub fn streams(&self) -> bool {
        self.look.format == Format::Ndjson
    }

    /// Whether stdout takes no more.
    pub fn closed(&self) -> bool {
        self.out().closed
    }

    /// Counts an item that has ended, and prints it if items are printed as they finish.
    pub fn ended_with(&self, item: &Item) {
        if item.outcome != Some(Outcome::Skipped) {
            self.progress.seen(1);
        }
        if self.streams() {
            self.item(item);
        }
    }

    /// Sets the plan that a JSON document describes.
    pub fn head(&self, plan: Head) {
        self.out().extras.plan = Some(plan);
    }

    /// Sets the id of the run's record.
    pub fn run(&self, id: &str) {
        self.out().extras.run = Some(id.to_owned());
    }

    /// Prints images as rows, if another program reads them.
    pub fn lists(&self) {
        self.out().tabbed = self.look.rows;
    }

    /// Counts an item that was shown otherwise.
    pub fn counts(&self, item: &Item) {
        self.out().counts(item);
    }

    /// Prints one item, or keeps it for the table.
    pub fn item(&self, item: &Item) {
        let mut out = self.out();
        out.counts(item);
        match self.look.format {
            Format::Table if out.tabbed => self.put(&mut out, &rows::row(item)),
            Format::Table if item.outcome == Some(Outcome::Skipped) => {
                let why = item.error.as_ref().map(ToString::to_string).unwrap_or_default();
                *out.skipped.entry(why).or_default() += 1;
            }
            Format::Table => {
                out.rows.push(item.clone());
                if out.rows.len() >= TABLE_PAGE {
                    self.table(&mut out);
                }
            }
            Format::Json => {
                let before = match out.begun {
                    true => ",\n".to_owned(),
                    false => self.head_of(&out),
                };
                let text = before + &json::line(item);
                self.put(&mut out, &text);
                out.begun = true;
            }
            Format::Ndjson => {
                self.put(&mut out, &(json::line(item) + "\n"));
            }
        }
    }

    /// Prints the checks of one provider; for people as a paragraph, not as a row.
    pub fn checkup(&self, item: &Item) {
        if self.look.format != Format::Table {
            return self.item(item);
        }
        let mut out = self.out();
        out.summary.add(item);
        let gap = if out.begun { "\n" } else { "" };
        let text = format!("{gap}{}", checkup::text(item, &self.look));
        out.write(&text);
        out.begun = true;
    }

    /// Writes everything printed so far.
    pub fn flush(&self) {
        self.progress.aside(|| self.out().flush());
    }

    /// Ends a table in a terminal, so that the next one gets its own head. Without a terminal, all rows are one table.
    pub fn end_table(&self) {
        let mut out = self.out();
        if self.look.format == Format::Table && self.look.width.is_some() && !out.rows.is_empty() {
            self.table(&mut out);
            out.columns.end();
        }
    }

    /// Ends the data of a run, and prints the summary on stderr.
    pub fn finish(&self, calls: usize, seconds: f64) {
        self.progress.end();
        let mut out = self.out();
        out.summary.calls = calls;
        out.summary.seconds = (seconds * 1000.0).round() / 1000.0;
        match self.look.format {
            Format::Table => {
                self.table(&mut out);
                for (why, images) in std::mem::take(&mut out.skipped) {
                    let line = format!("skipped  {}: {}\n", human::count(images, "image"), safe(&why));
                    out.write(&line);
                }
            }
            Format::Json => {
                let head = if out.begun { String::new() } else { self.head_of(&out) };
                let text = head + &json::tail(&out.warnings, &out.summary);
                out.write(&text);
            }
            Format::Ndjson => {}
        }
        out.flush();
        drop(out);
        self.close();
        let mut out = self.out();
        if self.for_people() && !self.look.quiet {
            out.last.drain(..).for_each(|line| self.stderr(&safe(&line)));
            let mark = if self.in_sandbox() { format!("{SANDBOX} ") } else { String::new() };
            self.stderr(&(mark + &human::summary(&out.summary, self.dry_run)));
        }
        self.tell_github(&out);
    }

    /// Writes annotations to stderr, which the runner reads like stdout, and the step summary to its file.
    fn tell_github(&self, out: &Out) {
        let Some(notes) = &out.notes else { return };
        notes.annotations().iter().for_each(|line| self.stderr(line));
        let Some(path) = &self.step_summary else {
            return;
        };
        let append = || -> io::Result<()> {
            let mut file = File::options().append(true).create(true).open(path)?;
            let written = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
            match notes.summary(&out.summary, chrono::Utc::now(), written) {
                Some(text) => file.write_all(secrets::masked(&text).as_bytes()),
                None => Ok(()),
            }
        };
        if let Err(error) = append() {
            self.note(&format!("cannot write the step summary: {error}"));
        }
    }

    fn table(&self, out: &mut Out) {
        let rows = std::mem::take(&mut out.rows);
        // The error that stopped the store was printed once, on stderr; a row for each image would only repeat it.
        if !rows.iter().all(Item::was_not_tried) {
            let text = out.columns.table(&rows, &self.look, chrono::Utc::now());
            self.show(out, &text);
            out.begun = true;
        }
    }

    /// Prints exact bytes, for files and other programs.
    pub fn raw(&self, bytes: &[u8]) {
        self.flush();
        exact(bytes);
    }

    /// Prints an error that ended the run or one store. An error that ended several stores is printed once.
    pub fn error(&self, error: &Error) {
        let text = match self.look.format {
            Format::Table => human::error(error, self.look.color),
            Format::Json | Format::Ndjson => json::error(error),
        };
        let mut out = self.out();
        if !out.errors.insert(text.clone()) {
            return;
        }
        let annotation = out.notes.as_mut().map(|notes| notes.error(error));
        drop(out);
        // The runner also shows an annotation in its log, so text would appear twice; JSON is for another reader.
        if annotation.is_none() || self.look.format != Format::Table {
            self.stderr(&text);
        }
        annotation.iter().for_each(|line| self.stderr(line));
    }

    /// Asks a person; only `y` or `yes` agrees.
    pub async fn agreed(&self, question: &str) -> bool {
        // A line that moves would run over the question.
        self.progress.end();
        self.flush();
        let question = self.fitted(&secrets::masked(&format!("{question} [y/N]")));
        let answer = terminal::answer(format!("{question} ")).await.unwrap_or_default();
        self.progress.again();
        matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    }

    /// The head of a JSON document.
    fn head_of(&self, out: &Out) -> String {
        json::head(self.command, self.dry_run, &out.extras)
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().expect("no holder of this lock panics")
    }
}

impl Out {
    fn counts(&mut self, item: &Item) {
        self.summary.add(item);
        if let Some(notes) = &mut self.notes {
            notes.item(item);
        }
    }

    /// A write that fails does not stop a deletion half-way; the run goes on without output.
    fn write(&mut self, text: &str) {
        if !self.closed {
            self.closed = !wrote(self.stdout.write_all(secrets::masked(text).as_bytes()));
        }
    }

    fn flush(&mut self) {
        if !self.closed {
            self.closed = !wrote(self.stdout.flush());
        }
    }
}
