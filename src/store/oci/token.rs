//! Tokens: fetched from the realm that a registry names, kept until shortly before they expire, one fetch at a time for
//! each scope.
//! <https://distribution.github.io/distribution/spec/auth/token/>

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{
    Method, Request, Url,
    header::{CONTENT_TYPE, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    challenge::Challenge,
    errors::{self, About},
};
use crate::{
    error::{Error, Kind, Result},
    http::{Http, Response, Size, is_loopback, secret_value},
    secrets,
    settings::oci::Credentials,
};

/// How long a token lives whose answer does not say it.
/// <https://distribution.github.io/distribution/spec/auth/token/#token-response-fields>
const LIFE: Duration = Duration::from_secs(60);

/// How long before its end a token is renewed.
const EARLY: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Token {
    pub secret: SecretString,
    until: Instant,
}

impl Token {
    /// Whether it can still be sent.
    pub fn is_good(&self) -> bool {
        Instant::now() < self.until
    }
}

/// The tokens of one registry.
pub struct Tokens {
    /// Whether the registry is on this machine, so that its realm may be, too.
    local: bool,
    /// What is trusted beside the certificates of the system: its login may have one of the same authority.
    pem: Option<Vec<u8>>,
    timeout: Duration,
    kept: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Token>>>>>,
    clients: Mutex<HashMap<String, Http>>,
}

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<f64>,
}

impl Tokens {
    pub fn new(endpoint: &Url, pem: Option<Vec<u8>>, timeout: Duration) -> Self {
        Self { local: is_loopback(endpoint), pem, timeout, kept: Mutex::default(), clients: Mutex::default() }
    }

    /// A token for a challenge that differs from the one that was `refused`.
    pub async fn get(
        &self,
        challenge: &Challenge,
        credentials: &Credentials,
        refused: Option<&SecretString>,
    ) -> Result<Token> {
        let Challenge::Bearer { realm, service, scope } = challenge else {
            return Err(Error::new(Kind::Auth, "the registry takes no tokens"));
        };
        let key =
            format!("{realm} {} {}", service.as_deref().unwrap_or_default(), scope.as_deref().unwrap_or_default());
        let place = Arc::clone(self.kept.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        let mut kept = place.lock().await;
        let was_refused =
            |token: &Token| refused.is_some_and(|refused| refused.expose_secret() == token.secret.expose_secret());
        if let Some(token) = kept.as_ref().filter(|token| token.is_good() && !was_refused(token)) {
            return Ok(token.clone());
        }
        let token = self.fetch(realm, service.as_deref(), scope.as_deref(), credentials).await?;
        *kept = Some(token.clone());
        Ok(token)
    }

    async fn fetch(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: Option<&str>,
        credentials: &Credentials,
    ) -> Result<Token> {
        let url = self.realm(realm)?;
        let http = self.client(&url)?;
        let mut answer = None;
        if let Credentials::Identity(identity) = credentials {
            let exchanged = self.send(&http, exchange(&url, service, scope, identity)?).await?;
            // Where this form is not known, the other one may be.
            answer = Some(exchanged).filter(|answer| !matches!(answer.status, 404 | 405));
        }
        let answer = match answer {
            Some(answer) => answer,
            None => self.send(&http, ask(url, service, scope, credentials)?).await?,
        };
        if !(200..300).contains(&answer.status) {
            return Err(errors::refused(About::Token, &answer, credentials));
        }
        let unreadable = || errors::unreadable("the token", &answer, "it holds no token");
        let told: Answer = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
        let secret = told.token.or(told.access_token).filter(|token| !token.is_empty()).ok_or_else(unreadable)?;
        secrets::remember(&secret);
        let life = told.expires_in.filter(|seconds| *seconds >= 1.0 && *seconds < 1e9);
        let life = life.map_or(LIFE, Duration::from_secs_f64);
        // A token of a second would never be good.
        let until = Instant::now() + life.saturating_sub(EARLY).max(life / 2);
        Ok(Token { secret: secret.into(), until })
    }

    /// Sends one request for a token, once more if nobody answered.
    async fn send(&self, http: &Http, request: Request) -> Result<Response> {
        let again = request.try_clone();
        let answer = http.send(request, Size::Few).await;
        let lost = match &answer {
            Ok(answer) => answer.status >= 500,
            Err(error) => error.kind.transient(),
        };
        match again.filter(|_| lost) {
            Some(again) => http.send(again, Size::Few).await,
            None => answer,
        }
    }

    /// The address of a realm. Credentials are sent there, so it must be safe: HTTPS, or this machine for a registry on it.
    fn realm(&self, realm: &str) -> Result<Url> {
        let wrong = |why: &str| {
            Error::new(Kind::Config, format!("the registry names \"{realm}\" as the place to log in: {why}"))
                .hint("imgctl sends credentials to no such place; check the registry's host")
        };
        let url = Url::parse(realm).map_err(|_| wrong("this is not an address"))?;
        let local = is_loopback(&url);
        match url.scheme() {
            "https" if !local || self.local => {}
            "http" if local && self.local => {}
            "http" => return Err(wrong("plain HTTP is only for this machine")),
            _ => return Err(wrong("this is not a safe address")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it holds a user name"));
        }
        if is_link_local(&url) {
            return Err(wrong("this address has the credentials of the machine"));
        }
        Ok(url)
    }

    /// The client for another host: a realm, or where blobs lie.
    pub fn client(&self, url: &Url) -> Result<Http> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let host = url.origin().ascii_serialization();
        if let Some(known) = clients.get(&host) {
            return Ok(known.clone());
        }
        let http = Http::trusting_placed(url, self.timeout, self.pem.as_deref())?;
        clients.insert(host, http.clone());
        Ok(http)
    }
}

/// Clouds answer machines there.
fn is_link_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(address)) => address.is_link_local(),
        Ok(std::net::IpAddr::V6(address)) => (address.segments()[0] & 0xffc0) == 0xfe80,
        Err(_) => false,
    }
}

