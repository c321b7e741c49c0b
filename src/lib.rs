//! imgctl deletes, reads, lists and prunes images in several clouds with one grammar.
//!
//! Data flow: `cli` turns arguments into [`settings`] and hands a verb in `commands` its references ([`image`],
//! `intake`). The verb opens stores ([`store`]: one folder a provider, each method one call) and lets the `engine`
//! look, act and look again. What became of each item is a `report::Item`; `output` prints it.
//!
//! To change what a provider is asked or how its answers are read: `store/PROVIDER`. Batching, retrying, what counts
//! as done: `engine`. What is deleted and in which order: `delete`. Which images are stale: `prune`, which is pure;
//! what it must know is fetched by `survey`. What users type: `cli`, `commands`. What they see: `output`. The emulator:
//! [`sandbox`]. What `doctor` finds: `checkup`. What teaches users: `help`, and `complete` while they type.

mod checkup;
pub mod cli;
mod commands;
mod complete;
mod context;
mod delete;
mod engine;
pub mod error;
mod exit;
mod flags;
mod help;
mod http;
pub mod image;
mod intake;
mod output;
mod prune;
mod report;
pub mod sandbox;
pub mod settings;
pub mod store;
mod survey;
mod words;
