//! What ECR's codes mean: those of refused calls, those of single images and layers in an answer, and the statuses of
//! answers without a code.

use aws_sdk_ecr::types::{ImageFailure, LayerFailure};

use crate::error::{Error, Kind};

/// Codes that mean the same, what that is, and what a person can do about it.
type Row = (&'static [&'static str], Kind, &'static str);

const EXPIRED: &str = "the session expired: run `aws sso login`, or get new keys";
const SECRET: &str = "check the secret key, and this machine's clock";
const KEY: &str = "check the access key, and that it belongs to this partition";
const PERMISSION: &str =
    "the credentials are valid but lack this permission; the README lists the permissions that imgctl needs";
const UPSTREAM: &str = "check the credentials of the repository's pull-through cache rule in Secrets Manager";
const ELSEWHERE: &str = "check that AWS_ENDPOINT_URL_ECR is an ECR endpoint";
const STORE: &str = "check the repository's name, its region and the account";

/// Codes of refused calls, modelled by the service or not.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html>
const CODES: &[Row] = &[
    (&["ThrottlingException", "Throttling", "ThrottledException", "RequestLimitExceeded"], Kind::Throttled, ""),
    (&["TooManyRequestsException", "RequestThrottled", "LimitExceededException", "SlowDown"], Kind::Throttled, ""),
    (&["RepositoryNotFoundException"], Kind::NoStore, STORE),
    (&["RegistryNotFoundException"], Kind::NoStore, "check the account and the region"),
    (&["ImageNotFoundException"], Kind::NotFound, ""),
    (&["LayersNotFoundException"], Kind::LayersGone, "push the image again from where it was built"),
    (&["ReferencedImagesNotFoundException"], Kind::PartsMissing, "restore the images of the index first"),
    (&["ImageAlreadyExistsException"], Kind::AlreadyThere, ""),
    (&["ImageTagAlreadyExistsException"], Kind::TagTaken, "the repository's tags are immutable"),
    (&["ImageDigestDoesNotMatchException"], Kind::Invalid, "the saved manifest is damaged; nothing was stored"),
    (&["ImageStorageClassUpdateNotSupportedException"], Kind::WrongState, ""),
    (&["InvalidParameterException", "InvalidParameterValue", "InvalidTagParameterException"], Kind::Invalid, ""),
    (&["ValidationException", "ValidationError", "SerializationException"], Kind::Invalid, ""),
    (&["ServerException", "InternalFailure", "InternalServerError", "InternalServerException"], Kind::Lost, ""),
    (&["ServiceUnavailable", "ServiceUnavailableException"], Kind::Lost, ""),
    (&["UnableToGetUpstreamImageException", "UnableToGetUpstreamLayerException"], Kind::Failed, UPSTREAM),
    (&["KmsException"], Kind::Failed, "check that the repository's KMS key is enabled and may be used"),
    (&["AccessDeniedException", "AccessDenied", "NotAuthorized"], Kind::Denied, PERMISSION),
    (&["UnauthorizedOperation", "OptInRequired"], Kind::Denied, PERMISSION),
    (&["ExpiredTokenException", "ExpiredToken", "RequestExpired"], Kind::Auth, EXPIRED),
    (&["InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"], Kind::Auth, SECRET),
    (&["UnrecognizedClientException", "InvalidClientTokenId"], Kind::Auth, KEY),
    (&["MissingAuthenticationTokenException", "MissingAuthenticationToken"], Kind::Auth, KEY),
    (&["IncompleteSignature", "IncompleteSignatureException"], Kind::Auth, KEY),
    (&["UnknownOperationException", "InvalidAction"], Kind::Config, ELSEWHERE),
];

const MOVED: &str = "the tag moved to another image, so it was not deleted; list the images and decide again";
const NEEDED: &str = "delete the index that needs it first, or together with it";
const ARCHIVED: &str = "the image is archived or being restored; restore it first";
const KMS: &str = "check that the repository's KMS key is enabled and may be used by this caller";

