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
    accept: Accept,
}

/// What is accepted of an in-use list.
#[derive(Clone, Copy, Default)]
pub struct Accept {
    /// A list that names no image of the run.
    pub empty: bool,
    /// A list that names a repository of the run without saying which image.
    pub loose: bool,
}

impl Files {
    /// Opens all lists. `-` is standard input, unless it was read already.
    pub fn open(paths: &[PathBuf], accept: Accept, stdin_was_read: bool) -> Result<Self> {
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
        Ok(Self { sources, accept })
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
            let tally = scan(&name, source, &known, evidence).map_err(|error| Error::of_file(&name, &error))?;
            told.push(self.accept.check(&name, &tally)?);
        }
        Ok(told)
    }
}

impl Accept {
    /// Refuses a list that does not say what is in use; else a line about it for people.
    fn check(self, name: &str, tally: &Tally) -> Result<String> {
        let refused = |message: String, hint: &str| {
            Err(Error::new(Kind::Guard, message).hint(format!("nothing was sent; {hint}")))
        };
        let Tally { recognised, protected, unpinned, cut } = tally;
        if *cut {
            return refused(
                format!("{name} is cut off: it begins as JSON, but does not end as JSON"),
                "write it again",
            );
        }
        if let (Some((line, store)), false) = (unpinned.first(), self.loose) {
            let store = format!("{}:{}", store.provider.scheme(), store.name);
            let message = format!("{name}:{line} names {store} but not which image");
            return refused(message, "add the tag or digest, or continue with --in-use-loose");
        }
        if *protected == 0 && unpinned.is_empty() && !self.empty {
            let message = match recognised {
                0 => format!("{name} names no image"),
                _ => format!("{name} names {recognised} images, none of them in these stores"),
            };
            return refused(message, "check the command that wrote it, or accept it with --allow-empty-in-use");
        }
        Ok(format!("{name} names {recognised} images; {protected} images of these stores are in use"))
    }
}
