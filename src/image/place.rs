//! A place in a reference, and the error that points there. Errors escape control characters and everything beyond
//! ASCII, so that the user sees what is really there, and they hide passwords.

use std::{fmt, ops::Range};

use super::provider::Provider;
use crate::error::{Error, Kind, Position};

/// Columns of text that an error shows. A longer text is cut around the place.
const SHOWN: usize = 100;
/// Columns kept before the place.
const BEFORE: usize = 60;

/// The algorithms that the image specification registers, with the hexadecimal digits of each.
/// <https://github.com/opencontainers/image-spec/blob/main/descriptor.md#registered-algorithms>
pub(super) const ALGORITHMS: [(&str, usize); 3] = [("sha256", 64), ("sha512", 128), ("blake3", 64)];

/// A part of a text, with its position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    whole: &'a str,
    start: usize,
    end: usize,
}

impl<'a> Part<'a> {
    pub fn whole(text: &'a str) -> Self {
        Self { whole: text, start: 0, end: text.len() }
    }

    pub fn as_str(self) -> &'a str {
        &self.whole[self.start..self.end]
    }

    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The part within this one; `range` counts bytes from its beginning.
    pub fn slice(self, range: Range<usize>) -> Self {
        Self { whole: self.whole, start: self.start + range.start, end: self.start + range.end }
    }

    /// The parts before and after the first `separator`.
    pub fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let at = self.as_str().find(separator)?;
        Some(self.split_at(at, separator.len_utf8()))
    }

    /// The parts before and after the last `separator`.
    pub fn rsplit_once(self, separator: char) -> Option<(Self, Self)> {
        let at = self.as_str().rfind(separator)?;
        Some(self.split_at(at, separator.len_utf8()))
    }

    fn split_at(self, at: usize, width: usize) -> (Self, Self) {
        let length = self.end - self.start;
        (self.slice(0..at), self.slice(at + width..length))
    }

    pub fn strip_prefix(self, prefix: &str) -> Option<Self> {
        let rest = self.as_str().strip_prefix(prefix)?;
        Some(self.slice(prefix.len()..prefix.len() + rest.len()))
    }

    /// The first character that does not fit, with its own place.
    pub fn first(self, misfit: impl Fn(char) -> bool) -> Option<(char, Self)> {
        let (at, found) = self.as_str().char_indices().find(|(_, c)| misfit(*c))?;
        Some((found, self.slice(at..at + found.len_utf8())))
    }

    /// The place right after this part, where something is missing.
    pub fn after(self) -> Self {
        Self { start: self.end, ..self }
    }

    /// An error that points at this part.
    pub fn wrong(self, wrong: impl Into<String>) -> ParseError {
        ParseError { text: cover_secrets(self.whole), span: self.start..self.end, wrong: wrong.into(), right: None }
    }
}

/// Why a text is not a reference: what is wrong, where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    text: String,
    span: Range<usize>,
    wrong: String,
    right: Option<String>,
}

impl ParseError {
    /// The text as the user gave it, without passwords.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of the text that the error is about; empty if something is missing there.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub fn wrong(&self) -> &str {
        &self.wrong
    }

    pub fn right(&self) -> Option<&str> {
        self.right.as_deref()
    }

    pub(super) fn or(mut self, right: impl Into<String>) -> Self {
        self.right = Some(right.into());
        self
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}\n{}", self.wrong, pointed(&self.text, &self.span))?;
        match &self.right {
            Some(right) => write!(f, "\n{right}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ParseError {}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        let ParseError { text, span, wrong, right } = error;
        let position = Position { text, start: span.start, end: span.end };
        Self { position: Some(position.into()), hint: right, ..Self::new(Kind::Usage, wrong) }
    }
}

/// The text on one line, safe for a terminal, and below it a line of carets for the place.
pub fn pointed(text: &str, span: &Range<usize>) -> String {
    let (text, caret) = point(text, span);
    format!("  {text}\n  {caret}")
}

fn point(text: &str, span: &Range<usize>) -> (String, String) {
    let mut columns = 0;
    let first = text[..span.start]
        .char_indices()
        .rev()
        .take_while(|(_, c)| {
            columns += visible(*c).len();
            columns <= BEFORE
        })
        .last()
        .map_or(span.start, |(at, _)| at);
    let (mut line, mut caret) = (String::new(), String::new());
    if first > 0 {
        line.push_str("...");
    }
    let mut marked = false;
    for (at, c) in text[first..].char_indices().map(|(at, c)| (at + first, c)) {
        if line.len() >= SHOWN {
            line.push_str("...");
            break;
        }
        if at >= span.start && (at < span.end || !marked) {
            caret.push_str(&" ".repeat(line.len() - caret.len()));
            let width = if span.is_empty() { 1 } else { visible(c).len() };
            caret.push_str(&"^".repeat(width));
            marked = true;
        }
        line.push_str(&visible(c));
    }
    if !marked {
        caret = " ".repeat(line.len()) + "^";
    }
    (line, caret)
}

