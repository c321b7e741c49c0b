//! `imgctl __complete`: called by the completion scripts of shells. It prints one line per candidate: the word, a tab and
//! a description. It exits with 0 if the cursor is at a reference, and with 1 otherwise.

use std::time::Duration;

use chrono::Utc;
use clap::{Command, Parser};

use crate::{
    complete::{self, Asked, Candidate, Wanted},
    context::Context,
    exit::Exit,
    help::TOPICS,
    output::{self, Format, Look, safe},
    prune::ago,
    record::{Brief, Folder},
    settings::{Env, Settings},
};

/// Runs that are offered: more would not help to choose.
const MOST_RUNS: usize = 30;

/// The first argument of a call from a shell. It is not a command of clap, because clap's scripts would then offer it.
const NAME: &str = "__complete";

#[derive(Default, Parser)]
#[command(name = NAME)]
pub struct Args {
    /// The word at the cursor, as far as typed
    #[arg(long, allow_hyphen_values = true)]
    word: String,
    /// The words before it, the program's name first
    #[arg(last = true)]
    before: Vec<String>,
}

impl Args {
    /// The arguments, if a completion script started this process.
    pub fn of_process() -> Option<Self> {
        let mut words = std::env::args_os().skip(1).peekable();
        words.next_if(|word| word == NAME)?;
        // If the arguments cannot be parsed, complete an empty word.
        let words = std::iter::once(NAME.into()).chain(words);
        Some(Self::try_parse_from(words).unwrap_or_default())
    }
}

pub async fn run(args: &Args, mut program: Command, env: Env) -> Exit {
    // Adds the global flags to every command.
    program.build();
    let asked = complete::asked(&program, &args.before);
    let Some(asked) = asked.filter(|_| !args.word.starts_with('-')) else {
        return Exit::NotAll;
    };
    let found = match asked.wanted {
        Wanted::Help => explained(&program, &args.word),
        Wanted::Run => runs(&env, &args.word),
        Wanted::RunOrImage => {
            let mut found = runs(&env, &args.word);
            found.extend(complete::names(&context(&asked, env), &args.word, Wanted::Image).await);
            found
        }
        _ => complete::names(&context(&asked, env), &args.word, asked.wanted).await,
    };
    let line = |candidate: &Candidate| format!("{}\t{}\n", candidate.word, safe(&candidate.about));
    output::plain(&found.iter().map(line).collect::<String>());
    Exit::Done
}

/// Sends each call once and does not wait long.
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

/// The newest runs on record.
fn runs(env: &Env, word: &str) -> Vec<Candidate> {
    let Some(folder) = env.state().map(|state| Folder::below(&state)) else { return Vec::new() };
    let last = Candidate { word: "last".into(), about: "the newest run".into() };
    let runs = folder.runs().unwrap_or_default();
    let newest = runs.iter().rev().filter(|run| run.starts_with(word)).take(MOST_RUNS);
    let about = |run: &String| {
        let brief = Brief::read(&folder, run).ok()?;
        Some(Candidate { word: run.clone(), about: format!("{}, {}", brief.command, ago(brief.began_at, Utc::now())) })
    };
    let last = last.word.starts_with(word).then_some(last).filter(|_| !runs.is_empty());
    last.into_iter().chain(newest.filter_map(about)).collect()
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
