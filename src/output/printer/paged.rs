//! How data reaches a terminal: through a pager, and never across the progress line.

use super::{Out, Printer};
use crate::output::Format;

impl Printer {
    /// Prints tables to a terminal.
    pub fn for_terminal(&self) -> bool {
        self.look.format == Format::Table && self.look.width.is_some()
    }

    /// Shows tables in a terminal through this pager.
    pub fn page(&self, pager: Option<&str>) {
        self.out().stdout.get_mut().through(pager.filter(|_| self.for_terminal()));
    }

    /// Shows more columns in tables, or longer ones.
    pub fn columns(&self, wide: bool, pulled: bool) {
        let columns = &mut self.out().columns;
        (columns.wide, columns.pulled) = (wide, pulled);
    }

    /// Waits until the user has left the pager, and prints what came meanwhile.
    pub fn close(&self) {
        let mut out = self.out();
        out.flush();
        out.stdout.get_mut().close();
        drop(out);
        let held = self.held.lock().expect("no holder of this lock panics").take();
        held.iter().flatten().for_each(|text| self.stderr(text));
    }

    /// Writes text to stdout or its pager.
    pub(super) fn show(&self, out: &mut Out, text: &str) {
        if out.stdout.get_mut().start() {
            // The pager has the terminal.
            self.progress.end();
            *self.held.lock().expect("no holder of this lock panics") = Some(Vec::new());
        }
        self.progress.aside(|| {
            out.write(text);
            out.flush();
        });
    }

    /// Writes to the buffer, and hides the progress line whenever that is full: stdout may be the same terminal.
    pub(super) fn put(&self, out: &mut Out, text: &str) {
        if out.stdout.buffer().len() + text.len() < out.stdout.capacity() {
            out.write(text);
        } else {
            self.progress.aside(|| out.write(text));
        }
    }
}
