//! The files in which docker and podman keep credentials, both of one form. Errors do not repeat their contents.
//! <https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md>

use std::{collections::BTreeMap, io::ErrorKind, path::Path};

use base64::{Engine, engine::general_purpose::GeneralPurpose, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::Credentials;
use crate::{
    error::{Error, Kind, Result},
    secrets,
};

/// What imgctl reads of such a file.
#[derive(Deserialize)]
pub(super) struct AuthFile {
    #[serde(default)]
    pub auths: BTreeMap<String, Auth>,
    /// The helper of a registry.
    #[serde(default, rename = "credHelpers")]
    pub helpers: BTreeMap<String, String>,
    /// The helper of all others.
    #[serde(default, rename = "credsStore")]
    pub store: Option<String>,
}

/// The entry of one registry, or of a namespace in it. Docker leaves an empty one where a helper has the credentials.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl Auth {
    /// The credentials, if the entry has any.
    pub fn credentials(&self, entry: &str, file: &str) -> Result<Option<Credentials>> {
        let wrong = |why| Error::new(Kind::Config, format!("the entry {entry} in {file} {why}"));
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credentials::Token(secret(&self.registrytoken))));
        }
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credentials::Identity(secret(&self.identitytoken))));
        }
        if !self.auth.is_empty() {
            secrets::remember(&self.auth);
            let decoded = engine().decode(self.auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let decoded = decoded.ok_or_else(|| wrong("is not base64 of a user and a password"))?;
            let (user, password) =
                decoded.split_once(':').ok_or_else(|| wrong("has no colon between user and password"))?;
            // Docker once padded with zeros.
            return Ok(Some(login(user, password.trim_end_matches('\0'))));
        }
        match (self.username.is_empty(), self.password.is_empty()) {
            (true, true) => Ok(None),
            (false, false) => Ok(Some(login(&self.username, &self.password))),
            (false, true) => Err(wrong("has a user, and the password is missing")),
            (true, false) => Err(wrong("has a password, and the user is missing")),
        }
    }
}

/// Some tools leave out the padding.
fn engine() -> GeneralPurpose {
    use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&base64::alphabet::STANDARD, config)
}

/// A user's password. The user `<token>` stands for an identity token.
/// <https://github.com/docker/cli/blob/master/cli/config/credentials/native_store.go>
pub(super) fn login(user: &str, password: &str) -> Credentials {
    match user {
        "<token>" => Credentials::Identity(secret(password)),
        user => {
            secrets::remember(&BASE64_STANDARD.encode(format!("{user}:{password}")));
            Credentials::Password { user: user.into(), password: secret(password) }
        }
    }
}

fn secret(text: &str) -> secrecy::SecretString {
    secrets::remember(text);
    text.into()
}

/// A key as references name its place: without scheme, version of the protocol, and slash at the end.
pub(super) fn normal(key: &str) -> String {
    let lower = key.to_ascii_lowercase();
    let (path, is_url) = match lower.split_once("://") {
        Some((_, rest)) => (rest, true),
        None => (lower.as_str(), false),
    };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix("/v1").or(path.strip_suffix("/v2")).unwrap_or(path);
    // Docker reads no more of a URL than its host.
    if is_url { path.split('/').next().unwrap_or_default().into() } else { path.into() }
}

/// Reads a file; `None` if it does not exist.
pub(super) fn read(path: &Path) -> Result<Option<AuthFile>> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, &name).map(Some),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::new(Kind::Config, format!("{name} cannot be read: {}", error.kind()))),
    }
}

/// Reads the contents of a file.
pub(super) fn parse(text: &str, name: &str) -> Result<AuthFile> {
    // podman accepts an empty file.
    let text = if text.trim().is_empty() { "{}" } else { text };
    serde_json::from_str(text).map_err(|error| {
        // The message of a wrong type repeats what was found.
        let what = if error.is_data() { "has a field of an unexpected kind" } else { "is not JSON" };
        let (line, column) = (error.line(), error.column());
        Error::new(Kind::Config, format!("{name} {what}, at line {line}, column {column}"))
            .hint("mend it, or write it anew with `docker login` or `skopeo login`")
    })
}
