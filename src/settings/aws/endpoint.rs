//! The endpoints of services and of the sources of credentials. imgctl checks each before it sends anything.

use aws_runtime::env_config::EnvConfigValue;

use super::{super::Settings, profile::Profile, sources};
use crate::{
    error::{Error, Kind, Result},
    http,
};

const GENERAL: &str = "AWS_ENDPOINT_URL";
const IGNORED: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";

/// Services by the SDK's names, which profiles use too.
pub(super) const ECR: (&str, &str) = ("ECR", "AWS_ENDPOINT_URL_ECR");
const OF_CREDENTIALS: [(&str, &str); 3] =
    [("STS", "AWS_ENDPOINT_URL_STS"), ("SSO", "AWS_ENDPOINT_URL_SSO"), ("SSO OIDC", "AWS_ENDPOINT_URL_SSO_OIDC")];

/// Hosts on the machine's own network that give it and its containers credentials.
const OF_MACHINE: [(&str, Option<&str>); 2] = [
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", Some("ec2_metadata_service_endpoint")),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", None),
];

/// A custom endpoint of a service, and what sets it.
pub(super) fn of(settings: &Settings, profile: &Profile, service: (&str, &str)) -> Result<Option<(String, String)>> {
    if is_ignored(settings, profile) {
        return Ok(None);
    }
    let found = configured(settings, profile, service).filter(|(text, _)| !text.is_empty());
    if let Some((text, from)) = &found {
        http::endpoint(text, from)?;
    }
    Ok(found)
}

/// Refuses sources of credentials that would send secrets in plain text to another machine.
pub(super) fn check_sources(settings: &Settings, profile: &Profile) -> Result<()> {
    // The SDK does not use the variable that ignores endpoints while it looks for credentials.
    let called = sources::calls_aws(settings, profile);
    for service in OF_CREDENTIALS {
        match configured(settings, profile, service) {
            // The SDK panics with it.
            Some((text, from)) if text.is_empty() && called => {
                return Err(Error::new(Kind::Config, format!("{from} is empty")).hint("unset it, or give an endpoint"));
            }
            Some((text, from)) if called || !(text.is_empty() || is_ignored(settings, profile)) => {
                http::endpoint(&text, &from)?;
            }
            _ => {}
        }
    }
    for (name, text) in profile.endpoints_of_sources() {
        http::endpoint(text, &format!("endpoint_url of the AWS profile {name}"))?;
    }
    for (variable, key) in OF_MACHINE {
        let of_profile = || Some((profile.get(key?)?, format!("{} of the AWS profile {}", key?, profile.name())));
        let set = settings.env.get(variable).map(|text| (text, variable.to_owned())).or_else(of_profile);
        if let Some((text, from)) = set {
            http::metadata(text, &from)?;
        }
    }
    Ok(())
}

/// A service's endpoint from variables and the profile, as the SDK reads them.
fn configured(settings: &Settings, profile: &Profile, (service, variable): (&str, &str)) -> Option<(String, String)> {
    let env = settings.env.to_sdk();
    let value = EnvConfigValue::new().env(GENERAL).profile("endpoint_url").service_id(service);
    let (text, _) = value.load(&env, Some(profile.set()))?;
    // The SDK also uses an empty variable.
    let from = [variable, GENERAL].into_iter().find(|name| env.get(name).is_ok());
    Some((text.into_owned(), from.unwrap_or("endpoint_url of the AWS profile").to_owned()))
}

fn is_ignored(settings: &Settings, profile: &Profile) -> bool {
    let set = settings.env.get(IGNORED).or_else(|| profile.get("ignore_configured_endpoint_urls"));
    set.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}
