//! Plans that fit on the screen of a person.

use std::io;

use super::Printer;
use crate::output::{
    Format, human, size_of,
    sketch::{self, Screen, Section},
};

/// Lines below a plan: where the rest of it is, the question or the sum, and the next prompt of the shell.
const BELOW: usize = 4;

impl Printer {
    /// Whether the plan of a dry run, or of a question, may be shortened to the screen of a person.
    pub fn has_screen(&self, dry_run: bool) -> bool {
        !self.look.details && self.screen(dry_run).is_some()
    }

    fn screen(&self, dry_run: bool) -> Option<Screen> {
        let (width, height) = match dry_run {
            true if self.look.format != Format::Table => None,
            true => size_of(&io::stdout()),
            false => size_of(&io::stderr()),
        }?;
        Some(Screen { width, height, color: self.look.color })
    }

    /// Shows a plan on one screen of a person, beside these other lines: as the data of a dry run, or to ask about it.
    pub fn sketch(&self, sections: &[Section], beside: &[&str], dry_run: bool) {
        let Some(screen) = self.screen(dry_run) else { return };
        let lines: usize = beside.iter().map(|line| human::wrapped(line, screen.width).len()).sum();
        let height = screen.height.saturating_sub(lines + BELOW).max(screen.height / 2);
        let (text, whole) = sketch::text(sections, Screen { height, ..screen });
        match dry_run {
            true => {
                let mut out = self.out();
                out.write(&text);
                self.progress.aside(|| out.flush());
            }
            false => self.stderr(&text),
        }
        if !whole {
            self.note(sketch::REST);
        }
    }
}
