//! One signed HTTP call: its body, headers, signature and answer. `mod` decides what to call, and `decode` reads the
//! answer.

use std::{sync::Arc, time::Instant};

use chrono::{TimeDelta, Utc};
use reqwest::{
    Method, Request, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::ExposeSecret;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    decode::{self, Told},
    sign,
};
use crate::{
    error::{Error, Kind, Result},
    http::{Http, Size, header_value, host, secret_value, signature_value},
    settings::tencent::{Credentials, Keys},
    store::said::To,
};

/// One of the provider's services.
#[derive(Clone, Copy)]
pub(super) struct Service {
    /// The first label of its host, which is signed.
    pub name: &'static str,
    pub version: &'static str,
}

/// <https://www.tencentcloud.com/document/api/213/33277>
pub(super) const CVM: Service = Service { name: "cvm", version: "2017-03-12" };
/// <https://www.tencentcloud.com/document/api/377/30985>
pub(super) const SCALING: Service = Service { name: "as", version: "2018-04-19" };
/// Without a charset: some of the provider's own code compares the whole value.
const JSON: &str = "application/json";
/// The documented pattern knows letters, digits and `-_,;.`.
const CLIENT: &str = concat!("imgctl_", env!("CARGO_PKG_VERSION"));

/// How large the answer to a call may be.
fn size(action: &str) -> Size {
    if action.starts_with("Describe") { Size::List } else { Size::Few }
}

/// The API of one region, with the keys that sign.
pub(super) struct Api {
    service: Service,
    http: Http,
    endpoint: Url,
    /// The `Host` header: with the port, unless it is the default one.
    host: String,
    region: String,
    keys: Arc<Keys>,
}

impl Api {
    pub fn new(service: Service, http: Http, endpoint: Url, region: &str, keys: Arc<Keys>) -> Self {
        let host = host(&endpoint);
        Self { service, http, endpoint, host, region: region.to_owned(), keys }
    }

    pub fn endpoint(&self) -> &str {
        self.endpoint.as_str()
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    /// How far this machine's clock is ahead of the service's.
    pub fn clock_ahead(&self) -> Option<TimeDelta> {
        self.http.clock.ahead()
    }

    /// Sends one call about so many ids once, and reads its answer.
    pub async fn call<T: DeserializeOwned>(
        &self,
        action: &'static str,
        ids: usize,
        body: &impl Serialize,
    ) -> Result<Told<T>> {
        let started = Instant::now();
        let request = self.request(action, body).await?;
        let answer = self.http.send(request, size(action)).await;
        let to = To { service: self.service.name, region: &self.region, host: &self.host };
        let sent = to.sent(action, ids, started);
        let answer = answer.inspect_err(|error| sent.failed(error))?;
        let told = decode::read(&answer, &self.host, Utc::now());
        let (request_id, code) = match &told {
            Ok(told) => (Some(told.request_id.as_str()), None),
            Err(error) => (error.request_id.as_deref(), error.code.as_deref()),
        };
        sent.answered(answer.status, code, request_id);
        told
    }

    pub(super) async fn request(&self, action: &'static str, body: &impl Serialize) -> Result<Request> {
        let body = serde_json::to_vec(body)
            .map_err(|error| Error::new(Kind::Config, format!("cannot write the call: {error}")))?;
        let mut request = Request::new(Method::POST, self.endpoint.clone());
        // One instant for the timestamp, the date in the signature, and the check of the keys' expiry.
        let now = Utc::now();
        let keys = self.keys.at(now).await?;
        let signed = sign::Request {
            service: self.service.name,
            headers: &[("content-type", JSON), ("host", &self.host)],
            body: &body,
        };
        let signature = sign::authorization(&signed, &keys.secret_id, &keys.secret_key, now);
        *request.headers_mut() = self.headers(action, &keys, &signature, now.timestamp())?;
        *request.body_mut() = Some(body.into());
        Ok(request)
    }

    fn headers(&self, action: &'static str, keys: &Credentials, signature: &str, timestamp: i64) -> Result<HeaderMap> {
        let mut headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static(JSON)),
            (HOST, header_value("the endpoint's host", &self.host)?),
        ]);
        for (name, value) in [
            ("x-tc-action", HeaderValue::from_static(action)),
            ("x-tc-version", HeaderValue::from_static(self.service.version)),
            ("x-tc-timestamp", HeaderValue::from(timestamp)),
            ("x-tc-region", header_value("the region", &self.region)?),
            // The other choice, and the default, is Chinese.
            ("x-tc-language", HeaderValue::from_static("en-US")),
            ("x-tc-requestclient", HeaderValue::from_static(CLIENT)),
        ] {
            headers.insert(HeaderName::from_static(name), value);
        }
        headers.insert(AUTHORIZATION, signature_value("the secret id", signature)?);
        if let Some(token) = &keys.token {
            let token = secret_value("the token", token.expose_secret())?;
            headers.insert(HeaderName::from_static("x-tc-token"), token);
        }
        Ok(headers)
    }
}
