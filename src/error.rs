//! What can go wrong with a call or an item. The kind carries every decision (retry, halve, stop the store, exit code).
//! Code and message are the provider's own words for people; imgctl never interprets them.

use std::{fmt, io, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error means for the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The provider refused the call because of the call rate; nothing was done.
    Throttled,
    /// Never sent: no such host, connection refused, no TLS.
    Unreachable,
    /// Sent without a clear answer (a 5xx, a timeout, a broken connection): it may have been done.
    Lost,
    /// The answer cannot be understood.
    Unreadable,
    /// No such image (or layer, or job).
    NotFound,
    /// Layers that the image needs no longer exist.
    LayersGone,
    /// Images that the index needs do not exist.
    PartsMissing,
    /// What was to be stored is there already.
    AlreadyThere,
    /// The tag points to another image, and stays there.
    TagTaken,
    /// Something else needs the image.
    InUse,
    /// The image's state forbids it for now.
    WrongState,
    /// It changed since it was shown.
    Changed,
    /// A rule forbids it: protected, shared, owned by someone else, not deletable.
    Protected,
    /// The provider calls the request invalid.
    Invalid,
    /// One call has too many values.
    TooMany,
    /// The provider tried and failed.
    Failed,
    /// The credentials are missing, wrong or expired.
    Auth,
    /// The credentials are valid but lack a permission.
    Denied,
    /// No such store: repository, project or region.
    NoStore,
    /// The configuration is wrong: no region, bad endpoint, bad file.
    Config,
    /// The provider does not offer this.
    Unsupported,
    /// The command line is wrong.
    Usage,
    /// A guard of imgctl stopped the run before anything was sent.
    Guard,
    /// The record of the run cannot be written.
    Unrecorded,
    /// Not tried: the run was stopped (in JSON also: the store was).
    Stopped,
    /// Not tried: the store was stopped. JSON has one word for both.
    #[serde(rename(serialize = "stopped"), skip_deserializing)]
    StoreStopped,
}

impl Kind {
    /// Nothing was done, so the same call can be sent again.
    pub fn nothing_done(self) -> bool {
        matches!(self, Self::Throttled | Self::Unreachable)
    }

    /// Worth a retry if sending twice does no harm.
    pub fn transient(self) -> bool {
        self.nothing_done() || self == Self::Lost
    }

    /// The provider refused the whole call because of some of its items; smaller calls show which.
    pub fn splits(self) -> bool {
        use Kind::*;
        matches!(self, NotFound | InUse | WrongState | Changed | Protected | Invalid | TooMany | Failed)
    }

    /// Not tried, for whatever reason.
    pub fn not_tried(self) -> bool {
        matches!(self, Self::Stopped | Self::StoreStopped)
    }

    /// Further calls to this store are pointless or dangerous.
    pub fn stops_store(self) -> bool {
        use Kind::*;
        matches!(self, Unreachable | Unreadable | Auth | Denied | NoStore | Config | Unsupported | Unrecorded)
    }

    /// It stops deletions only: looking is harmless, and settles the outcome of what was sent.
    pub fn lets_look(self) -> bool {
        matches!(self, Self::Unreadable | Self::Unrecorded)
    }

    /// A look at the images can show which of them caused the refusal.
    pub fn names_state(self) -> bool {
        use Kind::*;
        matches!(self, NotFound | InUse | WrongState | Protected)
    }
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// The whole text, without passwords.
    pub text: String,
    /// The first byte of the part, counted from 0.
    pub start: usize,
    /// The byte after the part; the same as `start` where something is missing.
    pub end: usize,
}

/// One failure, for people and as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Error {
    pub kind: Kind,
    /// The provider's own code, verbatim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub message: String,
    /// The provider's own words, where the message says the same in imgctl's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<str>>,
    /// What the message is about, in a text that the user gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Box<Position>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The provider's reason for a denial, in a code that only the provider can read.
    #[serde(rename = "encoded_authorization_message", skip_serializing_if = "Option::is_none")]
    pub encoded_reason: Option<String>,
    /// How long the provider asked to wait.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: None,
            message: message.into(),
            detail: None,
            position: None,
            request_id: None,
            hint: None,
            encoded_reason: None,
            retry_after: None,
        }
    }

    /// A file that the user named cannot be read.
    pub fn of_file(name: &str, error: &io::Error) -> Self {
        Self::new(Kind::Usage, format!("cannot read {name}: {error}"))
    }

    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says the same in our words, and keeps the provider's.
    pub fn in_our_words(self, message: impl Into<String>) -> Self {
        Self { detail: Some(self.message.into()), message: message.into(), ..self }
    }

    pub fn request_id(mut self, id: Option<impl Into<String>>) -> Self {
        self.request_id = id.map(Into::into);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<anyhow::Error> for Error {
    /// For files that the user named: the whole chain says what and where.
    fn from(error: anyhow::Error) -> Self {
        Self::new(Kind::Usage, format!("{error:#}"))
    }
}
