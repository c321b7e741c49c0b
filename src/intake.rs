//! References from where users keep them: arguments, standard input, files. A file holds one reference a line, or the
//! JSON that imgctl itself prints, whole or filtered by another program. Naming an image twice means it once.

use std::{
    collections::HashSet,
    fs::File,
    hash::Hash,
    io::{self, BufRead, BufReader},
    path::PathBuf,
    str::FromStr,
};

use serde_json::Value;

use crate::{
    error::{Error, Kind, Result},
    image::ParseError,
};

/// Bytes of one line of plain references; longer is no list of ours.
const LONGEST_LINE: usize = 1 << 20;

/// Reads all references, in order, each once. An empty list is no error here.
pub fn read<T>(arguments: &[String], files: &[PathBuf]) -> Result<Vec<T>>
where
    T: FromStr<Err = ParseError> + Eq + Hash + Clone,
{
    let mut list = List::default();
    for argument in arguments {
        match argument.as_str() {
            "-" => list.read("standard input", io::stdin().lock())?,
            text => list.add(text.parse()?),
        }
    }
    for file in files {
        let name = file.display().to_string();
        match name.as_str() {
            "-" => list.read("standard input", io::stdin().lock())?,
            _ => {
                let open = File::open(file).map_err(|error| {
                    Error::new(Kind::Usage, format!("cannot read {name}: {error}"))
                })?;
                list.read(&name, BufReader::new(open))?;
            }
        }
    }
    Ok(list.order)
}

struct List<T> {
    order: Vec<T>,
    known: HashSet<T>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            known: HashSet::new(),
        }
    }
}

impl<T> List<T>
where
    T: FromStr<Err = ParseError> + Eq + Hash + Clone,
{
    fn add(&mut self, reference: T) {
        if self.known.insert(reference.clone()) {
            self.order.push(reference);
        }
    }

    /// Reads lines as long as they are references; a line that begins a JSON value that goes on over the next lines
    /// makes the rest JSON.
    fn read(&mut self, source: &str, mut lines: impl BufRead) -> Result<()> {
        let unreadable = |error| Error::new(Kind::Usage, format!("cannot read {source}: {error}"));
        for number in 1.. {
            let mut line = Vec::new();
            let read = io::Read::take(&mut lines, LONGEST_LINE as u64).read_until(b'\n', &mut line);
            if read.map_err(unreadable)? == 0 {
                return Ok(());
            }
            // A document on one line may be long; the JSON reader takes it from here.
            let line = match String::from_utf8(line) {
                Ok(line) => line,
                Err(error) if error.as_bytes().trim_ascii_start().starts_with(b"{") => {
                    return self.json(source, number, error.as_bytes(), lines);
                }
                Err(_) => {
                    return Err(at(
                        source,
                        number,
                        Error::new(Kind::Usage, "this is no UTF-8 text"),
                    ));
                }
            };
            let text = line.trim_start_matches('\u{feff}').trim();
            match text.bytes().next() {
                None | Some(b'#') => {}
                Some(b'{' | b'[' | b'"') => match serde_json::from_str(text) {
                    Ok(value) => self
                        .value(&value)
                        .map_err(|error| at(source, number, error))?,
                    Err(error) if error.is_eof() => {
                        return self.json(source, number, line.as_bytes(), lines);
                    }
                    Err(error) => {
                        return Err(at(
                            source,
                            number,
                            Error::new(Kind::Usage, error.to_string()),
                        ));
                    }
                },
                Some(_) => {
                    let reference = text
                        .parse()
                        .map_err(|error: ParseError| at(source, number, error.into()))?;
                    self.add(reference);
                }
            }
        }
        Ok(())
    }

    /// Reads JSON that began on an earlier line: values one after the other, each over as many lines as it takes.
    fn json(&mut self, source: &str, line: usize, begun: &[u8], rest: impl BufRead) -> Result<()> {
        let begun = begun.strip_prefix("\u{feff}".as_bytes()).unwrap_or(begun);
        let whole = io::Read::chain(begun, rest);
        for value in serde_json::Deserializer::from_reader(whole).into_iter::<Value>() {
            let value = value.map_err(|error| {
                // It counts lines from where it began.
                at(
                    source,
                    line + error.line().saturating_sub(1),
                    Error::new(Kind::Usage, error.to_string()),
                )
            })?;
            self.value(&value)
                .map_err(|error| at(source, line, error))?;
        }
        Ok(())
    }

    /// Takes references from a reference, an item, a document, or a list of those.
    fn value(&mut self, value: &Value) -> Result<()> {
        match value {
            Value::String(text) => self.add(text.parse()?),
            Value::Array(values) => values.iter().try_for_each(|value| self.value(value))?,
            Value::Object(object) => match (object.get("ref"), object.get("items")) {
                (Some(Value::String(text)), _) => self.add(text.parse()?),
                (None, Some(Value::Array(items))) => {
                    items.iter().try_for_each(|item| self.value(item))?
                }
                _ => {
                    return Err(Error::new(Kind::Usage, "this object has no \"ref\"")
                        .hint("read what imgctl prints with -o json, or references one a line"));
                }
            },
            _ => return Err(Error::new(Kind::Usage, format!("{value} is no reference"))),
        }
        Ok(())
    }
}

