//! Sends one call to a registry, and proves who calls as the registry's own challenge asks. Credentials go to the
//! registry that the user named and to the realm that it names, and nowhere else.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::{
    Method, Request, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::{
    challenge::{self, Challenge},
    errors::{self, About},
    token::{Tokens, basic},
};
use crate::{
    error::{Error, Kind, Result},
    http::{Http, Response, Size, header_value, is_loopback, secret_value},
    settings::oci::{Certificates, Credentials},
    store::said::To,
};

/// A blob may lie elsewhere: object storage, behind a distribution network.
const MOST_REDIRECTS: usize = 3;

/// A registry, as one user.
pub struct Registry {
    pub host: String,
    pub credentials: Credentials,
    /// Where the credentials were found.
    pub source: Option<String>,
    pub endpoint: Url,
    http: Http,
    tokens: Tokens,
    /// What the registry wanted last for each kind of call.
    wants: Mutex<HashMap<(String, Right), Challenge>>,
}

/// The right that a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Right {
    Read,
    Delete,
    Push,
    Catalog,
    /// Reads what the registry's own API says about images.
    Describe,
    /// Removes a tag by the registry's own API.
    Untag,
}

/// The part of a registry that a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// The protocol.
    Protocol,
    /// <https://learn.microsoft.com/en-us/rest/api/containerregistry/>
    Acr,
    /// <https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml>
    Harbor,
}

impl Api {
    fn root(self) -> &'static str {
        match self {
            Self::Protocol => "v2",
            Self::Acr => "acr/v1",
            Self::Harbor => "api/v2.0",
        }
    }
}

/// What is asked.
pub struct Call<'a> {
    /// Its name for people who watch the calls.
    pub operation: &'static str,
    pub about: About,
    pub method: Method,
    pub repository: &'a str,
    pub api: Api,
    /// The path after `/v2/`, or after the root of another API, with a query.
    pub path: String,
    pub accept: Option<&'static str>,
    /// Its media type and bytes.
    pub body: Option<(&'a str, Vec<u8>)>,
}

impl<'a> Call<'a> {
    pub fn new(operation: &'static str, about: About, method: Method, repository: &'a str, path: String) -> Self {
        Self { operation, about, method, repository, api: Api::Protocol, path, accept: None, body: None }
    }

    fn right(&self) -> Right {
        match self.about {
            About::Images => Right::Describe,
            About::DeleteTag if self.api != Api::Protocol => Right::Untag,
            About::DeleteTag | About::DeleteImage => Right::Delete,
            About::Put => Right::Push,
            About::Catalog => Right::Catalog,
            _ => Right::Read,
        }
    }

    fn size(&self) -> Size {
        match self.about {
            About::Tags | About::Images | About::Catalog => Size::List,
            // A configuration is small; layers are never read.
            _ => Size::Few,
        }
    }
}

/// What proves who calls.
enum Proof {
    Nothing,
    Basic(HeaderValue),
    Token(SecretString),
}

impl Registry {
    pub fn new(
        host: String,
        endpoint: Url,
        credentials: Credentials,
        source: Option<String>,
        certificates: Option<Certificates>,
        timeout: Duration,
    ) -> Result<Self> {
        let pem = certificates.map(|certificates| certificates.pem);
        Ok(Self {
            http: Http::trusting_placed(&endpoint, timeout, pem.as_deref())?,
            tokens: Tokens::new(&endpoint, pem, timeout),
            host,
            credentials,
            source,
            endpoint,
            wants: Mutex::default(),
        })
    }

    pub fn clock_ahead(&self) -> Option<chrono::TimeDelta> {
        self.http.clock.ahead()
    }

    /// Makes a call. A refusal is an error.
    pub async fn call(&self, call: &Call<'_>) -> Result<Response> {
        let answer = self.ask(call).await?;
        match answer.status {
            200..300 => Ok(answer),
            _ => Err(self.refused(call.about, &answer)),
        }
    }

    pub fn refused(&self, about: About, answer: &Response) -> Error {
        let error = errors::refused(about, answer, &self.credentials);
        match error.kind {
            Kind::Unsupported if about.deletes() => error.hint(errors::without_deletion(&self.host)),
            _ => error,
        }
    }

    /// Sends a call without any credentials. `Ok` is any answer.
    pub async fn ask_as_nobody(&self, call: &Call<'_>) -> Result<Response> {
        self.send(call, &Proof::Nothing).await
    }

