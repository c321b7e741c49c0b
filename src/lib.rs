//! imgctl deletes, reads, lists and prunes images in several clouds with one grammar.

pub mod error;
pub mod http;
pub mod image;
pub mod report;
pub mod sandbox;
pub mod settings;
pub mod store;
