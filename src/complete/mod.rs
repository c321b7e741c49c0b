//! What a shell offers while a command line is typed: references that exist, from the stores themselves. `line` tells
//! what is wanted at the cursor, `names` finds it; the scripts beside them are what shells run. It is all a courtesy:
//! whatever goes wrong, nothing is offered and nothing is said.
//!
//! clap's own engine for this was tried and left: its script for bash takes no account of the colons that bash splits
//! words at, and the one for zsh none of words that end with `/`.

mod line;
mod names;

pub use line::{Asked, Wanted, asked};
pub use names::names;

/// Something to offer: the whole word, and a few words about it.
#[derive(Debug, PartialEq)]
pub struct Candidate {
    pub word: String,
    pub about: String,
}

/// What a shell's script needs beside the one that clap makes of the command line. Each defines a function that asks
/// `imgctl __complete`, and goes on to clap's where that ends with another code than 0.
pub mod scripts {
    pub const BASH: &str = include_str!("live.bash");
    pub const ZSH: &str = include_str!("live.zsh");
    pub const FISH: &str = include_str!("live.fish");
    pub const POWERSHELL: &str = include_str!("live.ps1");
}
