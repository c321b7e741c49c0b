//! An emulator of all three clouds on one loopback port, and of an OCI registry on another, for users and for tests. It
//! checks what it is sent as the documents say the providers do, and shares no signing or decoding with the client side, so that an error cannot
//! hide in both.

mod bucket;
pub mod calls;
pub mod cvm;
pub mod dice;
mod door;
pub mod ecr;
pub mod ecs;
pub mod events;
pub mod faults;
mod hooks;
pub mod iam;
pub mod inspector;
mod inventory;
pub mod lambda;
pub mod oci;
mod rates;
mod running;
pub mod scheduler;
pub mod server;
pub mod sigv4;
mod spoil;
pub mod workspace;
mod world;

pub use calls::Call;
pub use faults::Fault;
pub use hooks::{Hooked, Hooks};
pub use server::{MARK, Options, Sandbox};
pub use world::World;

use chrono::{DateTime, Utc};
use hyper::body::Bytes;

/// A request as it came in, nothing decoded.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    /// Still percent-encoded.
    pub path: String,
    /// Still percent-encoded, without the question mark.
    pub query: String,
    pub headers: hyper::HeaderMap,
    pub body: Bytes,
    /// The emulator's clock when it arrived.
    pub now: DateTime<Utc>,
    /// Whether it came to the port of the `oci:` registry, and not to that of the clouds.
    pub to_registry: bool,
}

impl Received {
    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The members of a header that is a list, on one line or on several.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        lines.flat_map(|line| line.split(',')).map(str::trim).collect()
    }

    /// A parameter of the query, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        field(&self.query, name)
    }
}

/// What goes back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn of(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::of(status).with("content-type", "application/json").bearing(body.to_string())
    }

    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }

    pub fn bearing(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// A field of a form, or of a query, decoded.
fn field(form: &str, name: &str) -> Option<String> {
    let fields = form.split('&').filter_map(|field| field.split_once('='));
    let found = fields.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| text(&value.replace('+', " ")))
}

/// A text without its percent-encoding.
fn text(encoded: &str) -> String {
    String::from_utf8_lossy(&iam::decoded(encoded)).into_owned()
}

/// One provider's API. The server asks each in turn whether a request is its own; state lives in the service.
pub trait Service: Send {
    /// The name of the operation that this request is for (`BatchDeleteImage`), if it is for this service.
    fn operation(&self, request: &Received) -> Option<String>;

    /// Whether it is served at the port of the `oci:` registry, and not at that of the clouds.
    fn at_registry(&self) -> bool {
        false
    }

    /// The name and the password with which docker logs in to it, if it is a registry.
    fn login(&self) -> Option<(String, String)> {
        None
    }

    /// The operations that it knows, as faults and the record of calls name them; none if it takes any.
    fn operations(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// The ids that a request of its own names, for the record of calls.
    fn items(&self, _request: &Received) -> Vec<String> {
        Vec::new()
    }

    /// Does it, and answers. Every check (signature, clock, sizes, rates) happens in here.
    fn answer(&mut self, request: &Received) -> Reply;

    /// The provider's own way to say "too many calls", for the fault script.
    fn throttled(&self) -> Reply;

    /// The provider's own way to fail with this HTTP status, for the fault script.
    fn broken(&self, status: u16) -> Reply;

    /// The variables that point a client at this service on `url`, with credentials that it accepts.
    fn environment(&self, url: &str) -> Vec<(&'static str, String)>;
}
