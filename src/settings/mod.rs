//! Flags, environment, files and defaults, resolved once. This folder is the only reader of the environment and of
//! the provider tools' own files; a provider's names are in the file called after its cloud.

pub mod aws;
pub mod huawei;
mod ini;
pub mod oci;
mod options;
mod regions;
pub mod tencent;
mod variables;

pub use options::{DeletionFlags, Kinds, Options, Sharing};
pub use regions::{profiles, regions};
pub use variables::variables;

use std::{collections::HashMap, path::PathBuf, time::Duration};

use etcetera::BaseStrategy;

use self::variables::COMMON;
use crate::{
    error::{Error, Kind, Result},
    secrets,
};

/// How the names of variables with secrets end.
const SECRETS: [&str; 5] = ["_SECRET_ACCESS_KEY", "_SECRET_KEY", "_SDK_SK", "_PASSWORD", "_TOKEN"];

/// The environment as it was at the start, so that nothing changes underneath a run and tests can give their own.
#[derive(Clone, Default)]
pub struct Env {
    vars: HashMap<String, String>,
    /// Variables whose values are not UTF-8.
    unreadable: Vec<String>,
    home: Option<PathBuf>,
    cache: Option<PathBuf>,
    state: Option<PathBuf>,
}

impl Env {
    pub fn from_process() -> Self {
        let (mut vars, mut unreadable) = (HashMap::new(), Vec::new());
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => drop(vars.insert(name, value)),
                (Ok(name), Err(_)) => unreadable.push(name),
                // No name that is read here is like that.
                (Err(_), _) => {}
            }
        }
        // A secret may come back in an answer, whether or not this run uses it.
        vars.iter().filter(|(name, _)| is_secret(name)).for_each(|(_, secret)| secrets::remember(secret));
        vars.values().for_each(|value| secrets::remember_password_of(value));
        let folders = etcetera::choose_base_strategy().ok();
        // Windows has no folder for state.
        let state = folders.as_ref().map(|folders| folders.state_dir().unwrap_or_else(|| folders.data_dir()));
        Self {
            vars,
            unreadable,
            home: etcetera::home_dir().ok(),
            cache: folders.map(|folders| folders.cache_dir().join("imgctl")),
            state: state.map(|folder| folder.join("imgctl")),
        }
    }

    /// An environment of these variables alone.
    pub fn of<'a>(vars: impl IntoIterator<Item = (&'a str, &'a str)>, home: Option<PathBuf>) -> Self {
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { vars, home, ..Self::default() }
    }

    /// Refuses to go on without a variable that is set and not UTF-8, as if it were not set.
    pub fn readable(&self, names: &[&str]) -> Result<()> {
        match self.unreadable.iter().find(|name| names.contains(&name.as_str()) || COMMON.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Error::new(Kind::Config, format!("the variable {name} is not valid UTF-8"))
                .hint("set it again, or unset it")),
        }
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The first of these that is set, with its name.
    pub fn first<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &str)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    /// The same for the AWS SDK, so that it reads no other environment.
    pub fn to_sdk(&self) -> aws_types::os_shim_internal::Env {
        self.vars.clone().into()
    }

    /// All variables but those with secrets and these, for a command that imgctl runs.
    pub fn without_secrets(&self, others: &[&str]) -> impl Iterator<Item = (&String, &String)> {
        self.vars.iter().filter(|(name, _)| !is_secret(name) && !others.contains(&name.as_str()))
    }

    /// Where what was read once may be kept: the folder that `IMGCTL_CACHE_DIR` names, else the system's own; nowhere,
    /// if that is `off`.
    pub fn cache(&self) -> Option<PathBuf> {
        match self.get("IMGCTL_CACHE_DIR") {
            Some("off") => None,
            Some(folder) => Some(folder.into()),
            None => self.cache.clone(),
        }
    }

    /// Where runs are recorded: the folder that `IMGCTL_STATE_DIR` names, else the system's own. In CI only where the
    /// variable says so, because the home of a runner is thrown away; nowhere, if it is `off`.
    pub fn state(&self) -> Option<PathBuf> {
        match self.get("IMGCTL_STATE_DIR") {
            Some("off") => None,
            Some(folder) => Some(folder.into()),
            None if self.get("CI").is_some() => None,
            None => self.state.clone(),
        }
    }

    /// The command that shows long tables page by page: what `IMGCTL_PAGER` says, else `PAGER`.
    pub fn pager(&self) -> Option<&str> {
        let own = self.vars.get("IMGCTL_PAGER").or_else(|| self.vars.get("PAGER"));
        let command = own.map(|command| command.trim()).filter(|command| !command.is_empty() && *command != "cat");
        command.filter(|_| self.get("TERM") != Some("dumb"))
    }

    /// A path below the home folder.
    pub fn home(&self, below: &str) -> Option<PathBuf> {
        Some(self.home.as_ref()?.join(below))
    }
}

/// What the flags of this run say, with their defaults filled in. Providers and commands read this, never a flag.
#[derive(Clone)]
pub struct Settings {
    pub env: Env,
    pub region: Option<String>,
    pub profile: Option<String>,
    /// For one answer.
    pub timeout: Duration,
    /// Times that one call is tried.
    pub attempts: usize,
    /// Calls in flight, instead of what is usual for the provider.
    pub concurrency: Option<usize>,
    /// Calls a second of each kind, instead of what the provider publishes.
    pub rate: Option<u32>,
    /// How long a provider may throttle every call before that is an error.
    pub patience: Duration,
    /// For the whole run.
    pub deadline: Option<Duration>,
    pub options: Options,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            env: Env::default(),
            region: None,
            profile: None,
            timeout: Duration::from_secs(60),
            attempts: 4,
            concurrency: None,
            rate: None,
            patience: Duration::from_secs(60),
            deadline: None,
            options: Options::default(),
        }
    }
}

/// Whether a variable has a secret, by its name.
fn is_secret(name: &str) -> bool {
    SECRETS.iter().any(|end| name.ends_with(end))
}

/// An endpoint as a person writes it.
pub fn shown(endpoint: &reqwest::Url) -> &str {
    endpoint.as_str().trim_end_matches('/')
}

/// The id of an access key as a person recognises it: `AKIA…WXYZ`.
pub fn shortened(id: &str) -> String {
    let characters: Vec<_> = id.chars().collect();
    match characters.len() {
        // Too short to shorten; an id is not a secret.
        ..=8 => id.to_owned(),
        length => characters[..4].iter().chain(&['…']).chain(&characters[length - 4..]).collect(),
    }
}
