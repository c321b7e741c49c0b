//! The verifying side of AWS Signature Version 4, over the bytes as they were received. It knows keys and scopes, not
//! services: each service decides what a refusal looks like on the wire.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::fmt::Write;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::Received;

/// How far a request's time may differ from the service's.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html>
const TOLERANCE: TimeDelta = TimeDelta::minutes(15);

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// An access key that a sandbox accepts.
#[derive(Clone)]
pub struct Key {
    pub id: String,
    pub secret: String,
    /// Temporary keys carry one, and are refused without it.
    pub session_token: Option<String>,
    pub expires: Option<DateTime<Utc>>,
}

/// Who signed a request, and for where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub key_id: String,
    pub region: String,
}

/// Why a request is not believed. The text is what AWS says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// Not signed at all.
    Missing,
    /// The signature's parts are not all there, or not as they should be.
    Incomplete(String),
    /// No such key, or not with this session token.
    Unknown,
    /// The session is over.
    Expired,
    /// The signature is for another time, place or text.
    Invalid(String),
}

/// Checks a request's signature, its time, its scope and its key.
pub fn verify(request: &Received, service: &str, keys: &[Key]) -> Result<Caller, Distrust> {
    let header = request.header("authorization");
    if header.is_empty() {
        return Err(Distrust::Missing);
    }
    let signed = Signed::parse(header)?;
    let time = signing_time(request)?;
    signed.check_scope(service, &time)?;
    signed.check_headers(request)?;
    check_clock(&time, request.now)?;
    let key = keys.iter().find(|key| key.id == signed.key_id).ok_or(Distrust::Unknown)?;
    let token = Some(request.header("x-amz-security-token")).filter(|token| !token.is_empty());
    if token != key.session_token.as_deref() {
        return Err(Distrust::Unknown);
    }
    if key.expires.is_some_and(|expires| expires <= request.now) {
        return Err(Distrust::Expired);
    }
    let right = signed.signature_of(request, &time, &key.secret);
    if right != signed.signature {
        return Err(Distrust::Invalid(
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
                .into(),
        ));
    }
    Ok(Caller { key_id: signed.key_id.into(), region: signed.region.into() })
}

/// The Authorization header, taken apart.
struct Signed<'a> {
    key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    headers: &'a str,
    signature: &'a str,
}

impl<'a> Signed<'a> {
    fn parse(header: &'a str) -> Result<Self, Distrust> {
        let incomplete = |what: &str| Distrust::Incomplete(format!("Authorization header requires {what}."));
        let parameters = header.strip_prefix(ALGORITHM).ok_or_else(|| incomplete("the algorithm AWS4-HMAC-SHA256"))?;
        let parameter = |name: &str| {
            parameters
                .split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
                .ok_or_else(|| incomplete(&format!("'{name}' parameter")))
        };
        let scope: Vec<_> = parameter("Credential")?.split('/').collect();
        let [key_id, date, region, service, "aws4_request"] = scope[..] else {
            return Err(incomplete("a credential of KEY/DATE/REGION/SERVICE/aws4_request"));
        };
        Ok(Self {
            key_id,
            date,
            region,
            service,
            headers: parameter("SignedHeaders")?,
            signature: parameter("Signature")?,
        })
    }

    fn check_scope(&self, service: &str, time: &DateTime<Utc>) -> Result<(), Distrust> {
        let wrong = |what: String| Err(Distrust::Invalid(format!("Credential should be scoped to {what}.")));
        if self.service != service {
            return wrong(format!("correct service: '{service}'"));
        }
        if !is_region(self.region) {
            return wrong("a valid region".into());
        }
        if self.date != time.format("%Y%m%d").to_string() {
            return wrong(format!("the date of the request, {}", time.format("%Y%m%d")));
        }
        Ok(())
    }

