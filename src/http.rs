//! HTTP for the providers that imgctl calls without an SDK: one client, no redirects, finite timeouts. Failures are
//! sorted by what they prove: a request that was never sent is not the same as a lost answer.

mod placed;

use std::{sync::Once, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use hyper::body::Bytes;
use reqwest::{
    Url,
    header::{HeaderMap, HeaderValue},
    redirect::Policy,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    clock::{self, Clock},
    error::{Error, Kind, Result},
    secrets,
};

/// How many bytes an answer may have. A larger one counts as unreadable, and the rest of it is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A list of images or manifests. Tencent documents 50 MB as its largest answer; no other provider documents one.
    /// <https://www.tencentcloud.com/document/api/213/33281>
    List,
    /// Anything else: what became of some ids, a job, a token with its catalogue.
    Few,
}

impl Size {
    pub fn bytes(self) -> usize {
        match self {
            Self::List => 64 << 20,
            Self::Few => 4 << 20,
        }
    }

    /// The error of an answer that is larger.
    pub fn exceeded(self, who: &str) -> Error {
        Error::new(Kind::Unreadable, format!("{who} answered with more than {} MiB", self.bytes() >> 20))
    }
}

/// Answers of more than [`Size::Few`] that are read at the same time. The others wait, so that many calls in flight do not
/// need the memory of as many large answers.
const LARGE_AT_ONCE: usize = 2;

static LARGE: Semaphore = Semaphore::const_new(LARGE_AT_ONCE);

/// Waits until the rest of an answer may be read, of which more than [`Size::Few`] has come.
pub async fn large_answer() -> SemaphorePermit<'static> {
    LARGE.acquire().await.expect("it is never closed")
}

/// Where AWS machines and containers get their credentials.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>
const METADATA: [&str; 5] = ["169.254.169.254", "fd00:ec2::254", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// A complete answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Response {
    /// A header's text, if the answer has the header and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the service asks to wait, counted from `now`.
    pub fn retry_after(&self, now: DateTime<Utc>) -> Option<Duration> {
        clock::retry_after(self.header("retry-after")?, now)
    }

    /// How far this machine's clock was ahead of the service's `now`, when the answer came.
    pub fn clock_ahead(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        clock::clock_ahead(self.header("date")?, now)
    }
}

/// The `Host` header for an endpoint: with the port, unless it is the scheme's own.
pub fn host(endpoint: &Url) -> String {
    let host = endpoint.host_str().unwrap_or_default();
    match endpoint.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A header's value. `what` names it in an error.
pub fn header_value(what: &str, text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text)
        .map_err(|_| Error::new(Kind::Config, format!("{what} has characters that are not valid in a header")))
}

/// An `Authorization` header, which no log shows.
pub fn signature_value(what: &str, text: &str) -> Result<HeaderValue> {
    secrets::remember_signature(text);
    sensitive(what, text)
}

/// A header's value that no log shows.
pub fn secret_value(what: &str, text: &str) -> Result<HeaderValue> {
    secrets::remember(text);
    sensitive(what, text)
}

fn sensitive(what: &str, text: &str) -> Result<HeaderValue> {
    let mut value = header_value(what, text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// How imgctl names itself to a service.
const USER_AGENT: &str = concat!("imgctl/", env!("CARGO_PKG_VERSION"));

/// The same for the AWS SDK, which allows no slash and puts it into its own user agent.
pub const APP_NAME: &str = concat!("imgctl-", env!("CARGO_PKG_VERSION"));

/// The authorities whose certificates count, as PEM text.
#[derive(Clone, Copy)]
enum Trust<'a> {
    System,
    Only(&'a [u8]),
    /// Beside the system's.
    Placed(&'a [u8]),
}

#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
    pub clock: Clock,
}

impl Http {
    /// A client for one endpoint: `timeout` bounds each answer, the wait for its headers and body together.
    pub fn new(endpoint: &Url, timeout: Duration) -> Result<Self> {
        Self::build(timeout, is_loopback(endpoint), endpoint.scheme() == "https", Trust::System)
    }

    /// The same, trusting these certificates instead of the system's, if there are any.
    pub fn trusting(endpoint: &Url, timeout: Duration, pem: Option<&[u8]>) -> Result<Self> {
        let trust = pem.map_or(Trust::System, Trust::Only);
        Self::build(timeout, is_loopback(endpoint), endpoint.scheme() == "https", trust)
    }

    /// The same, trusting the certificates that a user placed for its host, if there are any.
    pub fn trusting_placed(endpoint: &Url, timeout: Duration, pem: Option<&[u8]>) -> Result<Self> {
        let trust = pem.map_or(Trust::System, Trust::Placed);
        Self::build(timeout, is_loopback(endpoint), endpoint.scheme() == "https", trust)
    }

    /// A client that never uses a proxy, for services that only this machine's own network can reach.
    pub fn direct(endpoint: &Url, timeout: Duration) -> Result<Self> {
        Self::build(timeout, true, endpoint.scheme() == "https", Trust::System)
    }

    fn build(timeout: Duration, direct: bool, tls: bool, trust: Trust) -> Result<Self> {
        static RING: Once = Once::new();
        // Fails only if another provider is already installed, which works as well.
        RING.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let mut client = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .timeout(timeout)
            .user_agent(USER_AGENT);
        if direct {
            client = client.no_proxy();
        }
        if !tls {
            // Avoids reading the system's certificates.
            client = client.tls_certs_only([]);
        }
        let wrong =
            |error: reqwest::Error| Error::new(Kind::Config, format!("cannot set up HTTPS: {}", causes(&error)));
        match trust {
            Trust::Only(pem) if tls => {
                client = client.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem).map_err(wrong)?);
            }
            Trust::Placed(pem) if tls => {
                let config = placed::config(pem);
                let wrong = |error| Error::new(Kind::Config, format!("cannot set up HTTPS: {error}"));
                client = client.tls_backend_preconfigured(config.map_err(wrong)?);
            }
            _ => {}
        }
        client.build().map(|client| Self { client, clock: Clock::default() }).map_err(wrong)
    }

    /// Sends one request once.
    pub async fn send(&self, request: reqwest::Request, size: Size) -> Result<Response> {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let mut answer = self.client.execute(request).await.map_err(|error| failed(&host, &error))?;
        let (status, mut headers) = (answer.status().as_u16(), std::mem::take(answer.headers_mut()));
        // Huawei's IAM hands out its tokens in a header; `Response` must not print it.
        if let Some(token) = headers.get_mut("x-subject-token") {
            token.set_sensitive(true);
        }
        self.clock.note(headers.get("date").and_then(|date| date.to_str().ok()));
        let (mut body, mut turn) = (Vec::new(), None);
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&host, &error))? {
            if body.len() + chunk.len() > size.bytes() {
                return Err(size.exceeded(&host));
            }
            if body.len() + chunk.len() > Size::Few.bytes() && turn.is_none() {
                turn = Some(large_answer().await);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, headers, body: body.into() })
    }
}

