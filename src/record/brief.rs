//! A run in a few lines, as `imgctl history` lists it.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use chrono::{DateTime, SubsecRound, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    folder::Folder,
    form::{Action, End, Head, Line, Source},
    read::{self, Manifests, Record, Recorded},
    sums::Sums,
};
use crate::error::{Error, Result};

/// The end of a file in which its last line is looked for.
const TAIL: u64 = 1 << 16;

/// One run on record.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "run")]
pub struct Brief {
    /// Its id, for `imgctl history RUN`.
    pub run: String,
    pub state: State,
    pub began_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    pub command: String,
    pub action: Action,
    pub command_line: Vec<String>,
    /// The version of imgctl.
    pub version: String,
    /// The saved plan that it carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Source>,
    /// The policy file by which it chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Source>,
    /// The stores to which it sent calls.
    pub stores: Vec<String>,
    /// Whose credentials it used, shortened.
    pub callers: Vec<String>,
    #[serde(flatten)]
    pub sums: Sums,
    /// What stopped it before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "run_state")]
pub enum State {
    /// It goes on.
    Running,
    Ended,
    /// An interrupt, a deadline or an error ended it early.
    Stopped,
    /// Its process was killed.
    Killed,
}

impl Brief {
    /// Of a run in this folder. Reads the whole record only if its last line does not sum it up.
    pub fn read(folder: &Folder, run: &str) -> Result<Self> {
        let path = folder.path(run);
        let goes_on = folder.goes_on(run);
        match ends(&path) {
            Some((head, end)) if !goes_on => Ok(Self::of_end(head, &end)),
            _ => Ok(Self::of(&read::file(&path, Manifests::Skip)?, goes_on)),
        }
    }

    /// Of a whole record.
    pub fn of(record: &Record, goes_on: bool) -> Self {
        let mut sums = Sums::default();
        record.images.iter().for_each(|image| image.count(&mut sums));
        let end = record.end.as_ref();
        let whole = End {
            at: end.map_or(record.head.began_at, |end| end.at),
            sums,
            stores: record.stores.clone(),
            stopped: end.and_then(|end| end.stopped.clone()),
        };
        let brief = Self::of_end(record.head.clone(), &whole);
        match end {
            Some(_) => brief,
            None => Self { state: if goes_on { State::Running } else { State::Killed }, ended_at: None, ..brief },
        }
    }

    fn of_end(head: Head, end: &End) -> Self {
        let mut callers: Vec<String> = end.stores.iter().filter_map(|of| of.caller.clone()).collect();
        callers.sort();
        callers.dedup();
        Self {
            run: head.run,
            state: if end.stopped.is_some() { State::Stopped } else { State::Ended },
            // Whole seconds are what every reader of JSON understands.
            began_at: head.began_at.trunc_subsecs(0),
            ended_at: Some(end.at.trunc_subsecs(0)),
            command: head.command,
            action: head.action,
            command_line: head.command_line,
            version: head.version,
            plan: head.plan,
            policy: head.policy,
            stores: end.stores.iter().map(|of| of.reference.clone()).collect(),
            callers,
            sums: end.sums.clone(),
            stopped: end.stopped.clone(),
        }
    }
}

impl Recorded {
    /// Adds it to the sums of its run.
    pub fn count(&self, sums: &mut Sums) {
        let outcome = self.ended.as_ref().map(|ended| ended.outcome);
        sums.add(outcome, || {
            let saved = self.saved.as_ref()?;
            Some((saved.store, saved.digest(), saved.freed()))
        });
    }
}

/// The first and the last line of a record, if the last one is its end.
fn ends(path: &Path) -> Option<(Head, End)> {
    let mut file = File::open(path).ok()?;
    let mut first = Vec::new();
    BufReader::new(&file).read_until(b'\n', &mut first).ok()?;
    let Line::Run(head) = serde_json::from_slice(&first).ok()? else { return None };
    if !head.is_known() {
        return None;
    }
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).ok()?;
    let last = tail.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\n').next()?;
    match serde_json::from_slice(last).ok()? {
        Line::End(end) => Some((head, end)),
        _ => None,
    }
}
