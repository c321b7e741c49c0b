//! What `-vv` says of each call, in one form for all providers: the operation, its region and host, how many ids it
//! named, the status, the time, and the id of the request. Never a header or a body: those hold secrets.

use std::{fmt::Write as _, time::Instant};

use crate::error::Error;

/// A call that was sent.
pub struct Sent<'c> {
    service: &'c str,
    operation: &'c str,
    region: &'c str,
    host: &'c str,
    ids: usize,
    at: Instant,
}

/// Where a call goes.
#[derive(Clone, Copy)]
pub struct To<'c> {
    pub service: &'c str,
    pub region: &'c str,
    pub host: &'c str,
}

impl<'c> To<'c> {
    pub fn sent(self, operation: &'c str, ids: usize, at: Instant) -> Sent<'c> {
        let To { service, region, host } = self;
        Sent { service, operation, region, host, ids, at }
    }
}

impl Sent<'_> {
    pub fn answered(&self, status: u16, code: Option<&str>, request_id: Option<&str>) {
        let code = code.map(|code| format!(" {code}")).unwrap_or_default();
        let id = request_id.map(|id| format!(", request {id}")).unwrap_or_default();
        tracing::debug!("{}: HTTP {status}{code} in {} ms{id}", self.what(), self.at.elapsed().as_millis());
    }

    pub fn failed(&self, error: &Error) {
        tracing::debug!("{}: no answer after {} ms: {error}", self.what(), self.at.elapsed().as_millis());
    }

    fn what(&self) -> String {
        let Self { service, operation, region, host, ids, .. } = self;
        let mut what = format!("{service} {operation}");
        let mut part = |before: &str, value: &str| {
            if !value.is_empty() {
                let _ = write!(what, "{before}{value}");
            }
        };
        part(" in ", region);
        part(" at ", host);
        match ids {
            0 => {}
            1 => part(", ", "1 id"),
            ids => part(", ", &format!("{ids} ids")),
        }
        what
    }
}