fn failed(host: &str, error: &reqwest::Error) -> Error {
    if error.is_connect() {
        let hint = match is_distrust(error) {
            true => "SSL_CERT_FILE names a file with authorities to trust; for a registry, so does certs.d/HOST/ca.crt",
            false => "check the network, the endpoint and the proxy settings (HTTPS_PROXY, NO_PROXY)",
        };
        Error::new(Kind::Unreachable, format!("cannot reach {host}: {}", causes(error))).hint(hint)
    } else if error.is_builder() {
        Error::new(Kind::Config, format!("cannot build the request to {host}: {}", causes(error)))
    } else if error.is_timeout() {
        Error::new(Kind::Lost, format!("{host} did not answer in time")).code("Timeout")
    } else {
        Error::new(Kind::Lost, format!("the connection to {host} broke: {}", causes(error))).code("ConnectionLost")
    }
}

/// The innermost cause: the outer ones only say that something failed.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Whether a connection failed because the service's certificate is not trusted.
fn is_distrust(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // The error that an I/O error holds is not its source.
        let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = held.map(|held| held as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    false
}

/// Tells whether the connection failed, so that imgctl never sent the request.
pub fn never_sent(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(client) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            return client.is_connect();
        }
        next = error.source();
    }
    false
}

/// Reads an endpoint that a user gave in `variable`: https anywhere, plain http only on this machine.
pub fn endpoint(text: &str, variable: &str) -> Result<Url> {
    checked(text, variable, is_loopback)
}

/// The same for a service that gives credentials to a machine or its containers. Those use plain http.
pub fn metadata(text: &str, variable: &str) -> Result<Url> {
    checked(text, variable, |url| is_loopback(url) || METADATA.contains(&bare_host(url)))
}

fn checked(text: &str, variable: &str, plain: impl Fn(&Url) -> bool) -> Result<Url> {
    let wrong = |why: String| {
        Error::new(Kind::Config, format!("{variable} is \"{}\": {why}", without_password(text)))
            .hint("an endpoint looks like https://service.example.com or http://127.0.0.1:8080")
    };
    let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    match url.scheme() {
        "https" if url.has_host() => {}
        "http" if plain(&url) => {}
        "http" => {
            return Err(wrong("plain http is allowed only to this machine (127.0.0.1, ::1, localhost)".into()));
        }
        _ => return Err(wrong("it must begin with https://".into())),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::new(Kind::Config, format!("{variable} contains a user name or password; remove them")));
    }
    Ok(url)
}

/// An endpoint without its password, also if it is not a valid URL.
pub fn without_password(text: &str) -> String {
    match text.rsplit_once('@') {
        None => text.to_owned(),
        Some((before, after)) => match before.split_once("://") {
            Some((scheme, _)) => format!("{scheme}://…@{after}"),
            None => format!("…@{after}"),
        },
    }
}

fn bare_host(url: &Url) -> &str {
    // `Url` writes an IPv6 host in brackets.
    url.host_str().unwrap_or_default().trim_matches(['[', ']'])
}

pub fn is_loopback(url: &Url) -> bool {
    let host = bare_host(url);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_allowed_only_to_this_machine() {
        for good in ["https://cvm.example.com", "http://127.0.0.1:80", "http://localhost:1", "http://[::1]:9/"] {
            assert!(endpoint(good, "X").is_ok(), "{good}");
        }
        for bad in [
            "http://example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "ftp://127.0.0.1",
            "127.0.0.1:80",
            "https://",
            "https://user:secret@example.com",
            "",
        ] {
            assert_eq!(endpoint(bad, "X").unwrap_err().kind, Kind::Config, "{bad}");
        }
    }

    #[test]
    fn a_password_in_an_endpoint_is_not_repeated() {
        let error = endpoint("https://user:hunter2@example.com", "X").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        for bad in ["http://user:hunter2@example.com", "user:hunter2@example.com", "https://user:hunter2@exa mple.com"]
        {
            let error = endpoint(bad, "X").unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
