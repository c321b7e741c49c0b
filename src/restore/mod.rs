//! Undoing a run, or bringing single images back: from a record, and out of the archive.
//!
//! Data flow: [`find`] turns runs, files and references into wishes ([`wish`]), one for each image. [`look`] asks each store
//! what is there: images, tags, layers. [`plan`] decides for each image what is missing, without any I/O. [`run`] shows
//! that and asks; [`send`] puts images before the indexes that hold them, then tags, and looks at everything again.

mod find;
mod look;
mod plan;
mod run;
mod send;
mod wish;

pub use find::{Named, wishes};
pub use run::{How, run};
