//! Signatures with access keys, SDK-HMAC-SHA256: from a request and a time to the `Authorization` header, and nothing
//! else. The secret key signs directly; it is not combined with a date, region or service.
//! <https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm-001.html>

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "SDK-HMAC-SHA256";

/// What is signed of a request.
pub struct Request<'a> {
    pub method: &'a str,
    /// As sent: each segment encoded by [`encode`].
    pub path: &'a str,
    /// As sent: encoded by [`query`].
    pub query: &'a str,
    /// Every header that is signed, `host` and `x-sdk-date` among them.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

/// The value of the `Authorization` header.
pub fn authorization(request: &Request, access_key: &str, secret_key: &SecretString, now: DateTime<Utc>) -> String {
    let (canonical, signed) = canonical_request(request);
    let signature = signature(secret_key, &string_to_sign(&canonical, now));
    format!("{ALGORITHM} Access={access_key}, SignedHeaders={signed}, Signature={signature}")
}

/// The value of the `X-Sdk-Date` header.
pub fn date(now: DateTime<Utc>) -> String {
    now.format("%Y%m%dT%H%M%SZ").to_string()
}

/// The query of an address: sorted by what it says, then percent-encoded.
pub fn query(pairs: &[(&str, &str)]) -> String {
    let mut pairs = pairs.to_vec();
    pairs.sort_unstable();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// Percent-encodes everything but letters, digits and `-_.~`.
pub fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

/// The request in the one form that both sides compute, and the names of the headers in it.
fn canonical_request(request: &Request) -> (String, String) {
    let mut headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.trim())).collect();
    headers.sort_unstable();
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    // The path is signed with a slash at its end, whether or not it is sent with one.
    let path = request.path.trim_end_matches('/');
    let (method, query) = (request.method, request.query);
    let body = hex::encode(Sha256::digest(request.body));
    (format!("{method}\n{path}/\n{query}\n{lines}\n{names}\n{body}"), names)
}

fn string_to_sign(canonical_request: &str, now: DateTime<Utc>) -> String {
    let request = hex::encode(Sha256::digest(canonical_request));
    format!("{ALGORITHM}\n{}\n{request}", date(now))
}

fn signature(secret_key: &SecretString, text: &str) -> String {
    crate::secrets::remember(secret_key.expose_secret());
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret_key.expose_secret().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDateTime;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        ak: String,
        sk: String,
        method: String,
        host: String,
        path: String,
        query: Vec<(String, String)>,
        headers: std::collections::BTreeMap<String, String>,
        body: String,
        canonical_request: String,
        string_to_sign: String,
        signature: String,
        authorization: String,
    }

    /// Made by the provider's own SDK.
    #[test]
    fn every_vector_of_the_official_sdk_is_reproduced_step_by_step() {
        let text = include_str!("../../../tests/data/sdk_hmac.json");
        let vectors = serde_json::from_str::<Vectors>(text).unwrap().vectors;
        assert!(vectors.len() >= 3);
        for vector in vectors {
            let pairs: Vec<_> = vector.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let mut headers: Vec<_> =
                vector.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            headers.push(("Host", &vector.host));
            let path: Vec<_> = vector.path.split('/').map(encode).collect();
            let request = Request {
                method: &vector.method,
                path: &path.join("/"),
                query: &query(&pairs),
                headers: &headers,
                body: vector.body.as_bytes(),
            };
            let now = NaiveDateTime::parse_from_str(&vector.headers["X-Sdk-Date"], "%Y%m%dT%H%M%SZ").unwrap().and_utc();
            let name = vector.name;
            let (canonical, _) = canonical_request(&request);
            assert_eq!(canonical, vector.canonical_request, "{name}");
            let to_sign = string_to_sign(&canonical, now);
            assert_eq!(to_sign, vector.string_to_sign, "{name}");
            let secret = SecretString::from(vector.sk);
            assert_eq!(signature(&secret, &to_sign), vector.signature, "{name}");
            let header = authorization(&request, &vector.ak, &secret, now);
            assert_eq!(header, vector.authorization, "{name}");
        }
    }

    #[test]
    fn only_letters_digits_and_four_marks_stay_as_they_are() {
        assert_eq!(encode("aZ09-_.~"), "aZ09-_.~");
        assert_eq!(encode("a b+c/d=é%"), "a%20b%2Bc%2Fd%3D%C3%A9%25");
    }
}
