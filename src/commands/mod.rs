//! One file per command: its arguments, whose doc comments are its help, and what it does.

pub mod check_layers;
pub mod complete;
pub mod completions;
mod consent;
pub mod delete;
pub mod doctor;
mod exports;
pub mod get;
mod given;
pub mod help;
pub mod history;
mod in_use;
mod inside;
pub mod list;
pub mod man;
pub mod policy;
mod prompt;
pub mod prune;
pub mod restore;
pub mod sandbox;
pub mod schema;
mod tour;
pub mod values;
