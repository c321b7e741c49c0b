//! The folder of the records: one file a run, which only that run and `history --check` write. Files and folder are for
//! their owner alone, and are never reached through a link.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::error::{Error, Kind, Result};

/// Records that are older are removed.
const KEPT: TimeDelta = TimeDelta::days(90);

/// While all records together are larger, the oldest is removed.
const MOST_BYTES: u64 = 1 << 30;

const ENDING: &str = ".ndjson";

/// How a run's id begins: the second in which it began.
const TIME: &str = "%Y%m%d-%H%M%S";

#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder of the records below the folder for state.
    pub fn below(state: &Path) -> Self {
        Self(state.join("runs"))
    }

    /// Makes the folder, or makes sure that it is ours alone.
    pub fn prepare(&self) -> Result<()> {
        self.make().map_err(|error| unwritable(&self.0, &error))
    }

    fn make(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0)?;
        let about = fs::symlink_metadata(&self.0)?;
        if !about.is_dir() {
            return Err(io::Error::other("it is a link"));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if about.permissions().mode() & 0o777 != 0o700 {
                fs::set_permissions(&self.0, fs::Permissions::from_mode(0o700))?;
            }
        }
        Ok(())
    }

    /// Creates the file of a new run, which this process holds locked as long as it is open. Returns the run's id.
    pub fn create(&self, now: DateTime<Utc>) -> Result<(String, File)> {
        self.create_file(now).map_err(|error| unwritable(&self.0, &error))
    }

    fn create_file(&self, now: DateTime<Utc>) -> io::Result<(String, File)> {
        self.make()?;
        // The second, and which of its parts: ids sort in the order in which runs begin.
        let mut part = u64::from(now.timestamp_subsec_nanos()) * 0x10000 / 1_000_000_000;
        let (run, file) = loop {
            let run = format!("{}-{:04x}", now.format(TIME), part & 0xffff);
            let mut options = File::options();
            options.append(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            match options.open(self.path(&run)) {
                Ok(file) => break (run, file),
                // Another run began at the same moment.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => part += 1,
                Err(error) => return Err(error),
            }
        };
        // Some file systems have no locks. There, a run that goes on looks like one that was killed.
        let _ = file.try_lock();
        // The name of the file must be on the disk as well.
        #[cfg(unix)]
        File::open(&self.0)?.sync_all()?;
        Ok((run, file))
    }

    /// Opens the record of a run that has ended, to add to it. Another process can do so only afterwards.
    pub fn append(&self, run: &str) -> Result<File> {
        let path = self.path(run);
        let wrong = |error: &io::Error| unwritable(&path, error);
        if !is_file(&path) {
            return Err(wrong(&io::ErrorKind::NotFound.into()));
        }
        let file = File::options().append(true).open(&path).map_err(|error| wrong(&error))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                Err(Error::new(Kind::Guard, format!("the run {run} is still going on")).hint("wait until it has ended"))
            }
            _ => Ok(file),
        }
    }

    pub fn path(&self, run: &str) -> PathBuf {
        self.0.join(format!("{run}{ENDING}"))
    }

    /// The ids of all runs on record, in the order in which they began.
    pub fn runs(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| Error::of_file(&self.0.display().to_string(), &error))?,
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut runs: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(ENDING)?.to_owned())).collect();
        runs.retain(|run| began_at(run).is_some() && is_file(&self.path(run)));
        runs.sort();
        Ok(runs)
    }

    /// The run with this id or beginning of an id; `last` is the newest.
    pub fn find(&self, name: &str) -> Result<String> {
        let runs = self.runs()?;
        let unknown = |hint: &str| Err(Error::new(Kind::Usage, format!("no run on record: {name}")).hint(hint));
        if name == "last" {
            return runs.last().cloned().map_or_else(|| unknown("imgctl has not recorded any run yet"), Ok);
        }
        let matching: Vec<&String> = runs.iter().filter(|run| run.starts_with(name)).collect();
        match matching[..] {
            [run] => Ok(run.clone()),
            [] => unknown("list the runs with `imgctl history`"),
            [first, second, ..] => {
                Err(Error::new(Kind::Usage, format!("several runs begin with {name}: {first}, {second}"))
                    .hint("give more of the id"))
            }
        }
    }

    /// Whether the process of a run still holds its record.
    pub fn goes_on(&self, run: &str) -> bool {
        let file = File::open(self.path(run));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Removes old records, and the oldest while all are too large; never one whose run goes on.
    pub fn tidy(&self, now: DateTime<Utc>) {
        self.tidy_to(now, MOST_BYTES);
    }

    fn tidy_to(&self, now: DateTime<Utc>, most_bytes: u64) {
        let size = |run: &String| fs::symlink_metadata(self.path(run)).map_or(0, |about| about.len());
        let runs = self.runs().unwrap_or_default();
        let mut bytes: u64 = runs.iter().map(size).sum();
        for run in &runs {
            let is_old = began_at(run).is_some_and(|began_at| now - began_at > KEPT);
            if (is_old || bytes > most_bytes) && !self.goes_on(run) {
                bytes -= size(run).min(bytes);
                tracing::debug!(run, "removing an old record");
                // Another run that tidies up at the same time removes the same files.
                let _ = fs::remove_file(self.path(run));
            }
        }
    }
}

