//! The terminal at which imgctl asks for confirmation. imgctl opens it itself, so that standard input can be a pipe.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
};

use crate::secrets;

pub struct Terminal(File);

impl Terminal {
    pub fn open() -> io::Result<Self> {
        let path = if cfg!(windows) { "CONIN$" } else { "/dev/tty" };
        Ok(Self(File::options().read(true).write(true).open(path)?))
    }

    /// Drops what the user typed before the question: it cannot be an answer to it.
    pub fn forget(&self) {
        #[cfg(unix)]
        // Without a terminal there is nothing to drop.
        let _ = rustix::termios::tcflush(&self.0, rustix::termios::QueueSelector::IFlush);
    }

    pub fn line(self) -> io::Result<String> {
        let mut line = String::new();
        BufReader::new(self.0).read_line(&mut line)?;
        Ok(line)
    }
}

/// Asks a person. The wait for the answer blocks a thread of its own, so that an interrupt is heard meanwhile.
pub async fn answer(question: String) -> io::Result<String> {
    let answer = tokio::task::spawn_blocking(move || {
        let terminal = Terminal::open()?;
        terminal.forget();
        let _ = write!(io::stderr().lock(), "{}", secrets::masked(&question));
        terminal.line()
    });
    answer.await.map_err(io::Error::other)?
}
