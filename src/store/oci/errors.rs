//! Reads refusals. The HTTP status and the kind of call decide the meaning, because registries disagree about codes: code
//! and message are kept for people.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>

use std::time::Duration;

use chrono::Utc;
use serde_json::Value;

use crate::{
    error::{Error, Kind},
    http::Response,
    settings::oci::Credentials,
};

/// What a call is about, and so what a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The tags of a repository.
    Tags,
    /// Images, as the registry's own API describes them.
    Images,
    /// The registry's repositories.
    Catalog,
    Manifest,
    /// What is attached to an image.
    Referrers,
    Blob,
    /// Deletes a tag alone.
    DeleteTag,
    /// Deletes an image with all its tags.
    DeleteImage,
    Put,
    Token,
}

impl About {
    pub fn deletes(self) -> bool {
        matches!(self, Self::DeleteTag | Self::DeleteImage)
    }
}

/// Azure's code for an image, a tag or a repository that is locked.
/// <https://learn.microsoft.com/en-us/azure/container-registry/container-registry-image-lock>
pub const LOCKED: &str = "REGISTRY_DISALLOWED_OPERATION";

const LONGEST: usize = 500;

/// Reads an answer with an error status.
pub fn refused(about: About, answer: &Response, credentials: &Credentials) -> Error {
    let status = answer.status;
    let (code, message) = said(&answer.body);
    let kind = kind(about, status, code.as_deref().unwrap_or_default(), credentials);
    let what = match (kind, about) {
        (Kind::NotFound, About::Manifest | About::DeleteTag | About::DeleteImage) => "there is no such image",
        (Kind::NotFound, About::Blob) => "there is no such layer",
        (Kind::NoStore, _) => "there is no such repository",
        (Kind::Auth, About::Token) => "the registry's login refuses the credentials",
        (Kind::Auth, _) => "the registry wants credentials",
        (Kind::Denied, About::DeleteTag | About::DeleteImage) => "the credentials have no right to delete here",
        (Kind::Denied, About::Put) => "the credentials have no right to push here",
        (Kind::Denied, _) => "the credentials have no right to read here",
        (Kind::Unsupported, About::Catalog) => "the registry does not list its repositories",
        (Kind::Unsupported, _) => "the registry does not delete images",
        (Kind::Protected, About::DeleteTag) => "the registry cannot remove one tag of an image",
        (Kind::InUse, _) => "the registry still needs the image",
        (Kind::Protected, _) => "the registry protects the image",
        (Kind::Throttled, _) => "the registry refuses so many calls",
        _ => "the registry refuses the call",
    };
    let mut error = Error::new(
        kind,
        match message {
            Some(message) => format!("{what}: {message}"),
            None => what.into(),
        },
    );
    error.code = Some(code.unwrap_or_else(|| format!("HTTP {status}")));
    error.request_id = request_id(answer);
    error.retry_after = answer.retry_after(Utc::now()).or_else(|| in_message(&error.message));
    error.hint = hint(kind, about, credentials);
    error
}

/// An error for a successful answer with the wrong content.
pub fn unreadable(what: &str, answer: &Response, why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Unreadable, format!("cannot read the registry's answer for {what}: {why}"))
        .request_id(request_id(answer))
}

fn kind(about: About, status: u16, code: &str, credentials: &Credentials) -> Kind {
    let anonymous = matches!(credentials, Credentials::Anonymous);
    match (status, about) {
        (300..=399, _) => Kind::Config,
        (401 | 403, About::Token) => Kind::Auth,
        (401, _) if anonymous => Kind::Auth,
        // The credentials were taken, or there would be no token.
        (401 | 403, _) => Kind::Denied,
        // zot says so of a repository that is not there.
        (400, About::DeleteTag | About::DeleteImage | About::Manifest | About::Tags) if code == "NAME_UNKNOWN" => {
            Kind::NotFound
        }
        (404, About::Tags | About::Images) => Kind::NoStore,
        (404 | 405, About::Catalog) => Kind::Unsupported,
        (404, About::Token) => Kind::Config,
        (404, _) => Kind::NotFound,
        (405, _) if about.deletes() && matches!(code, "DENIED" | LOCKED) => Kind::Protected,
        (405, _) if about.deletes() => Kind::Unsupported,
        (400, _) if about.deletes() && code.starts_with("GOOGLE_MANIFEST_DANGLING") => Kind::InUse,
        // Nothing happened: the registry takes only digests here.
        (400, About::DeleteTag) => Kind::Protected,
        (400, About::DeleteImage) if code == "UNSUPPORTED" => Kind::Unsupported,
        (409 | 412, _) if code == "VIOLATE_FOREIGN_KEY_CONSTRAINT" => Kind::InUse,
        (409 | 412, _) => Kind::Protected,
        (429, _) => Kind::Throttled,
        (408 | 500.., _) => Kind::Lost,
        (400..=499, _) => Kind::Invalid,
        _ => Kind::Unreadable,
    }
}

