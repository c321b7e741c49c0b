//! How runs on record are printed.

use super::Printer;
use crate::{
    output::{Format, history, json},
    record::Brief,
    report::Summary,
};

impl Printer {
    /// Prints the runs on record, and nothing else.
    pub fn runs(&self, runs: Vec<Brief>) {
        let mut out = self.out();
        let text = match self.look.format {
            Format::Table if runs.is_empty() => String::new(),
            Format::Table => history::table(&runs, &self.look, chrono::Utc::now()),
            Format::Ndjson => runs.iter().map(|run| json::run(run) + "\n").collect(),
            Format::Json => {
                out.extras.runs = Some(runs);
                self.head_of(&out) + &json::tail(&out.warnings, &Summary::default())
            }
        };
        self.show(&mut out, &text);
    }

    /// Prints one run on record, before its images.
    pub fn run_head(&self, run: Brief) {
        let mut out = self.out();
        match self.look.format {
            Format::Table if !self.look.quiet => {
                let text = history::paragraph(&run, chrono::Utc::now());
                self.show(&mut out, &(text + "\n"));
            }
            _ => out.extras.runs = Some(vec![run]),
        }
    }
}
