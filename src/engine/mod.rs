//! Everything that is the same for every provider: cutting into batches, pacing, trying again, halving, looking
//! before and after. It knows images, tags and digests; it knows no cloud.
//!
//! Data flow: a [`Session`] holds one opened store; `read` asks it about many items in few calls; `delete` looks,
//! sends and looks again at exactly what is not certain, and gives each target one [`Verdict`]. A [`Journal`] hears of a
//! batch before it is sent.

mod calls;
mod census;
mod confirm;
mod delete;
mod journal;
mod judge;
mod look;
mod outcome;
mod pace;
mod pages;
mod read;
mod referrers;
mod registry;
mod restore;
mod session;
mod settle;
mod stop;
mod target;
mod users;

pub use calls::Calls;
pub use delete::{CLOCKS, Options};
pub use journal::Journal;
pub use outcome::Outcome;
pub use pace::{Line, Op, Wish};
pub use pages::Pages;
pub use registry::Copies;
pub use restore::taken;
pub use session::Session;
pub use settle::{Aim, Sent};
pub use stop::{Cause as StopCause, Stop};
pub use target::{Target, Verdict, tags_going};
pub use users::Asking;

#[cfg(test)]
mod laws;
