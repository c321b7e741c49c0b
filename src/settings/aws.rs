//! AWS: credentials, region and endpoint, through the SDK's own chain; what the SDK leaves open is made definite here:
//! a profile that was named must exist, waits are finite, odd retry variables do no harm, one TLS stack.

use std::{fmt, sync::Mutex, time::Duration};

use aws_config::{
    BehaviorVersion, Region, SdkConfig,
    imds::region::ImdsRegionProvider,
    profile::{ProfileFileCredentialsProvider, ProfileSet, load as load_profiles},
    provider_config::ProviderConfig,
    timeout::TimeoutConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_types::{os_shim_internal, service_config::ServiceConfigKey};

use super::Settings;
use crate::{
    error::{Error, Kind, Result},
    http,
    image::HostKind,
};

/// Any region: credentials are looked for before the region is known, so that "no credentials" is said at once.
const ANY_REGION: &str = "us-east-1";

/// What a client of ECR is made of.
pub struct Aws {
    pub config: aws_sdk_ecr::Config,
    pub region: String,
    /// The access key's id, shortened.
    pub caller: String,
}

/// Finds credentials, region and endpoint, or says what was looked at.
pub async fn load(settings: &Settings, region: Option<&str>, host: HostKind) -> Result<Aws> {
    let profile = Profile::load(settings).await?;
    let region = region
        .map(str::to_owned)
        .or_else(|| profile.region(settings));
    let loopback = endpoint_variables(settings).any(|(_, url)| url.starts_with("http://"));
    let http = http_client(loopback);
    let first_region = Region::new(region.clone().unwrap_or_else(|| ANY_REGION.into()));
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        // Set in code, so that odd values of AWS_RETRY_MODE and AWS_MAX_ATTEMPTS are never read.
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts(settings.timeout))
        .region(first_region.clone());
    if let Some(name) = &settings.profile {
        let provider = ProviderConfig::without_region()
            .with_region(Some(first_region))
            .with_http_client(http);
        let of_profile = ProfileFileCredentialsProvider::builder()
            .configure(&provider)
            .profile_name(name)
            .build();
        loader = loader.profile_name(name).credentials_provider(of_profile);
    }
    let sdk = loader.load().await;
    let (credentials, caller) = credentials(&sdk, settings).await?;
    let region = match region {
        Some(region) => region,
        None => ImdsRegionProvider::builder().build().region().await.map(|region| region.to_string()).ok_or_else(
            || {
                Error::new(Kind::Config, "no AWS region").hint(
                    "name it in the reference (ecr://REGION/…), with --region, in AWS_REGION, or in the profile",
                )
            },
        )?,
    };
    let sdk = sdk
        .into_builder()
        .region(Region::new(region.clone()))
        .credentials_provider(credentials)
        .build();
    Ok(Aws {
        config: ecr_config(&sdk, host)?,
        region,
        caller,
    })
}

/// The profile in force, as far as it is there.
struct Profile {
    set: ProfileSet,
    name: String,
}

impl Profile {
    /// A profile that somebody named must be there: without it the SDK would go on to other credentials.
    async fn load(settings: &Settings) -> Result<Self> {
        let env = settings.env.to_sdk();
        let set = load_profiles(
            &os_shim_internal::Fs::real(),
            &env,
            &Default::default(),
            None,
        )
        .await;
        let set = set.map_err(|error| {
            Error::new(
                Kind::Config,
                format!("the AWS profiles cannot be read: {}", http::causes(&error)),
            )
        })?;
        let named = match &settings.profile {
            Some(name) => Some((name.as_str(), "--profile")),
            None => settings
                .env
                .get("AWS_PROFILE")
                .map(|name| (name, "AWS_PROFILE")),
        };
        if let Some((name, source)) = named
            && set.get_profile(name).is_none()
        {
            let known: Vec<_> = set.profiles().collect();
            let known = if known.is_empty() {
                "there are none".into()
            } else {
                format!("there are {}", known.join(", "))
            };
            return Err(Error::new(
                Kind::Config,
                format!("{source} names the AWS profile \"{name}\", which does not exist"),
            )
            .hint(format!(
                "{known}; profiles are in ~/.aws/config and ~/.aws/credentials"
            )));
        }
        let name = named.map_or("default", |(name, _)| name).to_owned();
        Ok(Self { set, name })
    }

