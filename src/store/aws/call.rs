//! One signed call to one of AWS's services, in JSON: the request, its signature, and how its answer is read.

use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use chrono::Utc;
use futures_util::future::join_all;
use reqwest::{
    Method, Request, Url,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

use super::errors::{Row, by_code, by_status};
use crate::{
    error::{Error, Kind, Result},
    http::{Response, Size, header_value, host, secret_value},
    secrets,
    settings::aws::service::{Access, Service},
    store::{Permission, said::To},
};

/// One service in one region.
pub struct Api {
    service: &'static Service,
    access: Access,
}

/// What is called, with the codes that mean something of their own here.
#[derive(Clone, Copy)]
pub struct Call<'c> {
    pub action: &'static str,
    /// How many things it asks about.
    pub ids: usize,
    pub own: &'c [Row],
}

/// Names what certainly does not exist.
pub const NOTHING: &str = "imgctl-doctor";

/// A permission, and a call that needs it. What the call finds does not matter.
pub enum Try<'t> {
    /// A path and a query.
    Get(&'static str, &'t [&'t str], &'t [(&'t str, &'t str)]),
    /// The service's own name and a body.
    Target(&'static str, &'static str, Value),
}

impl Api {
    pub fn new(service: &'static Service, access: Access) -> Self {
        Self { service, access }
    }

    /// `ECS in eu-west-1`
    pub fn name(&self) -> String {
        format!("{} in {}", self.service.title, self.access.region)
    }

    /// A name for answers to keep: those of an emulator are not those of the service.
    pub fn named(&self, what: &str) -> String {
        format!("{} {what}", self.access.endpoint)
    }

    /// Calls an operation of a service that takes them all at one path.
    pub async fn target<T: DeserializeOwned>(&self, target: &str, call: Call<'_>, body: &Value) -> Result<T> {
        let mut request = Request::new(Method::POST, self.access.endpoint.clone());
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        headers.insert("x-amz-target", header_value("the operation", &format!("{target}.{}", call.action))?);
        *request.body_mut() = Some(body.to_string().into());
        self.send(call, request).await
    }

    /// Reads what is at a path. Its parts and the values of the query are given plain.
    pub async fn get<T: DeserializeOwned>(&self, call: Call<'_>, path: &[&str], query: &[(&str, &str)]) -> Result<T> {
        let mut url = self.at(path);
        if !query.is_empty() {
            // Signatures know a space only as %20.
            let text: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
            url.set_query(Some(&text.join("&")));
        }
        self.send(call, Request::new(Method::GET, url)).await
    }

    /// Calls an operation that takes a body at a path of its own.
    pub async fn post<T: DeserializeOwned>(&self, call: Call<'_>, path: &[&str], body: &Value) -> Result<T> {
        let mut request = Request::new(Method::POST, self.at(path));
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.to_string().into());
        self.send(call, request).await
    }

    fn at(&self, path: &[&str]) -> Url {
        let mut url = self.access.endpoint.clone();
        // Only addresses without a host have no path.
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(path);
        }
        url
    }

    /// Finds out which of these calls are allowed.
    pub async fn permissions(&self, own: &[Row], tries: &[Try<'_>]) -> Vec<Permission> {
        let called =
            |name: &'static str| Call { action: name.split_once(':').map_or(name, |(_, action)| action), ids: 0, own };
        let tried = tries.iter().map(|tried| async move {
            match tried {
                Try::Get(name, path, query) => {
                    Permission::of(name, self.get::<IgnoredAny>(called(name), path, query).await)
                }
                Try::Target(name, target, body) => {
                    Permission::of(name, self.target::<IgnoredAny>(target, called(name), body).await)
                }
            }
        });
        join_all(tried).await
    }

    /// Sends one call once, logs it for `-vv` without its contents, and reads its answer.
    async fn send<T: DeserializeOwned>(&self, call: Call<'_>, mut request: Request) -> Result<T> {
        let action = call.action;
        let started = Instant::now();
        self.sign(&mut request).await?;
        let answer = self.access.http.send(request, Size::List).await;
        let (endpoint, region) = (&self.access.endpoint, &self.access.region);
        let host = host(endpoint);
        let sent = To { service: self.service.title, region, host: &host }.sent(action, call.ids, started);
        let answer = answer.inspect_err(|error| sent.failed(error)).map_err(|error| self.unreachable(error))?;
        let told = read(self.service.title, call, &answer);
        let code = told.as_ref().err().and_then(|error| error.code.as_deref());
        sent.answered(answer.status, code, request_id(&answer));
        told
    }

    /// Names the service: not every one is in every region.
    fn unreachable(&self, error: Error) -> Error {
        if error.kind != Kind::Unreachable {
            return error;
        }
        let name = self.name();
        let message = format!("{name}: {}", error.message);
        let hint = format!(
            "check the network and the proxy settings (HTTPS_PROXY, NO_PROXY); if there is no {name}, name the images in use \
             with --in-use instead of --ask"
        );
        Error { message, ..error }.hint(hint)
    }

    async fn sign(&self, request: &mut Request) -> Result<()> {
        let credentials =
            self.access.credentials.provide_credentials().await.map_err(|error| no_credentials(&error))?;
        let identity = credentials.into();
        let unsigned = |why: String| Error::new(Kind::Config, format!("cannot sign the call: {why}"));
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.access.region)
            .name(self.service.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(error.to_string()))?;
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let body = request.body().and_then(|body| body.as_bytes()).unwrap_or_default();
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.url().as_str(),
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
            SignableBody::Bytes(body),
        );
        let signable = signable.map_err(|error| unsigned(error.to_string()))?;
        let signed = sign(signable, &params.into()).map_err(|error| unsigned(error.to_string()))?;
        for header in signed.into_parts().0.into_parts().0 {
            let mut value = match header.sensitive() {
                true => secret_value("the session token", header.value())?,
                false => header_value("the signature", header.value())?,
            };
            // A service may send it back.
            secrets::remember_signature(header.value());
            value.set_sensitive(true);
            request.headers_mut().insert(HeaderName::from_static(header.name()), value);
        }
        Ok(())
    }
}

