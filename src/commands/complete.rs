//! `imgctl __complete`: called by the completion scripts of shells. It prints one line per candidate: the word, a tab and
//! a description. It exits with 0 if the cursor is at a reference, and with 1 otherwise.

use std::{collections::HashSet, path::Path, time::Duration};

use chrono::Utc;
use clap::{Command, Parser};

use crate::{
    complete::{self, Asked, Candidate, Wanted, is_plain},
    context::Context,
    exit::Exit,
    help::TOPICS,
    image::Provider,
    output::{self, Format, Look, safe},
    prune::{self, ago},
    record::{Brief, Folder},
    settings::{self, Env, Settings},
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
        Wanted::Help => explained(&program, &asked.arguments, &args.word),
        Wanted::Region => regions(&context(&asked, env), &asked.arguments, &args.word).await,
        Wanted::Profile => profiles(&context(&asked, env), &args.word).await,
        Wanted::Policy => policies(asked.policy.as_deref().unwrap_or_default(), &args.word),
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

/// Regions that are configured, then those that are known: of the providers that the arguments name, else of all.
async fn regions(context: &Context, arguments: &[String], word: &str) -> Vec<Candidate> {
    let named = |provider: &Provider| arguments.iter().any(|argument| argument.starts_with(&format!("{provider}:")));
    let named: Vec<Provider> = Provider::ALL.into_iter().filter(named).collect();
    let providers = if named.is_empty() { Provider::ALL.into() } else { named };
    let mut found: Vec<Candidate> = Vec::new();
    for provider in &providers {
        for region in settings::regions(&context.settings, *provider).await {
            found.push(Candidate { word: region, about: format!("{}, configured", provider.title()) });
        }
    }
    for provider in providers {
        for (region, place) in provider.known_regions() {
            found.push(Candidate { word: (*region).to_owned(), about: format!("{}, {place}", provider.title()) });
        }
    }
    let mut known = HashSet::new();
    found.retain(|candidate| candidate.word.starts_with(word) && known.insert(candidate.word.clone()));
    found
}

/// Profiles in the files of the providers' own tools.
async fn profiles(context: &Context, word: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    for provider in Provider::ALL {
        let about = format!("profile of {}", provider.title());
        let names = settings::profiles(&context.settings, provider).await;
        found.extend(names.into_iter().map(|word| Candidate { word, about: about.clone() }));
    }
    found.retain(|candidate| candidate.word.starts_with(word) && is_plain(&candidate.word));
    found
}

/// The policies of a file.
fn policies(file: &str, word: &str) -> Vec<Candidate> {
    let read = prune::policy::read(Path::new(file)).unwrap_or_default();
    let policy =
        |(name, policy): (String, prune::policy::Policy)| Candidate { word: name, about: policy.stores.join(", ") };
    let mut found: Vec<_> = read.into_iter().map(policy).collect();
    found.retain(|candidate| candidate.word.starts_with(word) && is_plain(&candidate.word));
    found
}

/// What `imgctl help` explains after these words.
fn explained(program: &Command, before: &[String], word: &str) -> Vec<Candidate> {
    let command = |command: &Command| Candidate {
        word: command.get_name().to_owned(),
        about: command.get_about().map(ToString::to_string).unwrap_or_default(),
    };
    let below = before.iter().try_fold(program, |command, word| command.find_subcommand(word));
    let Some(below) = below else { return Vec::new() };
    let topics = TOPICS.iter().filter(|_| before.is_empty());
    let topics = topics.map(|topic| Candidate { word: topic.name.to_owned(), about: topic.about().to_owned() });
    let all = below.get_subcommands().filter(|command| command.get_name() != "help" || before.is_empty());
    let all = all.map(command).chain(topics);
    all.filter(|candidate| candidate.word.starts_with(word)).collect()
}
