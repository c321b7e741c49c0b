//! What each documented error code means for what happens next, and what a person can do about it. Codes decide,
//! messages never do: the provider says itself that they may change.
//! <https://www.tencentcloud.com/document/api/213/33281>
//! <https://cloud.tencent.com/document/api/1553/75174>

use crate::error::Kind;

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Meaning {
    pub kind: Kind,
    pub hint: Option<&'static str>,
}

/// What a rehearsal answers where it would have been done.
pub(super) const DRY_RUN: &str = "DryRunOperation";
pub(super) const NOT_FOUND: &str = "InvalidImageId.NotFound";
pub(super) const INCORRECT_STATE: &str = "InvalidImageId.IncorrectState";
pub(super) const SHARED_OUT: &str = "InvalidImageId.InShared";
pub(super) const SHARED_TO_YOU: &str = "InvalidParameterValue.InvalidImageIdIsShared";
pub(super) const NOT_DELETABLE: &str = "InvalidParameterValue.InvalidImageId";
pub(super) const CLOCK: &str = "AuthFailure.SignatureExpire";

/// Looks a code up: as it stands, else by how it begins.
///
/// An undocumented code counts as [`Kind::Failed`]: an error answers a whole call that was then not done,
/// so nothing is claimed; the call is cut down to the images it may be about; and nothing is sent twice for it.
pub(super) fn meaning(code: &str) -> Meaning {
    let exact = EXACT.iter().find(|(name, ..)| *name == code);
    let found = exact.or_else(|| PREFIXES.iter().find(|(start, ..)| code.starts_with(start)));
    let (_, kind, hint) = found.copied().unwrap_or(("", Kind::Failed, ""));
    Meaning { kind, hint: (!hint.is_empty()).then_some(hint) }
}

type Row = (&'static str, Kind, &'static str);

const GRANT: &str = "grant cvm:DescribeImages and cvm:DeleteImages for qcs::cvm:REGION:uin/ACCOUNT:image/* in CAM";
const KEYS: &str = "check the secret id and key; `imgctl doctor` shows where they come from";
const RENEW: &str = "the temporary credentials have expired: get new ones";
const MFA: &str = "this account requires a second factor: use credentials that include it";
const WAIT: &str = "wait until the image's state is normal, or try again later";
const ELSEWHERE: &str = "check the endpoint: it does not serve this API";
const OUR_REQUEST: &str = "the request itself was wrong: please report it";

