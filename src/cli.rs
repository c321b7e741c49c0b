//! The command line: flags that mean the same everywhere, one match that hands each verb to its file.

use std::{process::ExitCode, time::Duration};

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::{
    commands::{
        check_layers, complete, completions, delete, doctor, get, help, list, man, policy, prune, sandbox, schema,
        values::{at_least_one, duration},
    },
    context::Context,
    error::{Error, Kind, Result},
    exit::Exit,
    help::topics,
    output::{Format, Look, Printer},
    settings::{Env, Settings},
};

/// Deletes, reads, lists and prunes images in several clouds with one grammar.
///
/// An image is named SCHEME:[//[OWNER@]REGION/]NAME: `ecr:team/app:v1`,
/// `ecr://eu-west-1/team/app@sha256:…`, a whole Docker URI of a registry,
/// `cvm://ap-guangzhou/img-6pb6lrmy`, `workspace://cn-north-4/697612196993040384`.
#[derive(Parser)]
#[command(
    name = "imgctl",
    version,
    max_term_width = 100,
    subcommand_required = true,
    disable_help_subcommand = true,
    after_help = topics()
)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(alias = "rm")]
    Delete(delete::Args),
    Get(get::Args),
    CheckLayers(check_layers::Args),
    #[command(alias = "ls")]
    List(list::Args),
    Prune(prune::Args),
    Policy(policy::Args),
    Doctor(doctor::Args),
    Sandbox(sandbox::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
    Help(help::Args),
}

/// Flags of every command.
#[derive(Args)]
#[command(next_help_heading = "Everywhere")]
struct Flags {
    /// How data is printed [default: table; environment: IMGCTL_OUTPUT]
    #[arg(short, long, global = true, value_enum)]
    output: Option<Format>,
    /// Region of references that name none
    #[arg(long, global = true)]
    region: Option<String>,
    /// Profile of the provider's own tools; beats keys in the environment
    #[arg(long, global = true)]
    profile: Option<String>,
    /// Maximum concurrent calls, instead of the provider's usual number
    #[arg(long, global = true, value_name = "N", value_parser = at_least_one)]
    concurrency: Option<usize>,
    /// Maximum calls a second of each kind, instead of the provider's published rate
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// How long to wait for one answer; a bare number is seconds
    #[arg(long, global = true, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    timeout: Duration,
    /// How often one call is tried
    #[arg(long, global = true, value_name = "N", default_value = "4", value_parser = at_least_one)]
    attempts: usize,
    /// When to stop the whole run and report
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration)]
    deadline: Option<Duration>,
    /// Say only what is asked for
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more; repeat for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_enum)]
    color: When,
    /// No progress on stderr
    #[arg(long, global = true)]
    no_progress: bool,
    /// When to annotate a run of GitHub Actions and write its step summary; auto: where GITHUB_ACTIONS is true
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_enum)]
    github: When,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// Runs the program: what it was given, what it prints, how it ends.
pub fn run() -> ExitCode {
    let env = Env::from_process();
    if let Some(args) = complete::Args::of_process() {
        return in_runtime(async { complete::run(&args, program(), env).await.into() });
    }
    match Cli::try_parse() {
        Ok(cli) => in_runtime(dispatch(cli, env)),
        Err(error) => not_understood(&error, &env),
    }
}

fn in_runtime(run: impl Future<Output = ExitCode>) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Exit::Nothing.into();
    };
    let exit = runtime.block_on(run);
    // A prompt may still block a thread on stdin; nobody waits for it.
    runtime.shutdown_background();
    exit
}

/// The description of the command line, for what is made of it.
pub fn program() -> clap::Command {
    Cli::command()
}

