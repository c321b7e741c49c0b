//! Deleting, however the images were chosen.

pub mod agreed;
pub mod look;
pub mod named;
pub mod passes;
pub mod saved;
