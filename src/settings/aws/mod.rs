//! AWS: credentials, region and endpoint, through the SDK's own chain, with stricter rules. A named profile must exist
//! (`profile`), credentials are resolved before any work (`credentials`), waits are finite and there is one TLS stack
//! (`transport`), custom endpoints are checked (`endpoint`), and only the engine retries.

mod answers;
mod children;
mod credentials;
mod endpoint;
mod profile;
pub mod service;
mod sources;
#[cfg(test)]
mod tests;
mod transport;
mod variables;

use aws_config::{
    AppName, BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider,
    imds::region::ImdsRegionProvider, profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig,
};
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_runtime_api::{client::http::SharedHttpClient, shared::IntoShared};
use aws_smithy_types::retry::RetryConfig;

pub(crate) use self::answers::size;
use self::answers::{Bounded, Host};
use self::profile::Profile;
use self::transport::Transport;
pub(crate) use self::transport::timeouts;
pub(super) use self::variables::VARIABLES;
use super::{Settings, regions::checked};
use crate::{
    checkup::{Checkup, Subject},
    clock::Clock,
    error::{Error, Kind, Result},
    http::APP_NAME,
};

/// Stands in for the region during the search for credentials, so that missing credentials are an error at once,
/// without a wait for the machine's metadata.
const ANY_REGION: &str = "us-east-1";

/// The settings of a client, and where they were found.
#[derive(Clone)]
pub struct Aws {
    pub sdk: SdkConfig,
    pub region: String,
    /// What named the region: the reference, a flag, a variable, the profile, or the machine's metadata.
    pub region_from: String,
    /// The access key's id, shortened.
    pub caller: String,
    /// The profile in force, where there is one.
    pub profile: Option<String>,
    /// A custom endpoint for the client.
    pub endpoint: Option<String>,
    /// The host of the calls, once one was sent.
    pub host: Host,
    /// How wrong this machine's clock is, as the answers show.
    pub clock: Clock,
}

/// Finds credentials, region and endpoint. An error says where imgctl looked.
pub async fn load(settings: &Settings, region: Option<&str>) -> Result<Aws> {
    look(settings, region, &mut Checkup::default()).await
}

/// The same, and records in `checkup` what was found where.
pub async fn look(settings: &Settings, region: Option<&str>, checkup: &mut Checkup) -> Result<Aws> {
    checkup.of(Subject::Credentials, settings.env.readable(VARIABLES))?;
    let profile = checkup.of(Subject::Credentials, Profile::load(settings).await)?;
    sources::note_unused(settings, checkup);
    let transport = checkup.of(Subject::Endpoint, Transport::new(settings, &profile))?;
    let (clock, host) = (Clock::default(), Host::default());
    let bounded = |client| Bounded { client, clock: clock.clone(), host: host.clone() }.into_shared();
    let http: SharedHttpClient = bounded(transport.client());
    let endpoint = checkup.of(Subject::Endpoint, endpoint::of(settings, &profile, endpoint::ECR))?;
    checkup.of(Subject::Credentials, endpoint::check_sources(settings, &profile))?;
    let named = checkup.of(Subject::Region, named_region(settings, region, &profile))?;
    let sdk = sdk(settings, &profile, named.as_ref().map(|(region, _)| region), &http).await;
    let found = credentials::ask(settings, &profile, &sdk).await;
    let found = checkup.credentials(found, || sources::any(settings, &profile))?;
    checkup.found(Subject::Credentials, &found.caller, &found.source);
    let (region, region_from) = match named {
        Some(named) => named,
        None => (checkup.of(Subject::Region, region_of_machine(&http).await)?, "the machine's metadata".into()),
    };
    checkup.found(Subject::Region, &region, &region_from);
    let mut sdk = sdk.into_builder().region(Region::new(region.clone())).credentials_provider(found.provider);
    if let Some((url, from)) = &endpoint {
        checkup.found(Subject::Endpoint, url, from);
        if let Some(direct) = transport.direct(url) {
            sdk.set_http_client(Some(bounded(direct)));
        }
    }
    Ok(Aws {
        sdk: sdk.build(),
        region,
        region_from,
        caller: found.caller,
        profile: profile.exists().then(|| profile.name().to_owned()),
        endpoint: endpoint.map(|(url, _)| url),
        host,
        clock,
    })
}

/// The SDK's settings, as its variables and files have them.
async fn sdk(settings: &Settings, profile: &Profile, region: Option<&String>, http: &SharedHttpClient) -> SdkConfig {
    let region = Region::new(region.map_or(ANY_REGION, String::as_str).to_owned());
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        // With this, the SDK does not read AWS_RETRY_MODE and AWS_MAX_ATTEMPTS; it panics with values of other SDKs.
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts(settings.timeout))
        .profile_name(profile.name())
        .region(region.clone());
    if let Ok(name) = AppName::new(APP_NAME) {
        // Part of the user agent, which CloudTrail shows beside each call.
        loader = loader.app_name(name);
    }
    if settings.profile.is_some() {
        let provider = ProviderConfig::without_region().with_region(Some(region)).with_http_client(http.clone());
        // Only this profile: the chain would also use keys in the environment and the machine's role.
        let only = ProfileFileCredentialsProvider::builder().configure(&provider).profile_name(profile.name()).build();
        loader = loader.credentials_provider(only);
    } else {
        // The SDK's chain begins with these. This saves setting up its other sources.
        let variables = EnvironmentVariableCredentialsProvider::new();
        if variables.provide_credentials().await.is_ok() {
            loader = loader.credentials_provider(variables);
        }
    }
    loader.load().await
}

/// The region, and what names it.
fn named_region(
    settings: &Settings,
    of_reference: Option<&str>,
    profile: &Profile,
) -> Result<Option<(String, String)>> {
    let variable = settings.env.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]);
    let named = of_reference
        .map(|region| (region, "the reference".to_owned()))
        .or_else(|| Some((settings.region.as_deref()?, "--region".into())))
        .or_else(|| variable.map(|(name, region)| (region, name.into())))
        .or_else(|| Some((profile.get("region")?, format!("the AWS profile {}", profile.name()))));
    let Some((region, from)) = named else {
        return Ok(None);
    };
    Ok(Some((checked(region, &from)?, from)))
}

/// The regions that variables and profiles name, for completion.
pub async fn regions(settings: &Settings) -> Vec<String> {
    let variables = ["AWS_REGION", "AWS_DEFAULT_REGION"].map(|name| settings.env.get(name));
    let mut regions: Vec<_> = variables.into_iter().flatten().map(Into::into).collect();
    if let Ok(profile) = Profile::load(settings).await {
        regions.extend(profile.regions());
    }
    regions
}

/// The profiles of the files, for completion.
pub async fn profiles(settings: &Settings) -> Vec<String> {
    // The one that the line names so far need not exist.
    let settings = Settings { profile: None, ..settings.clone() };
    Profile::load(&settings).await.map_or_else(|_| Vec::new(), |profile| profile.names())
}

async fn region_of_machine(http: &SharedHttpClient) -> Result<String> {
    let provider = ProviderConfig::without_region().with_http_client(http.clone());
    let found = ImdsRegionProvider::builder().configure(&provider).build().region().await;
    found.map(|region| region.to_string()).ok_or_else(|| {
        Error::new(
            Kind::Config,
            "no AWS region; tried: the reference, --region, AWS_REGION, AWS_DEFAULT_REGION, the profile, the machine's \
             metadata",
        )
        .hint("name it in the reference (ecr://REGION/...), with --region or in AWS_REGION")
    })
}
