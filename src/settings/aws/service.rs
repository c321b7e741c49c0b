//! Where the services are that imgctl calls without an SDK: their endpoints, for the credentials that are used for ECR.

use aws_credential_types::provider::SharedCredentialsProvider;
use reqwest::Url;

use super::{super::Settings, Aws, checked, endpoint, profile::Profile, transport};
use crate::{
    error::{Error, Kind, Result},
    http::{self, Http},
    image::ecr::suffix,
};

/// One of AWS's services.
#[derive(Debug)]
pub struct Service {
    /// As people call it.
    pub title: &'static str,
    /// The SDK's name, which profiles use too.
    pub id: &'static str,
    /// The variable that sets another endpoint.
    pub variable: &'static str,
    /// The first label of its host, which is signed.
    pub name: &'static str,
}

pub const ECS: Service = Service { title: "ECS", id: "ECS", variable: "AWS_ENDPOINT_URL_ECS", name: "ecs" };
pub const EVENTS: Service =
    Service { title: "EventBridge", id: "EventBridge", variable: "AWS_ENDPOINT_URL_EVENTBRIDGE", name: "events" };
pub const SCHEDULER: Service = Service {
    title: "EventBridge Scheduler",
    id: "Scheduler",
    variable: "AWS_ENDPOINT_URL_SCHEDULER",
    name: "scheduler",
};
pub const LAMBDA: Service =
    Service { title: "Lambda", id: "Lambda", variable: "AWS_ENDPOINT_URL_LAMBDA", name: "lambda" };
pub const INSPECTOR: Service = Service {
    title: "Amazon Inspector",
    id: "Inspector2",
    variable: "AWS_ENDPOINT_URL_INSPECTOR2",
    name: "inspector2",
};

/// What a call to a service needs.
#[derive(Clone)]
pub struct Access {
    pub http: Http,
    pub endpoint: Url,
    pub region: String,
    pub credentials: SharedCredentialsProvider,
}

/// Finds a service in a region.
pub async fn access(settings: &Settings, aws: &Aws, service: &Service, region: &str) -> Result<Access> {
    let region = checked(region, "--ask-region")?;
    let profile = Profile::load(settings).await?;
    let custom = endpoint::of(settings, &profile, (service.id, service.variable))?;
    let endpoint = match custom {
        Some((url, from)) => http::endpoint(&url, &from)?,
        None => {
            not_past_the_sandbox(aws, service)?;
            host(aws, service, &region)?
        }
    };
    let http = Http::trusting(&endpoint, settings.timeout, transport::certificates(settings, &profile)?.as_deref())?;
    let credentials = aws.sdk.credentials_provider().ok_or_else(|| Error::new(Kind::Auth, "no AWS credentials"))?;
    Ok(Access { http, endpoint, region, credentials })
}

/// Refuses to ask AWS about the images of an emulator.
fn not_past_the_sandbox(aws: &Aws, service: &Service) -> Result<()> {
    let Some(ecr) = &aws.endpoint else { return Ok(()) };
    if !Url::parse(ecr).is_ok_and(|url| http::is_loopback(&url)) {
        return Ok(());
    }
    let message =
        format!("ECR is at {ecr}, but {} has no endpoint of its own and would be asked at AWS", service.title);
    Err(Error::new(Kind::Config, message)
        .hint(format!("set {}, or AWS_ENDPOINT_URL for all services", service.variable)))
}

/// A service's own host, in each kind and partition.
/// <https://docs.aws.amazon.com/general/latest/gr/rande.html>
fn host(aws: &Aws, service: &Service, region: &str) -> Result<Url> {
    let (fips, dual_stack) = (aws.sdk.use_fips() == Some(true), aws.sdk.use_dual_stack() == Some(true));
    let suffix = match (suffix(region), dual_stack) {
        (suffix, false) => suffix,
        ("amazonaws.com", true) => "api.aws",
        ("amazonaws.com.cn", true) => "api.amazonwebservices.com.cn",
        ("amazonaws.eu", true) => "api.amazonwebservices.eu",
        (suffix, true) => {
            let message = format!("{} has no dual-stack endpoints at {suffix}", service.title);
            return Err(Error::new(Kind::Config, message).hint("unset AWS_USE_DUALSTACK_ENDPOINT"));
        }
    };
    // In the regions of the US government, the plain host of EventBridge is the one for FIPS.
    let plain = service.name == EVENTS.name && region.starts_with("us-gov-") && !dual_stack;
    let kind = if fips && !plain { "-fips" } else { "" };
    let url = format!("https://{}{kind}.{region}.{suffix}", service.name);
    Url::parse(&url).map_err(|error| Error::new(Kind::Config, format!("{url} is not a valid endpoint: {error}")))
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, SdkConfig};

    use super::*;

    fn aws(fips: bool, dual_stack: bool) -> Aws {
        let sdk = SdkConfig::builder().behavior_version(BehaviorVersion::v2026_01_12());
        Aws {
            sdk: sdk.use_fips(fips).use_dual_stack(dual_stack).build(),
            region: String::new(),
            region_from: String::new(),
            caller: String::new(),
            profile: None,
            endpoint: None,
            host: Default::default(),
            clock: Default::default(),
        }
    }

    #[test]
    fn each_partition_and_kind_of_host_is_known() {
        for (region, fips, dual_stack, host_is) in [
            ("eu-west-1", false, false, "ecs.eu-west-1.amazonaws.com"),
            ("cn-north-1", false, false, "ecs.cn-north-1.amazonaws.com.cn"),
            ("eusc-de-east-1", false, false, "ecs.eusc-de-east-1.amazonaws.eu"),
            ("us-gov-west-1", true, false, "ecs-fips.us-gov-west-1.amazonaws.com"),
            ("us-east-1", true, true, "ecs-fips.us-east-1.api.aws"),
            ("cn-north-1", false, true, "ecs.cn-north-1.api.amazonwebservices.com.cn"),
            ("us-iso-east-1", false, false, "ecs.us-iso-east-1.c2s.ic.gov"),
        ] {
            let url = host(&aws(fips, dual_stack), &ECS, region).unwrap();
            assert_eq!(url.as_str(), format!("https://{host_is}/"));
        }
        assert!(host(&aws(false, true), &ECS, "us-iso-east-1").is_err());
        let events = |region| host(&aws(true, false), &EVENTS, region).unwrap().to_string();
        assert_eq!(events("us-gov-west-1"), "https://events.us-gov-west-1.amazonaws.com/");
        assert_eq!(events("us-east-1"), "https://events-fips.us-east-1.amazonaws.com/");
    }

    #[test]
    fn an_emulated_registry_is_not_judged_by_the_tasks_of_a_real_account() {
        let emulated = Aws { endpoint: Some("http://127.0.0.1:4566".into()), ..aws(false, false) };
        let error = not_past_the_sandbox(&emulated, &LAMBDA).unwrap_err();
        assert!(error.hint.unwrap().contains("AWS_ENDPOINT_URL_LAMBDA"));
        assert!(
            not_past_the_sandbox(&Aws { endpoint: Some("https://vpce.example.com".into()), ..emulated }, &LAMBDA)
                .is_ok()
        );
    }
}
