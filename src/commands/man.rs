//! `imgctl man`: manual pages, made from the command line itself.

use std::path::PathBuf;

use clap::Command;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use crate::{
    error::{Error, Kind, Result},
    exit::Exit,
    help::{Example, TOPICS, Topic, examples, is_heading},
    output,
};

/// The end of the help.
const EXAMPLES: [Example; 2] = [
    ("Where `man imgctl` and `man imgctl-delete` find them.", "imgctl man ~/.local/share/man/man1"),
    ("The page of imgctl itself.", "imgctl man > imgctl.1"),
];

/// Print the manual page, or write one a command and topic into a folder
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// The folder to write `imgctl.1`, `imgctl-delete.1`, `imgctl-exit-codes.7`, … into
    folder: Option<PathBuf>,
}

pub fn run(args: &Args, command: Command) -> Result<Exit> {
    let wrong = |error: std::io::Error| Error::new(Kind::Config, format!("cannot write the manual: {error}"));
    let mut command = command;
    // Only then do commands know by which names they are called.
    command.build();
    match &args.folder {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(wrong)?;
            let commands = std::iter::once(&command).chain(command.get_subcommands());
            let commands = commands.map(of_command);
            for (file, page) in commands.chain(TOPICS.iter().map(of_topic)) {
                std::fs::write(folder.join(file), page).map_err(wrong)?;
            }
        }
        None => output::plain(&of_command(&command).1),
    }
    Ok(Exit::Done)
}

/// The page of a command, and the file it belongs into.
fn of_command(command: &Command) -> (String, String) {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page).expect("memory takes what is written");
    let page = String::from_utf8_lossy(&page);
    // What clap knows as the end of the help has a heading of its own.
    let page = page.replace(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n.nf\n");
    (man.get_filename(), page)
}

/// The page of a topic, line for line as `imgctl help` shows it, and the file it belongs into.
fn of_topic(topic: &Topic) -> (String, String) {
    let mut page = Roff::new();
    let name = format!("imgctl-{}", topic.name);
    page.control("TH", [name.as_str(), "7"]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{name} - {}", topic.about()))]);
    for line in topic.text.lines().skip(1) {
        if is_heading(line) {
            page.control("SH", [line]);
            // As it stands, from the margin on: its lines fill a terminal of 80 columns.
            page.control("nf", []).control("in", ["0"]);
        } else {
            page.text([roman(line)]);
        }
    }
    (format!("{name}.7"), page.render())
}
