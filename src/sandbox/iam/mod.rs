//! Huawei Cloud IAM: one account with its users, projects, keys and tokens, and who a request is from. It answers its
//! own calls and identifies callers for the other services; `signature` checks signatures.

mod calls;
mod signature;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Received, Reply};
pub(super) use signature::{decoded, encoded, pairs};

/// What every sandbox accepts. None of it works anywhere else.
pub const DOMAIN: &str = "sandbox-account";
pub const USER: &str = "sandbox-user";
pub const PASSWORD: &str = "Sandbox-Passw0rd";
pub const ACCESS_KEY: &str = "SANDBOXACCESSKEY0001";
pub const SECRET_KEY: &str = "SandboxSecretKey00000000000000000000001";
pub const TOKEN: &str = "MIISandboxTokenThatIsMadeElsewhere";

/// The region that its environment names, and the project that its ready token is of.
pub const REGION: &str = "cn-north-4";

/// The projects of the account: one per region, named like the region.
const PROJECTS: [(&str, &str); 3] = [
    (REGION, "0a4da8115c9d8464ead3a38309130001"),
    ("ap-southeast-1", "0a4da8115c9d8464ead3a38309130002"),
    ("eu-west-101", "0a4da8115c9d8464ead3a38309130003"),
];

/// <https://support.huaweicloud.com/intl/en-us/api-iam/iam_30_0001.html>
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// An account sets how soon its users are locked, and for how long; these are the sandbox's own.
const USER_FAILURES: u32 = 5;
const USER_LOCK: TimeDelta = TimeDelta::minutes(15);

/// <https://support.huaweicloud.com/en-us/ocr_faq/ocr_01_0063.html>
const KEY_FAILURES: u32 = 5;
const KEY_LOCK: TimeDelta = TimeDelta::minutes(5);

/// Asks another IAM which project a token is of.
pub type Elsewhere = Box<dyn FnMut(&str) -> Option<String> + Send>;

#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct Iam {
    pub domain: Named,
    pub users: Vec<User>,
    pub projects: Vec<Named>,
    pub keys: Vec<Key>,
    /// Of tokens that are given out from now on.
    pub token_lifetime: Duration,
    tokens: BTreeMap<String, Token>,
    given_out: u64,
    /// Where tokens are checked that are not of this account.
    #[serde(skip)]
    pub elsewhere: Option<Elsewhere>,
}

/// An account or a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub id: String,
    pub name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    pub id: String,
    pub name: String,
    pub password: String,
    #[serde(default)]
    lock: Lock,
}

/// An access key. It is good for every project of the account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    pub access_key: String,
    pub secret_key: String,
    /// Temporary keys are refused without theirs.
    pub security_token: Option<String>,
    #[serde(default)]
    lock: Lock,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Token {
    user: String,
    project: Option<String>,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revoked: bool,
}

/// Consecutive failures, and until when they lock.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Lock {
    failures: u32,
    until: Option<DateTime<Utc>>,
}

impl Lock {
    fn holds(&self, now: DateTime<Utc>) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    fn fail(&mut self, now: DateTime<Utc>, most: u32, time: TimeDelta) {
        self.failures += 1;
        if self.failures >= most {
            self.until = Some(now + time);
            self.failures = 0;
        }
    }
}

