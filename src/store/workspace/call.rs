//! Sends one authenticated request once and logs it. `mod` decides what to call, and `decode` reads the answer.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use reqwest::{
    Method, Request, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::{
    errors::{self, About},
    sign,
};
use crate::{
    error::{Error, Kind, Result},
    http::{Http, Response, header_value, host, secret_value, signature_value},
    settings::huawei::Keys,
    store::said::To,
};

const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-security-token");
const PROJECT: HeaderName = HeaderName::from_static("x-project-id");
const DATE: HeaderName = HeaderName::from_static("x-sdk-date");

/// One of the provider's services, in one region.
pub struct Service {
    http: Http,
    endpoint: Url,
}

/// What is asked.
pub struct Call<'a> {
    /// Its name in the provider's documents.
    pub operation: &'static str,
    pub about: About,
    pub method: Method,
    /// The segments of its path, as they are meant.
    pub path: &'a [&'a str],
    pub query: &'a [(&'a str, &'a str)],
    pub body: Option<Vec<u8>>,
    pub project: Option<&'a str>,
    /// How many items it names.
    pub items: usize,
}

/// How a request authenticates.
#[derive(Clone)]
pub enum Proof {
    /// The body of the call itself.
    Nothing,
    Token(SecretString),
    /// A token that the call asks about.
    Itself(SecretString),
    Keys(Keys),
}

impl Proof {
    /// Secrets that an error must not repeat.
    pub fn secrets(&self) -> Vec<&SecretString> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Token(token) | Self::Itself(token) => vec![token],
            Self::Keys(keys) => keys.security_token.iter().chain([&keys.secret_key]).collect(),
        }
    }
}

impl Service {
    pub fn new(endpoint: &Url, timeout: Duration) -> Result<Self> {
        Ok(Self { http: Http::new(endpoint, timeout)?, endpoint: endpoint.clone() })
    }

    pub fn endpoint(&self) -> &str {
        self.endpoint.as_str()
    }

    /// How far this machine's clock is ahead of the service's.
    pub fn clock_ahead(&self) -> Option<TimeDelta> {
        self.http.clock.ahead()
    }

    /// Sends a call once. `Ok` is any answer, also a refusal.
    pub async fn send(&self, call: &Call<'_>, proof: &Proof) -> Result<Response> {
        let request = self.request(call, proof)?;
        let started = Instant::now();
        let answer = self.http.send(request, call.about.size()).await;
        // The host names the region.
        let host = host(&self.endpoint);
        let sent =
            To { service: "workspace", region: "", host: &host }.sent(call.operation, call.items, started.into_std());
        match &answer {
            Ok(answer) => sent.answered(answer.status, None, errors::request_id(answer, None).as_deref()),
            Err(error) => sent.failed(error),
        }
        answer
    }

    fn request(&self, call: &Call<'_>, proof: &Proof) -> Result<Request> {
        let mut url = self.endpoint.clone();
        let path = call
            .path
            .iter()
            .fold(url.path().trim_end_matches('/').to_owned(), |path, segment| path + "/" + &sign::encode(segment));
        url.set_path(&path);
        let query = sign::query(call.query);
        url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
        // A client may take `..` for a step up, and what would arrive is another call.
        if url.path() != path {
            let message = format!("{} cannot name such an id", call.operation);
            return Err(Error::new(Kind::Invalid, message));
        }
        let mut request = Request::new(call.method.clone(), url);
        let headers = request.headers_mut();
        if call.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(project) = call.project {
            headers.insert(PROJECT, header_value("the project id", project)?);
        }
        let body = call.body.clone().unwrap_or_default();
        match proof {
            Proof::Nothing => {}
            Proof::Token(token) => drop(headers.insert(TOKEN, self::token(token)?)),
            Proof::Itself(token) => {
                headers.insert(TOKEN, self::token(token)?);
                headers.insert(SUBJECT_TOKEN, self::token(token)?);
            }
            Proof::Keys(keys) => self.sign(&mut request, &path, &query, &body, keys)?,
        }
        if call.body.is_some() {
            *request.body_mut() = Some(body.into());
        }
        Ok(request)
    }

    /// Signs every header that is set by now.
    fn sign(&self, request: &mut Request, path: &str, query: &str, body: &[u8], keys: &Keys) -> Result<()> {
        let now = Utc::now();
        let method = request.method().clone();
        let headers = request.headers_mut();
        headers.insert(DATE, header_value("the time", &sign::date(now))?);
        if let Some(token) = &keys.security_token {
            headers.insert(SECURITY_TOKEN, self::token(token)?);
        }
        let host = host(&self.endpoint);
        let mut signed = vec![("host", host.as_str())];
        for (name, value) in &*headers {
            // Each was made from text above.
            signed.push((name.as_str(), value.to_str().unwrap_or_default()));
        }
        let authorization = sign::authorization(
            &sign::Request { method: method.as_str(), path, query, headers: &signed, body },
            &keys.access_key,
            &keys.secret_key,
            now,
        );
        headers.insert(AUTHORIZATION, signature_value("the access key's id", &authorization)?);
        Ok(())
    }
}

fn token(secret: &SecretString) -> Result<HeaderValue> {
    secret_value("the token", secret.expose_secret())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_does_not_print_what_proves_it() {
        let endpoint: Url = "https://appstream.example.com".parse().unwrap();
        let service = Service::new(&endpoint, Duration::from_secs(1)).unwrap();
        let keys = Keys {
            access_key: "AK".into(),
            secret_key: "secret-key".into(),
            security_token: Some("session-token".into()),
        };
        for proof in
            [Proof::Token("shown-to-nobody".into()), Proof::Itself("shown-to-nobody".into()), Proof::Keys(keys)]
        {
            let call = super::super::get("ListImageServers", &["image-servers"]);
            let request = service.request(&call, &proof).unwrap();
            let shown = format!("{request:?}");
            for secret in ["shown-to-nobody", "secret-key", "session-token", "Signature="] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}
