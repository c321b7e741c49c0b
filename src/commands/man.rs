//! `imgctl man`: manual pages, generated from the command line.

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

/// Examples at the end of the help.
const EXAMPLES: [Example; 2] = [
    ("Install the pages for `man imgctl`, `man imgctl-delete`, …", "imgctl man ~/.local/share/man"),
    ("Save the page of imgctl itself.", "imgctl man > imgctl.1"),
];

/// Print the manual page, or write all manual pages to a directory
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Directory for `man1/imgctl.1`, `man1/imgctl-delete.1`, `man7/imgctl-exit-codes.7`, …
    #[arg(value_name = "DIRECTORY")]
    folder: Option<PathBuf>,
}

pub fn run(args: &Args, command: Command) -> Result<Exit> {
    let wrong = |error: std::io::Error| Error::new(Kind::Config, format!("cannot write the manual pages: {error}"));
    let mut command = command;
    // Gives each command its full name.
    command.build();
    match &args.folder {
        Some(folder) => {
            let commands = all(&command).into_iter().map(of_command);
            for (file, page) in commands.chain(TOPICS.iter().map(of_topic)) {
                // `man` looks for a page in the folder of its section: its name ends with the section's number.
                let section = folder.join(format!("man{}", &file[file.len() - 1..]));
                std::fs::create_dir_all(&section).map_err(wrong)?;
                std::fs::write(section.join(file), page).map_err(wrong)?;
            }
        }
        None => output::plain(&of_command(&command).1),
    }
    Ok(Exit::Done)
}

/// A command, and all commands below it: the pages cite each of them.
fn all(command: &Command) -> Vec<&Command> {
    std::iter::once(command).chain(command.get_subcommands().flat_map(all)).collect()
}

/// The page of a command, and its file name.
fn of_command(command: &Command) -> (String, String) {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page).expect("memory takes what is written");
    let page = String::from_utf8_lossy(&page);
    // clap puts the examples at the end of the help; a manual page has a section for them.
    let page = page.replace(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n.nf\n");
    (man.get_filename(), page)
}

/// The page of a topic, with the same lines as `imgctl help`, and its file name.
fn of_topic(topic: &Topic) -> (String, String) {
    let mut page = Roff::new();
    let name = format!("imgctl-{}", topic.name);
    page.control("TH", [name.as_str(), "7"]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{name} - {}", topic.about()))]);
    for line in topic.text.lines().skip(1) {
        if is_heading(line) {
            page.control("SH", [line]);
            // Keep lines as they are, without an indent: they fill a terminal of 80 columns.
            page.control("nf", []).control("in", ["0"]);
        } else {
            page.text([roman(line)]);
        }
    }
    (format!("{name}.7"), page.render())
}
