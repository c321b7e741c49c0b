//! Everything that imgctl prints. stdout carries data only; prompts, notes, progress and errors go to stderr. `table`, `rows`,
//! `human`, `json`, `checkup`, `github` and `question` are pure renderers; commands hand items to `printer`.

mod checkup;
mod colors;
pub mod facts;
mod github;
mod grid;
mod history;
pub mod human;
mod json;
mod pager;
mod printer;
pub mod progress;
pub mod question;
mod rows;
mod safe;
pub mod sketch;
mod stdout;
mod table;
mod terminal;

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use terminal_size::{Height, Width};

use self::terminal::Terminal;
pub use self::{
    printer::Printer,
    safe::safe,
    stdout::{exact, failure, of_clap, plain},
    table::note,
};
use crate::{
    error::{Error, Kind},
    secrets,
};

/// The mark of what happens in `imgctl sandbox`.
pub const SANDBOX: &str = "[sandbox]";

/// Output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// One JSON object per line, as items finish
    Ndjson,
}

/// How the output of a run looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub format: Format,
    pub quiet: bool,
    pub color: bool,
    /// Columns of the terminal, if stdout is one.
    pub width: Option<u16>,
    /// Lists are rows for another program: stdout is not a terminal, and nobody asked for a format.
    pub rows: bool,
    /// Show progress on stderr.
    pub progress: bool,
    /// Print more details.
    pub details: bool,
    /// Write annotations and a step summary for GitHub Actions.
    pub github: bool,
}

/// Prints a note on stderr, for commands without a printer.
pub fn aside(text: &str) {
    // If stderr is closed, there is nowhere left to report it.
    let _ = writeln!(io::stderr().lock(), "{}", secrets::masked(text));
}

#[cfg(unix)]
use std::os::fd::AsFd as Stream;
#[cfg(windows)]
use std::os::windows::io::AsHandle as Stream;

/// The columns and lines of the terminal that a stream goes to: 80 and 24 where it does not tell.
fn size_of(stream: &(impl Stream + IsTerminal)) -> Option<(usize, usize)> {
    let (Width(width), Height(height)) = terminal_size::terminal_size_of(stream).unwrap_or((Width(0), Height(0)));
    let or = |told: u16, usual| if told > 0 { told.into() } else { usual };
    stream.is_terminal().then(|| (or(width, 80), or(height, 24)))
}

/// Where `-v` writes, line by line.
pub struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(secrets::masked(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Whether a person reads what is printed, and can answer.
pub fn at_terminal() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal() && Terminal::open().is_ok()
}

/// Shows a line at the terminal, and returns what is typed after it.
pub async fn answer(question: &str) -> io::Result<String> {
    terminal::answer(question.to_owned()).await
}

/// Refuses a run that needs a confirmation and has no terminal to ask at, before anything is sent.
pub fn can_ask() -> Result<(), Error> {
    // The plan is shown on stderr.
    if io::stderr().is_terminal() && Terminal::open().is_ok() {
        return Ok(());
    }
    let error = Error::new(Kind::Guard, "cannot ask for confirmation: not a terminal");
    Err(error.hint("nothing was sent; check the plan with --dry-run, then confirm it with --yes"))
}

impl Look {
    /// Without a terminal, a program may read stderr: beside JSON it gets no plain lines.
    fn shows_progress(&self, terminal: bool) -> bool {
        self.progress && !self.quiet && (terminal || self.format == Format::Table)
    }

    /// What the terminals allow, unless the flags decide.
    pub fn of_terminal(format: Format, quiet: bool, color: Option<bool>, progress: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let width = comfy_table::Table::new().width();
        Self {
            format,
            quiet,
            color: color.unwrap_or(terminal && io::stderr().is_terminal()),
            width,
            rows: false,
            progress,
            details: false,
            github: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_plain_progress_line_stands_between_json_lines() {
        for (format, terminal, shown) in [
            (Format::Ndjson, false, false),
            (Format::Json, false, false),
            (Format::Table, false, true),
            (Format::Ndjson, true, true),
        ] {
            let look = Look::of_terminal(format, false, Some(false), true);
            assert_eq!(look.shows_progress(terminal), shown, "{format:?} {terminal}");
        }
    }
}
