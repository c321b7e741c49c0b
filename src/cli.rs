//! The command line: parses arguments, resolves settings, and calls the command.

mod misread;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    commands::{
        check_layers, complete, completions, delete, doctor, get, help, history, list, man, policy, prune, restore,
        sandbox, schema,
    },
    context::Context,
    error::{Error, Kind, Result},
    exit::Exit,
    flags::{self, Flags},
    help::topics,
    output::{self, Format, Printer},
    settings::{Env, Options},
};

/// One CLI to list, inspect, delete and prune images in ECR, CVM and Workspace.
///
/// Name an image as SCHEME:[//[OWNER@]REGION/]NAME: `ecr:team/app:v1`,
/// `ecr://eu-west-1/team/app@sha256:…`, the URI that `docker pull` takes,
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
    History(history::Args),
    Restore(restore::Args),
    Doctor(doctor::Args),
    Sandbox(sandbox::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
    Help(help::Args),
}

/// Runs the program with the arguments and environment of this process.
pub fn run() -> ExitCode {
    let env = Env::from_process();
    if let Some(args) = complete::Args::of_process() {
        return in_runtime(async { complete::run(&args, program(), env).await.into() });
    }
    let format = if flags::wants_json(&env) { Format::Json } else { Format::Table };
    let exit = match Cli::try_parse() {
        Ok(cli) => in_runtime(dispatch(cli, env)),
        Err(error) => not_understood(&error, &env),
    };
    match output::failure() {
        None => exit,
        Some(error) => {
            Printer::for_errors(format).error(&error);
            if exit == ExitCode::SUCCESS { Exit::NotAll.into() } else { exit }
        }
    }
}

fn in_runtime(run: impl Future<Output = ExitCode>) -> ExitCode {
    if let Err(error) = room_for_files() {
        return offline(Err(error)).into();
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Exit::Nothing.into();
    };
    let exit = runtime.block_on(run);
    // A prompt may still block a thread that reads the terminal; do not wait for it.
    runtime.shutdown_background();
    exit
}

/// Checks that imgctl can open enough files: the runtime and the libraries panic otherwise.
fn room_for_files() -> Result<()> {
    /// The runtime, the signals, standard streams, certificates, and a few connections.
    const FEW: usize = 32;
    let Ok(own) = std::env::current_exe() else { return Ok(()) };
    let open =
        std::fs::File::open(&own).and_then(|first| (1..FEW).map(|_| first.try_clone()).collect::<Result<Vec<_>, _>>());
    // The program file may be unreadable; only a limit matters here.
    #[cfg(unix)]
    if let Err(error) = &open
        && error.kind() != std::io::ErrorKind::PermissionDenied
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(Error::new(Kind::Config, format!("cannot open {FEW} files at once: {error}"))
            .hint("raise the limit of open files, as in `ulimit -n 1024`"));
    }
    drop(open);
    Ok(())
}

/// The description of the command line, for completions, manual pages and help.
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
    let context = Context::new(flags.settings(env, command.options()), look, command.name(), command.is_dry_run());
    let exit = match command {
        Command::Delete(args) => context.run(delete::run(args, &context)).await,
        Command::Get(args) => context.run(get::run(args, &context)).await,
        Command::CheckLayers(args) => context.run(check_layers::run(args, &context)).await,
        Command::List(args) => context.run(list::run(args, &context)).await,
        Command::Prune(args) => context.run(prune::run(args, &context)).await,
        Command::Policy(policy::Args { verb }) => context.run(verb.run(&context)).await,
        Command::History(args) => context.run(history::run(args, &context)).await,
        Command::Restore(args) => context.run(restore::run(args, &context)).await,
        Command::Doctor(args) => context.run(doctor::run(args, &context)).await,
        // The sandbox ends with the exit code of the command that ran inside.
        Command::Sandbox(args) => return sandbox::run(args).await.unwrap_or_else(|error| offline(Err(error)).into()),
        Command::Schema(args) => offline(schema::run(&args)),
        Command::Completions(args) => offline(completions::run(&args, program())),
        Command::Man(args) => offline(man::run(&args, program())),
        Command::Help(args) => offline(help::run(&args, program())),
    };
    exit.into()
}

impl Command {
    /// Its name in reports.
    fn name(&self) -> &'static str {
        match self {
            Self::Delete(_) => "delete",
            Self::Get(_) => "get",
            Self::CheckLayers(_) => "check-layers",
            Self::List(_) => "list",
            Self::Prune(_) => "prune",
            Self::Policy(_) => "policy",
            Self::History(_) => "history",
            Self::Restore(_) => "restore",
            Self::Doctor(_) => "doctor",
            // These commands print no report.
            Self::Sandbox(_) | Self::Schema(_) | Self::Completions(_) | Self::Man(_) | Self::Help(_) => "",
        }
    }

    fn is_dry_run(&self) -> bool {
        match self {
            Self::Delete(args) => args.consent.dry_run,
            Self::Prune(args) => args.consent.dry_run,
            Self::Restore(args) => args.consent.dry_run,
            _ => false,
        }
    }

    /// The settings that come from its own flags.
    fn options(&self) -> Options {
        let none = Options::default();
        match self {
            Self::Delete(args) => Options { deletion: args.deletion, ..none },
            Self::Prune(args) => Options { deletion: args.deletion, ..none },
            Self::Get(args) => Options { sharing: args.sharing.sharing, ..none },
            Self::List(args) => Options { kinds: args.kinds, sharing: args.sharing.sharing, ..none },
            Self::Doctor(args) => {
                Options { check_delete: args.check_delete, most_timeout: Some(doctor::PATIENCE), ..none }
            }
            _ => none,
        }
    }
}

/// The exit code of a command that needs no provider.
fn offline(result: Result<Exit>) -> Exit {
    result.unwrap_or_else(|error| {
        Printer::for_errors(Format::Table).error(&error);
        Exit::of_error(error.kind)
    })
}

/// Prints help and version on stdout, and every other problem as an error in the requested format.
fn not_understood(error: &clap::Error, env: &Env) -> ExitCode {
    if !error.use_stderr() {
        output::of_clap(|| error.print());
        return Exit::Done.into();
    }
    let ours = misread::error(error, &program(), &flags::command_line());
    match (flags::wants_json(env), ours) {
        (true, ours) => {
            let of_clap = || {
                let text = error.render().to_string();
                let message = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default().trim();
                Error::new(Kind::Usage, message)
            };
            Printer::for_errors(Format::Json).error(&ours.unwrap_or_else(of_clap));
        }
        (false, Some(ours)) => Printer::for_errors(Format::Table).error(&ours),
        (false, None) => drop(error.print()),
    }
    Exit::Usage.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        program().debug_assert();
    }
}
