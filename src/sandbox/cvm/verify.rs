//! Who sent a request, and whether its signature is right: TC3-HMAC-SHA256 over what was received. Independent of
//! the client's signer, so that an error cannot hide in both.
//! <https://www.tencentcloud.com/document/api/213/33224>

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::{Cvm, Failure};
use crate::sandbox::Received;

/// The documents give requests five minutes.
const SKEW_SECONDS: i64 = 300;

/// What `Authorization` claims.
struct Claim<'a> {
    secret_id: &'a str,
    date: &'a str,
    service: &'a str,
    signed: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let mut parts = header.strip_prefix("TC3-HMAC-SHA256 ")?.split(',').map(str::trim);
        let credential = parts.next()?.strip_prefix("Credential=")?;
        let signed = parts.next()?.strip_prefix("SignedHeaders=")?;
        let signature = parts.next()?.strip_prefix("Signature=")?;
        let [secret_id, date, service, "tc3_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(Self { secret_id, date, service, signed: signed.split(';').collect(), signature })
    }
}

/// Checks a request and returns the service that it was signed for.
pub(super) fn verify<'a>(cvm: &Cvm, request: &'a Received) -> Result<&'a str, Failure> {
    if request.method != "POST" || request.path != "/" || !request.query.is_empty() {
        return Err(Failure::new("UnsupportedProtocol", "Only POST to / is served here."));
    }
    if !request.header("content-type").starts_with("application/json") {
        return Err(Failure::new("InvalidRequest", "The content type must be application/json."));
    }
    let claim = Claim::parse(request.header("authorization"))
        .ok_or_else(|| Failure::new("AuthFailure.InvalidAuthorization", "The Authorization header is malformed."))?;
    if ["content-type", "host"].iter().any(|name| !claim.signed.contains(name)) {
        return Err(Failure::new(
            "AuthFailure.InvalidAuthorization",
            "SignedHeaders must contain content-type and host.",
        ));
    }
    let timestamp: i64 = request
        .header("x-tc-timestamp")
        .parse()
        .map_err(|_| Failure::new("MissingParameter", "X-TC-Timestamp is missing or no number."))?;
    if (request.now.timestamp() - timestamp).abs() > SKEW_SECONDS {
        return Err(Failure::new("AuthFailure.SignatureExpire", "The signature has expired."));
    }
    if claim.secret_id != cvm.secret_id {
        return Err(Failure::new("AuthFailure.SecretIdNotFound", "The SecretId is not found."));
    }
    let date =
        chrono::DateTime::from_timestamp(timestamp, 0).map(|time| time.date_naive().to_string()).unwrap_or_default();
    if claim.date != date || !fits(&claim, request, timestamp, &cvm.secret_key) {
        return Err(Failure::new("AuthFailure.SignatureFailure", "The signature does not match what was received."));
    }
    if request.header("x-tc-token") != cvm.token.as_deref().unwrap_or_default() {
        return Err(Failure::new("AuthFailure.TokenFailure", "The token does not fit the SecretId."));
    }
    Ok(claim.service)
}

/// Some clients sign values as they send them, the documents' example signs one of them in lower case.
fn fits(claim: &Claim<'_>, request: &Received, timestamp: i64, secret_key: &str) -> bool {
    let as_sent = |name: &str| request.header(name).trim().to_owned();
    let example = |name: &str| match name {
        "content-type" | "host" => as_sent(name),
        _ => as_sent(name).to_lowercase(),
    };
    let values: [&dyn Fn(&str) -> String; 2] = [&as_sent, &example];
    values.into_iter().any(|value| expected(claim, request, timestamp, secret_key, value) == claim.signature)
}

fn expected(
    claim: &Claim<'_>,
    request: &Received,
    timestamp: i64,
    secret_key: &str,
    value: &dyn Fn(&str) -> String,
) -> String {
    let payload = match request.header("x-tc-content-sha256") {
        unsigned @ "UNSIGNED-PAYLOAD" => unsigned.as_bytes(),
        _ => &request.body[..],
    };
    let mut canonical = Sha256::new();
    canonical.update("POST\n/\n\n");
    for name in &claim.signed {
        canonical.update(format!("{name}:{}\n", value(name)));
    }
    canonical.update(format!("\n{}\n", claim.signed.join(";")));
    canonical.update(hex::encode(Sha256::digest(payload)));

    let scope = format!("{}/{}/tc3_request", claim.date, claim.service);
    let hashed = hex::encode(canonical.finalize());
    let text = format!("TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{hashed}");
    let mut key = format!("TC3{secret_key}").into_bytes();
    for step in [claim.date, claim.service, "tc3_request", &text] {
        key = keyed(&key, step);
    }
    hex::encode(key)
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    // Fails for no key at all; an empty one fits nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Signs a request as it stands, for a date that should be that of its timestamp.
#[cfg(test)]
pub(super) fn sign(request: &Received, service: &str, date: &str, keys: (&str, &str)) -> String {
    let (secret_id, secret_key) = keys;
    let claim = Claim { secret_id, date, service, signed: vec!["content-type", "host"], signature: "" };
    let timestamp = request.header("x-tc-timestamp").parse().unwrap();
    let value = |name: &str| request.header(name).to_owned();
    let signature = expected(&claim, request, timestamp, secret_key, &value);
    format!(
        "TC3-HMAC-SHA256 Credential={secret_id}/{date}/{service}/tc3_request, SignedHeaders=content-type;host, Signature={signature}"
    )
}
