//! Tencent Cloud's signature, TC3-HMAC-SHA256, as a pure function of a request, the credentials and the time. What
//! it signs is in the caller's hands: nothing here builds or sends a request.
//! <https://www.tencentcloud.com/document/api/213/33224>

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "TC3-HMAC-SHA256";
const TERMINATOR: &str = "tc3_request";

/// What is signed of a `POST` to `/` without a query, which every call of this API is.
pub struct Request<'a> {
    /// The first label of the service's host name, as in `cvm`.
    pub service: &'a str,
    /// Names in lower case, in alphabetical order; values exactly as they are sent. `content-type` and `host` are
    /// the two that the service insists on.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

/// The value of the `Authorization` header. `now` must be the instant that `X-TC-Timestamp` shows.
pub fn authorization(request: &Request<'_>, secret_id: &str, secret_key: &SecretString, now: DateTime<Utc>) -> String {
    let scope = scope(request.service, now);
    let to_sign = string_to_sign(&scope, &canonical(request), now);
    let [.., signing] = derived(secret_key, request.service, now);
    let signature = hex::encode(hmac(&signing, &to_sign));
    let signed = signed_headers(request);
    format!("{ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={signed}, Signature={signature}")
}

fn signed_headers(request: &Request<'_>) -> String {
    let names: Vec<_> = request.headers.iter().map(|(name, _)| *name).collect();
    names.join(";")
}

fn canonical(request: &Request<'_>) -> String {
    let headers: String = request.headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let signed = signed_headers(request);
    let payload = hash(request.body);
    format!("POST\n/\n\n{headers}\n{signed}\n{payload}")
}

/// The date is in UTC, in any time zone of the machine.
fn scope(service: &str, now: DateTime<Utc>) -> String {
    format!("{}/{service}/{TERMINATOR}", now.format("%Y-%m-%d"))
}

fn string_to_sign(scope: &str, canonical: &str, now: DateTime<Utc>) -> String {
    let (timestamp, hashed) = (now.timestamp(), hash(canonical.as_bytes()));
    format!("{ALGORITHM}\n{timestamp}\n{scope}\n{hashed}")
}

/// The chain of derived keys (of the date, of the service, for signing), as secret as what they come from.
fn derived(secret_key: &SecretString, service: &str, now: DateTime<Utc>) -> [[u8; 32]; 3] {
    crate::secrets::remember(secret_key.expose_secret());
    let root = SecretString::from(format!("TC3{}", secret_key.expose_secret()));
    let date = now.format("%Y-%m-%d").to_string();
    let of_date = hmac(root.expose_secret().as_bytes(), &date);
    let of_service = hmac(&of_date, service);
    [of_date, of_service, hmac(&of_service, TERMINATOR)]
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn hmac(key: &[u8], message: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors() -> Vec<Value> {
        let all: Value = serde_json::from_str(include_str!("../../../tests/data/tc3.json")).unwrap();
        ["vectors", "published_vectors"].iter().flat_map(|set| all[*set].as_array().unwrap().clone()).collect()
    }

    #[test]
    fn every_step_of_every_vector_comes_out_as_the_providers_own_code_has_it() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 4);
        for vector in &vectors {
            let text = |field: &str| vector[field].as_str().unwrap();
            let now = DateTime::from_timestamp(vector["timestamp"].as_i64().unwrap(), 0).unwrap();
            let action = text("action").to_lowercase();
            let headers: Vec<_> = text("signed_headers")
                .split(';')
                .map(|name| match name {
                    "content-type" => (name, text("content_type")),
                    "host" => (name, text("host")),
                    "x-tc-action" => (name, action.as_str()),
                    other => panic!("{other}"),
                })
                .collect();
            let request = Request { service: text("service"), headers: &headers, body: text("payload").as_bytes() };
            let key = SecretString::from(text("secret_key"));

            let name = text("name");
            assert_eq!(hash(request.body), text("hashed_payload"), "{name}");
            let canonical = canonical(&request);
            assert_eq!(canonical, text("canonical_request"), "{name}");
            let hashed = hash(canonical.as_bytes());
            assert_eq!(hashed, text("hashed_canonical_request"), "{name}");
            let scope = scope(request.service, now);
            assert_eq!(scope, text("credential_scope"), "{name}");
            let to_sign = string_to_sign(&scope, &canonical, now);
            assert_eq!(to_sign, text("string_to_sign"), "{name}");
            let keys = derived(&key, request.service, now);
            for (key, field) in keys.iter().zip(["k_date_hex", "k_service_hex", "k_signing_hex"]) {
                assert_eq!(hex::encode(key), text(field), "{name}");
            }
            let signature = hex::encode(hmac(&keys[2], &to_sign));
            assert_eq!(signature, text("signature"), "{name}");
            let authorization = authorization(&request, text("secret_id"), &key, now);
            assert_eq!(authorization, text("authorization"), "{name}");
        }
    }

    #[test]
    fn date_and_timestamp_are_of_the_same_instant_on_both_sides_of_midnight() {
        let key = SecretString::from("k");
        let request =
            Request { service: "cvm", headers: &[("content-type", "application/json"), ("host", "h")], body: b"{}" };
        for (timestamp, date) in [(1_700_006_399, "2023-11-14"), (1_700_006_400, "2023-11-15")] {
            let now = DateTime::from_timestamp(timestamp, 999_000_000).unwrap();
            assert!(authorization(&request, "id", &key, now).contains(&format!("=id/{date}/cvm/")));
            let to_sign = string_to_sign(&scope("cvm", now), "", now);
            assert!(to_sign.starts_with(&format!("TC3-HMAC-SHA256\n{timestamp}\n{date}/")));
        }
    }
}
