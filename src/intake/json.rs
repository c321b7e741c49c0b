//! Reads references from JSON: a string, an object with a `ref`, a document with `items`, or a list of those, as imgctl
//! prints them and `jq` filters them. It reads a stream, so that a long document does not need more memory.

use std::{fmt, io::BufRead};

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use serde_json::Value;

use super::{Lines, List, Problem};
use crate::{
    engine::Outcome,
    error::{Error, Kind},
    prune::Action,
};

/// Reads one value, which may span several lines.
pub(super) fn value(list: &mut List, lines: &mut Lines<impl BufRead>) -> Result<(), Problem> {
    // Most values are on one line, and reading that from memory is much faster. A value on several lines is read again
    // as a stream; the list keeps each reference once.
    if let Some(line) = lines.at_hand()? {
        let mut text = serde_json::Deserializer::from_slice(line);
        let references = References { list, wrong: &mut None };
        if references.deserialize(&mut text).is_ok() && text.end().is_ok() {
            lines.skip_line()?;
            return Ok(());
        }
    }
    let begin = lines.number;
    let mut wrong = None;
    let references = References { list, wrong: &mut wrong };
    // Objects, lists and strings have an end of their own, so this does not read past the value.
    let read = references.deserialize(&mut serde_json::Deserializer::from_reader(&mut *lines));
    read.map_err(|error| {
        // serde counts lines from the start of this value. At column 0 it is already one line too far.
        let passed = 1 + usize::from(error.column() == 0);
        let line = begin + error.line().saturating_sub(passed);
        match (wrong, error.io_error_kind()) {
            (Some(wrong), _) => Problem::Wrong(line, wrong),
            (None, Some(_)) => Problem::Unreadable(error.into()),
            (None, None) => {
                Problem::Wrong(line, Error::new(Kind::Usage, format!("cannot read this JSON: {}", words(&error))))
            }
        }
    })
}

/// An error's text without its line number.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// Adds the references that it meets to the list.
struct References<'a> {
    list: &'a mut List,
    /// Why a string is not a reference. JSON's own error type cannot hold this.
    wrong: &'a mut Option<Error>,
}

impl References<'_> {
    fn add<E: de::Error>(self, text: &str, archive: bool) -> Result<(), E> {
        match text.parse() {
            Ok(reference) => {
                self.list.add(reference, archive);
                Ok(())
            }
            Err(error) => self.refuse(error.into()),
        }
    }

    fn again(&mut self) -> References<'_> {
        References { list: self.list, wrong: self.wrong }
    }

    fn refuse<E: de::Error>(self, wrong: Error) -> Result<(), E> {
        *self.wrong = Some(wrong);
        Err(E::custom("not a reference"))
    }
}

impl<'de> DeserializeSeed<'de> for References<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for References<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a reference")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.add(text, false)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> Result<(), A::Error> {
        while values.next_element_seed(self.again())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        let (mut found, mut kept, mut archive, mut reference) = (false, false, false, None);
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "ref" => reference = Some(fields.next_value::<String>()?),
                "items" => {
                    found = true;
                    fields.next_value_seed(self.again())?;
                }
                "action" => kept = fields.next_value::<Action>()? == Action::Keep,
                "outcome" => archive = fields.next_value::<Value>()? == Outcome::WouldArchive.word(),
                "plan" => {
                    return self.refuse(
                        Error::new(Kind::Usage, "this is a saved plan, not a list of references").hint(
                            "save a plan with `imgctl prune … --dry-run -o json > PLAN`, and run it with `imgctl delete --from PLAN`",
                        ),
                    );
                }
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        match reference {
            // A user who wants to delete would have filtered this item out.
            Some(reference) if kept => self.refuse(
                Error::new(Kind::Usage, format!("the plan keeps {reference}"))
                    .hint("select only the images to delete: select(.action == \"delete\")"),
            ),
            Some(reference) => self.add(&reference, archive),
            None if found => Ok(()),
            None => self.refuse(
                Error::new(Kind::Usage, "this object has no \"ref\"")
                    .hint("give the output of imgctl -o json, or one reference on each line"),
            ),
        }
    }
}
