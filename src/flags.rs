//! The global options, and what they and the environment resolve to: the settings, the look of the output, the log.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use clap::Args;

use crate::{
    commands::values::{at_least_one, duration},
    error::{Error, Kind, Result},
    output::{self, Format, Look},
    settings::{Env, Options, Settings},
};

/// Options of every command.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub struct Flags {
    /// Output format [default: table; environment: IMGCTL_OUTPUT]
    #[arg(short, long, global = true, value_enum)]
    output: Option<Format>,
    /// Region of references that name no region
    #[arg(long, global = true)]
    region: Option<String>,
    /// Profile of the provider's own tools; takes precedence over keys in the environment
    #[arg(long, global = true)]
    profile: Option<String>,
    /// Maximum concurrent calls [default: depends on the provider]
    #[arg(long, global = true, value_name = "N", value_parser = at_least_one)]
    concurrency: Option<usize>,
    /// Maximum calls per second of each kind [default: the provider's published rate]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Maximum time to wait for one answer; a bare number is seconds
    #[arg(long, global = true, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    timeout: Duration,
    /// Maximum attempts per call
    #[arg(long, global = true, value_name = "N", default_value = "4", value_parser = at_least_one)]
    attempts: usize,
    /// Maximum time for the whole run; then imgctl stops and reports
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration)]
    deadline: Option<Duration>,
    /// Print results only
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say what happens: where credentials, region and endpoint come from, and retries with their reason
    ///
    /// -vv adds each call: operation, region, host, number of ids, status, time and request id. -vvv adds waits for the
    /// turn of a call. No level prints a secret.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// When to use color
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_enum)]
    color: When,
    /// Do not show progress on stderr
    #[arg(long, global = true)]
    no_progress: bool,
    /// When to write annotations and a step summary for GitHub Actions; auto: if GITHUB_ACTIONS is true
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_enum)]
    github: When,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

impl Flags {
    pub fn settings(&self, env: Env, options: Options) -> Settings {
        Settings {
            env,
            region: self.region.clone(),
            profile: self.profile.clone(),
            timeout: options.most_timeout.map_or(self.timeout, |most| most.min(self.timeout)),
            attempts: self.attempts,
            concurrency: self.concurrency,
            rate: self.rate,
            deadline: self.deadline,
            options,
            ..Settings::default()
        }
    }

    pub fn look(&self, env: &Env) -> Result<Look> {
        env.readable(&[])?;
        let format = match (self.output, env.get("IMGCTL_OUTPUT")) {
            (Some(format), _) => format,
            (None, None) => Format::Table,
            (None, Some(word)) => clap::ValueEnum::from_str(word, true).map_err(|_| {
                Error::new(Kind::Usage, format!("not a valid IMGCTL_OUTPUT: \"{word}\"; use table, json or ndjson"))
            })?,
        };
        // -v prints line by line, which would break up a progress line that moves.
        let progress = !self.no_progress && self.verbose == 0;
        let github = match self.github {
            When::Auto => env.get("GITHUB_ACTIONS") == Some("true"),
            when => when == When::Always,
        };
        let look = Look::of_terminal(format, self.quiet, self.color_of(env), progress);
        let chosen = self.output.is_some() || env.get("IMGCTL_OUTPUT").is_some();
        let rows = !chosen && !io::stdout().is_terminal();
        Ok(Look { github, rows, details: self.verbose > 0, ..look })
    }

    fn color_of(&self, env: &Env) -> Option<bool> {
        match self.color {
            When::Always => Some(true),
            When::Never => Some(false),
            When::Auto if env.get("NO_COLOR").is_some() => Some(false),
            When::Auto if env.get("CLICOLOR_FORCE").is_some_and(|force| force != "0") => Some(true),
            When::Auto if env.get("TERM") == Some("dumb") => Some(false),
            When::Auto => None,
        }
    }

    /// Shows only our own log lines: the logs of libraries contain headers, and headers contain secrets.
    pub fn log(&self) {
        use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};
        let level = match self.verbose {
            0 => return,
            1 => tracing::Level::INFO,
            2 => tracing::Level::DEBUG,
            _ => tracing::Level::TRACE,
        };
        let lines = fmt::layer().with_writer(|| output::Log).with_target(false).without_time().with_ansi(false);
        let own = Targets::new().with_target("imgctl", level);
        tracing_subscriber::registry().with(lines.with_filter(own)).init();
    }
}

/// The command line of this process.
pub fn command_line() -> Vec<String> {
    // Arguments need not be UTF-8, and `std::env::args` panics at one that is not.
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// Whether a command line that clap could not parse asks for JSON.
pub fn wants_json(env: &Env) -> bool {
    let is_json = |word: &str| word == "json" || word == "ndjson";
    let arguments = command_line();
    let named = arguments.windows(2).any(|pair| (pair[0] == "-o" || pair[0] == "--output") && is_json(&pair[1]));
    let joined = |argument: &String| {
        ["--output=", "-o=", "-o"].iter().any(|flag| argument.strip_prefix(flag).is_some_and(is_json))
    };
    named || arguments.iter().any(joined) || env.get("IMGCTL_OUTPUT").is_some_and(is_json)
}
