//! `imgctl sandbox`: runs the emulator: serves until Ctrl-C, runs one command inside, or shows a tour.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use chrono::TimeDelta;
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::{
    exports::Shell,
    inside::{Place, inside, variables},
    prompt, tour,
};
use crate::{
    commands::values::duration,
    error::{Error, Kind, Result},
    exit::Exit,
    help::{Example, examples},
    output,
    sandbox::{
        Fault, Options, Sandbox, World,
        ecr::Delays,
        oci::{
            Habits, USER,
            habits::{self, Auth},
        },
    },
};

/// Examples at the end of the help.
const EXAMPLES: [Example; 4] = [
    ("See the main commands, each printed and run.", "imgctl sandbox --tour"),
    (
        "Run one command inside; nothing remains afterwards.",
        "imgctl sandbox -- imgctl delete --yes ecr:base/alpine:3.10",
    ),
    ("Start a shell inside.", "imgctl sandbox -- bash"),
    (
        "Test how a script handles calls without an answer.",
        "imgctl sandbox --fault 'cvm:*:drop:2' -- imgctl delete -y cvm:img-2z9lgipz",
    ),
];

/// Emulate all three clouds and an OCI registry on this machine
///
/// Try commands and rehearse clean-ups on sample repositories, machine images and image servers. Nothing leaves the
/// machine and nothing costs money. The sandbox checks signatures, tokens, sizes and rates as the providers document
/// them. ECS, EventBridge, Lambda and Amazon Inspector tell what runs there.
///
/// docker and skopeo can pull from and push to the ECR repositories and the OCI registry. `--registry` names the
/// registry to behave like, `--quirk` adds what others do. Inside the sandbox, both are logged in, and
/// `$SANDBOX_REGISTRY` holds the registry's address.
///
/// `imgctl sandbox` serves until Ctrl-C and prints the variables to export in another terminal. To run one command
/// inside: `imgctl sandbox -- imgctl list 'ecr:team/*'`. To see a tour: `imgctl sandbox --tour`.
///
/// A fault is SERVICE:OPERATION:KIND[=ARGUMENT][@AFTER][:TIMES]. AFTER lets that many calls succeed first; `*` matches
/// any name. Services are ecr, ecs, lambda, inspector, cvm, workspace and oci. Examples: `ecr:BatchDeleteImage:throttle:3`,
/// `cvm:DeleteImages:lose-answer:1`, `oci:DELETE manifest:status=405`.
///
/// Kinds that fail before the call has an effect: status=N (status=N,blank, status=N,html and status=N,json replace the
/// body), throttle (throttle=VALUE sets Retry-After), redirect, drop (closes the connection), hang (never answers).
///
/// Kinds that fail after it: lose-answer, truncate (half an answer), trickle (byte by byte), huge (256 MiB), bomb (1 GiB
/// in gzip), slow=DURATION.
///
/// Kinds that answer wrongly after it: garble (HTML), empty ({}), null (all values), retype (wrong types), twice (every
/// member), stranger (ids that were not asked for), deep (nested lists), other (the answer of another operation), repeat
/// (the answer to the first call), endless (more pages follow).
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// Run this command inside the sandbox, and end with its exit code
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
    /// Show the main commands, each printed and run; a terminal pauses between them
    #[arg(long, conflicts_with_all = ["command", "seed", "images", "world"])]
    tour: bool,
    /// Seed for the sample data; the same seed gives the same data
    #[arg(long, default_value = "1", value_name = "N")]
    seed: u64,
    /// Approximate number of container images
    #[arg(long, default_value = "200", value_name = "N")]
    images: usize,
    /// Load data from a file: written by --save, or by `imgctl list … -o json` of your own accounts
    ///
    /// A listing contains no manifests: layers cannot be read, and `prune` keeps images that an index might need.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "images"])]
    world: Option<PathBuf>,
    /// Write the data to a file at the end
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Minimum time for each answer
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    latency: Option<Duration>,
    /// Calls per second that each operation allows before it throttles; a second's calls may come at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// ECR: time from the archive until an image can be pulled; up to 20 minutes in AWS
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    activation: Duration,
    /// ECR: drop layers that no image has after this time [default: keep them; AWS does not say how long it does]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    layers_kept: Option<Duration>,
    /// Make calls fail; can be repeated
    #[arg(long, value_name = "SPEC")]
    fault: Vec<String>,
    /// Write each call to a file, one JSON object per line
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Port to serve on [default: a free port]
    #[arg(long, default_value = "0", hide_default_value = true)]
    port: u16,
    /// OCI registry: the registry that it behaves like
    #[arg(long, value_name = "NAME", default_value = "distribution", value_parser = registries())]
    registry: String,
    /// OCI registry: something else that registries do; can be repeated
    #[arg(long, value_name = "QUIRK", value_parser = quirks())]
    quirk: Vec<String>,
    /// OCI registry: how users log in [default: as in that registry]
    #[arg(long, value_enum)]
    registry_auth: Option<Auth>,
    /// OCI registry: let everybody pull
    #[arg(long)]
    anonymous_pulls: bool,
    /// OCI registry: lifetime of a token
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    token_life: Duration,
    /// OCI registry: port to serve on [default: a free port]
    #[arg(long, value_name = "PORT", default_value = "0", hide_default_value = true)]
    registry_port: u16,
    /// Shell syntax for the printed variables
    #[arg(long, value_enum, default_value = "bash")]
    shell: Shell,
}

