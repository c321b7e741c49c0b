//! `imgctl __complete`: what the completion scripts of shells ask. A line for each candidate: the word, a tab, a few
//! words about it. It ends with 0 where a reference is wanted, found or not, and with 1 where something else is.

use std::time::Duration;

use clap::{Command, Parser};

use crate::{
    complete::{self, Asked, Candidate, Wanted},
    context::Context,
    exit::Exit,
    help::TOPICS,
    output::{self, Format, Look, safe},
    settings::{Env, Settings},
};

/// The first argument of a shell's question. It is no command of clap's, as its scripts would offer that too.
const NAME: &str = "__complete";

#[derive(Default, Parser)]
#[command(name = NAME)]
pub struct Args {
    /// The word at the cursor, as far as it is typed
    #[arg(long, allow_hyphen_values = true)]
    word: String,
    /// The words before it, the program's name first
    #[arg(last = true)]
    before: Vec<String>,
}

impl Args {
    /// Of a process that was started to answer such a question.
    pub fn of_process() -> Option<Self> {
        let mut words = std::env::args_os().skip(1).peekable();
        words.next_if(|word| word == NAME)?;
        // One that cannot be read gets the answer to another.
        let words = std::iter::once(NAME.into()).chain(words);
        Some(Self::try_parse_from(words).unwrap_or_default())
    }
}

pub async fn run(args: &Args, mut program: Command, env: Env) -> Exit {
    // Only then are flags of every command known to each.
    program.build();
    let asked = complete::asked(&program, &args.before);
    let Some(asked) = asked.filter(|_| !args.word.starts_with('-')) else {
        return Exit::NotAll;
    };
    let found = match asked.wanted {
        Wanted::Help => explained(&program, &args.word),
        _ => complete::names(&context(&asked, env), &args.word, asked.wanted).await,
    };
    let line = |candidate: &Candidate| format!("{}\t{}\n", candidate.word, safe(&candidate.about));
    output::plain(&found.iter().map(line).collect::<String>());
    Exit::Done
}

/// Calls are made once and not waited for long.
fn context(asked: &Asked, env: Env) -> Context {
    let settings = Settings {
        env,
        region: asked.region.clone(),
        profile: asked.profile.clone(),
        timeout: Duration::from_secs(1),
        attempts: 1,
        patience: Duration::ZERO,
        ..Settings::default()
    };
    let look = Look::of_terminal(Format::Table, true, Some(false), false);
    Context::new(settings, look, "__complete", false)
}

fn explained(program: &Command, word: &str) -> Vec<Candidate> {
    let command = |command: &Command| Candidate {
        word: command.get_name().to_owned(),
        about: command.get_about().map(ToString::to_string).unwrap_or_default(),
    };
    let topics = TOPICS.iter().map(|topic| Candidate { word: topic.name.to_owned(), about: topic.about().to_owned() });
    let all = program.get_subcommands().map(command).chain(topics);
    all.filter(|candidate| candidate.word.starts_with(word)).collect()
}
