//! The text files of a folder of in-use lists: charts, overlays, state files. Links are not followed, `.git` and binary
//! files are left out, and so are files that are too large; a file that cannot be read is an error.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use crate::error::{Error, Result};

/// Larger files are left out: no chart or state file is this large.
const MOST_BYTES: u64 = 64 << 20;

/// How much of a file shows whether it is text.
const BEGINNING: u64 = 8 << 10;

/// The files of a folder.
#[derive(Debug, Default)]
pub struct Tree {
    /// In order, each with its name for people.
    pub files: Vec<(String, PathBuf)>,
    pub binary: usize,
    /// Names of files that are too large.
    pub large: Vec<String>,
}

impl Tree {
    /// Finds the files. `name` is the folder's name for people.
    pub fn of(name: &str, path: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.enter(name, path, MOST_BYTES)?;
        Ok(tree)
    }

    fn enter(&mut self, name: &str, path: &Path, most: u64) -> Result<()> {
        let wrong = |error| Error::of_file(&path.display().to_string(), &error);
        let entries = fs::read_dir(path).map_err(wrong)?;
        let mut entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(wrong)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let own = entry.file_name();
            let (path, name) = (entry.path(), format!("{name}/{}", own.to_string_lossy()));
            let kind = entry.file_type().map_err(wrong)?;
            if kind.is_dir() {
                if own != ".git" {
                    self.enter(&name, &path, most)?;
                }
            } else if kind.is_file() {
                self.file(name, path, most)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, name: String, path: PathBuf, most: u64) -> Result<()> {
        let wrong = |error| Error::of_file(&path.display().to_string(), &error);
        let file = File::open(&path).map_err(wrong)?;
        if file.metadata().map_err(wrong)?.len() > most {
            self.large.push(name);
            return Ok(());
        }
        let mut beginning = Vec::new();
        file.take(BEGINNING).read_to_end(&mut beginning).map_err(wrong)?;
        match is_text(&beginning) {
            true => self.files.push((name, path)),
            false => self.binary += 1,
        }
        Ok(())
    }

    /// What was left out, for people.
    pub fn left_out(&self) -> Option<String> {
        let binary = (self.binary > 0).then(|| format!("{} binary files", self.binary));
        let large = self.large.iter().map(|name| format!("{name} (over {} MiB)", MOST_BYTES >> 20));
        let all: Vec<_> = binary.into_iter().chain(large).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }
}

/// Text has no control characters but white space, escapes of terminals, and NUL, which stands in UTF-16 and between the
/// names of some lists.
fn is_text(beginning: &[u8]) -> bool {
    beginning
        .iter()
        .all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace() || matches!(byte, 0 | 0x08 | 0x1b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_and_the_rest_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        write("b/values.yaml", b"tag: v1");
        write("a.txt", b"app:v1\0app:v2\0");
        write("wide.txt", b"\xff\xfea\0:\0");
        write("latin.txt", b"caf\xe9");
        write("empty", b"");
        write("logo.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
        write(".git/config", b"app:v3");
        write("large.json", &[b' '; 100]);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.path(), folder.path().join("b/loop")).unwrap();
            std::os::unix::fs::symlink("nowhere", folder.path().join("b/dead")).unwrap();
        }
        let mut tree = Tree::default();
        tree.enter("x", folder.path(), 99).unwrap();
        let names: Vec<_> = tree.files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x/a.txt", "x/b/values.yaml", "x/empty", "x/latin.txt", "x/wide.txt"]);
        assert_eq!(tree.left_out().unwrap(), "1 binary files, x/large.json (over 64 MiB)");
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let error = Tree::of("x", Path::new("/nowhere/at/all")).unwrap_err();
        assert!(error.message.starts_with("cannot read /nowhere/at/all"), "{error}");
    }
}
