//! One CLI to list, inspect, delete and prune images in ECR, CVM and Workspace.
//!
//! Data flow: `cli` parses arguments, resolves [`settings`] and calls a command in `commands`. The command reads its
//! references ([`image`], `intake`), opens stores ([`store`]: one directory per provider, each method one call) and lets
//! the `engine` look, act and look again. Each result is a `report::Item`, which `output` prints.
//!
//! | to change | go to |
//! |---|---|
//! | what imgctl asks a provider, or how it reads an answer | `store/PROVIDER`; Tencent's error codes: `store/cvm/errors.rs` |
//! | batches, retries, pace, what counts as done | `engine` |
//! | what imgctl sends for a tag | `engine/target.rs`, called from `delete/look.rs` |
//! | what is deleted, and in which order | `delete` |
//! | what is put back, and in which order | `restore` |
//! | which images are stale | `prune` (pure); `survey` fetches what it needs |
//! | who uses an image | a `Source` in `store/aws` or `store/cvm/users.rs`, asked by `survey/ask.rs` |
//! | the confirmation prompt | `output/question.rs`, asked by `output/terminal.rs` |
//! | which secrets are masked in the output | `secrets` |
//! | what is kept on disk between runs | `cache` |
//! | commands and their help | `cli`, `commands`; `help` holds topics, `complete` shell completion |
//! | what a run leaves on record, and how it is read | `record` |
//! | the findings of `doctor` | `checkup` |
//! | the emulator | [`sandbox`] |

mod cache;
mod checkup;
pub mod cli;
mod clock;
mod commands;
mod complete;
mod context;
mod delete;
mod engine;
pub mod error;
mod exit;
mod flags;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod help;
mod http;
pub mod image;
mod intake;
mod output;
mod prune;
mod record;
mod report;
mod restore;
pub mod sandbox;
mod secrets;
pub mod settings;
pub mod store;
mod survey;
mod words;
