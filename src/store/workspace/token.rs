//! Showing who calls: a token of the user's, one that a password is exchanged for, or keys that sign. One login serves
//! all calls of a region. A refusal is remembered and never tried again: IAM locks users and keys after a few.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::{sync::Mutex, time::Instant};

use super::{
    call::{Call, Proof, Service},
    decode,
    errors::{About, refused},
};
use crate::{
    error::{Error, Kind, Result},
    http::Response,
    secrets,
    settings::huawei::{Credentials, Huawei, Login, Project},
};

/// A token is renewed this long before its end, or after two thirds of its life if that is later. "Using a token that
/// will soon expire may cause API calling failures":
/// <https://support.huaweicloud.com/intl/en-us/api-iam/iam_30_0001.html>
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// The project and the proof of a call.
#[derive(Clone)]
pub struct Access {
    pub project: String,
    pub proof: Proof,
    /// Which login it is of.
    login: u64,
}

/// The credentials of one region, and what they have come to so far.
pub struct Auth {
    iam: Service,
    credentials: Credentials,
    source: String,
    project: Project,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    logins: u64,
    open: Option<Open>,
    refused: Option<Error>,
}

struct Open {
    access: Access,
    renew_at: Option<Instant>,
    ends_at: Option<Instant>,
}

/// What IAM says of a token.
struct Token {
    project: Option<String>,
    life: Option<Duration>,
}

impl Auth {
    pub fn new(huawei: Huawei, timeout: Duration) -> Result<Self> {
        Ok(Self {
            iam: Service::new(&huawei.iam, timeout)?,
            credentials: huawei.credentials,
            source: huawei.source,
            project: huawei.project,
            state: Mutex::default(),
        })
    }

    /// Who calls, if the credentials say so.
    pub fn caller(&self) -> Option<String> {
        self.credentials.caller()
    }

    /// What to call with now. Calls that come at the same time wait for one login.
    pub async fn access(&self) -> Result<Access> {
        let mut state = self.state.lock().await;
        match &state.open {
            Some(Open { access, renew_at, .. })
                if state.refused.is_none() && renew_at.is_none_or(|at| Instant::now() < at) =>
            {
                Ok(access.clone())
            }
            _ => self.kept_or_new(&mut state).await,
        }
    }

    /// A new login. Where it fails, the token at hand is used until it ends.
    async fn kept_or_new(&self, state: &mut State) -> Result<Access> {
        let usable = |open: &Open| open.ends_at.is_some_and(|end| Instant::now() < end);
        let held = state.open.as_ref().filter(|open| state.refused.is_none() && usable(open));
        let held = held.map(|open| open.access.clone());
        match (self.log_in(state).await, held) {
            (Err(_), Some(access)) => {
                // A password that was refused is not tried again while the token is good.
                if state.refused.take().is_some()
                    && let Some(open) = &mut state.open
                {
                    open.renew_at = open.ends_at;
                }
                Ok(access)
            }
            (new, _) => new,
        }
    }

    /// What to call with instead after a call was refused; nothing where another login cannot help.
    pub async fn renewed(&self, refused: &Access) -> Result<Option<Access>> {
        if !matches!(self.credentials, Credentials::Password(_)) {
            return Ok(None);
        }
        let mut state = self.state.lock().await;
        match &state.open {
            // Another call has renewed it in the meantime.
            Some(open) if state.refused.is_none() && open.access.login != refused.login => {
                Ok(Some(open.access.clone()))
            }
            _ => self.log_in(&mut state).await.map(Some),
        }
    }

    /// Remembers that the service refuses these credentials, and says what can be done about it.
    pub async fn refuse(&self, error: Error) -> Error {
        let error = self.explained(error);
        self.state.lock().await.refused = Some(error.clone());
        error
    }

    async fn log_in(&self, state: &mut State) -> Result<Access> {
        if let Some(refused) = &state.refused {
            return Err(refused.clone());
        }
        let asked_at = Instant::now();
        let found = match &self.credentials {
            Credentials::Token(token) => self.ask_about(token).await.map(|found| (Proof::Token(token.clone()), found)),
            Credentials::Password(login) => self.exchange(login).await,
            Credentials::Keys(keys) => {
                let proof = Proof::Keys(keys.clone());
                self.find_project(&proof).await.map(|project| {
                    let project = Some(project);
                    (proof, Token { project, life: None })
                })
            }
        };
        let opened = found.and_then(|(proof, token)| {
            let project = self.checked(token.project)?;
            let renewable = matches!(self.credentials, Credentials::Password(_));
            let life = token.life.filter(|_| renewable);
            Ok(Open {
                access: Access { project, proof, login: state.logins + 1 },
                renew_at: life.map(|life| asked_at + life - MARGIN.min(life / 3)),
                ends_at: life.map(|life| asked_at + life),
            })
        });
        match opened {
            Ok(open) => {
                state.logins += 1;
                let access = open.access.clone();
                state.open = Some(open);
                Ok(access)
            }
            Err(error) => {
                let error = self.explained(of_login(error));
                if !error.kind.nothing_done() {
                    state.refused = Some(error.clone());
                }
                Err(error)
            }
        }
    }

