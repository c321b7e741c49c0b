//! Chooses stale images. Pure: no network, no clock, no files.
//!
//! Data flow: `survey` fills one [`Stock`] per store (its listing and the contents of its indexes) and an [`Evidence`] of
//! what is in use ([`scan`] reads it from text). [`decide`] turns them, with compiled [`Selectors`] and [`GuardArgs`],
//! into a [`Plan`]: one [`Row`] per image with its action and reason, and the guards that stop the run. [`recheck`]
//! compares a saved plan with fresh stocks before anything is sent.
//!
//! An image is kept if it is protected, excluded, in use or held by its provider. Everything that it needs, and
//! everything attached to it, is kept too. The selectors judge the other images. Untagged children of indexes, and
//! referrers such as signatures, follow the images that they belong to.

mod age;
mod attachment;
mod beyond;
mod clauses;
mod decide;
mod elsewhere;
mod evidence;
mod foreseen;
mod freed;
mod graph;
mod groups;
mod guards;
pub mod import;
mod in_use;
mod inventory;
mod keep;
mod listed;
mod names;
mod overlap;
mod plan;
pub mod policy;
mod recheck;
pub mod rules;
pub mod saved;
mod select;
mod selectors;
mod shared;
mod users;
mod whole;
mod words;

pub use age::{Age, ago};
pub use attachment::Attachment;
pub use clauses::{Clause, Clauses, Verdict};
pub use decide::decide;
pub use elsewhere::Elsewhere;
pub use evidence::Evidence;
pub use foreseen::{Foreseen, foresee};
pub use freed::{Exact, Freed, own_bytes};
pub use groups::{Group, Held, groups};
pub use guards::{GuardArgs, Guards, Stop};
#[cfg(any(test, fuzzing))]
pub use in_use::scan;
pub use in_use::{Known, Scan, Tally};
pub use inventory::{Reading, Stock, identity, may_be_index};
pub use keep::date;
pub use listed::listed;
pub use plan::{Action, Choice, Plan, Reason, Row, Rule, StorePlan, Totals};
pub use recheck::{Saved, Step, recheck};
pub use select::{Selection, short};
pub use selectors::Selectors;
pub use users::{Used, record};

#[cfg(test)]
mod laws;
#[cfg(test)]
mod lessons;
#[cfg(test)]
mod order;
#[cfg(test)]
mod sample;