    /// Sends a call, and once more with what the registry wants. `Ok` is any answer.
    pub async fn ask(&self, call: &Call<'_>) -> Result<Response> {
        let key = (call.repository.to_owned(), call.right());
        let wanted = self.wants.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let proof = match call.api {
            // It names no way to log in.
            Api::Harbor => basic(&self.credentials)?.map_or(Proof::Nothing, Proof::Basic),
            Api::Protocol | Api::Acr => self.proof(wanted.as_ref(), None).await?,
        };
        let answer = self.send(call, &proof).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let headers = answer.headers.get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok());
        let Some(challenge) = challenge::best(headers) else {
            return Ok(answer);
        };
        let refused = match &proof {
            Proof::Token(token) => Some(token),
            // The same password would be refused again.
            Proof::Basic(_) if challenge == Challenge::Basic => return Ok(answer),
            _ => None,
        };
        if let (Proof::Token(_), Credentials::Token(_)) = (&proof, &self.credentials) {
            return Ok(answer);
        }
        let proof = self.proof(Some(&challenge), refused).await?;
        if matches!(proof, Proof::Nothing) {
            return Ok(answer);
        }
        self.wants.lock().unwrap_or_else(PoisonError::into_inner).insert(key, challenge);
        self.send(call, &proof).await
    }

    async fn proof(&self, wanted: Option<&Challenge>, refused: Option<&SecretString>) -> Result<Proof> {
        Ok(match (&self.credentials, wanted) {
            (Credentials::Token(token), _) => Proof::Token(token.clone()),
            (_, None) => Proof::Nothing,
            (credentials, Some(Challenge::Basic)) => basic(credentials)?.map_or(Proof::Nothing, Proof::Basic),
            (credentials, Some(challenge)) => {
                Proof::Token(self.tokens.get(challenge, credentials, refused).await?.secret)
            }
        })
    }

    async fn send(&self, call: &Call<'_>, proof: &Proof) -> Result<Response> {
        let mut url = self.endpoint.clone();
        let (path, query) = match call.path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (call.path.as_str(), None),
        };
        let path = format!("{}/{}/{path}", url.path().trim_end_matches('/'), call.api.root());
        url.set_path(&path);
        url.set_query(query);
        // A client may take `..` for a step up, and what would arrive is another call.
        if url.path() != path {
            return Err(Error::new(Kind::Invalid, format!("{} cannot name such an image", call.operation)));
        }
        let mut request = Request::new(call.method.clone(), url);
        let headers = request.headers_mut();
        if let Some(accept) = call.accept {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        match proof {
            Proof::Nothing => {}
            Proof::Basic(value) => drop(headers.insert(AUTHORIZATION, value.clone())),
            Proof::Token(token) => {
                let value = secret_value("the token", &format!("Bearer {}", token.expose_secret()))?;
                headers.insert(AUTHORIZATION, value);
            }
        }
        if let Some((media_type, bytes)) = &call.body {
            headers.insert(CONTENT_TYPE, header_value("the media type", media_type)?);
            *request.body_mut() = Some(bytes.clone().into());
        }
        self.heard(call, &self.http, request).await
    }

    async fn heard(&self, call: &Call<'_>, http: &Http, request: Request) -> Result<Response> {
        let started = Instant::now();
        let answer = http.send(request, call.size()).await;
        let sent = To { service: "oci", region: call.repository, host: &self.host };
        let sent = sent.sent(call.operation, 0, started.into_std());
        match &answer {
            Ok(answer) => sent.answered(answer.status, None, errors::request_id(answer).as_deref()),
            Err(error) => sent.failed(error),
        }
        answer
    }

    /// Reads a blob, which may lie elsewhere. Nothing there sees credentials.
    pub async fn blob(&self, call: &Call<'_>) -> Result<Response> {
        let mut answer = self.ask(call).await?;
        let mut from = self.endpoint.clone();
        for _ in 0..MOST_REDIRECTS {
            let (300..=399, Some(location)) = (answer.status, answer.header("location")) else { break };
            let wrong = |why: &str| Error::new(Kind::Config, format!("the registry sends a blob from {why}"));
            let to = from.join(location).map_err(|_| wrong("an address that cannot be read"))?;
            let safe = to.scheme() == "https" || is_loopback(&to) && is_loopback(&self.endpoint);
            if !safe {
                return Err(wrong("an address without TLS"));
            }
            let http = self.tokens.client(&to)?;
            answer = self.heard(call, &http, Request::new(call.method.clone(), to.clone())).await?;
            from = to;
        }
        match answer.status {
            200..300 => Ok(answer),
            _ => Err(self.refused(call.about, &answer)),
        }
    }
}
