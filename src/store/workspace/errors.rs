//! What a refusal means. The HTTP status and the kind of call decide; the provider's code and message are kept as they
//! are, because the same codes mean different things in different lists of theirs.
//! <https://support.huaweicloud.com/intl/en-us/api-workspace/BatchDeleteImageServer.html>

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{
    error::{Error, Kind},
    http::Response,
};

/// What a call is about: what is missing when the answer is "not found".
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

/// Codes of the gateway, which knows APIs and hosts and nothing of any image.
/// <https://support.huaweicloud.com/intl/en-us/devg-apisign/apisign-devg-pdf.pdf>
const GATEWAY: &str = "APIG";

/// The services' messages have at most 255 characters; Keystone's run to pages.
const LONGEST_MESSAGE: usize = 500;
const LONGEST_CODE: usize = 100;

/// Signatures are good for this long around the server's time.
/// <https://support.huaweicloud.com/intl/en-us/devg-apisign/apisign-devg-pdf.pdf>
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(15);

/// Reads an answer whose status is no success. Some services repeat what they were sent, so `secrets` are blotted out.
pub fn refused(about: About, answer: &Response, now: DateTime<Utc>, secrets: &[&SecretString]) -> Error {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let (code, message) = body.as_ref().and_then(said).unwrap_or_default();
    let message = message.map(|message| without(message, secrets));
    let status = answer.status;
    let kind = match kind(about, status) {
        // A proxy or a wrong host answers 404 too, and an image must not be taken for gone by that.
        Kind::NotFound | Kind::NoStore if !code.as_deref().is_some_and(of_service) => Kind::Config,
        kind => kind,
    };
    let message = match message {
        Some(message) if !message.is_empty() => bounded(&message, LONGEST_MESSAGE),
        _ => format!("HTTP status {status}, and no word on why"),
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

/// An answer of success that is not what the call answers.
pub fn unreadable(operation: &str, answer: &Response, why: impl std::fmt::Display) -> Error {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let message =
        format!("the answer to {operation} cannot be understood: {}", bounded(&why.to_string(), LONGEST_MESSAGE));
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
        // No success and no refusal that HTTP knows of.
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
            return Some(format!("this machine's clock is {minutes} minutes off, and signatures are good for 15"));
        }
        (Kind::Denied, About::Store | About::Image) => {
            "image servers need the permissions workspace:imageServer:list, :get and :batchDelete"
        }
        (Kind::Config, _) if (300..400).contains(&status) => {
            "the endpoint answers with a redirect, which is not followed; give the address itself"
        }
        (Kind::Config, About::Login) => "check the region, and IMGCTL_IAM_ENDPOINT or HW_AUTH_URL if one is set",
        (Kind::Config, _) => {
            "check the region: not every region has Workspace, and IMGCTL_WORKSPACE_ENDPOINT can name another host"
        }
        _ => return None,
    };
    Some(hint.into())
}
