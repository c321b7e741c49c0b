//! Writes to stdout, and how they failed. Only a closed pipe is fine: the reader has read enough.

use std::{
    io::{self, ErrorKind, Write},
    sync::OnceLock,
};

use crate::{
    error::{Error, Kind},
    secrets,
};

static FAILED: OnceLock<String> = OnceLock::new();

/// Records the result of a write. Returns whether stdout still takes more.
pub fn wrote(result: io::Result<()>) -> bool {
    match result {
        Ok(()) => true,
        Err(error) => {
            if error.kind() != ErrorKind::BrokenPipe {
                // Only the first failure matters: later ones follow from it.
                let _ = FAILED.set(error.to_string());
            }
            false
        }
    }
}

/// The error of a run whose output is incomplete.
pub fn failure() -> Option<Error> {
    let why = FAILED.get()?;
    Some(
        Error::new(Kind::Failed, format!("cannot write the output: {why}"))
            .hint("the output is incomplete; run the command again with another output"),
    )
}

/// Prints text that is not a report: a schema, a script, a manual page.
pub fn plain(text: &str) {
    exact(secrets::masked(text).as_bytes());
}

/// Prints bytes as they are: a manifest, or the sandbox's own keys.
pub fn exact(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    wrote(stdout.write_all(bytes).and_then(|()| stdout.flush()));
}

/// Prints what clap made.
pub fn of_clap(print: impl FnOnce() -> io::Result<()>) {
    wrote(print().and_then(|()| io::stdout().flush()));
}
