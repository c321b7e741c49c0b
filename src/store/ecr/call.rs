//! Sends one request through the SDK and sorts a failure. The SDK's own text says little; the code, the HTTP status and
//! how far the request got decide.

#[cfg(test)]
mod tests;

use std::{
    error::Error as StdError,
    time::{Duration, Instant},
};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ecr::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_runtime_api::{client::orchestrator::HttpResponse, http::Headers};
use chrono::Utc;
use http_body_util::LengthLimitError;

use super::errors::{by_code, by_status};
use crate::{
    clock::retry_after,
    error::{Error, Kind, Result},
    http::{causes, never_sent},
    settings::{self, aws::Aws},
    store::said::To,
};

/// Waits for an answer, logs it for `-vv` without its contents, and sorts a failure.
pub async fn heard<T: RequestId, E>(
    aws: &Aws,
    action: &str,
    ids: usize,
    call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let started = Instant::now();
    let answer = call.await;
    let host = aws.host.get().map_or("", String::as_str);
    let to = To { service: "ecr", region: &aws.region, host };
    let sent = to.sent(action, ids, started);
    let status = answer.as_ref().err().map(status);
    let answer = answer.map_err(|error| describe(action, &error));
    match (&answer, status) {
        (Ok(answer), _) => sent.answered(200, None, answer.request_id()),
        (Err(error), Some(Some(status))) => sent.answered(status, error.code.as_deref(), error.request_id.as_deref()),
        (Err(error), _) => sent.failed(error),
    }
    answer
}

/// The status of a refusal, if there was an answer.
fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

/// Sorts a failed call.
pub fn describe<E>(action: &str, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => {
            Error::new(Kind::Config, format!("the request to ECR cannot be made: {}", causes(error)))
        }
        SdkError::TimeoutError(_) => Error::new(Kind::Lost, "ECR did not answer in time").code("Timeout"),
        // The request was never signed, so it was never sent.
        SdkError::DispatchFailure(_) if caused_by::<CredentialsError>(error) => {
            Error::new(Kind::Auth, format!("the AWS credentials expired and could not be renewed: {}", causes(error)))
                .hint("run `aws sso login`, or get new keys")
        }
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
                // The body did not arrive completely.
                200..300 if caused_by::<LengthLimitError>(error) => settings::aws::size(action).exceeded("ECR"),
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
                // A load balancer's error about its backend does not come from the service, with any code.
                Some(known) if known.kind == Kind::Failed && status >= 500 => Error { kind: Kind::Lost, ..known },
                Some(known) => known,
                None => by_status(status),
            };
            described.request_id = error.request_id().map(str::to_owned);
            described.retry_after = wait(raw.headers());
            described
        }
        other => Error::new(Kind::Lost, format!("the call to ECR failed: {}", causes(other))),
    }
}

/// An error of this type is among the causes.
fn caused_by<T: StdError + 'static>(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<T>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// How long the service asks to wait: in AWS's own header in milliseconds, or as HTTP has it.
fn wait(headers: &Headers) -> Option<Duration> {
    let own = headers.get("x-amz-retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_millis);
    own.or_else(|| retry_after(headers.get("retry-after")?, Utc::now()))
}