/// How an error shows a character. Everything beyond ASCII is escaped, because look-alikes and bidirectional marks can
/// disguise a text.
fn visible(c: char) -> String {
    match c {
        ' '..='~' => c.to_string(),
        _ => c.escape_default().to_string(),
    }
}

/// Tells whether a text begins as digests of images do.
pub(super) fn has_known_algorithm(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, _)| ALGORITHMS.iter().any(|(name, _)| *name == algorithm))
}

/// Hides what could be a password, byte for byte, so that positions do not change.
fn cover_secrets(text: &str) -> String {
    match secret(text) {
        Some(Range { start, end }) => [&text[..start], &"*".repeat(end - start), &text[end..]].concat(),
        None => text.into(),
    }
}

/// The place of what could be a user name and password, or a token, before an `@`.
pub(super) fn secret(text: &str) -> Option<Range<usize>> {
    let (start, pasted) = match text.split_once(':') {
        Some((scheme, rest)) if Provider::of_scheme(scheme).is_some() => {
            // `workspace://PROJECT@REGION/…` is not a secret; `//USER:PASSWORD@…` is one.
            let (authority, before) = match rest.strip_prefix("//") {
                Some(rest) => (rest.split('/').next()?, 3),
                // A host comes first: `oci:USER:PASSWORD@HOST/…`.
                None => (rest.split_once('/')?.0, 1),
            };
            let named = authority.find('@').is_some() || before == 3;
            (scheme.len() + before + authority.find(':').filter(|_| named)? + 1, before == 3)
        }
        Some((scheme, rest)) if rest.starts_with("//") => (scheme.len() + 3, true),
        Some((user, _)) if !user.contains('/') => (0, false),
        _ => return None,
    };
    let end = text.match_indices('@').rev().find_map(|(at, _)| {
        let after = &text[at + 1..];
        // What follows the `@` of `app:v1@sha256:…` is not a host.
        let digest = has_known_algorithm(after);
        let host = after.split('/').next().unwrap_or_default();
        (at > start && !digest && (pasted || host.contains('.'))).then_some(at)
    })?;
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Range<usize>) -> String {
        Part::whole(text).slice(span).wrong("wrong").to_string()
    }

    #[test]
    fn the_caret_is_below_the_place() {
        assert_eq!(shown("ecr:App", 4..5), "wrong\n  ecr:App\n      ^");
        assert_eq!(shown("ecr:app", 7..7), "wrong\n  ecr:app\n         ^");
        assert_eq!(shown("ecr:app", 4..7), "wrong\n  ecr:app\n      ^^^");
        assert_eq!(shown("", 0..0), "wrong\n  \n  ^");
    }

    #[test]
    fn terminal_escapes_are_shown_escaped() {
        let error = shown("a\u{1b}[31m\u{202e}\n\u{430}b", 1..2);
        assert_eq!(error, "wrong\n  a\\u{1b}[31m\\u{202e}\\n\\u{430}b\n   ^^^^^^");
    }

    #[test]
    fn a_long_text_is_cut_around_the_place() {
        let text = format!("{}X{}", "a".repeat(5000), "b".repeat(5000));
        let error = shown(&text, 5000..5001);
        let lines: Vec<_> = error.lines().collect();
        assert!(lines[1].len() < 120, "{}", lines[1]);
        assert_eq!(lines[1].find('X'), lines[2].find('^'));
    }

    #[test]
    fn passwords_are_hidden_and_nothing_else_is() {
        for (text, covered) in [
            ("https://me:pw@host.io/app:v1", "https://*****@host.io/app:v1"),
            ("https://token@host.io/app", "https://*****@host.io/app"),
            ("me@a.b/app:v1", "me@a.b/app:v1"),
            ("AWS:p/w@1.dkr.ecr/app:v1", "*******@1.dkr.ecr/app:v1"),
            ("AWS:pw@a.b/app@sha256:00", "******@a.b/app@sha256:00"),
            ("ecr://id:pw@r/app", "ecr://id:**@r/app"),
            ("ecr://id:p/w@r/app", "ecr://id:***@r/app"),
            ("workspace://p@r/1", "workspace://p@r/1"),
            ("ecr:app:v1@sha256:00", "ecr:app:v1@sha256:00"),
            ("ecr:app:v1@oops.x", "ecr:app:v1@oops.x"),
            ("oci:me:pw@ghcr.io/app", "oci:me:**@ghcr.io/app"),
            ("oci:ghcr.io:443/app:v1", "oci:ghcr.io:443/app:v1"),
            ("ecr://r/app:v1@oops", "ecr://r/app:v1@oops"),
            ("app:v1@sha256:00", "app:v1@sha256:00"),
        ] {
            assert_eq!(cover_secrets(text), covered);
        }
    }
}
