//! The record of runs: for each run that changes something, a file that says what was about to be sent, and how it ended.
//!
//! Data flow: a run creates its file and writes the [`Head`]. Before a call, the file gets a [`Saved`] for each image of
//! the call, and after each verdict an [`Ended`]. [`read`] turns a file back into a [`Record`], for `history` and
//! `restore`.

mod form;
mod order;
pub mod read;

pub use form::{Action, End, Ended, Head, Line, OfStore, Saved, Source, Unrestorable};
pub use order::in_restore_order;
pub use read::{Record, Recorded};
