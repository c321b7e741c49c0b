//! What can go wrong, with a call or with one item. The kind carries every decision (try again, halve, stop the
//! store, exit code); code and message are the provider's own words, kept for people and never interpreted.

use std::{fmt, io, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error means for what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Refused for the rate of calls; nothing was done.
    Throttled,
    /// Never sent: no such host, connection refused, no TLS.
    Unreachable,
    /// Sent, and no answer that says what became of it (a 5xx, a timeout, a broken connection): it may have been done.
    Lost,
    /// An answer came that cannot be understood.
    Unreadable,
    /// No such image (or layer, or job).
    NotFound,
    /// Something else needs the image.
    InUse,
    /// The image's state forbids it for now.
    WrongState,
    /// It is not what was shown any more.
    Changed,
    /// A rule says no: protected, shared, not ours, not deletable.
    Protected,
    /// The provider found the request wrong.
    Invalid,
    /// More values than one call may carry.
    TooMany,
    /// The provider tried and failed.
    Failed,
    /// The credentials are missing, wrong or expired.
    Auth,
    /// The credentials are good and may not do this.
    Denied,
    /// No such store: repository, project or region.
    NoStore,
    /// Our own set-up is wrong: no region, bad endpoint, bad file.
    Config,
    /// The provider has no such thing.
    Unsupported,
    /// The command line is wrong.
    Usage,
    /// A guard of ours stopped before anything was sent.
    Guard,
    /// Not tried: the run was stopped (in JSON also: the store was).
    Stopped,
    /// Not tried: the store was stopped. JSON has one word for both.
    #[serde(rename(serialize = "stopped"), skip_deserializing)]
    StoreStopped,
}

impl Kind {
    /// Nothing was done, so the same call may go out again.
    pub fn nothing_done(self) -> bool {
        matches!(self, Self::Throttled | Self::Unreachable)
    }

    /// Worth another try when asking twice does no harm.
    pub fn transient(self) -> bool {
        self.nothing_done() || self == Self::Lost
    }

    /// The whole call was refused because of some of its items: smaller calls can tell which.
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
        matches!(self, Unreachable | Unreadable | Auth | Denied | NoStore | Config | Unsupported)
    }

    /// A look at the images can show which of them a refused call was refused for.
    pub fn names_state(self) -> bool {
        use Kind::*;
        matches!(self, NotFound | InUse | WrongState | Protected)
    }
}

/// One failure, as JSON shows it and as people read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Error {
    pub kind: Kind,
    /// The provider's own code, verbatim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The provider's reason for a denial, in a code that only the provider can read.
    #[serde(rename = "encoded_authorization_message", skip_serializing_if = "Option::is_none")]
    pub encoded_reason: Option<String>,
    /// How long the provider asked us to wait.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: None,
            message: message.into(),
            request_id: None,
            hint: None,
            encoded_reason: None,
            retry_after: None,
        }
    }

    /// Of a file that a user named and that cannot be read.
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
    /// Of files that a user named: the whole chain says what and where.
    fn from(error: anyhow::Error) -> Self {
        Self::new(Kind::Usage, format!("{error:#}"))
    }
}
