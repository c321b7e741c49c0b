//! Shell completion of references that exist in the stores. `line` finds out what the argument at the cursor is, `names`
//! finds candidates; the scripts beside them run in the shells. If anything fails, nothing is offered and no error shown.
//!
//! clap's own dynamic completion does not fit: its bash script does not handle the colons at which bash splits words, and
//! its zsh script does not handle words that end with `/`.

mod line;
mod names;

pub use line::{Asked, Wanted, asked};
pub use names::{is_plain, names};

/// A candidate: the whole word and a description.
#[derive(Debug, PartialEq)]
pub struct Candidate {
    pub word: String,
    pub about: String,
}

/// Additions to clap's completion scripts. Each defines a function that calls `imgctl __complete`, and falls back to
/// clap's script if that exits with another code than 0.
pub mod scripts {
    pub const BASH: &str = include_str!("live.bash");
    pub const ZSH: &str = include_str!("live.zsh");
    pub const FISH: &str = include_str!("live.fish");
    pub const POWERSHELL: &str = include_str!("live.ps1");
}