    /// The region that flags, variables or this profile name.
    fn region(&self, settings: &Settings) -> Option<String> {
        let variable = || {
            settings
                .env
                .first(&["AWS_REGION", "AWS_DEFAULT_REGION"])
                .map(|(_, region)| region.to_owned())
        };
        let profile = || {
            self.set
                .get_profile(&self.name)?
                .get("region")
                .map(str::to_owned)
        };
        settings.region.clone().or_else(variable).or_else(profile)
    }
}

/// Asks for the credentials before any work, so that missing ones are told apart from everything else.
async fn credentials(
    sdk: &SdkConfig,
    settings: &Settings,
) -> Result<(SharedCredentialsProvider, String)> {
    let provider = sdk
        .credentials_provider()
        .ok_or_else(|| Error::new(Kind::Auth, "no AWS credentials"))?;
    match provider.provide_credentials().await {
        Ok(found) => {
            let caller = super::shortened(found.access_key_id());
            let known = Known {
                first: Mutex::new(Some(found)),
                provider,
            };
            Ok((SharedCredentialsProvider::new(known), caller))
        }
        Err(error) => {
            let tried = match &settings.profile {
                Some(name) => format!("the profile \"{name}\""),
                None => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile in ~/.aws, web identity, the \
                         container's role, the machine's role"
                    .into(),
            };
            let why = match &error {
                CredentialsError::CredentialsNotLoaded(_) => String::new(),
                error => format!(" ({})", http::causes(error)),
            };
            Err(Error::new(Kind::Auth, format!("no AWS credentials found{why}; tried: {tried}")).hint(
                "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for a session that ended, run \
                 `aws sso login`",
            ))
        }
    }
}

/// Credentials that were fetched already; later ones come from where the first came from.
struct Known {
    first: Mutex<Option<Credentials>>,
    provider: SharedCredentialsProvider,
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
        match self
            .first
            .lock()
            .expect("no holder of this lock panics")
            .take()
        {
            Some(first) => future::ProvideCredentials::ready(Ok(first)),
            None => self.provider.provide_credentials(),
        }
    }
}

/// The client's own settings: no retries of the SDK, because a blind one could delete something new; and an endpoint
/// that is safe to send credentials to.
fn ecr_config(sdk: &SdkConfig, host: HostKind) -> Result<aws_sdk_ecr::Config> {
    let mut config = aws_sdk_ecr::config::Builder::from(sdk).retry_config(RetryConfig::disabled());
    let key = ServiceConfigKey::builder()
        .service_id("ECR")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let of_service = key
        .ok()
        .and_then(|key| sdk.service_config()?.load_config(key));
    match of_service.or_else(|| sdk.endpoint_url().map(str::to_owned)) {
        Some(endpoint) => {
            http::endpoint(&endpoint, "the endpoint of ECR (AWS_ENDPOINT_URL_ECR)")?;
            // The SDK refuses these together with an endpoint of one's own.
            config = config
                .endpoint_url(endpoint)
                .use_fips(false)
                .use_dual_stack(false);
        }
        None => {
            if host.fips {
                config = config.use_fips(true);
            }
            if host.dual_stack {
                config = config.use_dual_stack(true);
            }
        }
    }
    Ok(config.build())
}

fn endpoint_variables(settings: &Settings) -> impl Iterator<Item = (&'static str, &str)> {
    settings
        .env
        .first(&["AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL"])
        .into_iter()
}

/// Every wait is finite; the SDK alone would wait for ever for a server that accepts and stays silent.
pub(crate) fn timeouts(timeout: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeout.min(Duration::from_secs(10)))
        .operation_attempt_timeout(timeout)
        .operation_timeout(timeout)
        .build()
}

pub(crate) fn http_client(loopback: bool) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let proxy = if loopback {
            ProxyConfig::disabled()
        } else {
            ProxyConfig::from_env()
        };
        let mut connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .proxy_config(proxy);
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        if let Some(settings) = settings {
            connector = connector.connector_settings(settings.clone());
        }
        connector.build()
    })
}
