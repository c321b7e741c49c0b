//! Why a text is no reference: the text, the place, what is wrong there and what would be right.

use std::{fmt, ops::Range};

use crate::error::{Error, Kind};

/// Characters of a text that are repeated; nobody reads more.
const SHOWN: usize = 300;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    text: String,
    place: Range<usize>,
    why: String,
    right: Option<String>,
}

impl ParseError {
    pub fn new(text: &str, place: Range<usize>, why: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            place,
            why: why.into(),
            right: None,
        }
    }

    /// Says what would be right.
    pub fn right(mut self, right: impl Into<String>) -> Self {
        self.right = Some(right.into());
        self
    }

    /// Where in the text, in bytes.
    pub fn place(&self) -> Range<usize> {
        self.place.clone()
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        // Each character is shown in one column, so that the mark stands under its place.
        let shown = |text: &str| -> String {
            text.chars()
                .map(|character| {
                    if plain(character) {
                        character
                    } else {
                        '\u{fffd}'
                    }
                })
                .collect()
        };
        let text: String = shown(&self.text).chars().take(SHOWN).collect();
        let before = self.text[..self.place.start].chars().count();
        write!(f, "{}\n  {text}\n", self.why)?;
        if before < SHOWN {
            let marked = self.text[self.place.clone()]
                .chars()
                .count()
                .clamp(1, SHOWN - before);
            write!(f, "  {}{}", " ".repeat(before), "^".repeat(marked))?;
        }
        Ok(())
    }
}

/// Shown as it is: takes one column and does nothing to a terminal.
fn plain(character: char) -> bool {
    crate::output::safe(character.encode_utf8(&mut [0; 4]))
        .chars()
        .count()
        == 1
}

impl std::error::Error for ParseError {}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        let usage = Self::new(Kind::Usage, error.to_string());
        match error.right {
            Some(right) => usage.hint(right),
            None => usage,
        }
    }
}
