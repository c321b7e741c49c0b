//! The verifying side of SDK-HMAC-SHA256, over the bytes as they were received.
//! <https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm-001.html>

use std::fmt::Write;

use chrono::{NaiveDateTime, TimeDelta};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::{KEY_FAILURES, KEY_LOCK, Key, Lock, Refusal};
use crate::sandbox::Received;

/// <https://support.huaweicloud.com/intl/en-us/devg-apisign/apisign-devg-pdf.pdf>
const TOLERANCE: TimeDelta = TimeDelta::minutes(15);

/// Checks a request's signature, its time and its key.
pub(super) fn verify(keys: &mut [Key], request: &Received) -> Result<(), Refusal> {
    let fail = || Refusal::unbelieved("verify aksk signature fail");
    let signed = Signed::read(request.header("authorization")).ok_or_else(fail)?;
    let key = keys.iter_mut().find(|key| key.access_key == signed.access_key).ok_or_else(fail)?;
    if key.lock.holds(request.now) {
        return Err(Refusal::unbelieved("AK access failed to reach the limit,forbidden"));
    }
    if signed.fits(key, request).is_none() {
        key.lock.fail(request.now, KEY_FAILURES, KEY_LOCK);
        return Err(fail());
    }
    key.lock = Lock::default();
    Ok(())
}

struct Signed<'a> {
    access_key: &'a str,
    headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Signed<'a> {
    fn read(header: &'a str) -> Option<Self> {
        let mut parts = header.strip_prefix("SDK-HMAC-SHA256 ")?.split(", ");
        let mut part = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix('=');
        Some(Self {
            access_key: part("Access")?,
            headers: part("SignedHeaders")?.split(';').collect(),
            signature: part("Signature")?,
        })
    }

    fn fits(&self, key: &Key, request: &Received) -> Option<()> {
        let date = request.header("x-sdk-date");
        let time = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").ok()?;
        if (time.and_utc() - request.now).abs() > TOLERANCE {
            return None;
        }
        let has = |name: &str| self.headers.contains(&name);
        if !has("x-sdk-date") || !has("host") || !self.headers.is_sorted() {
            return None;
        }
        let token = request.header("x-security-token");
        if key.security_token.as_deref().unwrap_or_default() != token || !token.is_empty() && !has("x-security-token") {
            return None;
        }
        let text = format!("SDK-HMAC-SHA256\n{date}\n{}", digest(self.canonical(request).as_bytes()));
        let mut mac = Hmac::<Sha256>::new_from_slice(key.secret_key.as_bytes()).ok()?;
        mac.update(text.as_bytes());
        let given = hex::decode(self.signature).ok()?;
        mac.verify_slice(&given).ok()
    }

    fn canonical(&self, request: &Received) -> String {
        let mut text = format!("{}\n", request.method);
        let path = String::from_utf8_lossy(&decoded(&request.path)).into_owned();
        for segment in path.trim_matches('/').split('/') {
            text.push('/');
            text.push_str(&encoded(segment));
        }
        text.push_str("/\n");
        let mut query = pairs(&request.query);
        query.sort();
        for (place, (name, value)) in query.iter().enumerate() {
            let and = if place > 0 { "&" } else { "" };
            // Writing into a String cannot fail.
            let _ = write!(text, "{and}{}={}", encoded(name), encoded(value));
        }
        text.push('\n');
        for name in &self.headers {
            let _ = writeln!(text, "{name}:{}", request.header(name).trim());
        }
        let body = match request.header("x-sdk-content-sha256") {
            "" => digest(&request.body),
            given => given.to_owned(),
        };
        let _ = write!(text, "\n{}\n{body}", self.headers.join(";"));
        text
    }
}

/// The names and values of a query, decoded.
pub(in crate::sandbox) fn pairs(query: &str) -> Vec<(String, String)> {
    let text = |part: &str| String::from_utf8_lossy(&decoded(part)).into_owned();
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (text(name), text(value))
        })
        .collect()
}

/// Bytes without their percent-encoding.
pub(in crate::sandbox) fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match (first, after.get(..2)) {
            (b'%', Some(digits)) => {
                std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    bytes
}

/// A text, percent-encoded.
pub(in crate::sandbox) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
