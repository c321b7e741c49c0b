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
/// `imgctl help` lists the topics; `man imgctl-TOPIC` shows the same text.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// A command, with its own command where it has some, or a topic; without it, imgctl lists both
    #[arg(value_name = "COMMAND | TOPIC")]
    about: Vec<String>,
}

pub fn run(args: &Args, command: Command) -> Result<Exit> {
    if let [word] = args.about.as_slice()
        && let Some(topic) = TOPICS.iter().find(|topic| topic.name == word)
    {
        output::plain(topic.text);
        return Ok(Exit::Done);
    }
    let mut asked = &command;
    for (depth, word) in args.about.iter().enumerate() {
        asked = asked.find_subcommand(word).ok_or_else(|| unknown(word, &args.about[..depth], asked))?;
    }
    // clap renders help where it is asked for, so it is asked for.
    let words = args.about.iter().map(String::as_str);
    let line: Vec<_> = std::iter::once("imgctl").chain(words).chain(["--help"]).collect();
    if let Err(help) = command.clone().try_get_matches_from(line) {
        output::of_clap(|| help.print());
    }
    Ok(Exit::Done)
}

/// A word that is not a command of this one, or a topic.
fn unknown(word: &str, before: &[String], command: &Command) -> Error {
    let commands = command.get_subcommands().flat_map(Command::get_name_and_visible_aliases);
    let topics = TOPICS.iter().map(|topic| topic.name).filter(|_| before.is_empty());
    let line = ["imgctl help"].into_iter().chain(before.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    let error = match before {
        [] => Error::new(Kind::Usage, format!("not a command or a topic: \"{word}\"")),
        _ => Error::new(Kind::Usage, format!("not a command of imgctl {}: \"{word}\"", before.join(" "))),
    };
    match words::nearest(word, commands.chain(topics)) {
        Some(meant) => error.hint(format!("did you mean `{line} {meant}`?")),
        None if before.is_empty() => error.hint("`imgctl help` lists them"),
        None => error.hint(format!("`{line}` shows all of it")),
    }
}