/// When a run began, by its id.
pub fn began_at(run: &str) -> Option<DateTime<Utc>> {
    let (time, random) = run.split_at_checked(15)?;
    let is_random = random.len() == 5 && random.starts_with('-') && random[1..].bytes().all(|c| c.is_ascii_hexdigit());
    NaiveDateTime::parse_from_str(time, TIME).ok().filter(|_| is_random).map(|time| time.and_utc())
}

/// Whether this is a file, not a link to one.
fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|about| about.is_file())
}

/// The error of a record that cannot be written.
pub fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Unrecorded, format!("cannot write the record of this run in {}: {error}", path.display()))
        .hint("free some space or set IMGCTL_STATE_DIR to another folder; --no-record deletes without a record")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::below(&home.path().join("state"));
        folder.prepare().unwrap();
        (home, folder)
    }

    fn time() -> DateTime<Utc> {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    #[test]
    fn runs_of_one_second_have_files_of_their_own() {
        let (_home, folder) = folder();
        let mut runs: Vec<String> = (0..200).map(|_| folder.create(time()).unwrap().0).collect();
        runs.sort();
        assert_eq!(folder.runs().unwrap(), runs);
        runs.dedup();
        assert_eq!(runs.len(), 200);
        assert!(runs.iter().all(|run| began_at(run) == Some(time())));
    }

    #[test]
    fn a_run_is_found_by_its_id_a_beginning_or_as_the_last() {
        let (_home, folder) = folder();
        assert!(folder.find("last").unwrap_err().hint.unwrap().contains("not recorded any run"));
        let first = folder.create(time()).unwrap().0;
        let last = folder.create(time() + TimeDelta::hours(1)).unwrap().0;
        assert_eq!(folder.find("last").unwrap(), last);
        assert_eq!(folder.find(&first).unwrap(), first);
        assert_eq!(folder.find("20260102-04").unwrap(), last);
        assert!(folder.find("20260102").unwrap_err().message.contains("several runs begin with"));
        assert!(folder.find("2027").unwrap_err().message.contains("no run on record: 2027"));
    }

    #[test]
    fn other_files_and_links_are_not_records() {
        let (home, folder) = folder();
        fs::write(folder.path("notes"), "x").unwrap();
        fs::write(folder.path("20260102-030405-ééé"), "x").unwrap();
        #[cfg(unix)]
        {
            let other = home.path().join("other");
            fs::write(&other, "x").unwrap();
            std::os::unix::fs::symlink(&other, folder.path("20260102-030405-abcd")).unwrap();
            assert!(folder.append("20260102-030405-abcd").is_err());
        }
        assert!(folder.runs().unwrap().is_empty());
        drop(home);
    }

    #[cfg(unix)]
    #[test]
    fn files_and_folders_are_for_their_owner_alone() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let (home, folder) = folder();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (run, _file) = folder.create(time()).unwrap();
        assert_eq!(mode(&folder.path(&run)), 0o600);
        assert_eq!([mode(&folder.0), mode(&home.path().join("state"))], [0o700; 2]);
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
        folder.prepare().unwrap();
        assert_eq!(mode(&folder.0), 0o700);
        let linked = home.path().join("linked");
        fs::create_dir(&linked).unwrap();
        symlink(&folder.0, linked.join("runs")).unwrap();
        assert!(Folder::below(&linked).prepare().unwrap_err().message.contains("it is a link"));
    }

    #[test]
    fn old_records_go_and_the_oldest_while_all_are_too_large() {
        let (_home, folder) = folder();
        let ages = [91, 89, 50, 10].map(|days| folder.create(time() - TimeDelta::days(days)).unwrap());
        let runs = ages.each_ref().map(|(run, _)| run.clone());
        for run in &runs[1..] {
            fs::write(folder.path(run), "12345").unwrap();
        }
        folder.tidy(time());
        assert_eq!(folder.runs().unwrap().len(), 4, "all of them go on");
        drop(ages);
        folder.tidy(time());
        assert_eq!(folder.runs().unwrap(), runs[1..]);
        folder.tidy_to(time(), 12);
        assert_eq!(folder.runs().unwrap(), runs[2..]);
    }

    #[test]
    fn a_record_is_added_to_only_after_its_run() {
        let (_home, folder) = folder();
        let (run, file) = folder.create(time()).unwrap();
        assert!(folder.goes_on(&run));
        assert!(folder.append(&run).unwrap_err().message.contains("still going on"));
        drop(file);
        assert!(!folder.goes_on(&run));
        folder.append(&run).unwrap();
    }
}
