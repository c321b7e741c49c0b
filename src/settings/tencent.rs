//! Tencent Cloud: credentials, region and endpoint, from everything its own tools read, in the order in which they
//! read it. What the tools' files look like is in `files`, a machine's own role in `role`.

mod files;
mod role;
#[cfg(test)]
mod tests;

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use reqwest::Url;
use secrecy::SecretString;

use super::{Env, Settings};
use crate::{
    error::{Error, Kind, Result},
    http,
};
use files::{Configure, Profile};

const SECRET_ID: &str = "TENCENTCLOUD_SECRET_ID";
const SECRET_KEY: &str = "TENCENTCLOUD_SECRET_KEY";
/// Each of the provider's tools has its own name for it: tccli, Terraform, the Node SDK.
const TOKENS: [&str; 3] = [
    "TENCENTCLOUD_TOKEN",
    "TENCENTCLOUD_SECURITY_TOKEN",
    "TENCENTCLOUD_SESSION_TOKEN",
];
const ROLE_VARIABLES: [&str; 2] = ["TENCENTCLOUD_ROLE_ARN", "TENCENTCLOUD_ROLE_SESSION_NAME"];
const PROFILES: [&str; 2] = ["TCCLI_PROFILE", "TENCENTCLOUD_PROFILE"];
const REGION: &str = "TENCENTCLOUD_REGION";
const SDK_FILE: &str = "TENCENTCLOUD_CREDENTIALS_FILE";
const ROOT_DOMAIN: &str = "TENCENTCLOUD_DOMAIN";
const DEFAULT_ROOT: &str = "tencentcloudapi.com";

/// The keys that sign a call.
#[derive(Clone)]
pub struct Credentials {
    pub secret_id: String,
    pub secret_key: SecretString,
    pub token: Option<SecretString>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A value, and where it was found, in words for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<T> {
    pub value: T,
    pub source: String,
}

/// Credentials for as long as a run lasts.
pub struct Keys {
    source: Source,
    found: String,
}

enum Source {
    Given(Credentials),
    Role(role::Role),
}

impl Keys {
    /// The keys for a call at this moment.
    pub async fn at(&self, now: DateTime<Utc>) -> Result<Credentials> {
        match &self.source {
            Source::Role(role) => role.keys(now).await,
            Source::Given(keys) => match keys.expires_at {
                Some(end) if end <= now => Err(Error::new(
                    Kind::Auth,
                    format!("the login in {} ran out at {end}", self.found),
                )
                .hint("log in again with tccli (`tccli auth login` or `tccli sso login`)")),
                _ => Ok(keys.clone()),
            },
        }
    }

    /// Where they come from.
    pub fn found(&self) -> &str {
        &self.found
    }
}

/// What the environment and the files say, with the profile that is in force.
pub struct Tencent<'a> {
    env: &'a Env,
    profile: Named<'a>,
    configure_path: Option<PathBuf>,
    configure: Configure,
}

/// The profile in force.
struct Named<'a> {
    name: &'a str,
    by: By<'a>,
}

/// Who named the profile.
#[derive(Clone, Copy, PartialEq)]
enum By<'a> {
    /// `--profile`: beats keys and region in the environment, as it does in tccli.
    Flag,
    Variable(&'a str),
    Nobody,
}

impl<'a> Tencent<'a> {
    /// Reads the profile's settings. Credentials are looked for when they are asked for.
    pub fn load(settings: &'a Settings) -> Result<Self> {
        Self::from(&settings.env, settings.profile.as_deref(), &read)
    }

    fn from(env: &'a Env, flag: Option<&'a str>, read: &Read<'_>) -> Result<Self> {
        let profile = match (flag, env.first(&PROFILES)) {
            (Some(name), _) => Named { name, by: By::Flag },
            (None, Some((variable, name))) => Named {
                name,
                by: By::Variable(variable),
            },
            (None, None) => Named {
                name: "default",
                by: By::Nobody,
            },
        };
        if profile.name.contains(['/', '\\']) || profile.name.starts_with('.') {
            let message = format!("\"{}\" is no name of a profile", profile.name);
            return Err(Error::new(Kind::Config, message));
        }
        let mut tencent = Self {
            env,
            profile,
            configure_path: None,
            configure: Configure::default(),
        };
        if let Some(path) = tencent.profile_file("configure")
            && let Some(text) = text_of(&path, read)?
        {
            tencent.configure = files::configure(&path, &text)?;
            tencent.configure_path = Some(path);
        }
        Ok(tencent)
    }

    /// `~/.tccli/PROFILE.KIND`, or the same in the folder that Terraform's variable names.
    fn profile_file(&self, kind: &str) -> Option<PathBuf> {
        let file = format!("{}.{kind}", self.profile.name);
        match self.env.get("TENCENTCLOUD_SHARED_CREDENTIALS_DIR") {
            Some(folder) => Some(match folder.strip_prefix("~/") {
                Some(below) => self.env.home(below)?.join(file),
                None => Path::new(folder).join(file),
            }),
            None => Some(self.env.home(".tccli")?.join(file)),
        }
    }