async fn dispatch(cli: Cli, env: Env) -> ExitCode {
    let Cli { flags, command } = cli;
    flags.log();
    let look = match flags.look(&env) {
        Ok(look) => look,
        Err(error) => return offline(Err(error)).into(),
    };
    let context = |name, dry_run, change: &dyn Fn(&mut Settings)| {
        let mut settings = flags.settings(env.clone());
        change(&mut settings);
        Context::new(settings, look, name, dry_run)
    };
    let exit = match command {
        Command::Delete(args) => {
            let context = context("delete", args.consent.dry_run, &|settings| args.settle(settings));
            context.run(delete::run(args, &context)).await
        }
        Command::Get(args) => {
            let context = context("get", false, &|settings| args.settle(settings));
            context.run(get::run(args, &context)).await
        }
        Command::CheckLayers(args) => {
            let context = context("check-layers", false, &|_| {});
            context.run(check_layers::run(args, &context)).await
        }
        Command::List(args) => {
            let context = context("list", false, &|settings| args.settle(settings));
            context.run(list::run(args, &context)).await
        }
        Command::Prune(args) => {
            let context = context("prune", args.consent.dry_run, &|settings| args.settle(settings));
            context.run(prune::run(args, &context)).await
        }
        Command::Policy(args) => match args.verb {
            policy::Verb::Check { file } => offline(policy::check(&file)),
            policy::Verb::Init { stores } => {
                let context = context("policy", false, &|_| {});
                context.run(policy::init(&stores, &context)).await
            }
        },
        Command::Doctor(args) => {
            let context = context("doctor", false, &|settings| args.settle(settings));
            context.run(doctor::run(args, &context)).await
        }
        // It ends with the code of the command that ran inside.
        Command::Sandbox(args) => {
            return sandbox::run(args).await.unwrap_or_else(|error| offline(Err(error)).into());
        }
        Command::Schema(args) => offline(schema::run(&args)),
        Command::Completions(args) => offline(completions::run(&args, program())),
        Command::Man(args) => offline(man::run(&args, program())),
        Command::Help(args) => offline(help::run(&args, program())),
    };
    exit.into()
}

/// The end of what needs no provider.
fn offline(result: Result<Exit>) -> Exit {
    result.unwrap_or_else(|error| {
        Printer::for_errors(Format::Table).error(&error);
        Exit::of_error(error.kind)
    })
}

/// Help and versions are no errors; the rest is, in the format that was asked for.
fn not_understood(error: &clap::Error, env: &Env) -> ExitCode {
    if !error.use_stderr() {
        // A reader that went away is no error.
        let _ = error.print();
        return Exit::Done.into();
    }
    if wants_json(env) {
        let text = error.render().to_string();
        let message = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default().trim();
        Printer::for_errors(Format::Json).error(&Error::new(Kind::Usage, message));
    } else {
        let _ = error.print();
    }
    Exit::Usage.into()
}

/// Whether JSON was asked for on a command line that could not be read as a whole.
fn wants_json(env: &Env) -> bool {
    let is_json = |word: &str| word == "json" || word == "ndjson";
    let arguments: Vec<_> = std::env::args().collect();
    let named = arguments.windows(2).any(|pair| (pair[0] == "-o" || pair[0] == "--output") && is_json(&pair[1]));
    let joined = |argument: &String| {
        ["--output=", "-o=", "-o"].iter().any(|flag| argument.strip_prefix(flag).is_some_and(is_json))
    };
    named || arguments.iter().any(joined) || env.get("IMGCTL_OUTPUT").is_some_and(is_json)
}

impl Flags {
    fn settings(&self, env: Env) -> Settings {
        Settings {
            env,
            region: self.region.clone(),
            profile: self.profile.clone(),
            timeout: self.timeout,
            attempts: self.attempts,
            concurrency: self.concurrency,
            rate: self.rate,
            deadline: self.deadline,
            ..Settings::default()
        }
    }

    fn look(&self, env: &Env) -> Result<Look> {
        let format = match (self.output, env.get("IMGCTL_OUTPUT")) {
            (Some(format), _) => format,
            (None, None) => Format::Table,
            (None, Some(word)) => clap::ValueEnum::from_str(word, true).map_err(|_| {
                Error::new(Kind::Usage, format!("IMGCTL_OUTPUT is \"{word}\"; it can be table, json or ndjson"))
            })?,
        };
        // What -v says comes line by line; a line that moves would be torn by it.
        let progress = !self.no_progress && self.verbose == 0;
        let github = match self.github {
            When::Auto => env.get("GITHUB_ACTIONS") == Some("true"),
            when => when == When::Always,
        };
        let look = Look::of_terminal(format, self.quiet, self.color_of(env), progress);
        Ok(Look { github, ..look })
    }

    fn color_of(&self, env: &Env) -> Option<bool> {
        match self.color {
            When::Always => Some(true),
            When::Never => Some(false),
            When::Auto if env.get("NO_COLOR").is_some() || env.get("TERM") == Some("dumb") => Some(false),
            When::Auto => None,
        }
    }

    /// Shows our own words only: the libraries' logs hold headers, and headers hold secrets.
    fn log(&self) {
        use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};
        let level = match self.verbose {
            0 => return,
            1 => tracing::Level::INFO,
            2 => tracing::Level::DEBUG,
            _ => tracing::Level::TRACE,
        };
        let lines = fmt::layer().with_writer(std::io::stderr).with_target(false).without_time().with_ansi(false);
        let own = Targets::new().with_target("imgctl", level);
        tracing_subscriber::registry().with(lines.with_filter(own)).init();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        program().debug_assert();
    }
}