const EXACT: &[Row] = &[
    // The image asked for.
    (NOT_FOUND, Kind::NotFound, ""),
    ("InvalidImageId.Malformed", Kind::Invalid, "an image id looks like img-6pb6lrmy"),
    (
        SHARED_OUT,
        Kind::Protected,
        "stop sharing it first: `tccli cvm ModifyImageSharePermission` with Permission CANCEL",
    ),
    (SHARED_TO_YOU, Kind::Protected, "it belongs to another account, which shares it with this one"),
    (INCORRECT_STATE, Kind::WrongState, WAIT),
    (NOT_DELETABLE, Kind::Protected, "only an account's own images can be deleted"),
    ("InvalidParameterValue.InvalidImageState", Kind::WrongState, WAIT),
    ("UnauthorizedOperation.ImageNotBelongToAccount", Kind::Protected, "it belongs to another account"),
    // Another task at the same image: nothing was done, and it passes.
    ("MutexOperation.TaskRunning", Kind::Throttled, "another task is using it: try again later"),
    // More than one call may carry.
    ("InvalidParameterValue.LimitExceeded", Kind::TooMany, ""),
    ("RequestSizeLimitExceeded", Kind::TooMany, ""),
    ("ResponseSizeLimitExceeded", Kind::TooMany, ""),
    // What was asked of a listing or of a share.
    ("FailedOperation.AccountAlreadyExists", Kind::Invalid, ""),
    ("FailedOperation.AccountIsYourSelf", Kind::Invalid, ""),
    ("FailedOperation.BYOLImageShareFailed", Kind::Protected, ""),
    ("FailedOperation.IllegalTagKey", Kind::Invalid, ""),
    ("FailedOperation.NotMasterAccount", Kind::Invalid, "images are shared with main accounts only"),
    ("FailedOperation.QImageShareFailed", Kind::Protected, ""),
    ("FailedOperation.RImageShareFailed", Kind::Protected, ""),
    ("InvalidAccountId.NotFound", Kind::Invalid, ""),
    ("InvalidAccountIs.YourSelf", Kind::Invalid, ""),
    ("InvalidFilter", Kind::Invalid, OUR_REQUEST),
    ("InvalidFilterValue.LimitExceeded", Kind::Invalid, OUR_REQUEST),
    ("InvalidInstanceType.Malformed", Kind::Invalid, ""),
    ("InvalidParameter.InstanceImageNotSupport", Kind::Protected, ""),
    ("InvalidParameter.InvalidParameterCoexistImageIdsFilters", Kind::Invalid, OUR_REQUEST),
    ("InvalidParameterValue.InstanceTypeNotFound", Kind::Invalid, ""),
    ("InvalidParameterValue.InvalidAppIdFormat", Kind::Invalid, "the account's APPID is wrong"),
    ("InvalidParameterValue.InvalidParameterValueLimit", Kind::Invalid, OUR_REQUEST),
    ("InvalidParameterValue.TagKeyNotFound", Kind::Invalid, ""),
    ("InvalidParameterValue.ZoneNotSupported", Kind::Invalid, ""),
    ("InvalidZone.MismatchRegion", Kind::Invalid, ""),
    ("OverQuota", Kind::Failed, ""),
    ("ResourcesSoldOut.SpecifiedInstanceType", Kind::Failed, ""),
    ("UnsupportedOperation.EncryptedImagesNotSupported", Kind::Protected, ""),
    ("UnsupportedOperation.LocationImageNotSupported", Kind::Protected, ""),
    // The region.
    ("InvalidRegion.NotFound", Kind::NoStore, "a region looks like ap-guangzhou"),
    ("UnsupportedRegion", Kind::NoStore, "a region looks like ap-guangzhou; finance regions end in -fsi"),
    // Who asks.
    (CLOCK, Kind::Auth, "set this machine's clock, for example with NTP"),
    ("AuthFailure.MFAFailure", Kind::Auth, MFA),
    ("AuthFailure.SecretIdNotFound", Kind::Auth, KEYS),
    ("AuthFailure.TokenFailure", Kind::Auth, RENEW),
    ("AuthFailure.UnauthorizedOperation", Kind::Denied, GRANT),
    ("UnauthorizedOperation.InvalidToken", Kind::Auth, RENEW),
    ("UnauthorizedOperation.MFAExpired", Kind::Auth, MFA),
    ("UnauthorizedOperation.MFANotFound", Kind::Auth, MFA),
    ("IpInBlacklist", Kind::Denied, "this machine's address is barred from the API"),
    ("IpNotInWhitelist", Kind::Denied, "this machine's address is not among those that may call the API"),
    // Where and how it was asked.
    ("ActionOffline", Kind::Config, ELSEWHERE),
    ("InvalidAction", Kind::Config, ELSEWHERE),
    ("NoSuchProduct", Kind::Config, ELSEWHERE),
    ("NoSuchVersion", Kind::Config, ELSEWHERE),
    ("UnsupportedProtocol", Kind::Config, ELSEWHERE),
    ("InvalidRequest", Kind::Invalid, OUR_REQUEST),
    ("MissingParameter", Kind::Invalid, OUR_REQUEST),
    ("UnknownParameter", Kind::Invalid, OUR_REQUEST),
    // A dry run would have succeeded. As the answer to a real call it means that nothing was done.
    (DRY_RUN, Kind::Failed, ""),
    // A quota, not a rate: waiting does not mend it.
    ("LimitExceeded", Kind::Failed, ""),
    ("ResourceInsufficient", Kind::Failed, ""),
];