/// Percent-encoded, but for what never needs it.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(byte.into()),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn no_credentials(error: &CredentialsError) -> Error {
    Error::new(
        Kind::Auth,
        format!("the AWS credentials expired and could not be renewed: {}", crate::http::causes(error)),
    )
    .hint("run `aws sso login`, or get new keys")
}

fn request_id(answer: &Response) -> Option<&str> {
    answer.header("x-amzn-requestid")
}

/// How a refused call says why. Services differ in the case of the names.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    #[serde(rename = "__type")]
    kind: Option<String>,
    code: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

fn read<T: DeserializeOwned>(service: &str, call: Call<'_>, answer: &Response) -> Result<T> {
    let id = request_id(answer);
    if answer.status == 200 {
        // The body may hold environment variables: it is never quoted.
        return serde_json::from_slice(&answer.body).map_err(|error| {
            let why = format!("{service}'s answer to {} cannot be read: {}", call.action, place(&error));
            Error::new(Kind::Unreadable, why).request_id(id)
        });
    }
    let said: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = answer.header("x-amzn-errortype").map(str::to_owned).or(said.kind).or(said.code);
    let known = code.map(|code| by_code(call.own, &code, said.message.as_deref()));
    let mut error = match known {
        // A load balancer's error about its backend does not come from the service, with any code.
        Some(known) if known.kind == Kind::Failed && answer.status >= 500 => Error { kind: Kind::Lost, ..known },
        Some(known) => known,
        None => by_status(service, answer.status),
    };
    let own = answer.header("x-amz-retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_millis);
    error.retry_after = own.or_else(|| answer.retry_after(Utc::now()));
    error.message = format!("{}: {}", call.action, error.message);
    Err(error.request_id(id))
}

/// What is wrong with a JSON text, without the text.
fn place(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "it lacks a field, or a field has another type",
        serde_json::error::Category::Eof => "it is cut off",
        _ => "it is not JSON",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header")));
        Response { status, headers: headers.collect(), body: body.to_owned().into() }
    }

    #[test]
    fn a_refusal_is_understood_in_every_form() {
        const OWN: &[Row] = &[(&["ClusterNotFoundException"], Kind::NotFound, "")];
        let call = Call { action: "ListTasks", ids: 0, own: OWN };
        type Case<'c> = (u16, &'c [(&'static str, &'c str)], &'c str, Kind, Option<u64>);
        let table: [Case; 9] = [
            (400, &[], r#"{"__type":"ClusterNotFoundException","message":"m"}"#, Kind::NotFound, None),
            (400, &[], r#"{"__type":"com.amazonaws#ThrottlingException","Message":"m"}"#, Kind::Throttled, None),
            (
                429,
                &[("x-amzn-errortype", "TooManyRequestsException:http://x/"), ("retry-after", "3")],
                "{}",
                Kind::Throttled,
                Some(3000),
            ),
            (
                400,
                &[("x-amzn-errortype", "ThrottlingException"), ("x-amz-retry-after", "250")],
                "",
                Kind::Throttled,
                Some(250),
            ),
            (403, &[], r#"{"code":"AccessDeniedException","message":"m"}"#, Kind::Denied, None),
            (400, &[], r#"{"__type":"ExpiredTokenException"}"#, Kind::Auth, None),
            (500, &[], "<html>", Kind::Lost, None),
            (502, &[], r#"{"__type":"Strange"}"#, Kind::Lost, None),
            (200, &[], "<html>", Kind::Unreadable, None),
        ];
        for (status, headers, body, kind, wait) in table {
            let error = read::<Value>("ECS", call, &answer(status, headers, body)).unwrap_err();
            assert_eq!(error.kind, kind, "{body}");
            assert_eq!(error.retry_after, wait.map(Duration::from_millis), "{body}");
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_not_quoted() {
        #[derive(Debug, Deserialize)]
        struct Told {
            #[expect(dead_code, reason = "only its absence matters")]
            code: u32,
        }
        let call = Call { action: "GetFunction", ids: 1, own: &[] };
        for body in [r#"{"code":"hunter2-in-a-variable"}"#, r#"{"hunter2-in-a-variable":1}"#, "hunter2-in-a-variable"] {
            let error = read::<Told>("Lambda", call, &answer(200, &[], body)).unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_query_is_encoded_as_signatures_need_it() {
        assert_eq!(encoded("$LATEST a+b/ä"), "%24LATEST%20a%2Bb%2F%C3%A4");
    }
}
