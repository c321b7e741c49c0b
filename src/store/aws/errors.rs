//! What the codes that all of AWS's services share mean, and the statuses of answers without a code.

use crate::error::{Error, Kind};

/// Codes that mean the same, what that is, and what a person can do about it.
pub type Row = (&'static [&'static str], Kind, &'static str);

const EXPIRED: &str = "the session expired: run `aws sso login`, or get new keys";
const SECRET: &str = "check the secret key, and this machine's clock";
const KEY: &str = "check the access key, and that it belongs to this partition";
const PERMISSION: &str =
    "the credentials are valid but lack this permission; the README lists the permissions that imgctl needs";

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html>, which other services repeat
const CODES: &[Row] = &[
    (&["ThrottlingException", "Throttling", "ThrottledException", "RequestLimitExceeded"], Kind::Throttled, ""),
    (&["TooManyRequestsException", "RequestThrottled", "LimitExceededException", "SlowDown"], Kind::Throttled, ""),
    (&["InvalidParameterException", "InvalidParameterValue", "InvalidParameterValueException"], Kind::Invalid, ""),
    (&["ValidationException", "ValidationError", "SerializationException"], Kind::Invalid, ""),
    (&["ServerException", "InternalFailure", "InternalServerError", "InternalServerException"], Kind::Lost, ""),
    (&["ServiceUnavailable", "ServiceUnavailableException", "ServiceException"], Kind::Lost, ""),
    (&["AccessDeniedException", "AccessDenied", "NotAuthorized"], Kind::Denied, PERMISSION),
    (&["UnauthorizedOperation", "OptInRequired"], Kind::Denied, PERMISSION),
    (&["ExpiredTokenException", "ExpiredToken", "RequestExpired"], Kind::Auth, EXPIRED),
    (&["InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"], Kind::Auth, SECRET),
    (&["UnrecognizedClientException", "InvalidClientTokenId"], Kind::Auth, KEY),
    (&["MissingAuthenticationTokenException", "MissingAuthenticationToken"], Kind::Auth, KEY),
    (&["IncompleteSignature", "IncompleteSignatureException"], Kind::Auth, KEY),
];

/// Looks up a code in these tables. An unknown code is a refusal for an unknown reason: the call was not done.
pub fn meaning(tables: &[&[Row]], code: &str) -> (Kind, Option<String>) {
    let found = tables.iter().flat_map(|table| table.iter()).find(|(codes, ..)| codes.contains(&code));
    found.map_or((Kind::Failed, None), |(_, kind, hint)| {
        (*kind, Some(*hint).filter(|hint| !hint.is_empty()).map(Into::into))
    })
}

/// What a refused call's code means, to a service with codes of its own.
pub fn by_code(own: &[Row], code: &str, message: Option<&str>) -> Error {
    let code = plain(code);
    let (kind, hint) = meaning(&[own, CODES], code);
    let message = message.unwrap_or("the service gave no reason");
    let message = match kind {
        // What follows is the request as the service would sign it, with the session's token in it.
        Kind::Auth => message.lines().next().unwrap_or_default(),
        _ => message,
    };
    Error { hint, ..Error::new(kind, message).code(code) }
}

/// A code may come with its namespace before it, or an address after it.
fn plain(code: &str) -> &str {
    code.rsplit('#').next().unwrap_or(code).split(':').next().unwrap_or(code)
}

/// What an answer without a code means.
pub fn by_status(service: &str, status: u16) -> Error {
    let (kind, said) = match status {
        401 => (Kind::Auth, format!("{service} refused the credentials")),
        403 => (Kind::Denied, format!("{service} or a proxy denied the request")),
        404 | 405 | 300..400 => (Kind::Config, format!("this endpoint is not {service}")),
        408 => (Kind::Lost, format!("{service} did not receive the whole request")),
        429 => (Kind::Throttled, "too many requests".into()),
        // Without a code it comes from something in between, and smaller calls would fare no better.
        400..500 => (Kind::Config, format!("something between here and {service} refused the request")),
        500..600 => (Kind::Lost, format!("{service} failed")),
        200..300 => (Kind::Unreadable, format!("{service}'s answer is not JSON")),
        _ => (Kind::Unreadable, format!("{service} sent an unexpected status")),
    };
    Error::new(kind, format!("{said} (HTTP {status})")).code(format!("HTTP{status}"))
}
