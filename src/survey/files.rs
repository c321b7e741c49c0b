//! In-use lists that a user names: opened before anything is asked, so that a wrong path costs nothing, and read once
//! the images are known that they may name.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read as _},
    path::PathBuf,
};

use crate::{
    error::{Error, Kind, Result},
    prune::{Evidence, Known, Stock, Tally, scan},
};

type Source = Box<dyn BufRead + Send>;

/// Sources of evidence, each with the name that reasons quote.
#[derive(Default)]
pub struct Files {
    sources: Vec<(String, Source)>,
    /// A list that names nothing is an answer, not a mistake.
    allow_empty: bool,
}

impl Files {
    /// Opens all of them; `-` is standard input, unless something else was read from there.
    pub fn open(paths: &[PathBuf], allow_empty: bool, stdin_was_read: bool) -> Result<Self> {
        let of_stdin = paths.iter().filter(|path| path.as_os_str() == "-").count();
        if of_stdin > usize::from(!stdin_was_read) {
            // The second to read it would find nothing, and nothing would be in use.
            let message = "standard input can be read only once";
            return Err(Error::new(Kind::Usage, message).hint("put one of them into a file"));
        }
        let mut sources: Vec<(String, Source)> = Vec::new();
        for path in paths {
            let name = path.display().to_string();
            let source: Source = if name == "-" {
                // Read now: reading it later would block the whole run.
                let mut text = Vec::new();
                io::stdin().read_to_end(&mut text).map_err(|error| Error::of_file("standard input", &error))?;
                Box::new(Cursor::new(text))
            } else {
                let file = File::open(path).map_err(|error| Error::of_file(&name, &error))?;
                Box::new(BufReader::with_capacity(1 << 16, file))
            };
            let name = match path.file_name() {
                _ if name == "-" => "standard input".into(),
                Some(short) => short.to_string_lossy().into_owned(),
                None => name,
            };
            sources.push((name, source));
        }
        Ok(Self { sources, allow_empty })
    }

    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Adds to the evidence what they name, once; what each came to, for people.
    pub fn read<'s>(
        &mut self,
        stocks: impl IntoIterator<Item = &'s Stock>,
        evidence: &mut Evidence,
    ) -> Result<Vec<String>> {
        let known = Known::of(stocks);
        let mut told = Vec::new();
        for (name, source) in self.sources.drain(..) {
            let Tally { recognised, protected } =
                scan(&name, source, &known, evidence).map_err(|error| Error::of_file(&name, &error))?;
            if recognised == 0 && !self.allow_empty {
                let message = format!("{name} names no image at all, so it is no evidence of what is in use");
                return Err(Error::new(Kind::Guard, message).hint(
                    "nothing was sent; see whether the command that wrote it failed, or allow it with --allow-empty-in-use",
                ));
            }
            told.push(match protected {
                0 => {
                    format!("{name} names {recognised} images, and none of them is in these stores")
                }
                _ => format!("{name} names {recognised} images; {protected} of these stores are in use"),
            });
        }
        Ok(told)
    }
}
