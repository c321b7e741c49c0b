//! OCI registries: the endpoint of a registry, and the credentials for one of its repositories, from the same places as
//! docker, podman, skopeo and crane. `credentials` chooses them, `files` reads what those tools store, `helper` runs their
//! credential helpers.

mod certificates;
mod credentials;
mod files;
mod helper;
#[cfg(test)]
mod tests;
mod variables;

use reqwest::Url;
use secrecy::SecretString;

pub(super) use self::variables::VARIABLES;
pub use self::{certificates::Certificates, credentials::Place};
use super::{Env, Settings, shown};
use crate::{
    checkup::{Checkup, Subject},
    error::{Error, Kind, Result},
    http,
    image::{StoreRef, oci::HUB},
};

/// Where all calls go, whichever host a reference names.
const ENDPOINT: &str = "IMGCTL_OCI_ENDPOINT";

/// The host that answers for Docker Hub.
/// <https://github.com/regclient/regclient/blob/main/config/host.go>
const HUB_API: &str = "registry-1.docker.io";

/// What calls to one repository need.
#[derive(Debug)]
pub struct Oci {
    /// As references name it.
    pub host: String,
    pub endpoint: Url,
    /// What is trusted beside the certificates of the system.
    pub certificates: Option<Certificates>,
    /// Where the credentials are. Reading them may run a helper.
    pub place: Place,
}

/// Who calls, and how they prove it.
#[derive(Clone, Debug)]
pub enum Credentials {
    Anonymous,
    Password {
        user: String,
        password: SecretString,
    },
    /// Exchanged for other tokens.
    Identity(SecretString),
    /// Sent to the registry as it is.
    Token(SecretString),
}

impl Credentials {
    /// Who calls, as far as the credentials say so.
    pub fn caller(&self) -> String {
        match self {
            Self::Anonymous => "nobody: no credentials for this registry".into(),
            Self::Password { user, .. } => user.clone(),
            Self::Identity(_) => "an identity token".into(),
            Self::Token(_) => "a token".into(),
        }
    }
}

impl Oci {
    /// Finds the settings for a repository.
    pub fn load(settings: &Settings, store: &StoreRef) -> Result<Self> {
        Self::look(settings, store, &mut Checkup::default())
    }

    /// The same, and records in `checkup` what was found where.
    pub fn look(settings: &Settings, store: &StoreRef, checkup: &mut Checkup) -> Result<Self> {
        let env = &settings.env;
        checkup.of(Subject::Credentials, env.readable(VARIABLES))?;
        let host = store.region.as_ref().ok_or_else(|| {
            Error::new(Kind::Config, "no registry is named")
                .hint("name it with its host, as in oci:ghcr.io/owner/app or oci:registry.example.com/**")
        });
        let host = checkup.of(Subject::Endpoint, host)?;
        let (endpoint, mut source) = checkup.of(Subject::Endpoint, endpoint(settings, host))?;
        // The credentials belong to the host that is called, so that a test endpoint never gets those of the real one.
        let called = if source == ENDPOINT { http::host(&endpoint) } else { host.clone() };
        let certificates = checkup.of(Subject::Endpoint, certificates::find(env, &called))?;
        if let Some(certificates) = &certificates {
            source = format!("{source}; certificates in {}", certificates.folder);
        }
        let place = checkup.of(Subject::Credentials, credentials::find(env, &called, &store.name))?;
        checkup.found(Subject::Endpoint, shown(&endpoint), source);
        Ok(Self { host: host.clone(), endpoint, certificates, place })
    }

    /// Without a registry, all there is to tell is for which ones there are credentials.
    pub fn look_everywhere(settings: &Settings, checkup: &mut Checkup) -> Result<()> {
        checkup.of(Subject::Credentials, settings.env.readable(VARIABLES))?;
        let known = checkup.of(Subject::Credentials, credentials::known(&settings.env))?;
        if known.is_empty() {
            let message = "no credentials for any registry in the files of docker, podman and skopeo";
            let nothing =
                Error::new(Kind::Auth, message).hint("log in with `docker login HOST` or `skopeo login HOST`");
            return checkup.credentials(Err(nothing), || false);
        }
        for (host, source) in known {
            checkup.found(Subject::Credentials, host, source);
        }
        checkup.unknown(Subject::Endpoint, "no registry is named; try `imgctl doctor oci:HOST/REPOSITORY`");
        Ok(())
    }
}

/// The registries that there are credentials for.
pub fn hosts(env: &Env) -> Vec<String> {
    credentials::known(env).unwrap_or_default().into_iter().map(|(host, _)| host).collect()
}

/// The endpoint of a registry, and what names it. Plain HTTP only on this machine, and there only without certificates.
fn endpoint(settings: &Settings, host: &str) -> Result<(Url, String)> {
    if let Some(text) = settings.env.get(ENDPOINT) {
        return Ok((http::endpoint(text, ENDPOINT)?, ENDPOINT.into()));
    }
    let host = if host == HUB { HUB_API } else { host };
    let wrong = |error| Error::new(Kind::Config, format!("{host} is not a host: {error}"));
    let secure = Url::parse(&format!("https://{host}")).map_err(wrong)?;
    if http::is_loopback(&secure) && certificates::find(&settings.env, host)?.is_none() {
        let plain = Url::parse(&format!("http://{host}")).map_err(wrong)?;
        return Ok((plain, "the reference; plain HTTP on this machine".into()));
    }
    Ok((secure, "the reference".into()))
}