const PREFIXES: &[Row] = &[
    ("RequestLimitExceeded", Kind::Throttled, ""),
    ("ResourceBusy", Kind::Throttled, "it is busy: try again later"),
    ("ResourceUnavailable", Kind::WrongState, WAIT),
    ("ResourceInUse", Kind::InUse, ""),
    ("ResourceNotFound", Kind::NotFound, ""),
    ("MutexOperation", Kind::Throttled, "another task is using it: try again later"),
    ("AuthFailure", Kind::Auth, KEYS),
    ("UnauthorizedOperation", Kind::Denied, GRANT),
    ("InvalidImageId", Kind::Invalid, ""),
    ("InvalidParameter", Kind::Invalid, ""),
    ("UnsupportedOperation", Kind::Protected, ""),
    // The provider failed midway: what it did before that is unknown.
    ("InternalError", Kind::Lost, ""),
    ("InternalServerError", Kind::Lost, ""),
    ("ServiceUnavailable", Kind::Lost, ""),
    ("FailedOperation", Kind::Failed, ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_code_has_the_kind_that_its_documentation_calls_for() {
        use Kind::*;
        let table = [
            // DeleteImages
            (NotFound, "InvalidImageId.NotFound"),
            (Invalid, "InvalidImageId.Malformed InvalidParameterValue.InvalidAppIdFormat"),
            (
                Protected,
                "InvalidImageId.InShared InvalidParameterValue.InvalidImageIdIsShared InvalidParameterValue.InvalidImageId",
            ),
            (WrongState, "InvalidImageId.IncorrectState"),
            (TooMany, "InvalidParameterValue.LimitExceeded"),
            (Throttled, "MutexOperation.TaskRunning"),
            // DescribeImages
            (
                Invalid,
                "FailedOperation.IllegalTagKey InvalidFilter InvalidFilterValue.LimitExceeded InvalidInstanceType.Malformed",
            ),
            (
                Invalid,
                "InvalidParameter.InvalidParameterCoexistImageIdsFilters InvalidParameterValue.InstanceTypeNotFound",
            ),
            (Invalid, "InvalidParameterValue.InvalidParameterValueLimit InvalidParameterValue.TagKeyNotFound"),
            (Invalid, "InvalidParameterValue.ZoneNotSupported InvalidZone.MismatchRegion"),
            (NoStore, "InvalidRegion.NotFound"),
            (Failed, "ResourcesSoldOut.SpecifiedInstanceType"),
            (Auth, "UnauthorizedOperation.InvalidToken"),
            (Denied, "UnauthorizedOperation.PermissionDenied"),
            // DescribeImageSharePermission, ModifyImageSharePermission
            (Invalid, "InvalidAccountId.NotFound InvalidAccountIs.YourSelf"),
            (Failed, "OverQuota"),
            (Protected, "UnauthorizedOperation.ImageNotBelongToAccount"),
            (
                Invalid,
                "FailedOperation.AccountAlreadyExists FailedOperation.AccountIsYourSelf FailedOperation.NotMasterAccount",
            ),
            (
                Protected,
                "FailedOperation.BYOLImageShareFailed FailedOperation.QImageShareFailed FailedOperation.RImageShareFailed",
            ),
            (Protected, "InvalidParameter.InstanceImageNotSupport"),
            (WrongState, "InvalidParameterValue.InvalidImageState"),
            (
                Protected,
                "UnsupportedOperation.EncryptedImagesNotSupported UnsupportedOperation.LocationImageNotSupported",
            ),
            // Of every product
            (Config, "ActionOffline InvalidAction NoSuchProduct NoSuchVersion UnsupportedProtocol"),
            (
                Auth,
                "AuthFailure.InvalidAuthorization AuthFailure.InvalidSecretId AuthFailure.MFAFailure AuthFailure.SecretIdNotFound",
            ),
            (Auth, "AuthFailure.SignatureExpire AuthFailure.SignatureFailure AuthFailure.TokenFailure"),
            (Denied, "AuthFailure.UnauthorizedOperation IpInBlacklist IpNotInWhitelist UnauthorizedOperation"),
            (Auth, "UnauthorizedOperation.MFAExpired UnauthorizedOperation.MFANotFound"),
            (Failed, "DryRunOperation FailedOperation LimitExceeded ResourceInsufficient"),
            (Lost, "InternalError InternalError.TradeUnknownError InternalServerError ServiceUnavailable"),
            (Invalid, "InvalidParameter InvalidParameterValue InvalidRequest MissingParameter UnknownParameter"),
            (Throttled, "RequestLimitExceeded RequestLimitExceeded.GlobalRegionUinLimitExceeded"),
            (Throttled, "RequestLimitExceeded.IPLimitExceeded RequestLimitExceeded.UinLimitExceeded ResourceBusy"),
            (TooMany, "RequestSizeLimitExceeded ResponseSizeLimitExceeded"),
            (InUse, "ResourceInUse"),
            (NotFound, "ResourceNotFound"),
            (WrongState, "ResourceUnavailable ResourceUnavailable.SnapshotCreating"),
            (Protected, "UnsupportedOperation"),
            (NoStore, "UnsupportedRegion"),
        ];
        for (kind, codes) in table {
            for code in codes.split(' ') {
                assert_eq!(meaning(code).kind, kind, "{code}");
            }
        }
    }

    #[test]
    fn an_undocumented_code_claims_nothing_and_the_call_is_not_sent_again_as_it_was() {
        for code in ["SomethingNew", "", "NotFound", "requestlimitexceeded"] {
            let kind = meaning(code).kind;
            assert_eq!(kind, Kind::Failed, "{code}");
            assert!(kind.splits() && !kind.transient() && !kind.stops_store());
        }
    }

    #[test]
    fn a_code_stands_once_and_no_prefix_hides_another() {
        for (at, (code, ..)) in EXACT.iter().enumerate() {
            assert!(EXACT[..at].iter().all(|(earlier, ..)| earlier != code), "{code}");
        }
        for (at, (prefix, ..)) in PREFIXES.iter().enumerate() {
            let hidden = PREFIXES[..at].iter().find(|(earlier, ..)| prefix.starts_with(earlier));
            assert!(hidden.is_none(), "{prefix}");
        }
    }
}
