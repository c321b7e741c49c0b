//! Reads refusals. The HTTP status and the kind of call decide the meaning. The provider's code and message are kept as
//! they are, because its own lists give different meanings to one code.
//! <https://support.huaweicloud.com/intl/en-us/api-workspace/BatchDeleteImageServer.html>

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{
    error::{Error, Kind},
    http::{Response, Size},
};

/// What a call is about, and so what a "not found" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Image servers of a project.
    Store,
    /// One image server.
    Image,
    Job,
    /// A token or a project, at IAM.
    Login,
}

impl About {
    /// How large an answer may be.
    pub fn size(self) -> Size {
        match self {
            Self::Store => Size::List,
            Self::Image | Self::Job | Self::Login => Size::Few,
        }
    }
}

/// Codes of the gateway, which knows only APIs and hosts, not images.
/// <https://support.huaweicloud.com/intl/en-us/devg-apisign/apisign-devg-pdf.pdf>
const GATEWAY: &str = "APIG";

/// The services' messages have at most 255 characters; Keystone's run to pages.
const LONGEST_MESSAGE: usize = 500;
const LONGEST_CODE: usize = 100;

/// Signatures are good for this long around the server's time.
/// <https://support.huaweicloud.com/intl/en-us/devg-apisign/apisign-devg-pdf.pdf>
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(15);

/// Reads an answer with an error status. Some services repeat the request, so this hides `secrets`.
pub fn refused(about: About, answer: &Response, now: DateTime<Utc>, secrets: &[&SecretString]) -> Error {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let (code, message) = body.as_ref().and_then(said).unwrap_or_default();
    let message = message.map(|message| without(message, secrets));
    let status = answer.status;
    let kind = match kind(about, status) {
        // A proxy or a wrong host also answers 404, which does not prove that an image is gone.
        Kind::NotFound | Kind::NoStore if !code.as_deref().is_some_and(of_service) => Kind::Config,
        // Without any code it comes from something in between, and smaller calls would fare no better.
        Kind::TooMany | Kind::Invalid | Kind::WrongState if code.is_none() => Kind::Config,
        kind => kind,
    };
    let message = match message {
        Some(message) if !message.is_empty() => bounded(&message, LONGEST_MESSAGE),
        _ => format!("HTTP status {status} without a reason"),
    };
    let mut error = Error::new(kind, message).request_id(request_id(answer, body.as_ref()));
    error.code = Some(match code {
        Some(code) if !code.is_empty() => bounded(&code, LONGEST_CODE),
        _ => format!("HTTP {status}"),
    });
    // Huawei's STS decodes it.
    error.encoded_reason =
        body.as_ref().and_then(|body| body["encoded_authorization_message"].as_str()).map(Into::into);
    error.retry_after = answer.retry_after(now);
    error.hint = hint(kind, about, status, answer, now);
    error
}

/// An error for a successful answer with the wrong content.
pub fn unreadable(operation: &str, answer: &Response, why: impl std::fmt::Display) -> Error {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let message = format!("cannot read the answer to {operation}: {}", bounded(&why.to_string(), LONGEST_MESSAGE));
    Error::new(Kind::Unreadable, message).request_id(request_id(answer, body.as_ref()))
}

fn kind(about: About, status: u16) -> Kind {
    match (status, about) {
        (300..=399, _) => Kind::Config,
        (401, _) => Kind::Auth,
        (403, _) => Kind::Denied,
        (404, About::Image | About::Job) => Kind::NotFound,
        (404, About::Store) => Kind::NoStore,
        (404, About::Login) => Kind::Config,
        (408 | 500.., _) => Kind::Lost,
        (409, _) => Kind::WrongState,
        (413, _) => Kind::TooMany,
        (429, _) => Kind::Throttled,
        (400..=499, _) => Kind::Invalid,
        // Not a status that HTTP defines.
        _ => Kind::Unreadable,
    }
}

/// Whether a code is one of the service's own: `WKS.00211902`, a product and a number.
fn of_service(code: &str) -> bool {
    code.contains('.') && !code.starts_with(GATEWAY)
}

/// Code and message, in each of the shapes that the services, the gateway and IAM put them in.
fn said(body: &Value) -> Option<(Option<String>, Option<String>)> {
    for (code, message) in [("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message")] {
        if body.get(code).is_some() || body.get(message).is_some() {
            return Some((text(&body[code]), text(&body[message])));
        }
    }
    body.as_object()?.values().find_map(said)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The id to give to the provider's support: services, gateway, Keystone and IAM each have a place for it.
pub fn request_id(answer: &Response, body: Option<&Value>) -> Option<String> {
    answer
        .header("x-request-id")
        .or_else(|| body?["request_id"].as_str())
        .or_else(|| answer.header("x-openstack-request-id"))
        .or_else(|| answer.header("x-iam-trace-id"))
        .filter(|id| !id.is_empty())
        .map(|id| bounded(id, LONGEST_CODE))
}

fn without(text: String, secrets: &[&SecretString]) -> String {
    secrets
        .iter()
        .map(|secret| secret.expose_secret())
        .filter(|secret| !secret.is_empty())
        .fold(text, |text, secret| text.replace(secret, "[secret]"))
}

/// At most so many characters.
fn bounded(text: &str, most: usize) -> String {
    let mut characters = text.chars();
    let mut kept: String = characters.by_ref().take(most).collect();
    if characters.next().is_some() {
        kept.push('…');
    }
    kept
}

fn hint(kind: Kind, about: About, status: u16, answer: &Response, now: DateTime<Utc>) -> Option<String> {
    let off = answer.clock_ahead(now).unwrap_or_default().abs();
    let hint = match (kind, about) {
        (Kind::Auth, _) if off > CLOCK_TOLERANCE => {
            let minutes = off.num_minutes();
            return Some(format!("this machine's clock is {minutes} minutes off; the service allows 15"));
        }
        (Kind::Denied, About::Store | About::Image) => {
            "image servers need the permissions workspace:imageServer:list, :get and :batchDelete"
        }
        (Kind::Config, _) if (300..400).contains(&status) => {
            "imgctl does not follow redirects; set the final address as the endpoint"
        }
        (Kind::Config, About::Login) => "check the region, and IMGCTL_IAM_ENDPOINT or HW_AUTH_URL if one is set",
        (Kind::Config, _) => {
            "check the region: not every region has Workspace; IMGCTL_WORKSPACE_ENDPOINT sets another host"
        }
        _ => return None,
    };
    Some(hint.into())
}