    /// Everything that decides the meaning of a request must be signed.
    fn check_headers(&self, request: &Received) -> Result<(), Distrust> {
        let mut needed = request
            .headers
            .keys()
            .map(|name| name.as_str())
            .filter(|name| *name == "host" || name.starts_with("x-amz-"));
        match needed.find(|name| self.headers.split(';').all(|signed| signed != *name)) {
            Some(name) => {
                Err(Distrust::Invalid(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")))
            }
            None => Ok(()),
        }
    }

    fn signature_of(&self, request: &Received, time: &DateTime<Utc>, secret: &str) -> String {
        let canonical = canonical_request(request, self.headers);
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{}", time.format(TIME), hex::encode(Sha256::digest(canonical)));
        let key = [self.date, self.region, self.service, "aws4_request"]
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| mac(&key, part));
        hex::encode(mac(&key, &text))
    }
}

/// `eu-west-1`, `us-gov-east-1`: words and a number.
fn is_region(text: &str) -> bool {
    let words: Vec<_> = text.split('-').collect();
    matches!(&words[..], [area, .., number]
        if words.len() >= 3
            && area.len() >= 2
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && words.iter().all(|word| !word.is_empty())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'))
}

fn signing_time(request: &Received) -> Result<DateTime<Utc>, Distrust> {
    NaiveDateTime::parse_from_str(request.header("x-amz-date"), TIME).map(|time| time.and_utc()).map_err(|_| {
        Distrust::Incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".into(),
        )
    })
}

fn check_clock(time: &DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Distrust> {
    let [time_text, now_text, early, late] =
        [*time, now, now - TOLERANCE, now + TOLERANCE].map(|time| time.format(TIME).to_string());
    if *time < now - TOLERANCE {
        return Err(Distrust::Invalid(format!(
            "Signature expired: {time_text} is now earlier than {early} ({now_text} - 15 min.)"
        )));
    }
    if *time > now + TOLERANCE {
        return Err(Distrust::Invalid(format!(
            "Signature not yet current: {time_text} is still later than {late} ({now_text} + 15 min.)"
        )));
    }
    Ok(())
}

fn canonical_request(request: &Received, signed_headers: &str) -> String {
    let mut text = format!("{}\n{}\n{}\n", request.method, encode_path(&request.path), canonical_query(&request.query));
    for name in signed_headers.split(';') {
        let values: Vec<String> = request
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let _ = writeln!(text, "{name}:{}", values.join(","));
    }
    let body = hex::encode(Sha256::digest(&request.body));
    let _ = write!(text, "\n{signed_headers}\n{body}");
    text
}

/// Every service but S3 signs the path as it was sent, encoded once more.
fn encode_path(path: &str) -> String {
    let mut encoded = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn canonical_query(query: &str) -> String {
    let mut parameters: Vec<_> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .collect();
    parameters.sort_unstable();
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    parameters.join("&")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Signs a request, for tests that talk to a service without a client.
#[cfg(test)]
pub(super) fn sign(request: &mut Received, service: &str, region: &str, key: &Key) {
    let time = request.now.format(TIME).to_string();
    let mut put = |name: &'static str, value: &str| request.headers.insert(name, value.parse().unwrap());
    put("host", "127.0.0.1");
    put("x-amz-date", &time);
    if let Some(token) = &key.session_token {
        put("x-amz-security-token", token);
    }
    let mut headers: Vec<_> = request.headers.keys().map(|name| name.as_str().to_owned()).collect();
    headers.retain(|name| name == "host" || name.starts_with("x-amz-"));
    headers.sort();
    let headers = headers.join(";");
    let signed = Signed { key_id: &key.id, date: &time[..8], region, service, headers: &headers, signature: "" };
    let signature = signed.signature_of(request, &signing_time(request).unwrap(), &key.secret);
    let authorization = format!(
        "{ALGORITHM} Credential={}/{}/{region}/{service}/aws4_request, SignedHeaders={headers}, Signature={signature}",
        key.id, signed.date
    );
    request.headers.insert("authorization", authorization.parse().unwrap());
}

#[cfg(test)]
mod tests;
