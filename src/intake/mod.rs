//! Reads references from arguments, standard input and files. A source has one reference on each line, or the rows or the
//! JSON that imgctl prints, filtered or not (`json`), or a mix of them.

mod json;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::PathBuf,
    sync::Arc,
};

use indexmap::IndexSet;

use crate::{
    error::{Error, Kind, Result},
    image::{ImageRef, ParseError},
};

/// The longest line in bytes. The longest reference is far shorter.
const LONGEST_LINE: usize = 64 << 10;

/// What was read.
#[derive(Debug)]
pub struct Given {
    pub references: Vec<ImageRef>,
    /// There are items that a dry run with `--archive` printed.
    pub archives: bool,
    /// There are other items.
    pub others: bool,
}

/// What becomes of a source without any line or item. In a pipe, the command that should have filled it may have failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Empty {
    Refused,
    Allowed,
}

impl Empty {
    pub fn allowed(is: bool) -> Self {
        if is { Self::Allowed } else { Self::Refused }
    }
}

/// Whether reading these may take long: a pipe may never end.
pub fn may_wait(arguments: &[String], files: &[PathBuf]) -> bool {
    !files.is_empty() || arguments.iter().any(|argument| argument == "-")
}

/// Reads all references in order and drops repetitions. `-` among arguments or files means standard input.
pub fn read(arguments: &[String], files: &[PathBuf], empty: Empty) -> Result<Vec<ImageRef>> {
    Ok(read_all(arguments, files, empty)?.references)
}

/// The same, with what a dry run said about them.
pub fn read_all(arguments: &[String], files: &[PathBuf], empty: Empty) -> Result<Given> {
    read_from(arguments, files, empty, io::stdin())
}

/// The same from one open source. Errors call it `name`.
pub fn read_source(name: &str, source: impl Read, empty: Empty) -> Result<Given> {
    let mut list = List::new(empty);
    list.source(name, source)?;
    Ok(list.given())
}

/// The same with another standard input.
fn read_from(arguments: &[String], files: &[PathBuf], empty: Empty, mut stdin: impl Read) -> Result<Given> {
    let mut list = List::new(empty);
    let mut stdin_was_read = false;
    let mut read_stdin = |list: &mut List| match std::mem::replace(&mut stdin_was_read, true) {
        // The first `-` took all of it.
        true => Ok(()),
        false => list.source("standard input", &mut stdin),
    };
    for argument in arguments {
        match argument.as_str() {
            "-" => read_stdin(&mut list)?,
            text => list.add(text.parse()?, false),
        }
    }
    for file in files {
        let name = file.display().to_string();
        match name.as_str() {
            "-" => read_stdin(&mut list)?,
            _ => {
                let open = File::open(file).map_err(|error| Error::of_file(&name, &error))?;
                list.source(&name, open)?;
            }
        }
    }
    Ok(list.given())
}

/// References in their order, each once.
struct List {
    references: IndexSet<ImageRef>,
    archives: bool,
    others: bool,
    empty: Empty,
}

impl List {
    fn new(empty: Empty) -> Self {
        Self { references: IndexSet::new(), archives: false, others: false, empty }
    }

    /// Adds a reference; of an item that a dry run would archive, with `archive`.
    fn add(&mut self, mut reference: ImageRef, archive: bool) {
        // A list may have a million references of one store.
        if let Some(last) = self.references.last()
            && last.store == reference.store
        {
            reference.store = Arc::clone(&last.store);
        }
        self.references.insert(reference);
        *(if archive { &mut self.archives } else { &mut self.others }) = true;
    }

    fn given(self) -> Given {
        let Self { references, archives, others, .. } = self;
        Given { references: references.into_iter().collect(), archives, others }
    }

    /// Reads one source to its end.
    fn source(&mut self, name: &str, source: impl Read) -> Result<()> {
        let mut lines = Lines::new(BufReader::with_capacity(1 << 16, source));
        let any = self.lines(&mut lines).map_err(|problem| match problem {
            Problem::Unreadable(error) => Error::of_file(name, &error),
            Problem::Wrong(line, error) => {
                Error { message: format!("{name}, line {line}: {}", error.message), ..error }
            }
        })?;
        if !any && self.empty == Empty::Refused {
            return Err(Error::new(Kind::Usage, format!("{name} is empty: it names no image"))
                .hint("the command that wrote it may have failed; if nothing to do is fine, use --allow-empty-input"));
        }
        Ok(())
    }

