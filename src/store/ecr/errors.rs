//! What ECR's codes mean: those of refused calls, those of single images and layers in an answer, and the statuses of
//! answers without a code.

use aws_sdk_ecr::types::{ImageFailure, LayerFailure};

use crate::{
    error::{Error, Kind},
    store::aws::errors::{self, Row, meaning},
};

const UPSTREAM: &str = "check the credentials of the repository's pull-through cache rule in Secrets Manager";
const ELSEWHERE: &str = "check that AWS_ENDPOINT_URL_ECR is an ECR endpoint";
const STORE: &str = "check the repository's name, its region and the account";

/// Codes of refused calls that ECR does not share with other services, modelled or not.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html>
const CODES: &[Row] = &[
    (&["RepositoryNotFoundException"], Kind::NoStore, STORE),
    (&["RegistryNotFoundException"], Kind::NoStore, "check the account and the region"),
    (&["ImageNotFoundException"], Kind::NotFound, ""),
    (&["LayersNotFoundException"], Kind::LayersGone, "push the image again from where it was built"),
    (&["ReferencedImagesNotFoundException"], Kind::PartsMissing, "restore the images of the index first"),
    (&["ImageAlreadyExistsException"], Kind::AlreadyThere, ""),
    (&["ImageTagAlreadyExistsException"], Kind::TagTaken, "the repository's tags are immutable"),
    (&["ImageDigestDoesNotMatchException"], Kind::Invalid, "the saved manifest is damaged; nothing was stored"),
    (&["ImageStorageClassUpdateNotSupportedException"], Kind::WrongState, ""),
    (&["InvalidTagParameterException"], Kind::Invalid, ""),
    (&["UnableToGetUpstreamImageException", "UnableToGetUpstreamLayerException"], Kind::Failed, UPSTREAM),
    (&["KmsException"], Kind::Failed, "check that the repository's KMS key is enabled and may be used"),
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

pub fn of_image(failure: &ImageFailure, request: Option<&str>) -> Error {
    of_item(IMAGE_CODES, failure.failure_code().map(|code| code.as_str()), failure.failure_reason(), request)
}

pub fn of_layer(failure: &LayerFailure, request: Option<&str>) -> Error {
    of_item(LAYER_CODES, failure.failure_code().map(|code| code.as_str()), failure.failure_reason(), request)
}

fn of_item(table: &[Row], code: Option<&str>, reason: Option<&str>, request: Option<&str>) -> Error {
    let code = code.unwrap_or("UnknownFailure");
    let (kind, hint) = meaning(&[table], code);
    let message = reason.unwrap_or("the service gave no reason");
    Error { hint, ..Error::new(kind, message).code(code).request_id(request) }
}

/// What a refused call's code means.
pub fn by_code(code: &str, message: Option<&str>) -> Error {
    errors::by_code(CODES, code, message)
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
    errors::by_status("ECR", status)
}
