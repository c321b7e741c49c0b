//! References: which image, in which store, of which provider. One grammar, read at one door (`parse`) and printed as
//! its inverse (`print`). Nothing here talks to a provider.
//!
//! Each provider has one file: what it is, what its ids and hosts look like. `providers` lists them. `containers` and
//! `machines` read the two shapes that references have; `foreign` explains texts of other tools, `slips` a provider's word
//! without its colon; `located` finds references in text of any shape; errors that point at the place come from `place`.

#[cfg(test)]
pub(crate) mod arbitrary;
mod containers;
mod cvm;
mod digest;
pub mod ecr;
mod foreign;
mod located;
mod machines;
pub mod manifest;
mod nature;
pub mod oci;
mod parse;
pub mod patterns;
mod place;
mod print;
mod provider;
mod providers;
mod read;
mod reference;
mod regions;
mod short;
mod slips;
mod workspace;

pub use digest::{Digest, Hashed};
pub use located::Located;
pub use parse::region;
pub use place::{ParseError, pointed};
pub use provider::Provider;
pub use reference::{ImageId, ImageRef, Reference, StoreRef};
pub use short::Short;