/// How imgctl names itself to a token server.
const CLIENT: &str = "imgctl";

fn ask(mut url: Url, service: Option<&str>, scope: Option<&str>, credentials: &Credentials) -> Result<Request> {
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = service {
            query.append_pair("service", service);
        }
        // Several scopes are several parameters.
        for scope in scope.iter().flat_map(|scope| scope.split(' ')) {
            query.append_pair("scope", scope);
        }
        if let Credentials::Password { user, .. } = credentials {
            query.append_pair("account", user);
        }
        query.append_pair("client_id", CLIENT);
    }
    let mut request = Request::new(Method::GET, url);
    if let Some(value) = basic(credentials)? {
        request.headers_mut().insert(reqwest::header::AUTHORIZATION, value);
    }
    Ok(request)
}

fn exchange(url: &Url, service: Option<&str>, scope: Option<&str>, identity: &SecretString) -> Result<Request> {
    let mut form = Url::parse("form:").map_err(|_| Error::new(Kind::Failed, "no form can be made"))?;
    form.query_pairs_mut()
        .append_pair("grant_type", "refresh_token")
        .append_pair("refresh_token", identity.expose_secret())
        .append_pair("service", service.unwrap_or_default())
        .append_pair("scope", scope.unwrap_or_default())
        .append_pair("client_id", CLIENT);
    let mut request = Request::new(Method::POST, url.clone());
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, kind);
    *request.body_mut() = Some(form.query().unwrap_or_default().to_owned().into());
    Ok(request)
}

/// The header for a user and a password; an identity token stands for a password where nothing else is taken.
pub fn basic(credentials: &Credentials) -> Result<Option<HeaderValue>> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let text = match credentials {
        Credentials::Password { user, password } => format!("{user}:{}", password.expose_secret()),
        Credentials::Identity(identity) => format!("<token>:{}", identity.expose_secret()),
        Credentials::Anonymous | Credentials::Token(_) => return Ok(None),
    };
    let encoded = BASE64_STANDARD.encode(text);
    secrets::remember(&encoded);
    secret_value("the password", &format!("Basic {encoded}")).map(Some)
}