    /// Reads all lines. Returns whether there is any but comments.
    fn lines(&mut self, lines: &mut Lines<impl BufRead>) -> Result<bool, Problem> {
        let mut line = Vec::new();
        let mut any = false;
        lines.byte_order_mark()?;
        while let Some(first) = lines.next_visible()? {
            any |= first != b'#';
            match first {
                b'#' => lines.skip_line()?,
                b'[' if lines.opens_address()? => self.reference(lines, &mut line)?,
                b'{' | b'[' | b'"' => json::value(self, lines)?,
                _ => self.reference(lines, &mut line)?,
            }
        }
        Ok(any)
    }

    /// Reads a line with a reference.
    fn reference(&mut self, lines: &mut Lines<impl BufRead>, line: &mut Vec<u8>) -> Result<(), Problem> {
        let text = lines.line(line)?;
        // Of a row, the reference is the first column.
        let text = text.split('\t').next().unwrap_or(text);
        let reference = text.parse().map_err(|error: ParseError| Problem::Wrong(lines.number, error.into()))?;
        self.add(reference, false);
        Ok(())
    }
}

/// Why a source is not valid, and in which line.
enum Problem {
    Unreadable(io::Error),
    Wrong(usize, Error),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// A source that counts its lines.
struct Lines<R> {
    source: R,
    /// The line of the next byte, from 1.
    number: usize,
    /// An opening bracket comes before what the source has.
    bracket: bool,
}

impl<R: BufRead> Lines<R> {
    fn new(source: R) -> Self {
        Self { source, number: 1, bracket: false }
    }

    fn wrong(&self, message: &str) -> Problem {
        Problem::Wrong(self.number, Error::new(Kind::Usage, message))
    }

    /// Skips the mark that some editors write at the start of a file.
    fn byte_order_mark(&mut self) -> Result<(), Problem> {
        let begin = self.source.fill_buf()?;
        if begin.starts_with(b"\xff\xfe") || begin.starts_with(b"\xfe\xff") {
            let Problem::Wrong(line, error) = self.wrong("the text is UTF-16") else {
                return Ok(());
            };
            return Err(Problem::Wrong(line, error.hint("save it as UTF-8")));
        }
        if begin.starts_with("\u{feff}".as_bytes()) {
            self.source.consume("\u{feff}".len());
        }
        Ok(())
    }

    /// Skips white space and empty lines, and returns the next byte.
    fn next_visible(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.source.fill_buf()?.first() {
                None => return Ok(None),
                Some(space) if space.is_ascii_whitespace() => {
                    self.number += usize::from(*space == b'\n');
                    self.source.consume(1);
                }
                Some(visible) => return Ok(Some(*visible)),
            }
        }
    }

    /// Whether the bracket that comes next opens an IPv6 address. No list of references in JSON has a number in it.
    fn opens_address(&mut self) -> io::Result<bool> {
        // The buffer may end with it.
        self.source.consume(1);
        self.bracket = true;
        let next = self.source.fill_buf()?.first();
        Ok(next.is_some_and(|next| next.is_ascii_hexdigit() || *next == b':'))
    }

    /// Skips the rest of a line of any length, up to its line break.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.source.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let (length, done) = (end.unwrap_or(buffer.len()), end.is_some() || buffer.is_empty());
            self.source.consume(length);
            if done {
                return Ok(());
            }
        }
    }

    /// The rest of a line with its line break, if the buffer has all of it.
    fn at_hand(&mut self) -> io::Result<Option<&[u8]>> {
        if self.bracket {
            return Ok(None);
        }
        let buffer = self.source.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        Ok(end.map(|end| &buffer[..=end]))
    }

    /// The rest of a line without its line break, so that the line number is still right.
    fn line<'line>(&mut self, line: &'line mut Vec<u8>) -> Result<&'line str, Problem> {
        line.clear();
        line.extend(std::mem::take(&mut self.bracket).then_some(b'['));
        loop {
            let buffer = self.source.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.unwrap_or(buffer.len());
            let done = end.is_some() || buffer.is_empty();
            line.extend_from_slice(&buffer[..length]);
            self.source.consume(length);
            if line.len() > LONGEST_LINE {
                return Err(self.wrong("the line is too long for a reference"));
            }
            if done {
                break;
            }
        }
        match std::str::from_utf8(line) {
            Ok(text) => Ok(text.trim_ascii_end()),
            Err(_) => Err(self.wrong("not valid UTF-8")),
        }
    }
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let (true, [first, ..]) = (self.bracket, &mut *buffer) {
            (*first, self.bracket) = (b'[', false);
            return Ok(1);
        }
        let length = self.source.read(buffer)?;
        self.number += buffer[..length].iter().filter(|byte| **byte == b'\n').count();
        Ok(length)
    }
}
