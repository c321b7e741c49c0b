//! Choosing stale images, and only those. Pure: no network, no clock, no files.
//!
//! Data flow: whoever fetches fills one [`Stock`] a store (its listing, and what its indexes hold) and an [`Evidence`]
//! of what is in use ([`scan`] reads it from text). [`decide`] turns them, with compiled [`Selectors`] and [`GuardArgs`],
//! into a [`Plan`]: one [`Row`] an image with what happens and why, the passes in which to delete, and the guards that
//! stop the run. A plan that was saved is held against fresh stocks by [`recheck`] before anything is sent.
//!
//! What is protected, excluded, in use or held by its provider stays, and so does all that it needs and what is attached
//! to it. Of the rest, what has a name of its own is judged by the selectors; untagged images in indexes, and signatures,
//! follow the images that they belong to.

mod age;
mod decide;
mod evidence;
mod freed;
mod graph;
mod guards;
mod in_use;
mod inventory;
mod keep;
mod listed;
mod names;
mod plan;
pub mod policy;
mod recheck;
pub mod rules;
pub mod saved;
mod select;
mod words;

pub use age::ago;
pub use decide::{decide, everywhere};
pub use evidence::Evidence;
pub use freed::{Exact, Freed};
pub use guards::{GuardArgs, Guards, Stop};
pub use in_use::{Known, Tally, scan};
pub use inventory::{Reading, Stock, identity, may_be_index};
pub use listed::listed;
pub use plan::{Action, Choice, Plan, Reason, Row, Rule, StorePlan, Totals};
pub use recheck::{Saved, Step, recheck};
pub use select::{Selection, Selectors};

#[cfg(test)]
mod laws;
#[cfg(test)]
mod lessons;
#[cfg(test)]
mod sample;