/// Says where in a source an error is.
fn at(source: &str, line: usize, error: Error) -> Error {
    Error {
        message: format!("{source}, line {line}: {}", error.message),
        ..error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::ImageRef;

    fn list(text: &str) -> Result<Vec<String>> {
        let mut list = List::<ImageRef>::default();
        list.read("list", text.as_bytes())?;
        Ok(list.order.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_list_is_lines_or_our_own_json_in_any_shape_that_a_filter_leaves() {
        let expected = ["ecr:aa:1", "cvm:img-2"];
        for text in [
            "ecr:aa:1\ncvm:img-2\n",
            "\u{feff}# stale\r\n\r\n  ecr:aa:1  \r\ncvm:img-2\r\necr:aa:1",
            "{\"ref\":\"ecr:aa:1\",\"outcome\":\"missing\"}\n{\"ref\":\"cvm:img-2\"}\n",
            "{\"schema\":\"imgctl/v1\",\"items\":[\n{\"ref\":\"ecr:aa:1\"},\n{\"ref\":\"cvm:img-2\"}\n],\"summary\":{}}",
            "{\"schema\":\"imgctl/v1\",\"items\":[{\"ref\":\"ecr:aa:1\"},{\"ref\":\"cvm:img-2\"}]}",
            "[\n  {\n \"ref\": \"ecr:aa:1\"},\n  \"cvm:img-2\"\n]\n",
            "\"ecr:aa:1\"\n\"cvm:img-2\"\n",
            "{\n  \"ref\": \"ecr:aa:1\"\n}\n{\n  \"ref\": \"cvm:img-2\"\n}\n",
        ] {
            assert_eq!(list(text).unwrap(), expected, "{text}");
        }
        assert!(list("").unwrap().is_empty());
        assert!(list("{\"items\":[]}").unwrap().is_empty());
    }

    #[test]
    fn an_error_names_the_source_and_the_line() {
        for (text, place) in [
            (
                "ecr:aa:1\nnonsense\n",
                "list, line 2: the reference does not say",
            ),
            (
                "ecr:aa:1\n{\"name\":1}",
                "list, line 2: this object has no \"ref\"",
            ),
            ("ecr:aa:1\n{\"ref\":}", "list, line 2: expected value"),
            ("{\n\"ref\":\n}", "list, line 3: "),
            ("12\n", "list, line 1: "),
            ("[1]", "list, line 1: 1 is no reference"),
            ("{\"items\":[", "list, line 1: EOF"),
        ] {
            let error = list(text).unwrap_err();
            assert_eq!(error.kind, Kind::Usage);
            assert!(error.message.starts_with(place), "{}", error.message);
        }
        assert!(
            List::<ImageRef>::default()
                .read("list", &b"\xff\xfe"[..])
                .is_err()
        );
    }
}
