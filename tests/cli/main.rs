//! The real binary against the emulator, with an environment of its own: what it prints, how it ends and which calls
//! it sends, recorded together, so that a needless call shows in review.

mod chaos;
mod completions;
mod conformance;
mod cvm;
mod ecr;
mod github;
mod help;
mod moto;
mod schema;
mod workspace;
mod world;