/// Codes of single images in an answer.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html>
const IMAGE_CODES: &[Row] = &[
    (&["ImageNotFound"], Kind::NotFound, ""),
    (&["ImageTagDoesNotMatchDigest"], Kind::Changed, MOVED),
    (&["ImageReferencedByManifestList"], Kind::InUse, NEEDED),
    (&["InvalidImageDigest", "InvalidImageTag", "MissingDigestAndTag"], Kind::Invalid, ""),
    (&["ImageInaccessible"], Kind::WrongState, ARCHIVED),
    (&["KmsError"], Kind::Failed, KMS),
    (&["UpstreamAccessDenied"], Kind::Failed, "check the credentials of the repository's pull-through cache rule"),
    (&["UpstreamTooManyRequests"], Kind::Throttled, "the upstream registry throttles; try later"),
    (&["UpstreamUnavailable"], Kind::Failed, "the upstream registry is down; try later"),
];

/// Codes of single layers in an answer.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_LayerFailure.html>
const LAYER_CODES: &[Row] =
    &[(&["MissingLayerDigest"], Kind::NotFound, ""), (&["InvalidLayerDigest"], Kind::Invalid, "")];

/// Looks up a code. An unknown code is a refusal for an unknown reason: the call was not done.
fn meaning(table: &[Row], code: &str) -> (Kind, Option<String>) {
    let found = table.iter().find(|(codes, ..)| codes.contains(&code));
    found.map_or((Kind::Failed, None), |(_, kind, hint)| {
        (*kind, Some(*hint).filter(|hint| !hint.is_empty()).map(Into::into))
    })
}

pub fn of_image(failure: &ImageFailure, request: Option<&str>) -> Error {
    of_item(IMAGE_CODES, failure.failure_code().map(|code| code.as_str()), failure.failure_reason(), request)
}

pub fn of_layer(failure: &LayerFailure, request: Option<&str>) -> Error {
    of_item(LAYER_CODES, failure.failure_code().map(|code| code.as_str()), failure.failure_reason(), request)
}

fn of_item(table: &[Row], code: Option<&str>, reason: Option<&str>, request: Option<&str>) -> Error {
    let code = code.unwrap_or("UnknownFailure");
    let (kind, hint) = meaning(table, code);
    let message = reason.unwrap_or("the service gave no reason");
    Error { hint, ..Error::new(kind, message).code(code).request_id(request) }
}

/// What a refused call's code means.
pub fn by_code(code: &str, message: Option<&str>) -> Error {
    // A code may come with its namespace before it, or an address after it.
    let code = code.rsplit('#').next().unwrap_or(code).split(':').next().unwrap_or(code);
    let (kind, hint) = meaning(CODES, code);
    let message = message.unwrap_or("the service gave no reason");
    let message = match kind {
        // What follows is the request as the service would sign it, with the session's token in it.
        Kind::Auth => message.lines().next().unwrap_or_default(),
        _ => message,
    };
    Error { hint, ..Error::new(kind, message).code(code) }
}

/// The same code is a quota here and a rate elsewhere.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>
pub fn of_put(error: Error) -> Error {
    match error.code.as_deref() {
        Some("LimitExceededException") => Error { kind: Kind::Failed, retry_after: None, ..error }
            .hint("delete images or tags of this repository, or ask AWS for a higher quota"),
        _ => error,
    }
}

/// What an answer without a code means.
pub fn by_status(status: u16) -> Error {
    let (kind, said) = match status {
        401 => (Kind::Auth, "ECR refused the credentials"),
        403 => (Kind::Denied, "ECR or a proxy denied the request"),
        404 | 405 | 300..400 => (Kind::Config, "this endpoint is not ECR"),
        408 => (Kind::Lost, "ECR did not receive the whole request"),
        429 => (Kind::Throttled, "too many requests"),
        // Without a code it comes from something in between, and smaller calls would fare no better.
        400..500 => (Kind::Config, "something between here and ECR refused the request"),
        500..600 => (Kind::Lost, "ECR failed"),
        _ => (Kind::Unreadable, "ECR sent an unexpected status"),
    };
    Error::new(kind, format!("{said} (HTTP {status})")).code(format!("HTTP{status}"))
}
