//! imgctl deletes, reads, lists and prunes images in several clouds with one grammar.
//!
//! Data flow: `cli` turns arguments into [`settings`] and hands a verb in `commands` its references ([`image`],
//! `intake`). The verb opens stores ([`store`]: one file a provider, each method one call) and lets the `engine`
//! look, act and look again; what became of each item is a [`report::Item`]. `output` is the one door to the terminal.
//!
//! To change what a provider is asked or how its answers are read: `store/PROVIDER`. Batching, retrying, what counts
//! as done: `engine`. What users type: `cli`, `commands`. What they see: `output`. The emulator: [`sandbox`].
//! What teaches users: `help`, and `complete` while they type. What `doctor` finds: [`checkup`], filled by `settings`
//! and by `store/PROVIDER/examine.rs`.
//! Which images are stale, and what must stay whatever a rule says: [`prune`], pure. What it must know is fetched by
//! [`survey`], what it chose goes pass by pass in [`purge`]; [`saved`] plans and the [`policy`] files are what is on disk.

pub mod apply;
pub mod checkup;
pub mod cli;
mod commands;
mod complete;
mod context;
pub mod engine;
pub mod error;
mod exit;
mod help;
pub mod http;
pub mod image;
pub mod intake;
mod lookup;
pub mod manifest;
pub mod output;
pub mod patterns;
mod plan;
pub mod policy;
pub mod prune;
pub mod purge;
pub mod report;
pub mod sandbox;
pub mod saved;
pub mod settings;
pub mod store;
pub mod survey;
pub mod words;
