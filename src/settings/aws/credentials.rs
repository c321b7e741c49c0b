//! Resolves credentials before any work, so that missing ones get their own error. The SDK's types keep the secrets and
//! do not print them.

use std::{
    error::Error as StdError,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};

use super::{
    super::{Env, Settings},
    children::Children,
    profile::Profile,
    sources,
};
use crate::{
    error::{Error, Kind, Result},
    http, secrets,
    settings::shortened,
};

pub(super) struct Found {
    pub provider: SharedCredentialsProvider,
    /// The access key's id, shortened.
    pub caller: String,
    /// Where they come from, for the user.
    pub source: String,
}

pub(super) async fn ask(settings: &Settings, profile: &Profile, sdk: &SdkConfig) -> Result<Found> {
    if settings.profile.is_none() {
        whole(&settings.env)?;
    }
    let variables = ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"].map(|name| settings.env.get(name));
    fit_header("the environment", variables)?;
    for name in profile.chain() {
        fit_header(&format!("the AWS profile {name}"), profile.keys_of(name))?;
    }
    let provider = sdk.credentials_provider().ok_or_else(|| Error::new(Kind::Auth, "no AWS credentials"))?;
    // A profile's credential_process may never end.
    let children = Children::watched();
    let asked = tokio::time::timeout(settings.timeout, provider.provide_credentials()).await;
    if asked.is_ok() {
        children.done();
    }
    match asked {
        Ok(Ok(first)) => {
            let caller = shortened(first.access_key_id());
            let source = sources::of(&first, &settings.env, profile);
            fit_header(&source, [Some(first.access_key_id()), first.session_token()])?;
            remember(&first);
            let latest = Mutex::new(first);
            Ok(Found { provider: SharedCredentialsProvider::new(Known { latest, provider }), caller, source })
        }
        Ok(Err(error)) => Err(describe(&error, settings, profile)),
        Err(_) => Err(Error::new(
            Kind::Auth,
            format!("AWS credentials did not come within {} s", settings.timeout.as_secs_f32()),
        )
        .hint("check the profile's credential_process, or allow more time with --timeout")),
    }
}

/// A service may send them back in its answers.
fn remember(credentials: &Credentials) {
    secrets::remember(credentials.secret_access_key());
    credentials.session_token().into_iter().for_each(secrets::remember);
}

/// Refuses half a key pair: the SDK would ignore it and use other credentials.
fn whole(env: &Env) -> Result<()> {
    let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let (set, missing) = match names.map(|name| env.get(name).is_some()) {
        [true, false] => (names[0], names[1]),
        [false, true] => (names[1], names[0]),
        _ => return Ok(()),
    };
    Err(Error::new(Kind::Config, format!("{set} is set and {missing} is not")).hint("set both, or neither"))
}

/// Refuses characters that are not valid in a header: the SDK would panic.
fn fit_header<'v>(source: &str, values: impl IntoIterator<Item = Option<&'v str>>) -> Result<()> {
    if values.into_iter().flatten().all(|value| value.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Ok(());
    }
    let message = format!("the AWS credentials of {source} have characters that are not valid in a header");
    Err(Error::new(Kind::Config, message).hint("copy the access key ID and the session token again"))
}

fn describe(error: &CredentialsError, settings: &Settings, profile: &Profile) -> Error {
    let name = profile.name();
    // The error's own text only repeats its kind.
    let why = error.source().map_or(String::new(), |source| format!(": {}", chain(source)));
    let tried = format!(
        "tried: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile {name:?}, web identity, the container's \
         role, the machine's role"
    );
    match error {
        CredentialsError::CredentialsNotLoaded(_) if settings.profile.is_some() => {
            Error::new(Kind::Auth, format!("the AWS profile {name:?} has no credentials{why}"))
                .hint("with --profile, imgctl uses only this profile; without it, imgctl tries other sources")
        }
        CredentialsError::CredentialsNotLoaded(_) => {
            Error::new(Kind::Auth, format!("no AWS credentials found; {tried}"))
                .hint("set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        CredentialsError::InvalidConfiguration(_) if profile.get("login_session").is_some() => Error::new(
            Kind::Config,
            format!("the AWS profile {name:?} is a session of `aws login`, which only AWS's own tools can use"),
        )
        .hint(format!(
            "export its credentials with `eval \"$(aws configure export-credentials --profile {name} --format env)\"`"
        )),
        CredentialsError::InvalidConfiguration(_) => {
            Error::new(Kind::Config, format!("the AWS credentials are not valid{why}"))
        }
        error if http::never_sent(error) => {
            Error::new(Kind::Unreachable, format!("cannot reach the source of AWS credentials{why}"))
                .hint("check the network and the proxy settings (HTTPS_PROXY, NO_PROXY)")
        }
        _ => match ["sso_session", "sso_start_url"].iter().find_map(|key| profile.get(key)) {
            Some(_) => Error::new(Kind::Auth, format!("AWS gave no credentials{why}"))
                .hint(format!("run `aws sso login --profile {name}`")),
            None if settings.profile.is_some() => Error::new(Kind::Auth, format!("AWS gave no credentials{why}"))
                .hint(format!("check the AWS profile {name:?}")),
            // The last source of the chain refused, and the earlier ones had nothing.
            None => Error::new(Kind::Auth, format!("no AWS credentials found; {tried}{why}"))
                .hint("set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        },
    }
}

/// The texts of an error and all its causes, each once. Neither the outermost nor the innermost is enough alone.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !text.is_empty() && !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    said.join(": ")
}

/// Credentials that live for less than this are fetched again.
const LAST_MINUTES: Duration = Duration::from_secs(5 * 60);

/// The latest credentials, while they are valid. Several services use them, and some sources take seconds to give them.
struct Known {
    latest: Mutex<Credentials>,
    provider: SharedCredentialsProvider,
}

impl Known {
    fn valid(&self) -> Option<Credentials> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let lives = latest.expiry().is_none_or(|end| end > SystemTime::now() + LAST_MINUTES);
        lives.then(|| latest.clone())
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Known")
    }
}

impl ProvideCredentials for Known {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self.valid() {
            Some(latest) => future::ProvideCredentials::ready(Ok(latest)),
            None => future::ProvideCredentials::new(async {
                let next = self.provider.provide_credentials().await?;
                match fit_header("the source", [Some(next.access_key_id()), next.session_token()]) {
                    Ok(()) => {
                        remember(&next);
                        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = next.clone();
                        Ok(next)
                    }
                    Err(error) => Err(CredentialsError::invalid_configuration(error.message)),
                }
            }),
        }
    }
}
