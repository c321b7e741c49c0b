//! `imgctl sandbox`: the emulator for users. It serves until Ctrl-C, runs one command inside, or shows a tour.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use clap::ValueEnum;

use super::inside::{cleared, inside, variables};
use super::tour;
use crate::{
    commands::values::duration,
    error::{Error, Kind, Result},
    exit::Exit,
    help::{Example, examples},
    output,
    sandbox::{Fault, Options, Sandbox, World},
};

/// The end of the help.
const EXAMPLES: [Example; 4] = [
    ("What can it do? Each command is printed and run.", "imgctl sandbox --tour"),
    (
        "One command inside; everything is gone afterwards.",
        "imgctl sandbox -- imgctl delete --yes ecr:base/alpine:3.10",
    ),
    ("A shell inside, to look around in.", "imgctl sandbox -- bash"),
    (
        "How does a script bear calls that are never answered?",
        "imgctl sandbox --fault 'cvm:*:drop:2' -- imgctl delete -y cvm:img-2z9lgipz",
    ),
];

/// Emulate all three clouds on one port of this machine
///
/// Nothing leaves the machine and nothing costs money: seeded repositories, machine images and image servers, to try
/// commands and rehearse clean-ups on. It checks signatures, tokens, sizes and rates as the providers document them.
///
/// Serve until Ctrl-C, in one terminal, and use it from another: `imgctl sandbox` prints what to export. Or run one
/// command in it: `imgctl sandbox -- imgctl list 'ecr:team/*'`. Or look around: `imgctl sandbox --tour`.
///
/// A fault is SERVICE:OPERATION:KIND[=ARGUMENT][@AFTER][:TIMES]. Nothing is done: status=N, throttle, drop (no
/// answer), hang (silence). It is done: lose-answer, truncate (half an answer), garble (no JSON), empty ({}),
/// slow=DURATION. AFTER lets so many such calls pass first; `*` is any name. For example
/// `ecr:BatchDeleteImage:throttle:3` or `cvm:DeleteImages:lose-answer:1`.
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Run this in the sandbox, with its environment, and end with its exit code
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// Show the main jobs, each command printed and run
    #[arg(long, conflicts_with_all = ["command", "seed", "images", "world"])]
    tour: bool,
    /// The same number gives the same world
    #[arg(long, default_value = "1", value_name = "N")]
    seed: u64,
    /// How many container images there are, roughly
    #[arg(long, default_value = "200", value_name = "N")]
    images: usize,
    /// Load the world from a file: what --save wrote, or `imgctl list … -o json` of your own accounts
    ///
    /// A listing holds no manifests. Layers of such a world cannot be read, and `prune` keeps what indexes might need.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "images"])]
    world: Option<PathBuf>,
    /// Write the world to a file at the end
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// How long each answer takes at least
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    latency: Option<Duration>,
    /// Calls a second that each operation allows before it throttles; a second's calls may come at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Make calls fail; may be given several times
    #[arg(long, value_name = "SPEC")]
    fault: Vec<String>,
    /// Write each call to a file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// The port to serve on; any free one unless given
    #[arg(long, default_value = "0", hide_default_value = true)]
    port: u16,
    /// The shell that the variables are printed for
    #[arg(long, value_enum, default_value = "bash")]
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Fish,
    Powershell,
}

pub async fn run(args: Args) -> Result<ExitCode> {
    let sandbox = args.start().await?;
    let code = if args.tour {
        tour::run(&sandbox).await.map(ExitCode::from)
    } else if args.command.is_empty() {
        args.serve(&sandbox).await.map(ExitCode::from)
    } else {
        run_in(&sandbox, &args.command).await
    }?;
    if let Some(file) = &args.save {
        sandbox.world().save(file)?;
    }
    Ok(code)
}

impl Args {
    async fn start(&self) -> Result<Sandbox> {
        let now = chrono::Utc::now();
        let world = match &self.world {
            Some(file) => World::load(file)?,
            None => World::seeded(self.seed, self.images, now),
        };
        let faults = self
            .fault
            .iter()
            .map(|spec| spec.parse::<Fault>().map_err(|error| Error::new(Kind::Usage, error.to_string())));
        let options = Options {
            latency: self.latency.unwrap_or_default(),
            faults: faults.collect::<Result<_>>()?,
            rate: self.rate,
            log: self.log.clone(),
            port: self.port,
            ..Options::default()
        };
        Sandbox::start(world, options)
            .await
            .map_err(|error| Error::new(Kind::Config, format!("the sandbox cannot start: {error}")))
    }

    async fn serve(&self, sandbox: &Sandbox) -> Result<Exit> {
        output::plain(&self.shell.script(&variables(sandbox)));
        output::aside(&format!("the sandbox serves on {}; Ctrl-C ends it", sandbox.url()));
        tokio::signal::ctrl_c().await.map_err(|error| Error::new(Kind::Config, error.to_string()))?;
        Ok(Exit::Done)
    }
}

impl Shell {
    /// Lines that set the variables, to paste or to evaluate.
    fn script(self, variables: &[(&str, String)]) -> String {
        let line = |name: &str, value: &str| match self {
            Self::Bash => format!("export {name}='{value}'\n"),
            Self::Fish => format!("set -gx {name} '{value}'\n"),
            Self::Powershell => format!("$env:{name} = '{value}'\n"),
        };
        let clear = |name: &str| match self {
            Self::Bash => format!("unset {name}\n"),
            Self::Fish => format!("set -e {name}\n"),
            Self::Powershell => format!("Remove-Item -ErrorAction Ignore Env:{name}\n"),
        };
        let cleared = cleared(variables).filter(|name| std::env::var_os(name).is_some()).map(clear);
        cleared.chain(variables.iter().map(|(name, value)| line(name, value))).collect()
    }
}

async fn run_in(sandbox: &Sandbox, words: &[OsString]) -> Result<ExitCode> {
    let program = Path::new(&words[0]);
    // The lookup of a program uses this process's PATH, which has not this program's folder.
    let own = std::env::current_exe().ok().filter(|_| program == Path::new("imgctl"));
    let mut child = inside(sandbox, own.as_deref().unwrap_or(program), &words[1..]).spawn().map_err(|error| {
        Error::new(Kind::Usage, format!("cannot run {}: {error}", program.display()))
            .hint("the words after -- are one command, as in `imgctl sandbox -- imgctl list 'ecr:team/*'`")
    })?;
    loop {
        tokio::select! {
            status = child.wait() => {
                return status.map(code).map_err(|error| Error::new(Kind::Config, error.to_string()));
            }
            // The command gets the interrupt too, and says how it ends.
            _ = tokio::signal::ctrl_c() => {}
        }
    }
}

/// The exit code of a command; of one that a signal ended, what a shell says.
fn code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return ExitCode::from(128u8.saturating_add(signal as u8));
    }
    // Windows has larger codes; what does not fit is at least no success.
    status.code().map_or(ExitCode::FAILURE, |code| ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
