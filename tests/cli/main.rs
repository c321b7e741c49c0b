//! The real binary against the emulator, with an environment of its own: what it prints, how it ends and which calls
//! it sends, recorded together, so that a needless call shows in review.

mod archive;
mod ask;
mod chaos;
mod completions;
mod conformance;
mod cvm;
mod dice;
mod doctor;
mod ecr;
mod faults;
mod github;
mod help;
mod in_use;
mod inputs;
mod interrupts;
mod inventory;
mod mistakes;
mod moto;
mod output;
mod plans;
mod policy;
mod promises;
mod prompt;
mod prune;
mod prune_machines;
mod prune_random;
mod record;
mod registry;
mod restore;
mod restore_random;
mod schema;
mod tripwires;
mod workspace;
mod world;