/// Why a request is refused, in one of the two shapes of such answers.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// IAM itself, as Keystone does.
    Iam { status: u16, title: &'static str, message: String },
    /// The gateway in front of every service.
    Gateway { status: u16, code: &'static str, message: String },
}

impl Refusal {
    fn unbelieved(why: &str) -> Self {
        Self::Gateway {
            status: 401,
            code: "APIGW.0301",
            message: format!("Incorrect IAM authentication information: {why}"),
        }
    }
}

/// Who sent a request.
#[derive(Debug, PartialEq)]
pub(super) enum Caller {
    /// A token, and the one project that it is of.
    Token(Option<String>),
    /// A key of the account.
    Key,
}

impl Default for Iam {
    fn default() -> Self {
        let mut iam = Self {
            domain: Named { id: "0a4da8115c9d8464ead3a3830913d000".into(), name: DOMAIN.into() },
            users: vec![User {
                id: "0a4da8115c9d8464ead3a3830913a000".into(),
                name: USER.into(),
                password: PASSWORD.into(),
                lock: Lock::default(),
            }],
            projects: PROJECTS.map(|(name, id)| Named { id: id.into(), name: name.into() }).into(),
            keys: Vec::new(),
            token_lifetime: TOKEN_LIFETIME,
            tokens: BTreeMap::new(),
            given_out: 0,
            elsewhere: None,
        };
        iam.add_key(ACCESS_KEY, SECRET_KEY, None);
        // Valid practically for ever.
        let token = Token {
            user: iam.users[0].id.clone(),
            project: iam.project_id(REGION),
            issued_at: DateTime::UNIX_EPOCH,
            expires_at: DateTime::UNIX_EPOCH + TimeDelta::days(365 * 1000),
            revoked: false,
        };
        iam.tokens.insert(TOKEN.into(), token);
        iam
    }
}

/// The operations of `Iam::operation`.
pub const OPERATIONS: [&str; 4] =
    ["KeystoneCreateUserTokenByPassword", "KeystoneValidateToken", "KeystoneListProjects", "KeystoneListAuthProjects"];

impl Iam {
    pub fn add_key(&mut self, access_key: &str, secret_key: &str, security_token: Option<&str>) {
        self.keys.push(Key {
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            security_token: security_token.map(Into::into),
            lock: Lock::default(),
        });
    }

    /// The project of a region.
    pub fn project_id(&self, region: &str) -> Option<String> {
        let project = self.projects.iter().find(|project| project.name == region)?;
        Some(project.id.clone())
    }

    /// Makes every token given out so far invalid.
    pub fn revoke_tokens(&mut self) {
        for token in self.tokens.values_mut() {
            token.revoked = true;
        }
    }

    /// Tokens given out for passwords so far.
    pub fn logins(&self) -> u64 {
        self.given_out
    }

    /// The operation that a request is for, if it is for IAM.
    pub(super) fn operation(request: &Received) -> Option<&'static str> {
        Some(match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/v3/auth/tokens") => "KeystoneCreateUserTokenByPassword",
            ("GET", "/v3/auth/tokens") => "KeystoneValidateToken",
            ("GET", "/v3/projects") => "KeystoneListProjects",
            ("GET", "/v3/auth/projects") => "KeystoneListAuthProjects",
            _ => return None,
        })
    }

    pub(super) fn answer(&mut self, operation: &str, request: &Received) -> Result<Reply, Refusal> {
        match operation {
            "KeystoneCreateUserTokenByPassword" => self.log_in(request),
            "KeystoneValidateToken" => self.validate(request),
            _ => self.list_projects(request),
        }
    }

    /// Who sent a request, by its token or its signature.
    pub(super) fn caller(&mut self, request: &Received) -> Result<Caller, Refusal> {
        match request.header("x-auth-token") {
            "" if !request.header("authorization").is_empty() => {
                signature::verify(&mut self.keys, request).map(|()| Caller::Key)
            }
            "" => Err(Refusal::unbelieved("x-auth-token not found")),
            token => self.project_of(token, request.now).map(Caller::Token),
        }
    }

    fn project_of(&mut self, token: &str, now: DateTime<Utc>) -> Result<Option<String>, Refusal> {
        match self.tokens.get(token) {
            Some(token) if token.revoked => {
                Err(Refusal::Gateway { status: 401, code: "APIGW.0307", message: "The token must be updated.".into() })
            }
            Some(token) if token.expires_at <= now => {
                Err(Refusal::unbelieved(&format!("token expires, expires_at:{}", time(token.expires_at))))
            }
            Some(token) => Ok(token.project.clone()),
            None => match self.elsewhere.as_mut().and_then(|ask| ask(token)) {
                Some(project) => Ok(Some(project)),
                None => Err(Refusal::unbelieved("decrypt token fail")),
            },
        }
    }
}

/// Times as IAM writes them.
fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
