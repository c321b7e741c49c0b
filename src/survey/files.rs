//! In-use lists: files, standard input, and folders of files. They are opened before the first call, so that a wrong path
//! fails early, and read when the images are known.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read as _},
    path::{Path, PathBuf},
};

use super::tree::Tree;
use crate::{
    error::{Error, Kind, Result},
    prune::{Evidence, Known, Scan, Stock, Tally},
};

/// In-use lists, each with the name that reasons quote.
#[derive(Default)]
pub struct Files {
    sources: Vec<(String, Source)>,
    accept: Accept,
}

enum Source {
    Text(Box<dyn BufRead + Send>),
    Folder(Tree),
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
        let sources = paths.iter().map(|path| Ok((name(path), Source::of(path)?)));
        Ok(Self { sources: sources.collect::<Result<_>>()?, accept })
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
            let mut scan = Scan::new(&known, evidence);
            let left_out = source.read(&name, &mut scan)?;
            let tally = scan.end();
            for example in &tally.examples {
                tracing::info!("{example} is in no store of this run");
            }
            told.push(self.accept.check(&name, &tally)? + &left_out);
        }
        Ok(told)
    }
}

/// A list's name for people: short, because reasons quote it.
fn name(path: &Path) -> String {
    match path.file_name() {
        _ if path.as_os_str() == "-" => "standard input".into(),
        Some(short) => short.to_string_lossy().into_owned(),
        None => path.display().to_string(),
    }
}

impl Source {
    fn of(path: &Path) -> Result<Self> {
        if path.as_os_str() == "-" {
            // Read now: reading it later would block the run.
            let mut text = Vec::new();
            io::stdin().read_to_end(&mut text).map_err(|error| Error::of_file("standard input", &error))?;
            return Ok(Self::Text(Box::new(Cursor::new(text))));
        }
        if path.is_dir() {
            return Ok(Self::Folder(Tree::of(&name(path), path)?));
        }
        Ok(Self::Text(open(path)?))
    }

    /// Reads it, and says what of a folder was left out.
    fn read(self, name: &str, scan: &mut Scan) -> Result<String> {
        let wrong = |name: &str, error: &io::Error| Error::of_file(name, error);
        let tree = match self {
            Self::Text(text) => {
                if scan.file(name, text).map_err(|error| wrong(name, &error))? {
                    return Err(cut(name));
                }
                return Ok(String::new());
            }
            Self::Folder(tree) => tree,
        };
        for (name, path) in &tree.files {
            // A template may open like JSON.
            let is_json = path.extension().is_some_and(|ending| ending == "json" || ending == "tfstate");
            if scan.file(name, open(path)?).map_err(|error| wrong(name, &error))? && is_json {
                return Err(cut(name));
            }
        }
        let left_out = tree.left_out().map(|left_out| format!("; left out: {left_out}")).unwrap_or_default();
        Ok(format!(", in {} files{left_out}", tree.files.len()))
    }
}

fn open(path: &Path) -> Result<Box<dyn BufRead + Send>> {
    let file = File::open(path).map_err(|error| Error::of_file(&path.display().to_string(), &error))?;
    Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
}

fn cut(name: &str) -> Error {
    refused(format!("{name} is cut off: it begins as JSON, but does not end as JSON"), "write it again")
}

fn refused(message: String, hint: &str) -> Error {
    Error::new(Kind::Guard, message).hint(format!("nothing was sent; {hint}"))
}

impl Accept {
    /// Refuses a list that does not say what is in use; else a line about it for people.
    fn check(self, name: &str, tally: &Tally) -> Result<String> {
        let Tally { recognised, protected, elsewhere, unpinned, examples: _ } = tally;
        if let (Some((place, store)), false) = (unpinned.first(), self.loose) {
            let store = format!("{}:{}", store.provider.scheme(), store.name);
            let message = format!("{place} names {store} but not which image");
            let hint = "write its tag or digest beside it; if one tag is for several repositories, as in flat Terraform \
                        variables, continue with --in-use-loose";
            return Err(refused(message, hint));
        }
        if *protected == 0 && unpinned.is_empty() && !self.empty {
            let message = match recognised {
                0 => format!("{name} names no image"),
                _ => format!("{name} names {recognised} images, none of them in these stores"),
            };
            return Err(refused(message, "check the command that wrote it, or accept it with --allow-empty-in-use"));
        }
        // A repository and a tag that stand apart are no reference, but name an image.
        let named = recognised.max(protected);
        let mut told = format!("{name} names {named} images; {protected} images of these stores are in use");
        if *elsewhere > 0 {
            told.push_str(&format!("; {elsewhere} names are in no store of this run (-v lists them)"));
        }
        Ok(told)
    }
}