pub async fn run(args: Args) -> Result<ExitCode> {
    let place = Place::new(args.start().await?).map_err(cannot_start)?;
    let code = if args.tour {
        tour::run(&place).await.map(ExitCode::from)
    } else if args.command.is_empty() {
        args.serve(&place).await.map(ExitCode::from)
    } else {
        run_in(&place, &args.command).await
    }?;
    if let Some(file) = &args.save {
        place.sandbox.world().save(file)?;
    }
    Ok(code)
}

fn registries() -> PossibleValuesParser {
    habits::REGISTRIES.map(|habits| habits.name).into()
}

fn quirks() -> PossibleValuesParser {
    habits::QUIRKS.map(|(name, help, _)| PossibleValue::new(name).help(help)).into()
}

fn cannot_start(error: impl std::fmt::Display) -> Error {
    Error::new(Kind::Config, format!("cannot start the sandbox: {error}"))
}

impl Args {
    async fn start(&self) -> Result<Sandbox> {
        let now = chrono::Utc::now();
        let mut world = match &self.world {
            Some(file) => World::load(file)?,
            None => World::seeded_with(self.seed, self.images, self.habits(), now),
        };
        // No duration of a flag is longer than a century.
        let span = |duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
        world.oci.habits = self.habits();
        world.oci.door.token_life = span(self.token_life);
        world.oci.door.anonymous = self.anonymous_pulls;
        world.ecr.delays = Delays { activation: span(self.activation), layers_kept: self.layers_kept.map(span) };
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
            registry_port: self.registry_port,
            ..Options::default()
        };
        Sandbox::start(world, options).await.map_err(|error| match error.kind() {
            // A fault of what is not there.
            io::ErrorKind::InvalidInput => Error::new(Kind::Usage, error.to_string()),
            _ => cannot_start(error),
        })
    }

    /// Where the registry is, and who may call it.
    fn registry_line(&self, sandbox: &Sandbox) -> String {
        let line = format!("OCI registry ({}) at {}", self.registry, sandbox.registry());
        let (user, password) = USER;
        match self.habits().auth {
            Auth::Open => line,
            Auth::Basic | Auth::Token => format!("{line}, user {user}, password {password}"),
        }
    }

    fn habits(&self) -> Habits {
        let mut habits = Habits::of(&self.registry).unwrap_or_default();
        habits.auth = self.registry_auth.unwrap_or(habits.auth);
        for quirk in &self.quirk {
            // The parser knows them all.
            habits.add(quirk);
        }
        habits
    }

    async fn serve(&self, place: &Place) -> Result<Exit> {
        // The sandbox's own keys may be in the environment already, and must still be printed.
        output::exact(self.shell.script(&variables(place)).as_bytes());
        output::aside(&format!("sandbox running at {}; press Ctrl-C to stop", place.sandbox.url()));
        output::aside(&self.registry_line(&place.sandbox));
        tokio::signal::ctrl_c().await.map_err(|error| Error::new(Kind::Config, error.to_string()))?;
        Ok(Exit::Done)
    }
}

async fn run_in(place: &Place, words: &[OsString]) -> Result<ExitCode> {
    let program = Path::new(&words[0]);
    // The lookup of a program uses the PATH of this process, which may not contain imgctl.
    let own = std::env::current_exe().ok().filter(|_| program == Path::new("imgctl"));
    let mut command = inside(place, own.as_deref().unwrap_or(program), &words[1..]);
    if let Some(shell) = prompt::shell(words).filter(|_| io::stdin().is_terminal()) {
        prompt::mark(&mut command, shell, place.folder()).map_err(cannot_start)?;
        output::aside(&prompt::greeting(shell, &place.sandbox.registry()));
    }
    let mut child = command.spawn().map_err(|error| {
        Error::new(Kind::Usage, format!("cannot run {}: {error}", program.display()))
            .hint("write one command after --: `imgctl sandbox -- imgctl list 'ecr:team/*'`")
    })?;
    loop {
        tokio::select! {
            status = child.wait() => {
                return status.map(code).map_err(|error| Error::new(Kind::Config, error.to_string()));
            }
            // The command gets the interrupt too, and decides how to end.
            _ = tokio::signal::ctrl_c() => {}
        }
    }
}

/// The exit code of a command; after a signal, the same code as from a shell.
fn code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return ExitCode::from(128u8.saturating_add(signal as u8));
    }
    // Windows has larger codes; any that does not fit becomes 1.
    status.code().map_or(ExitCode::FAILURE, |code| ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
