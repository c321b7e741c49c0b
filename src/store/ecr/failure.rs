//! What a failed call to ECR means. The SDK's own text says little; the codes, the HTTP status and how far the request
//! got say all that a decision needs.

use std::{error::Error as StdError, time::Duration};

use aws_sdk_ecr::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_runtime_api::{client::orchestrator::HttpResponse, http::Headers};

use crate::{
    error::{Error, Kind},
    http::causes,
};

/// Sorts a failed call.
pub fn describe<E>(error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => {
            Error::new(Kind::Config, format!("the request to ECR cannot be made: {}", causes(error)))
        }
        SdkError::TimeoutError(_) => Error::new(Kind::Lost, "ECR did not answer in time").code("Timeout"),
        SdkError::DispatchFailure(_) if never_sent(error) => {
            Error::new(Kind::Unreachable, format!("cannot reach ECR: {}", causes(error)))
                .hint("check the network, the region, the endpoint and the proxy settings (HTTPS_PROXY, NO_PROXY)")
        }
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            Error::new(Kind::Lost, "ECR did not answer in time").code("Timeout")
        }
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            Error::new(Kind::Config, format!("the request to ECR cannot be sent: {}", causes(error)))
        }
        SdkError::DispatchFailure(_) => {
            Error::new(Kind::Lost, format!("the connection to ECR broke: {}", causes(error))).code("ConnectionLost")
        }
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            let broken = response.raw().body().bytes().is_none();
            let described = match status {
                // The body never came whole.
                200..300 if broken => {
                    Error::new(Kind::Lost, format!("ECR's answer broke off: {}", causes(error))).code("AnswerBroken")
                }
                200..300 => Error::new(Kind::Unreadable, format!("ECR's answer cannot be read: {}", causes(error))),
                status => by_status(status),
            };
            described.request_id(error.request_id())
        }
        SdkError::ServiceError(failure) => {
            let (meta, raw) = (failure.err().meta(), failure.raw());
            let known = meta.code().map(|code| by_code(code, meta.message()));
            let status = raw.status().as_u16();
            let mut described = match known {
                // What a load balancer says of a backend is no word of the service, whatever it is called.
                Some(known) if known.kind != Kind::Failed || status < 500 => known,
                _ => by_status(status),
            };
            described.request_id = error.request_id().map(str::to_owned);
            described.retry_after = retry_after(raw.headers());
            described
        }
        other => Error::new(Kind::Lost, format!("the call to ECR failed: {}", causes(other))),
    }
}

/// The connection was never made, so the request never left.
fn never_sent(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(client) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            return client.is_connect();
        }
        next = error.source();
    }
    false
}

/// What a code means, modelled by the service or not.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html>
fn by_code(code: &str, message: Option<&str>) -> Error {
    // A code may come with its namespace before it, or an address after it.
    let code = code
        .rsplit('#')
        .next()
        .unwrap_or(code)
        .split(':')
        .next()
        .unwrap_or(code);
    let (kind, hint) = match code {
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "RequestThrottled"
        | "LimitExceededException"
        | "SlowDown" => (Kind::Throttled, None),
        "RepositoryNotFoundException" => (
            Kind::NoStore,
            Some("check the repository's name, its region and the account"),
        ),
        "RegistryNotFoundException" => (Kind::NoStore, Some("check the account and the region")),
        "ImageNotFoundException" => (Kind::NotFound, None),
        "LayersNotFoundException" => (Kind::NotFound, None),
        "InvalidParameterException"
        | "ValidationException"
        | "ValidationError"
        | "SerializationException"
        | "InvalidParameterValue"
        | "InvalidTagParameterException" => (Kind::Invalid, None),
        "ServerException"
        | "InternalFailure"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "InternalServerException" => (Kind::Lost, None),
        "UnableToGetUpstreamImageException" | "UnableToGetUpstreamLayerException" => (
            Kind::Failed,
            Some(
                "check the credentials of the repository's pull-through cache rule in Secrets Manager",
            ),
        ),
        "KmsException" => (
            Kind::Failed,
            Some("check that the repository's KMS key is enabled and may be used"),
        ),
        "AccessDeniedException"
        | "AccessDenied"
        | "UnauthorizedOperation"
        | "OptInRequired"
        | "NotAuthorized" => (
            Kind::Denied,
            Some(
                "the credentials are good and lack this permission; the README lists the least that is needed",
            ),
        ),
        "ExpiredTokenException" | "ExpiredToken" | "RequestExpired" => (
            Kind::Auth,
            Some("the session ended: run `aws sso login`, or get new keys"),
        ),
        "InvalidSignatureException" | "SignatureDoesNotMatch" => (
            Kind::Auth,
            Some("check the secret key, and this machine's clock"),
        ),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationTokenException"
        | "MissingAuthenticationToken"
        | "IncompleteSignature"
        | "IncompleteSignatureException" => (
            Kind::Auth,
            Some("check the access key, and that it belongs to this partition"),
        ),
        "UnknownOperationException" | "InvalidAction" => (
            Kind::Config,
            Some("is this the endpoint of ECR? check AWS_ENDPOINT_URL_ECR"),
        ),
        // Newer than this program. Refused, and for a reason that nobody here knows.
        _ => (Kind::Failed, None),
    };
    let error = Error::new(kind, message.unwrap_or("the service gave no reason")).code(code);
    hint.map_or(error.clone(), |hint| error.hint(hint))
}

/// What an answer without a code means.
fn by_status(status: u16) -> Error {
    let (kind, said) = match status {
        401 => (Kind::Auth, "ECR refused the credentials"),
        403 => (
            Kind::Denied,
            "ECR, or something before it, denied the request",
        ),
        404 | 405 | 300..400 => (Kind::Config, "this is no endpoint of ECR"),
        408 => (Kind::Lost, "ECR did not get the whole request"),
        429 => (Kind::Throttled, "too many requests"),
        400..500 => (Kind::Invalid, "ECR refused the request"),
        500..600 => (Kind::Lost, "ECR failed"),
        _ => (
            Kind::Unreadable,
            "ECR answered with a status that no answer has",
        ),
    };
    Error::new(kind, format!("{said} (HTTP {status})")).code(format!("HTTP{status}"))
}

/// How long the service asks to wait: in seconds, or in AWS's own header in milliseconds.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.trim().parse::<u64>().ok();
    number("x-amz-retry-after")
        .map(Duration::from_millis)
        .or_else(|| number("retry-after").map(Duration::from_secs))
}
