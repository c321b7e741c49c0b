//! The checks of `imgctl doctor` for one provider. The code that resolves settings records what it finds, and the calls
//! that try these settings record their results. This module is the same for all providers.

mod tried;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::tried::Heard;
use crate::error::{Error, Kind, Result};

/// What a check is about, in the order in which people read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Who calls, and where that was found.
    Credentials,
    Account,
    Project,
    Region,
    /// Where credentials are exchanged for a token.
    Login,
    /// Where calls go.
    Endpoint,
    /// How far this machine's clock is from the service's.
    Clock,
    /// Whether the credentials may read.
    Read,
    /// What the service can do, where that differs.
    Abilities,
    /// Whether they may delete.
    Delete,
    /// Whether they may ask a service what is in use. There may be several.
    Ask,
}

impl Subject {
    pub fn word(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Region => "region",
            Self::Login => "login",
            Self::Account => "account",
            Self::Project => "project",
            Self::Endpoint => "endpoint",
            Self::Clock => "clock",
            Self::Read => "read",
            Self::Abilities => "abilities",
            Self::Delete => "delete",
            Self::Ask => "ask",
        }
    }
}

/// Says on `-v` what a setting is, and what set it.
pub fn tell(subject: Subject, value: &str, source: &str) {
    tracing::info!("{}: {value} ({source})", subject.word());
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// It is set up so, and nothing has shown yet whether it is well.
    Found,
    /// It is set up, and something else comes before it.
    Unused,
    /// It is set up nowhere.
    Missing,
    /// Nothing that was asked tells.
    Unknown,
    /// It works, and may soon not.
    Warning,
    Failed,
}

impl State {
    /// The word that users and scripts see.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Found => "found",
            Self::Missing => "missing",
            Self::Unused => "unused",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "check")]
pub struct Check {
    pub check: Subject,
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value was found: a flag, variables, a file, an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Of an endpoint: how long its answer took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// Of the clock: how far this machine's is ahead of the service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_ahead: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

impl Check {
    fn new(check: Subject, state: State) -> Self {
        Self {
            check,
            state,
            value: None,
            source: None,
            note: None,
            milliseconds: None,
            seconds_ahead: None,
            error: None,
        }
    }
}

/// The checks of one provider, in the order in which they were made.
#[derive(Default)]
pub struct Checkup {
    pub checks: Vec<Check>,
    /// Calls sent to the service.
    pub calls: usize,
}

impl Checkup {
    /// Notes what a setting is, and what set it.
    pub fn found(&mut self, subject: Subject, value: impl Into<String>, source: impl Into<String>) {
        let (value, source) = (value.into(), source.into());
        tell(subject, &value, &source);
        self.checks.push(Check { value: Some(value), source: Some(source), ..Check::new(subject, State::Found) });
    }

    /// Notes credentials of the environment or of a file that something else comes before.
    pub fn unused(&mut self, what: &str, why: &str) {
        self.checks.push(Check {
            value: Some(what.into()),
            note: Some(why.into()),
            ..Check::new(Subject::Credentials, State::Unused)
        });
    }

    /// Notes something that cannot be known, and why.
    pub fn unknown(&mut self, subject: Subject, why: &str) {
        self.checks.push(Check { note: Some(why.into()), ..Check::new(subject, State::Unknown) });
    }

    /// Notes a failure; a success goes by.
    pub fn of<T>(&mut self, subject: Subject, result: Result<T>) -> Result<T> {
        result.inspect_err(|error| self.fail(subject, error.clone()))
    }

    /// Notes that there are no credentials: a failure where something was `set_up` to give them.
    pub fn credentials<T>(&mut self, result: Result<T>, set_up: impl FnOnce() -> bool) -> Result<T> {
        let result = self.of(Subject::Credentials, result);
        let nowhere = matches!(&result, Err(error) if error.kind == Kind::Auth) && !set_up();
        if nowhere {
            self.open(Subject::Credentials).state = State::Missing;
        }
        result
    }

    /// What a setting was found to be.
    pub fn value(&self, subject: Subject) -> Option<&str> {
        let mut values = self.checks.iter().filter(|check| check.check == subject);
        values.find(|check| check.state != State::Unused)?.value.as_deref()
    }

    /// Whether anything was found to be in this state.
    pub fn any(&self, state: State) -> bool {
        self.checks.iter().any(|check| check.state == state)
    }

    /// The first failure: those after it may follow from it.
    pub fn error(&self) -> Option<&Error> {
        self.checks.iter().find_map(|check| check.error.as_ref())
    }

    /// Notes that the service told the value itself.
    pub fn told(&mut self, subject: Subject, value: impl Into<String>) {
        let value = value.into();
        let told = self.open(subject);
        told.state = State::Ok;
        // A value that was set keeps the place that it was set in.
        if told.value.as_ref() != Some(&value) {
            told.value = Some(value);
            told.source = Some("the service's answer".into());
        }
    }

    /// Notes whether the service lets these credentials do something.
    pub fn allowed(&mut self, subject: Subject, what: &str, answer: Result<()>) {
        let allowed = self.open(subject);
        allowed.value = Some(what.into());
        match answer {
            Ok(()) => allowed.state = State::Ok,
            Err(error) => self.fail(subject, error),
        }
    }

    /// Notes whether a service can be asked.
    pub fn askable(&mut self, service: String, answer: Result<()>) {
        let mut check = Check { value: Some(service), ..Check::new(Subject::Ask, State::Ok) };
        if let Err(mut error) = answer {
            error.hint = error.hint.or(advice(error.kind).map(Into::into));
            (check.state, check.error) = (State::Failed, Some(error));
        }
        self.checks.push(check);
    }

    /// Notes how long an endpoint took to answer.
    pub fn reached(&mut self, subject: Subject, took: Duration) {
        let endpoint = self.open(subject);
        endpoint.state = State::Ok;
        endpoint.milliseconds = u64::try_from(took.as_millis()).ok();
    }

    fn fail(&mut self, subject: Subject, mut error: Error) {
        error.hint = error.hint.or(advice(error.kind).map(Into::into));
        let failed = self.open(subject);
        failed.state = State::Failed;
        failed.error = Some(error);
    }

    /// The check of a subject that is in force, begun if there is none.
    fn open(&mut self, subject: Subject) -> &mut Check {
        let in_force = |check: &Check| check.check == subject && check.state != State::Unused;
        let place = self.checks.iter().position(in_force).unwrap_or_else(|| {
            self.checks.push(Check::new(subject, State::Unknown));
            self.checks.len() - 1
        });
        &mut self.checks[place]
    }
}

/// What to do about an error of this kind, if it has no hint of its own.
fn advice(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Throttled | Kind::Failed => "try again later",
        Kind::Lost => "try again later; if that does not help, check the endpoint and the proxy settings",
        Kind::Unreachable | Kind::Unreadable => "check the network, the endpoint and the proxy settings",
        Kind::Auth => "check the credentials, or get new ones",
        Kind::Denied => "ask for this permission",
        _ => return None,
    })
}
