//! What a command says while it runs: data in the format that was asked for, progress, notes, questions, errors. Every
//! word goes to its stream, and one does not tear the other.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufRead, BufWriter, IsTerminal, Stdout, Write},
    path::PathBuf,
    sync::{Mutex, MutexGuard},
};

use super::{Format, Look, checkup, github::Notes, human, json, progress::Progress, safe, table};
use crate::{
    error::Error,
    prune::saved::Head,
    report::{Item, Summary},
};

/// Rows that a table collects before it prints them, so that a long list comes out page by page.
const TABLE_PAGE: usize = 1000;

pub struct Printer {
    pub look: Look,
    command: &'static str,
    dry_run: bool,
    out: Mutex<Out>,
    pub progress: Progress,
    /// Where GitHub Actions collects what a step has to say.
    step_summary: Option<PathBuf>,
}

struct Out {
    stdout: BufWriter<Stdout>,
    rows: Vec<Item>,
    summary: Summary,
    /// The JSON document, or the table's head, is begun.
    begun: bool,
    /// The reader went away; the run goes on without it.
    closed: bool,
    /// What was said of errors.
    errors: HashSet<String>,
    /// What a JSON document says of the plan that its items are of.
    plan: Option<Head>,
    /// Kept for GitHub Actions.
    notes: Option<Notes>,
}

impl Printer {
    /// A run for GitHub Actions is summed up in the file `step_summary`, too.
    pub fn new(look: Look, command: &'static str, dry_run: bool, step_summary: Option<PathBuf>) -> Self {
        let stdout = BufWriter::with_capacity(1 << 16, io::stdout());
        let out = Out {
            stdout,
            rows: Vec::new(),
            summary: Summary::default(),
            begun: false,
            closed: false,
            errors: HashSet::new(),
            plan: None,
            notes: look.github.then(|| Notes::new(command, dry_run)),
        };
        Self {
            look,
            command,
            dry_run,
            out: Mutex::new(out),
            progress: Progress::new(look.progress && !look.quiet, io::stderr().is_terminal()),
            step_summary,
        }
    }

    /// A printer for what ends a run before it has begun.
    pub fn for_errors(format: Format) -> Self {
        let look = Look { format, quiet: false, color: false, width: None, progress: false, github: false };
        Self::new(look, "", false, None)
    }

    /// What is missing counts as done.
    pub fn ignore_missing(&self) {
        if let Some(notes) = &mut self.out().notes {
            notes.ignore_missing();
        }
    }

    /// Items are printed as they come, in whatever order; otherwise they are wanted in the order asked.
    pub fn streams(&self) -> bool {
        self.look.format == Format::Ndjson
    }

    /// The reader of stdout went away.
    pub fn closed(&self) -> bool {
        self.out().closed
    }

    /// One item has ended; it is printed at once where items are printed as they come.
    pub fn ended_with(&self, item: &Item) {
        self.progress.seen(1);
        if self.streams() {
            self.item(item);
            self.flush();
        }
    }

    /// Says in a JSON document what plan its items are of.
    pub fn head(&self, plan: Head) {
        self.out().plan = Some(plan);
    }

    /// Prints one item, or keeps it for the table.
    pub fn item(&self, item: &Item) {
        let mut out = self.out();
        out.summary.add(item);
        if let Some(notes) = &mut out.notes {
            notes.item(item);
        }
        match self.look.format {
            Format::Table => {
                out.rows.push(item.clone());
                if out.rows.len() >= TABLE_PAGE {
                    self.table(&mut out);
                }
            }
            Format::Json => {
                let before = match out.begun {
                    true => ",\n".to_owned(),
                    false => json::head(self.command, self.dry_run, out.plan.as_ref()),
                };
                let text = before + &json::line(item);
                out.write(text.as_bytes());
                out.begun = true;
            }
            Format::Ndjson => {
                out.write(json::line(item).as_bytes());
                out.write(b"\n");
            }
        }
    }

    /// Prints what was found of one provider; for people not as a row.
    pub fn checkup(&self, item: &Item) {
        if self.look.format != Format::Table {
            return self.item(item);
        }
        let mut out = self.out();
        out.summary.add(item);
        let gap = if out.begun { "\n" } else { "" };
        let text = format!("{gap}{}", checkup::text(item, &self.look));
        out.write(text.as_bytes());
        out.begun = true;
    }

    /// Hands on what was printed so far.
    pub fn flush(&self) {
        self.progress.aside(|| self.out().flush());
    }

