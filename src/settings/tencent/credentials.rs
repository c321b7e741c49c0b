//! Which credentials imgctl uses: a named profile, variables, tccli's profile, the SDKs' file, then the machine's role.
//! If a requested source is missing or incomplete, that is an error, and imgctl does not try the next one.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{
    By, Found, Read, Tencent,
    files::{self, Profile},
    read, role, text_of,
};
use crate::{
    checkup::Checkup,
    error::{Error, Kind, Result},
    settings::Env,
};

pub(super) const SECRET_ID: &str = "TENCENTCLOUD_SECRET_ID";
pub(super) const SECRET_KEY: &str = "TENCENTCLOUD_SECRET_KEY";
/// The names that tccli, Terraform and the Node SDK use.
const TOKENS: [&str; 3] = ["TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN", "TENCENTCLOUD_SESSION_TOKEN"];
pub(super) const ROLE_VARIABLES: [&str; 2] = ["TENCENTCLOUD_ROLE_ARN", "TENCENTCLOUD_ROLE_SESSION_NAME"];
pub(super) const SDK_FILE: &str = "TENCENTCLOUD_CREDENTIALS_FILE";

/// The keys that sign a call.
#[derive(Clone)]
pub struct Credentials {
    pub secret_id: String,
    pub secret_key: SecretString,
    pub token: Option<SecretString>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// The credentials of a run.
pub struct Keys {
    source: Source,
    found: String,
}

enum Source {
    Given(Credentials),
    Role(role::Role),
}

impl Keys {
    /// The keys for a call at `now`.
    pub async fn at(&self, now: DateTime<Utc>) -> Result<Credentials> {
        match &self.source {
            Source::Role(role) => role.keys(now).await,
            Source::Given(keys) => match keys.expires_at {
                Some(end) if end <= now => {
                    Err(Error::new(Kind::Auth, format!("the login in {} expired at {end}", self.found))
                        .hint("log in again with tccli (`tccli auth login` or `tccli sso login`)"))
                }
                _ => Ok(keys.clone()),
            },
        }
    }

    /// Where they come from.
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl Tencent<'_> {
    /// The credentials to use.
    pub async fn keys(&self, now: DateTime<Utc>) -> Result<Keys> {
        let mut looked = Vec::new();
        let source = match self.stored(&read, &mut looked)? {
            Some(Found { value: Profile::Keys(keys), source }) => {
                return Ok(Keys { source: Source::Given(keys), found: source });
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
            // A bad metadata endpoint is a configuration error, not a missing credential.
            (Err(error), _) if error.kind != Kind::Auth => Err(error),
            (Err(error), Some(source)) => {
                Err(Error::new(Kind::Auth, format!("{source} asks for the role of this machine: {}", error.message)))
            }
            (Err(error), None) => {
                looked.push(format!("the role of this machine ({})", error.message));
                Err(Error::new(
                    Kind::Auth,
                    format!("no credentials for Tencent Cloud: looked at {}", looked.join(", ")),
                )
                .hint(format!("set {SECRET_ID} and {SECRET_KEY}, or run `tccli configure`")))
            }
        }
    }

    /// Whether variables or files have credentials, valid or not.
    pub fn is_set_up(&self) -> bool {
        !matches!(self.stored(&read, &mut Vec::new()), Ok(None))
    }

    /// Records which credentials are set but not used.
    pub fn note_unused(&self, checkup: &mut Checkup) {
        let keys = self.env.get(SECRET_ID).is_some();
        match self.profile.by {
            By::Flag if keys => {
                checkup.unused(SECRET_ID, "--profile names other credentials");
            }
            By::Variable(variable) if keys => {
                let why = format!("not used because of {SECRET_ID}; its settings count");
                checkup.unused(variable, &why);
            }
            _ => {}
        }
    }

    /// The credentials of variables and files. `looked` records the places without any.
    pub(super) fn stored(&self, read: &Read<'_>, looked: &mut Vec<String>) -> Result<Option<Found<Profile>>> {
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
            if self.profile.by == By::Default {
                looked.push(format!("{} (not there)", path.display()));
            }
        }
        match self.profile.by {
            By::Default => self.sdk_file(read, looked),
            By::Flag => Err(self.no_such_profile("--profile")),
            By::Variable(variable) => Err(self.no_such_profile(variable)),
        }
    }

    /// The error for a named profile that does not exist. imgctl never uses other credentials instead.
    fn no_such_profile(&self, by: &str) -> Error {
        let place = match self.profile_file("credential") {
            Some(path) => format!("{} is not there", path.display()),
            None => "there is no home folder".into(),
        };
        let name = self.profile.name;
        Error::new(Kind::Auth, format!("{by} names the profile \"{name}\", but {place}"))
            .hint(format!("make it with `tccli configure --profile {name}`"))
    }

    fn sdk_file(&self, read: &Read<'_>, looked: &mut Vec<String>) -> Result<Option<Found<Profile>>> {
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
                    return Err(files::broken(&path, format!("is not there; {SDK_FILE} names it")));
                }
                None => looked.push(format!("{} (not there)", path.display())),
            }
        }
        Ok(None)
    }
}

/// Credentials in the environment. A token counts only together with its keys.
fn variables(env: &Env) -> Result<Option<Found<Profile>>> {
    let (secret_id, secret_key) = match (env.get(SECRET_ID), env.get(SECRET_KEY)) {
        (None, None) => return Ok(None),
        (Some(secret_id), Some(secret_key)) => (secret_id, secret_key),
        (Some(_), None) => return Err(half(SECRET_ID, SECRET_KEY)),
        (None, Some(_)) => return Err(half(SECRET_KEY, SECRET_ID)),
    };
    // tccli would assume that role; with the keys alone, imgctl would act as another user.
    if let [Some(_), Some(_)] = ROLE_VARIABLES.map(|name| env.get(name)) {
        let [role, session] = ROLE_VARIABLES;
        let message = format!("{role} and {session} ask for a role to be assumed, which imgctl does not do");
        return Err(Error::new(Kind::Config, message)
            .hint(format!("give the role's temporary keys and token, and unset {role}")));
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