    /// Exchanges a password for a token.
    async fn exchange(&self, login: &Login) -> Result<(Proof, Token)> {
        let mut user = json!(login.user);
        secrets::remember(login.password.expose_secret());
        user["password"] = json!(login.password.expose_secret());
        // A project by its name alone is what Huawei documents, and Keystone refuses it; both take it with its domain.
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": login.scope},
        }});
        let call = Call {
            operation: "KeystoneCreateUserTokenByPassword",
            method: Method::POST,
            body: Some(body.to_string().into_bytes()),
            ..TOKENS
        };
        let answer = self.ask(&call, &Proof::Nothing, &[&login.password]).await?;
        let token = answer.header("x-subject-token").unwrap_or_default();
        if token.is_empty() {
            let message = "IAM accepted the login but sent no token";
            return Err(Error::new(Kind::Unreadable, message));
        }
        Ok((Proof::Token(token.into()), token_of(&call, &answer)?))
    }

    /// Asks IAM what a token is good for.
    async fn ask_about(&self, token: &SecretString) -> Result<Token> {
        let call = Call { operation: "KeystoneValidateToken", ..TOKENS };
        let answer = self.ask(&call, &Proof::Itself(token.clone()), &[]).await?;
        token_of(&call, &answer)
    }

    /// The project that keys are good for in this region.
    async fn find_project(&self, proof: &Proof) -> Result<String> {
        #[derive(Deserialize)]
        struct Projects {
            projects: Vec<Found>,
        }
        #[derive(Deserialize)]
        struct Found {
            id: String,
            name: String,
        }
        if let Some((id, _)) = &self.project.id {
            return Ok(id.clone());
        }
        let name = &self.project.name;
        let call =
            Call { operation: "KeystoneListProjects", path: &["v3", "projects"], query: &[("name", name)], ..TOKENS };
        let answer = self.ask(&call, proof, &[]).await?;
        let Projects { mut projects } = decode::read(&call, &answer)?;
        projects.retain(|project| project.name == *name);
        match projects.as_slice() {
            [project] => Ok(project.id.clone()),
            [] => Err(Error::new(Kind::Config, format!("the account of {} has no project {name}", self.source))
                .hint("check the region, or name the project with HW_PROJECT_ID")),
            several => {
                let ids: Vec<_> = several.iter().map(|project| project.id.as_str()).collect();
                let ids = ids.join(", ");
                Err(Error::new(Kind::Config, format!("several projects have the name {name}: {ids}"))
                    .hint("name one of them with HW_PROJECT_ID"))
            }
        }
    }

    /// The project that these credentials turned out to be of, if it is the one that was meant.
    fn checked(&self, project: Option<String>) -> Result<String> {
        let source = &self.source;
        let project = project.ok_or_else(|| {
            Error::new(Kind::Config, format!("the token of {source} is not for a project"))
                .hint(format!("request a token with the scope of the project {}", self.project.name))
        })?;
        match &self.project.id {
            Some((meant, place)) if *meant != project => Err(Error::new(
                Kind::Config,
                format!("{place} names the project {meant}, but the token of {source} is for {project}"),
            )),
            _ => Ok(project),
        }
    }

    async fn ask(&self, call: &Call<'_>, proof: &Proof, secrets: &[&SecretString]) -> Result<Response> {
        let answer = self.iam.send(call, proof).await?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let secrets = [secrets, &proof.secrets()].concat();
        Err(refused(call.about, &answer, Utc::now(), &secrets))
    }

    /// Says which credentials were refused, and why nothing is tried again.
    fn explained(&self, error: Error) -> Error {
        if error.kind != Kind::Auth || error.hint.is_some() {
            return error;
        }
        let source = &self.source;
        let hint = match &self.credentials {
            Credentials::Token(_) => {
                format!("the token in {source} has expired or is for another region")
            }
            Credentials::Password(_) => format!(
                "check {source}, the domain, and that the user has a role in the project {}; imgctl does not retry this, because IAM locks users after a few failures",
                self.project.name
            ),
            Credentials::Keys(_) => {
                format!("check {source}; imgctl does not retry this, because five bad signatures lock a key")
            }
        };
        error.hint(hint)
    }
}

/// What calls about tokens have in common.
const TOKENS: Call<'static> = Call {
    operation: "",
    about: About::Login,
    method: Method::GET,
    path: &["v3", "auth", "tokens"],
    // The catalogue is long and of no use here.
    query: &[("nocatalog", "true")],
    body: None,
    project: None,
    items: 0,
};

/// A call that was to follow a login was never sent, and other images would fare no better.
fn of_login(error: Error) -> Error {
    let kind = match error.kind {
        Kind::Lost => Kind::Unreachable,
        kind @ (Kind::Auth | Kind::Denied | Kind::Throttled | Kind::Unreachable | Kind::Unreadable) => kind,
        _ => Kind::Config,
    };
    let message = match kind {
        // Their messages speak of a login already.
        Kind::Config => error.message,
        _ => format!("cannot log in to Huawei Cloud: {}", error.message),
    };
    Error { kind, message, ..error }
}

fn token_of(call: &Call<'_>, answer: &Response) -> Result<Token> {
    #[derive(Deserialize)]
    struct Body {
        token: Said,
    }
    #[derive(Deserialize)]
    struct Said {
        project: Option<Of>,
        issued_at: Option<String>,
        expires_at: Option<String>,
    }
    #[derive(Deserialize)]
    struct Of {
        id: String,
    }
    let Body { token } = decode::read(call, answer)?;
    let time = |text: Option<String>| text?.parse::<DateTime<Utc>>().ok();
    // Both times are of the server's clock, so a clock that is off here does no harm.
    let issued_at = time(token.issued_at).unwrap_or_else(Utc::now);
    let life = time(token.expires_at).map(|end| (end - issued_at).to_std().unwrap_or_default());
    Ok(Token { project: token.project.map(|project| project.id), life })
}
