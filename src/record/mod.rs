//! The record of runs: for each run that changes something, a file that says what was about to be sent, and how it ended.
//!
//! Data flow: a run creates its file and writes the [`Head`]. Before a call, the file gets a [`Saved`] for each image of
//! the call, and after each verdict an [`Ended`]. [`read`] turns a file back into a [`Record`], for `history` and
//! `restore`.

mod brief;
mod filter;
pub mod folder;
mod form;
pub mod read;
mod reading;
mod reads;
mod recorder;
mod settled;
mod sums;
mod writer;

pub use brief::{Brief, State};
pub use filter::{Filter, FilterArgs};
pub use folder::Folder;
pub use form::{Action, OfStore, Saved, Source};
pub use read::{Manifests, Record, Recorded};
pub use reads::Reads;
pub use recorder::{About, Entries, Recorder};

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A run for tests of what shows runs.
    pub fn brief() -> Brief {
        let head = form::tests::head();
        Brief {
            run: head.run,
            state: State::Ended,
            began_at: head.began_at,
            ended_at: Some(head.began_at),
            command: head.command,
            action: head.action,
            command_line: head.command_line,
            version: head.version,
            plan: None,
            policy: None,
            stores: vec!["cvm://ap-guangzhou/".into()],
            callers: Vec::new(),
            sums: sums::Sums::default(),
            stopped: None,
        }
    }
}
