//! In-use lists. They are opened before the first call, so that a wrong path fails early, and read when the images are
//! known.

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

/// In-use lists, each with the name that reasons quote.
#[derive(Default)]
pub struct Files {
    sources: Vec<(String, Source)>,
    /// Accept a list that names no image.
    allow_empty: bool,
}

impl Files {
    /// Opens all lists. `-` is standard input, unless it was read already.
    pub fn open(paths: &[PathBuf], allow_empty: bool, stdin_was_read: bool) -> Result<Self> {
        let of_stdin = paths.iter().filter(|path| path.as_os_str() == "-").count();
        if of_stdin > usize::from(!stdin_was_read) {
            // The second reader would find nothing, so nothing would be in use.
            let message = "standard input can be read only once";
            return Err(Error::new(Kind::Usage, message).hint("save one of them to a file"));
        }
        let mut sources: Vec<(String, Source)> = Vec::new();
        for path in paths {
            let name = path.display().to_string();
            let source: Source = if name == "-" {
                // Read now: reading it later would block the run.
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

    /// Records what the lists name, and returns a line about each for people.
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
                let message = format!("{name} names no image");
                return Err(Error::new(Kind::Guard, message).hint(
                    "nothing was sent; check the command that wrote it, or accept it with --allow-empty-in-use",
                ));
            }
            told.push(match protected {
                0 => {
                    format!("{name} names {recognised} images, none of them in these stores")
                }
                _ => format!("{name} names {recognised} images; {protected} images of these stores are in use"),
            });
        }
        Ok(told)
    }
}