/// Whether an answer says which image or repository is missing, as a registry does and a route that is not there does not.
pub fn names_what_is_missing(answer: &Response) -> bool {
    let (code, _) = said(&answer.body);
    code.is_some_and(|code| matches!(code.as_str(), "NAME_UNKNOWN" | "MANIFEST_UNKNOWN" | "NOT_FOUND"))
}

/// Code and message: `{"errors":[{"code","message"}]}`, or what proxies and other services write.
fn said(body: &[u8]) -> (Option<String>, Option<String>) {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(bounded);
    match serde_json::from_slice::<Value>(body) {
        Ok(body) => {
            let first = body["errors"].get(0).unwrap_or(&body);
            let code = text(&first["code"]).or_else(|| text(&first["error"]));
            (code, text(&first["message"]).or_else(|| text(&first["details"])))
        }
        Err(_) => {
            let plain = String::from_utf8_lossy(body);
            let plain = plain.trim();
            let is_page = plain.starts_with('<');
            (None, Some(plain).filter(|plain| !plain.is_empty() && !is_page).map(bounded))
        }
    }
}

fn bounded(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// GitHub's registry says it in its message: `retry-after: 1.16ms`.
fn in_message(message: &str) -> Option<Duration> {
    let (_, rest) = message.split_once("retry-after: ")?;
    let end = rest.find([',', ' ', ';']).unwrap_or(rest.len());
    let number = rest[..end].trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds: f64 = number.parse().ok()?;
    let seconds = match &rest[number.len()..end] {
        "ms" => seconds / 1000.0,
        "s" | "" => seconds,
        "m" => seconds * 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

pub fn request_id(answer: &Response) -> Option<String> {
    let known = ["x-request-id", "x-ms-correlation-request-id", "x-github-request-id"];
    known.iter().find_map(|name| answer.header(name)).map(bounded)
}

fn hint(kind: Kind, about: About, credentials: &Credentials) -> Option<String> {
    let anonymous = matches!(credentials, Credentials::Anonymous);
    let hint = match (kind, about) {
        (Kind::Auth, About::Token) => "log in again with `docker login HOST` or `skopeo login HOST`",
        (Kind::NotFound | Kind::NoStore | Kind::Auth | Kind::Denied, _) if anonymous => {
            "imgctl found no credentials for this registry; log in with `docker login HOST` or `skopeo login HOST`"
        }
        (Kind::Config, _) => "imgctl does not follow redirects with credentials; name the registry's final host",
        (Kind::Unsupported, About::Catalog) => "name the repositories one by one",
        (Kind::Protected, About::DeleteTag) => "name every tag of the image, name it by its digest, or use --all-tags",
        (Kind::Denied, _) => "ask for this right; a token may hold fewer rights than its user",
        _ => return None,
    };
    Some(hint.into())
}

/// What a user needs where a registry deletes nothing over this protocol, by its host.
pub fn without_deletion(host: &str) -> &'static str {
    match host {
        "ghcr.io" => {
            "GitHub deletes versions of packages over its own API: \
             `gh api -X DELETE /orgs/OWNER/packages/container/NAME/versions/ID`"
        }
        "docker.io" => "Docker Hub deletes tags over its own API, or at hub.docker.com",
        _ => "its owner must enable deletion: `storage: {delete: {enabled: true}}` for distribution",
    }
}
