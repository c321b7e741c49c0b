//! How registries refuse: a status, and a code with a message in JSON, or plain text of a router or a proxy.

use serde_json::json;

use crate::sandbox::Reply;

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// Empty for an answer in plain text.
    pub code: &'static str,
    pub message: String,
    /// What to send along, for a challenge or a redirect.
    pub header: Option<(&'static str, String)>,
}

/// An error as a table of [`super::habits`] writes it: status, code, message.
pub type Known = (u16, &'static str, &'static str);

impl From<Known> for Refusal {
    fn from((status, code, message): Known) -> Self {
        Self::new(status, code, message)
    }
}

impl Refusal {
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), header: None }
    }

    /// What a router says of a path that it does not know.
    pub fn no_route() -> Self {
        Self::new(404, "", "404 page not found\n")
    }

    pub fn with(self, header: &'static str, value: impl ToString) -> Self {
        Self { header: Some((header, value.to_string())), ..self }
    }

    /// The registry's own way to fail with a status.
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>
    pub fn of_status(status: u16) -> Self {
        let (code, message) = match status {
            401 => ("UNAUTHORIZED", "authentication required"),
            403 => ("DENIED", "requested access to the resource is denied"),
            404 => ("NAME_UNKNOWN", "repository name not known to registry"),
            405 => ("UNSUPPORTED", "The operation is unsupported."),
            429 => ("TOOMANYREQUESTS", "too many requests"),
            _ => ("UNKNOWN", "unknown error"),
        };
        Self::new(status, code, message)
    }

    pub fn reply(self) -> Reply {
        let reply = match self.code {
            "" => Reply::of(self.status).with("content-type", "text/plain; charset=utf-8").bearing(self.message),
            code => Reply::json(self.status, &json!({ "errors": [{ "code": code, "message": self.message }] })),
        };
        match self.header {
            Some((name, value)) => reply.with(name, value),
            None => reply,
        }
    }
}
