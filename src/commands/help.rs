//! `imgctl help`: shows the help of a command, or a topic.

use clap::Command;

use crate::{
    error::{Error, Kind, Result},
    exit::Exit,
    help::{Example, TOPICS, examples},
    output, words,
};

/// Examples at the end of the help.
const EXAMPLES: [Example; 2] = [
    ("Show the same as `imgctl delete --help`.", "imgctl help delete"),
    ("Learn how to name images and repositories.", "imgctl help references"),
];

/// Show the help of a command or a topic
///
/// Topics: exit-codes, references, environment.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// A command or a topic; without it, imgctl lists both
    #[arg(value_name = "COMMAND | TOPIC")]
    about: Option<String>,
}

pub fn run(args: &Args, command: Command) -> Result<Exit> {
    let asked = args.about.as_deref();
    if let Some(topic) = TOPICS.iter().find(|topic| Some(topic.name) == asked) {
        output::plain(topic.text);
        return Ok(Exit::Done);
    }
    if let Some(word) = asked
        && command.find_subcommand(word).is_none()
    {
        return Err(unknown(word, &command));
    }
    // clap renders help where it is asked for, so it is asked for.
    let line = [Some("imgctl"), asked, Some("--help")];
    if let Err(help) = command.try_get_matches_from(line.into_iter().flatten()) {
        output::of_clap(|| help.print());
    }
    Ok(Exit::Done)
}

fn unknown(word: &str, command: &Command) -> Error {
    let commands = command.get_subcommands().flat_map(Command::get_name_and_visible_aliases);
    let topics = TOPICS.iter().map(|topic| topic.name);
    let error = Error::new(Kind::Usage, format!("not a command or a topic: \"{word}\""));
    match words::nearest(word, commands.chain(topics)) {
        Some(meant) => error.hint(format!("did you mean `imgctl help {meant}`?")),
        None => error.hint("`imgctl help` lists them"),
    }
}
