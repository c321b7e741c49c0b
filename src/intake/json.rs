//! References within JSON: a text, an object with a `ref`, a document with `items`, or a list of those, as `imgctl`
//! prints them and as `jq` leaves them. Read as it comes, so that a document of any length takes no memory of its own.

use std::{fmt, hash::Hash, io::BufRead, str::FromStr};

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Lines, List, Problem};
use crate::{
    error::{Error, Kind},
    image::ParseError,
    prune::Action,
};

/// Reads one value, over as many lines as it takes.
pub(super) fn value<T>(list: &mut List<T>, lines: &mut Lines<impl BufRead>) -> Result<(), Problem>
where
    T: FromStr<Err = ParseError> + Eq + Hash,
{
    // Most values are a line of their own, and are read much faster from memory. One that is not is read again as a
    // stream: what it put on the list already is there only once.
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
    // Objects, lists and texts end with a sign of their own, so nothing of what follows is taken.
    let read = references.deserialize(&mut serde_json::Deserializer::from_reader(&mut *lines));
    read.map_err(|error| {
        // It counts its lines from where it began; at column 0 it has passed the end of the line that it means.
        let passed = 1 + usize::from(error.column() == 0);
        let line = begin + error.line().saturating_sub(passed);
        match (wrong, error.io_error_kind()) {
            (Some(wrong), _) => Problem::Wrong(line, wrong),
            (None, Some(_)) => Problem::Unreadable(error.into()),
            (None, None) => {
                Problem::Wrong(line, Error::new(Kind::Usage, format!("this JSON cannot be read: {}", words(&error))))
            }
        }
    })
}

/// What an error says, without its own count of lines.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// Puts what it meets on the list.
struct References<'a, T> {
    list: &'a mut List<T>,
    /// Why a text is no reference, in words that JSON's own errors have no place for.
    wrong: &'a mut Option<Error>,
}

impl<T> References<'_, T> {
    fn again(&mut self) -> References<'_, T> {
        References { list: self.list, wrong: self.wrong }
    }

    fn refuse<E: de::Error>(self, wrong: Error) -> Result<(), E> {
        *self.wrong = Some(wrong);
        Err(E::custom("no reference"))
    }
}

impl<'de, T> DeserializeSeed<'de> for References<'_, T>
where
    T: FromStr<Err = ParseError> + Eq + Hash,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T> Visitor<'de> for References<'_, T>
where
    T: FromStr<Err = ParseError> + Eq + Hash,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a reference")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        match text.parse() {
            Ok(reference) => {
                self.list.add(reference);
                Ok(())
            }
            Err(error) => self.refuse(error.into()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> Result<(), A::Error> {
        while values.next_element_seed(self.again())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        let (mut found, mut kept, mut reference) = (false, false, None);
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "ref" => reference = Some(fields.next_value::<String>()?),
                "items" => {
                    found = true;
                    fields.next_value_seed(self.again())?;
                }
                "action" => kept = fields.next_value::<Action>()? == Action::Keep,
                "plan" => {
                    return self.refuse(
                        Error::new(Kind::Usage, "this is a plan, and is run as a whole").hint(
                            "save it with `imgctl prune … --dry-run -o json > PLAN`, run it with `imgctl delete --from PLAN`",
                        ),
                    );
                }
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        match reference {
            // A reader that wanted only what goes would have left it out.
            Some(reference) if kept => self.refuse(
                Error::new(Kind::Usage, format!("a plan keeps {reference}"))
                    .hint("take only what it deletes: select(.action == \"delete\")"),
            ),
            Some(reference) => self.visit_str(&reference),
            None if found => Ok(()),
            None => self.refuse(
                Error::new(Kind::Usage, "this object has no \"ref\"")
                    .hint("give what imgctl prints with -o json, or references one a line"),
            ),
        }
    }
}
