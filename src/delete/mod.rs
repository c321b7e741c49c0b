//! Deleting, however the images were chosen: named one by one, pruned by rules, or read from a saved plan.
//!
//! Data flow: [`named`], [`chosen`] and [`saved`] each make an [`Order`], the list of what to delete. [`run`] rehearses
//! and shows it, asks, and carries it out. [`agreed`] compares what rules chose with its store as it is now, and
//! [`passes`] sends it, indexes before what they hold, and, by [`across`], images before their signatures in other stores.
//! Every image that was asked for is reported exactly once.

mod across;
mod agreed;
mod chosen;
mod foresee;
mod look;
mod named;
mod notes;
mod order;
mod passes;
mod run;
pub mod saved;
mod sketch;

pub use named::Wish;
pub use notes::notes;
pub use order::{Order, Usage};
pub use run::{How, run};
