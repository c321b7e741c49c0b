//! What stands on stderr beside the data: warnings, notes, remarks, plans to confirm. Lines fit the terminal.

use std::io::{self, IsTerminal, Write};

use super::{Columns, Printer};
use crate::{
    output::{Format, Look, human, safe},
    report::Item,
    secrets,
};

impl Printer {
    /// Whether stderr may contain text. With JSON output and no terminal, a program may read stderr: it gets JSON only.
    pub fn for_people(&self) -> bool {
        self.look.format == Format::Table || io::stderr().is_terminal()
    }

    /// Prints a note that a JSON document also contains.
    pub fn remark(&self, text: &str) {
        if self.for_people() {
            self.note(text);
        }
    }

    /// Prints a remark at the end of the run, for a person at a terminal.
    pub fn tip_last(&self, text: String) {
        if io::stderr().is_terminal() {
            self.remark_last(text);
        }
    }

    /// Prints a remark at the end of the run, below its results.
    pub fn remark_last(&self, text: String) {
        self.out().last.push(text);
    }

    /// Prints a warning, even in a quiet run. A JSON document contains it, too.
    pub fn warn(&self, text: &str) {
        if self.look.format == Format::Json {
            self.out().warnings.push(text.to_owned());
        }
        self.warn_of(text);
    }

    /// Prints a warning about something that a JSON document says elsewhere.
    pub fn warn_of(&self, text: &str) {
        if self.for_people() {
            self.paragraph(&format!("warning: {text}"));
        }
    }

    /// Prints a note, unless the run is quiet.
    pub fn note(&self, text: &str) {
        if !self.look.quiet {
            self.paragraph(text);
        }
    }

    /// Prints text for a person, wrapped at the width of the terminal.
    fn paragraph(&self, text: &str) {
        let lines: Vec<_> = text.lines().map(safe).collect();
        self.stderr(&human::fitted(&lines.join("\n"), stderr_width().map_or(usize::MAX, usize::from)));
    }

    /// Prints text on stderr, even in a quiet run: a plan to confirm, a warning.
    pub(super) fn stderr(&self, text: &str) {
        // If stderr is closed, there is nowhere left to report it.
        if let Some(held) = self.held.lock().expect("no holder of this lock panics").as_mut() {
            held.push(text.to_owned());
            return;
        }
        let text = self.fitted(&secrets::masked(text.trim_end()));
        self.progress.aside(|| drop(writeln!(io::stderr().lock(), "{text}")));
    }

    /// A text with lines that the terminal of stderr shows whole.
    pub(super) fn fitted(&self, text: &str) -> String {
        match stderr_width() {
            // JSON stays on one line.
            Some(width) if self.look.format == Format::Table => human::fitted(text, usize::from(width)),
            _ => text.to_owned(),
        }
    }

    /// Shows a plan to the user, in any output format.
    pub fn plan(&self, items: &[Item]) {
        let look = Look { width: stderr_width(), ..self.look };
        self.stderr(&Columns::default().table(items, &look, chrono::Utc::now()));
    }
}

/// Columns of the terminal that stderr is, if it is one.
fn stderr_width() -> Option<u16> {
    comfy_table::Table::new().use_stderr().width()
}
