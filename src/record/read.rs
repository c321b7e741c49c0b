//! Reads a record. A run may have been killed in the middle of a line, so a line that is cut is not an error.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
    sync::Arc,
};

use serde::Deserialize;

use super::form::{End, Ended, FORM, Head, Line, OfStore, Saved};
use crate::error::{Error, Kind, Result};

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub head: Head,
    pub stores: Vec<OfStore>,
    /// The images of the run, by number.
    pub images: Vec<Recorded>,
    /// Absent while the run goes on, and of a run that was killed.
    pub end: Option<End>,
    /// A line of it is cut: the run was killed, or the disk was full.
    pub cut: bool,
}

/// An image of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    pub n: usize,
    /// Absent if nothing was sent for it.
    pub saved: Option<Saved>,
    /// The provider's ids of the calls about it that were answered.
    pub request_ids: Vec<Arc<str>>,
    /// Absent if the run was killed before the outcome was known.
    pub ended: Option<Ended>,
}

/// Which parts of a record are kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manifests {
    #[allow(dead_code, reason = "only a restore needs it")]
    Keep,
    /// They are most of a record, and only a restore needs them.
    Skip,
}

/// Reads the record in a file.
pub fn file(path: &Path, manifests: Manifests) -> Result<Record> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Error::of_file(&name, &error))?;
    read(&name, file, manifests)
}

/// Reads a record; errors quote its `name`.
pub fn read(name: &str, source: impl Read, manifests: Manifests) -> Result<Record> {
    let wrong = |why: &str| Error::new(Kind::Usage, format!("{name} is not a record of a run: {why}"));
    let mut lines = BufReader::with_capacity(1 << 16, source);
    let mut text = Vec::new();
    let mut next = || {
        text.clear();
        let read = lines.read_until(b'\n', &mut text).map_err(|error| Error::of_file(name, &error))?;
        Ok::<_, Error>(match (read, text.last()) {
            (0, _) => None,
            (_, Some(b'\n')) => Some(parsed(&text)),
            // Without an end, it is cut.
            _ => Some(None),
        })
    };
    let Some(Some(Line::Run(head))) = next()? else {
        return Err(wrong("its first line is not that of a record"));
    };
    if !head.is_known() {
        return Err(wrong(&format!("its form is {}, not {FORM}", head.form)).hint("a newer imgctl wrote it"));
    }
    let (mut stores, mut images, mut end) = (Vec::new(), Images::default(), None);
    let mut cut = false;
    while let Some(line) = next()? {
        match line {
            // `history --check` adds lines after a cut one.
            None => cut = true,
            Some(Line::Store(store)) => stores.push(store),
            Some(Line::Image(mut saved)) => {
                if manifests == Manifests::Skip {
                    saved.manifest = None;
                }
                let n = saved.n;
                images.of(n).saved = Some(*saved);
            }
            Some(Line::Read { .. }) => {}
            Some(Line::Answered { request_id, images: numbers, .. }) => {
                let request_id: Arc<str> = request_id.into();
                numbers.into_iter().for_each(|n| images.of(n).request_ids.push(Arc::clone(&request_id)));
            }
            Some(Line::Ended(ended)) => {
                let n = ended.n;
                images.of(n).ended = Some(ended);
            }
            Some(Line::End(line)) => end = Some(line),
            // Two heads: another file was appended to this one.
            Some(Line::Run(_)) => return Err(wrong("it holds two runs")),
        }
    }
    let mut images = images.found;
    images.sort_by_key(|image| image.n);
    Ok(Record { head, stores, images, end, cut })
}

/// A line that this version understands.
fn parsed(text: &[u8]) -> Option<Line> {
    let mut line = serde_json::Deserializer::from_slice(text);
    Line::deserialize(&mut line).ok()
}

/// Images, each once.
#[derive(Default)]
struct Images {
    places: HashMap<usize, usize>,
    found: Vec<Recorded>,
}

impl Images {
    fn of(&mut self, n: usize) -> &mut Recorded {
        let place = *self.places.entry(n).or_insert_with(|| {
            self.found.push(Recorded { n, saved: None, request_ids: Vec::new(), ended: None });
            self.found.len() - 1
        });
        &mut self.found[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::Outcome,
        record::{
            form::tests::{head, saved},
            sums::Sums,
        },
    };

    fn text(lines: &[Line]) -> String {
        lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect()
    }

    fn ended(n: usize, outcome: Outcome) -> Line {
        let at = head().began_at;
        Line::Ended(Ended { n, at, outcome, reference: None, job: None, error: None, checked: false })
    }

    fn whole() -> Vec<Line> {
        vec![
            Line::Run(head()),
            Line::Store(OfStore { store: 0, reference: "cvm://ap-guangzhou/".into(), caller: None }),
            Line::Image(Saved { n: 0, manifest: Some("{\"a\":\n\"é\"}".into()), ..saved() }.into()),
            Line::Image(Saved { n: 1, ..saved() }.into()),
            ended(0, Outcome::Unknown),
            ended(0, Outcome::Gone),
            Line::End(End { at: head().began_at, sums: Sums::default(), stores: Vec::new(), stopped: None }),
        ]
    }

    #[test]
    fn what_was_written_is_read_and_the_last_outcome_is_true() {
        let record = read("r", text(&whole()).as_bytes(), Manifests::Keep).unwrap();
        let Line::Image(first) = &whole()[2] else { panic!("an image") };
        assert_eq!(record.images[0].saved.as_ref(), Some(&**first));
        assert_eq!(record.images[0].ended.as_ref().map(|ended| ended.outcome), Some(Outcome::Gone));
        assert_eq!(record.images[1].ended, None);
        assert!(record.end.is_some() && !record.cut);
        let skipped = read("r", text(&whole()).as_bytes(), Manifests::Skip).unwrap();
        assert_eq!(skipped.images[0].saved.as_ref().unwrap().manifest, None);
    }

    #[test]
    fn a_record_cut_anywhere_after_its_head_is_read_up_to_the_cut() {
        let text = text(&whole());
        let head = text.find('\n').unwrap() + 1;
        let mut images = 0;
        for length in head..text.len() {
            let record = read("r", &text.as_bytes()[..length], Manifests::Keep).unwrap();
            assert_eq!(record.cut, !text.as_bytes()[..length].ends_with(b"\n"), "{length}");
            assert!(record.images.len() >= images && record.end.is_none());
            images = record.images.len();
        }
        for length in 0..head {
            read("r", &text.as_bytes()[..length], Manifests::Keep).unwrap_err();
        }
    }

    #[test]
    fn lines_after_a_cut_one_count() {
        let mut text = text(&whole()[..4]);
        text.push_str("{\"line\":\"ended\",\"n\":0,\n");
        text.push_str(&self::text(&[ended(1, Outcome::Gone)]));
        let record = read("r", text.as_bytes(), Manifests::Keep).unwrap();
        assert!(record.cut);
        assert_eq!(record.images[0].ended, None);
        assert_eq!(record.images[1].ended.as_ref().map(|ended| ended.outcome), Some(Outcome::Gone));
    }

    #[test]
    fn other_files_are_not_records() {
        let other = Line::Run(Head { form: "imgctl/record/v2".into(), ..head() });
        let twice = vec![Line::Run(head()), Line::Run(head())];
        for (text, why) in [
            (String::new(), "first line"),
            ("{}\n".into(), "first line"),
            (text(&[other]), "its form is imgctl/record/v2"),
            (text(&twice), "two runs"),
        ] {
            let error = read("r", text.as_bytes(), Manifests::Keep).unwrap_err();
            assert!(error.message.contains(why), "{error}");
        }
    }
}
