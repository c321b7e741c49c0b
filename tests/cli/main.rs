//! The real binary against the emulator, with an environment of its own: what it prints, how it ends and which calls
//! it sends, recorded together, so that a needless call shows in review. With the tests of the README and those with the
//! providers' own clients, it is one program: most of them wait, so they run best side by side. Keystone's is a program of
//! its own, because tokens that live for seconds want a machine that is not busy.

mod archive;
mod ask;
mod chaos;
mod completions;
mod conformance;
mod cvm;
mod dice;
mod docker_registry;
mod doctor;
mod ecr;
mod faults;
mod github;
mod help;
mod in_use;
mod inputs;
mod interrupts;
mod inventory;
mod kept;
mod lists;
mod mistakes;
mod moto;
mod nora;
mod oci;
mod output;
mod plans;
mod policy;
mod products;
mod promises;
mod prompt;
mod prune;
mod prune_machines;
mod prune_random;
mod record;
mod referrers;
mod registry;
mod registry_settings;
mod restore;
mod restore_random;
mod rounds;
mod sandbox;
mod schema;
mod signatures;
mod token_server;
mod tripwires;
mod verbose;
mod workspace;
mod world;

#[path = "../official/mod.rs"]
mod official;
#[path = "../readme/mod.rs"]
mod readme;
