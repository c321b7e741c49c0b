//! Plans that fit on the screen of a person.

use std::io;

use super::{Columns, Printer};
use crate::output::{
    Format, Look, human, size_of,
    sketch::{self, Screen, Section},
};
use crate::report::Item;

/// Lines below a plan: where the rest of it is, the question or the sum, and the next prompt of the shell.
const BELOW: usize = 4;

impl Printer {
    /// Whether the plan of a dry run, or of a question, may be shortened to the screen of a person.
    pub fn has_screen(&self, dry_run: bool) -> bool {
        !self.look.details && self.screen(dry_run).is_some()
    }

    /// Whether a person would see only a part of a table of these, because it is longer than the screen.
    pub fn is_too_long(&self, items: &[Item], dry_run: bool) -> bool {
        let Some(screen) = self.screen(dry_run).filter(|_| !self.look.details) else { return false };
        let width = u16::try_from(screen.width).ok();
        let table = || Columns::default().table(items, &Look { width, ..self.look }, chrono::Utc::now());
        // A long table is not made only to count its lines.
        items.len() + BELOW > screen.height || table().lines().count() + BELOW > screen.height
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
    /// `all` is the flag that shows all of it.
    pub fn sketch(&self, sections: &[Section], beside: &[&str], dry_run: bool, all: &str) {
        let Some(screen) = self.screen(dry_run) else { return };
        let lines: usize = beside.iter().map(|line| human::fitted(line, screen.width).lines().count()).sum();
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
            self.note(&format!("`{all}` lists every image; `-n -o json > plan.json` saves the whole plan"));
        }
    }
}
