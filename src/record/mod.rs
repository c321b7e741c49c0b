//! The record of runs: for each run that changes something, a file that says what was about to be sent, and how it ended.
//!
//! Data flow: a run creates its file and writes the [`Head`]. Before a call, the file gets a [`Saved`] for each image of
//! the call, and after each verdict an [`Ended`]. [`read`] turns a file back into a [`Record`], for `history` and
//! `restore`.

mod folder;
mod form;
mod order;
pub mod read;
mod recorder;
mod writer;

pub use folder::Folder;
pub use form::{Action, End, Source};
pub use recorder::{About, Entries, Recorder};
