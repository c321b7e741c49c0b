//! The one door for output. stdout carries data only; prompts, notes, progress and errors go to stderr. What is
//! printed is decided by the pure renderers in `table`, `human`, `json` and `github`; commands hand it to `printer`.

mod checkup;
mod github;
pub mod human;
mod json;
mod printer;
pub mod progress;
pub mod question;
mod safe;
mod table;

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;

pub use self::{printer::Printer, safe::safe};
use crate::error::{Error, Kind};

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One document
    Json,
    /// One object a line, as they come
    Ndjson,
}

/// What a run's output looks like.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub format: Format,
    pub quiet: bool,
    pub color: bool,
    /// Columns of the terminal that stdout is, if it is one.
    pub width: Option<u16>,
    /// Say on stderr how far a long run is.
    pub progress: bool,
    /// Leave annotations and a step summary for GitHub Actions.
    pub github: bool,
}

/// Prints text that is no report: a schema, a script, a manual page.
pub fn plain(text: &str) {
    // A reader that went away is no error.
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// Says something that is no data, for commands that have no printer.
pub fn aside(text: &str) {
    // Nobody is left to tell that stderr is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Refuses a run that nobody can be asked to agree to, before anything is sent.
pub fn somebody_can_agree() -> Result<(), Error> {
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        return Ok(());
    }
    let error = Error::new(Kind::Guard, "nobody can be asked: this is no terminal");
    Err(error.hint("nothing was sent; look at the plan with --dry-run, then agree to it with --yes"))
}

impl Look {
    /// What the terminals allow, where the flags do not decide.
    pub fn of_terminal(format: Format, quiet: bool, color: Option<bool>, progress: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let width = comfy_table::Table::new().width();
        Self {
            format,
            quiet,
            color: color.unwrap_or(terminal && io::stderr().is_terminal()),
            width,
            progress,
            github: false,
        }
    }
}