    /// Ends a table in a terminal, so that the next one has a head of its own. Elsewhere all rows are one table.
    pub fn end_table(&self) {
        let mut out = self.out();
        if self.look.format == Format::Table && self.look.width.is_some() && !out.rows.is_empty() {
            self.table(&mut out);
            out.begun = false;
        }
    }

    /// Ends the data of a run, and says on stderr what it came to.
    pub fn finish(&self, calls: usize, seconds: f64) {
        self.progress.end();
        let mut out = self.out();
        out.summary.calls = calls;
        out.summary.seconds = (seconds * 1000.0).round() / 1000.0;
        match self.look.format {
            Format::Table => self.table(&mut out),
            Format::Json => {
                let head =
                    if out.begun { String::new() } else { json::head(self.command, self.dry_run, out.plan.as_ref()) };
                let text = head + &json::tail(&out.summary);
                out.write(text.as_bytes());
            }
            Format::Ndjson => {}
        }
        out.flush();
        if self.for_people() && !self.look.quiet {
            self.stderr(&human::summary(&out.summary, self.dry_run));
        }
        self.tell_github(&out);
    }

    /// Annotations go to stderr, which the runner reads as it does stdout: that holds data alone.
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
                Some(text) => file.write_all(text.as_bytes()),
                None => Ok(()),
            }
        };
        if let Err(error) = append() {
            self.note(&format!("the step's summary cannot be written: {error}"));
        }
    }

    fn table(&self, out: &mut Out) {
        let rows = std::mem::take(&mut out.rows);
        // What stopped a store was said once, on stderr; a row for each image would only repeat it.
        if !rows.iter().all(Item::was_not_tried) {
            let text = table::table(&rows, &self.look, chrono::Utc::now(), !out.begun);
            out.write(text.as_bytes());
            self.progress.aside(|| out.flush());
            out.begun = true;
        }
    }

    /// Exact bytes, for files and other programs.
    pub fn raw(&self, bytes: &[u8]) {
        let mut out = self.out();
        out.write(bytes);
        out.flush();
    }

    /// Whether stderr may hold words. Where JSON is wanted, a program may read it too: there it holds JSON or nothing.
    pub fn for_people(&self) -> bool {
        self.look.format == Format::Table || io::stderr().is_terminal()
    }

    /// Something that a JSON document says as well.
    pub fn remark(&self, text: &str) {
        if self.for_people() {
            self.note(text);
        }
    }

    /// The same, where it must be seen even when the run is quiet.
    pub fn warn(&self, text: &str) {
        if self.for_people() {
            self.stderr(&safe(&format!("warning: {text}")));
        }
    }

    /// Something worth knowing that is no data.
    pub fn note(&self, text: &str) {
        if !self.look.quiet {
            self.stderr(text);
        }
    }

    /// Something that a person must see even when the run is quiet: a plan to agree to, a warning.
    fn stderr(&self, text: &str) {
        // Nobody is left to tell that stderr is closed.
        self.progress.aside(|| drop(writeln!(io::stderr().lock(), "{}", text.trim_end())));
    }

    /// Shows a plan to a person, whatever the format of the data.
    pub fn plan(&self, items: &[Item]) {
        let width = comfy_table::Table::new().use_stderr().width();
        self.stderr(&table::table(items, &Look { width, ..self.look }, chrono::Utc::now(), true));
    }

    /// What ended the run, or one store of it. The same is said once, however many stores it ended.
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
        // The runner shows an annotation in its log, too; JSON is for another reader.
        if annotation.is_none() || self.look.format != Format::Table {
            self.stderr(&text);
        }
        annotation.iter().for_each(|line| self.stderr(line));
    }

    /// Asks a person; only `y` or `yes` agrees. The wait for the answer blocks a thread of its own, so that an
    /// interrupt is heard meanwhile.
    pub async fn agreed(&self, question: &str) -> bool {
        // A line that moves would run over the question.
        self.progress.end();
        self.flush();
        let _ = write!(io::stderr().lock(), "{question} [y/N] ");
        let answer = tokio::task::spawn_blocking(|| {
            let mut answer = String::new();
            io::stdin().lock().read_line(&mut answer).map(|_| answer)
        });
        let answer = answer.await.ok().and_then(Result::ok).unwrap_or_default();
        self.progress.again();
        matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().expect("no holder of this lock panics")
    }
}

impl Out {
    /// A reader that went away is no error, and no reason to stop half-way through a deletion.
    fn write(&mut self, bytes: &[u8]) {
        if !self.closed {
            self.closed = self.stdout.write_all(bytes).is_err();
        }
    }

    fn flush(&mut self) {
        if !self.closed {
            self.closed = self.stdout.flush().is_err();
        }
    }
}
