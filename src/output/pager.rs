//! Where data goes: stdout itself, or a pager that shows it page by page.

use std::{
    io::{self, Stdout, Write},
    process::{Child, Command, Stdio},
};

pub struct Sink {
    stdout: Stdout,
    /// The command of the pager, until it runs.
    command: Option<String>,
    pager: Option<Child>,
}

impl Sink {
    pub fn new() -> Self {
        Self { stdout: io::stdout(), command: None, pager: None }
    }

    /// Sends what follows through this pager.
    pub fn through(&mut self, command: Option<&str>) {
        self.command = command.map(str::to_owned);
    }

    /// Starts the pager, if there is one to start. Without it, imgctl prints to stdout.
    pub fn start(&mut self) -> bool {
        let Some(line) = self.command.take() else { return false };
        self.pager = shell(&line).stdin(Stdio::piped()).spawn().ok();
        self.pager.is_some()
    }

    /// Ends the output of the pager, and waits until the user has left it.
    pub fn close(&mut self) {
        if let Some(mut pager) = self.pager.take() {
            drop(pager.stdin.take());
            // However it ended, the user has seen what they wanted.
            let _ = pager.wait();
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.pager.as_mut().and_then(|pager| pager.stdin.as_mut()) {
            Some(input) => input.write(bytes),
            None => self.stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.pager.as_mut().and_then(|pager| pager.stdin.as_mut()) {
            Some(input) => input.flush(),
            None => self.stdout.flush(),
        }
    }
}

/// The variable holds a command line.
fn shell(line: &str) -> Command {
    if cfg!(windows) {
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        return command;
    }
    let mut command = Command::new("sh");
    // Unless the user says otherwise, short output is shown at once and stays on the screen, in colors.
    command.args(["-c", &format!(": \"${{LESS=FRX}}\" \"${{LV=-c}}\"; export LESS LV; {line}")]);
    command
}