    /// The region that calls go to unless a reference or `--region` names one.
    pub fn region(&self) -> Result<Found<String>> {
        let variable = self.env.get(REGION).map(|region| Found {
            value: region.to_owned(),
            source: REGION.to_owned(),
        });
        let file = self.configure.region.clone().map(|value| Found {
            value,
            source: self.configure_source(),
        });
        let found = match self.profile.by {
            By::Flag => file.or(variable),
            _ => variable.or(file),
        };
        found.ok_or_else(|| {
            let file = match (&self.configure_path, self.profile_file("configure")) {
                (Some(path), _) => format!("{} (it has none)", path.display()),
                (None, Some(path)) => format!("{} (not there)", path.display()),
                (None, None) => "tccli's settings (no home folder)".into(),
            };
            Error::new(
                Kind::Config,
                format!(
                    "no region for Tencent Cloud: looked at the reference, --region, {REGION} (not set) and {file}"
                ),
            )
            .hint("name one, as in cvm://ap-guangzhou/img-… or --region ap-guangzhou")
        })
    }

    fn configure_source(&self) -> String {
        match &self.configure_path {
            Some(path) => path.display().to_string(),
            None => "tccli's settings".into(),
        }
    }

    /// Where a service listens for calls about a region. `variable` names imgctl's own override.
    pub fn endpoint(&self, service: &str, variable: &str, region: &str) -> Result<Found<Url>> {
        let default = format!("{service}.{DEFAULT_ROOT}");
        // tccli writes the default host into every profile: not a choice of the user's.
        let configured = match self.configure.endpoints.get(service) {
            None | Some(serde_json::Value::Null) => None,
            Some(value) => {
                let host = value.as_str().map(str::trim).ok_or_else(|| {
                    Error::new(
                        Kind::Config,
                        format!(
                            "{} has a {service}.endpoint that is no text",
                            self.configure_source()
                        ),
                    )
                })?;
                let bare = host
                    .strip_prefix("https://")
                    .unwrap_or(host)
                    .trim_end_matches('/');
                (!bare.is_empty() && bare != default).then_some(host)
            }
        };
        let (text, source) = if let Some(text) = self.env.get(variable) {
            (text.to_owned(), variable.to_owned())
        } else if let Some(text) = configured {
            let source = format!("{service}.endpoint in {}", self.configure_source());
            let scheme = if text.contains("://") { "" } else { "https://" };
            (format!("{scheme}{text}"), source)
        } else {
            let (root, source) = match self.env.get(ROOT_DOMAIN) {
                Some(root) => (root, ROOT_DOMAIN.to_owned()),
                None => (DEFAULT_ROOT, "default".to_owned()),
            };
            (format!("https://{}", host(service, region, root)), source)
        };
        let url = http::endpoint(&text, &source)?;
        // The signature covers the path "/" alone.
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            let message = format!("{source} is \"{text}\": it must end after the host");
            return Err(Error::new(Kind::Config, message));
        }
        Ok(Found { value: url, source })
    }

    /// The credentials in force.
    pub async fn keys(&self, now: DateTime<Utc>) -> Result<Keys> {
        let mut looked = Vec::new();
        let source = match self.stored(&read, &mut looked)? {
            Some(Found {
                value: Profile::Keys(keys),
                source,
            }) => {
                return Ok(Keys {
                    source: Source::Given(keys),
                    found: source,
                });
            }
            Some(Found { source, .. }) => Some(source),
            None => None,
        };
        match (role::Role::find(self.env, now).await, source) {
            (Ok(role), source) => Ok(Keys {
                found: match source {
                    Some(source) => format!("the role {} of this machine ({source})", role.name()),
                    None => format!("the role {} of this machine", role.name()),
                },
                source: Source::Role(role),
            }),
            // A bad endpoint for the metadata is a mistake to mend, not a missing credential.
            (Err(error), _) if error.kind != Kind::Auth => Err(error),
            (Err(error), Some(source)) => Err(Error::new(
                Kind::Auth,
                format!(
                    "{source} asks for the role of this machine: {}",
                    error.message
                ),
            )),
            (Err(error), None) => {
                looked.push(format!("the role of this machine ({})", error.message));
                Err(Error::new(
                    Kind::Auth,
                    format!(
                        "no credentials for Tencent Cloud: looked at {}",
                        looked.join(", ")
                    ),
                )
                .hint(format!(
                    "set {SECRET_ID} and {SECRET_KEY}, or run `tccli configure`"
                )))
            }
        }
    }

    /// What variables and files hold; notes what was looked at in vain.
    fn stored(&self, read: &Read<'_>, looked: &mut Vec<String>) -> Result<Option<Found<Profile>>> {
        if self.profile.by != By::Flag {
            if let Some(found) = variables(self.env)? {
                return Ok(Some(found));
            }
            looked.push(format!("{SECRET_ID} and {SECRET_KEY} (not set)"));
        }
        if let Some(path) = self.profile_file("credential") {
            if let Some(text) = text_of(&path, read)? {
                let value = files::credential(&path, &text)?;
                let source = format!("profile {} in {}", self.profile.name, path.display());
                return Ok(Some(Found { value, source }));
            }
            if self.profile.by == By::Nobody {
                looked.push(format!("{} (not there)", path.display()));
            }
        }
        match self.profile.by {
            By::Nobody => self.sdk_file(read, looked),
            By::Flag => Err(self.no_such_profile("--profile")),
            By::Variable(variable) => Err(self.no_such_profile(variable)),
        }
    }

    /// A profile that was named and is not there is never replaced by other credentials.
    fn no_such_profile(&self, by: &str) -> Error {
        let place = match self.profile_file("credential") {
            Some(path) => format!("{} is not there", path.display()),
            None => "there is no home folder to look in".into(),
        };
        let name = self.profile.name;
        Error::new(
            Kind::Auth,
            format!("{by} names the profile \"{name}\", but {place}"),
        )
        .hint(format!("make it with `tccli configure --profile {name}`"))
    }

    fn sdk_file(
        &self,
        read: &Read<'_>,
        looked: &mut Vec<String>,
    ) -> Result<Option<Found<Profile>>> {
        let named = self.env.get(SDK_FILE).map(PathBuf::from);
        let places = match &named {
            Some(path) => vec![path.clone()],
            None => {
                let system = PathBuf::from("/etc/tencentcloud/credentials");
                let own = self.env.home(".tencentcloud/credentials");
                own.into_iter().chain([system]).collect()
            }
        };
        for path in places {
            match text_of(&path, read)? {
                Some(text) => {
                    return Ok(Some(Found {
                        value: Profile::Keys(files::ini(&path, &text)?),
                        source: path.display().to_string(),
                    }));
                }
                None if named.is_some() => {
                    return Err(files::broken(
                        &path,
                        format!("is not there; {SDK_FILE} names it"),
                    ));
                }
                None => looked.push(format!("{} (not there)", path.display())),
            }
        }
        Ok(None)
    }
}

/// Credentials in the environment. A token counts only beside the keys that it belongs to.
fn variables(env: &Env) -> Result<Option<Found<Profile>>> {
    let (secret_id, secret_key) = match (env.get(SECRET_ID), env.get(SECRET_KEY)) {
        (None, None) => return Ok(None),
        (Some(secret_id), Some(secret_key)) => (secret_id, secret_key),
        (Some(_), None) => return Err(half(SECRET_ID, SECRET_KEY)),
        (None, Some(_)) => return Err(half(SECRET_KEY, SECRET_ID)),
    };
    // tccli would act as that role; with the keys alone, imgctl would act as somebody else.
    if let [Some(_), Some(_)] = ROLE_VARIABLES.map(|name| env.get(name)) {
        let [role, session] = ROLE_VARIABLES;
        let message =
            format!("{role} and {session} ask for a role to be assumed, which imgctl does not do");
        return Err(Error::new(Kind::Config, message).hint(format!(
            "give the role's temporary keys and token, and unset {role}"
        )));
    }
    let token = env.first(&TOKENS);
    let source = match token {
        Some((name, _)) => format!("{SECRET_ID}, {SECRET_KEY} and {name}"),
        None => format!("{SECRET_ID} and {SECRET_KEY}"),
    };
    Ok(Some(Found {
        value: Profile::Keys(Credentials {
            secret_id: secret_id.into(),
            secret_key: secret_key.into(),
            token: token.map(|(_, token)| token.into()),
            expires_at: None,
        }),
        source,
    }))
}

fn half(set: &str, missing: &str) -> Error {
    Error::new(Kind::Auth, format!("{set} is set and {missing} is missing"))
        .hint("set both, or neither to use a profile")
}

/// Finance regions are closed off: each has a host of its own, and the common host serves all others.
/// <https://www.tencentcloud.com/document/api/213/33280>
fn host(service: &str, region: &str, root: &str) -> String {
    if region.ends_with("-fsi") {
        format!("{service}.{region}.{root}")
    } else {
        format!("{service}.{root}")
    }
}

type Read<'a> = dyn Fn(&Path) -> io::Result<String> + Sync + 'a;

fn read(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path)
}

/// A file's text; nothing if there is no such file.
fn text_of(path: &Path, read: &Read<'_>) -> Result<Option<String>> {
    match read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(files::broken(
            path,
            format!("cannot be read: {}", error.kind()),
        )),
    }
}
