//! The door of the registry: who calls, and what for. With tokens, the token server gives out rights for the scopes that
//! a client asks for, and the registry says which it needs.
//! <https://distribution.github.io/distribution/spec/auth/token/>

use std::collections::{BTreeMap, BTreeSet};

use aws_smithy_types::base64;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use super::{
    habits::{Auth, Habits},
    refusal::Refusal,
};
use crate::sandbox::{Received, Reply, field, text};

/// Who may call, and which tokens are out.
#[derive(Clone, Debug)]
pub struct Door {
    pub users: Vec<User>,
    /// Whether anybody may pull.
    pub anonymous: bool,
    /// How long a token is good.
    pub token_life: TimeDelta,
    tokens: BTreeMap<String, Token>,
}

/// The user that may do everything, with its password.
pub const USER: (&str, &str) = ("sandbox", "sandbox-password");
/// The user that may only pull.
pub const READER: (&str, &str) = ("reader", "reader-password");

#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub password: String,
    /// The actions of a scope that it may do; `*` is all.
    pub may: Vec<&'static str>,
}

#[derive(Clone, Debug)]
struct Token {
    /// Actions by what they are for: `repository:team/app`.
    rights: BTreeMap<String, BTreeSet<String>>,
    expires: DateTime<Utc>,
}

impl Default for Door {
    fn default() -> Self {
        let user = |(name, password): (&str, &str), may| User { name: name.into(), password: password.into(), may };
        Self {
            users: vec![user(USER, vec!["*"]), user(READER, vec!["pull"])],
            anonymous: false,
            token_life: TimeDelta::minutes(5),
            tokens: BTreeMap::new(),
        }
    }
}

impl User {
    fn allows(&self, action: &str) -> bool {
        self.may.iter().any(|may| *may == "*" || *may == action)
    }

    /// The token that stands for its password.
    pub fn identity(&self) -> String {
        format!("identity-of-{}", self.name)
    }
}

impl Door {
    /// Whether a request may go on.
    pub fn admit(
        &self,
        request: &Received,
        needed: Option<(String, &'static str)>,
        auth: Auth,
        habits: &Habits,
    ) -> Result<(), Refusal> {
        let given = request.header("authorization");
        match auth {
            Auth::Open => Ok(()),
            Auth::Basic => {
                let challenge = || Refusal::of_status(401).with("www-authenticate", "Basic realm=\"sandbox\"");
                let pulls = needed.as_ref().is_some_and(|(_, actions)| *actions == "pull");
                if given.is_empty() && self.anonymous && pulls {
                    return Ok(());
                }
                let user = self.user(given).ok_or_else(challenge)?;
                let may = |(_, actions): &(String, &'static str)| actions.split(',').all(|action| user.allows(action));
                if needed.as_ref().is_none_or(may) { Ok(()) } else { Err(Refusal::of_status(403)) }
            }
            Auth::Token => {
                let challenge = |error: &str| {
                    let host = request.header("host");
                    let scope = needed.as_ref().map(|(what, actions)| format!(",scope=\"{what}:{actions}\""));
                    let error = if error.is_empty() { String::new() } else { format!(",error=\"{error}\"") };
                    let challenge = format!(
                        "Bearer realm=\"http://{host}{}\",service=\"{host}\"{}{error}",
                        habits.realm,
                        scope.unwrap_or_default()
                    );
                    Err(Refusal::of_status(401).with("www-authenticate", challenge))
                };
                let Some(given) = after(given, "bearer ") else { return challenge("") };
                match self.tokens.get(given) {
                    Some(token) if token.expires > request.now => match &needed {
                        Some((what, actions)) if !token.allows(what, actions) => challenge("insufficient_scope"),
                        _ => Ok(()),
                    },
                    _ => challenge("invalid_token"),
                }
            }
        }
    }

    /// The user of an `Authorization: Basic` header.
    fn user(&self, header: &str) -> Option<&User> {
        let pair = base64::decode(after(header, "basic ")?).ok()?;
        let pair = String::from_utf8(pair).ok()?;
        let (name, password) = pair.split_once(':')?;
        self.login(name, password)
    }

    fn login(&self, name: &str, password: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name && user.password == password)
    }

    /// Gives out a token. What the caller may not do is left out of it without a word, as servers do.
    pub fn give(&mut self, request: &Received) -> Result<Reply, Refusal> {
        let wrong = || Refusal::of_status(401);
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let posted = request.method == "POST";
        let form = if posted { &body } else { &request.query };
        let header = request.header("authorization");
        let user = match (posted, field(form, "grant_type").as_deref()) {
            (false, _) if header.is_empty() => None,
            (false, _) => Some(self.user(header).ok_or_else(wrong)?),
            (true, Some("refresh_token")) => {
                let given = field(form, "refresh_token").unwrap_or_default();
                Some(self.users.iter().find(|user| user.identity() == given).ok_or_else(wrong)?)
            }
            (true, Some("password")) => {
                let [name, password] = ["username", "password"].map(|name| field(form, name).unwrap_or_default());
                Some(self.login(&name, &password).ok_or_else(wrong)?)
            }
            (true, _) => return Err(Refusal::new(400, "UNSUPPORTED", "unsupported grant_type")),
        };
        let may = |action: &str| match user {
            Some(user) => user.allows(action),
            None => self.anonymous && action == "pull",
        };
        let scopes = form.split('&').filter_map(|field| field.strip_prefix("scope="));
        let mut rights: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for scope in
            scopes.flat_map(|scope| text(&scope.replace('+', " ")).split(' ').map(str::to_owned).collect::<Vec<_>>())
        {
            if let Some((what, actions)) = scope.rsplit_once(':') {
                let granted = actions.split(',').filter(|action| may(action)).map(str::to_owned);
                rights.entry(what.into()).or_default().extend(granted);
            }
        }
        let token = format!("sandbox-token-{}", self.tokens.len() + 1);
        self.tokens.insert(token.clone(), Token { rights, expires: request.now + self.token_life });
        Ok(Reply::json(
            200,
            &json!({
                "token": token, "access_token": token, "expires_in": self.token_life.num_seconds(),
                "issued_at": request.now.to_rfc3339_opts(SecondsFormat::Secs, true),
            }),
        ))
    }

    /// Gives an identity token for the token of a cloud account, as `POST /oauth2/exchange` of ACR does.
    pub fn exchange(&self, request: &Received) -> Result<Reply, Refusal> {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let named =
            field(&form, "grant_type").as_deref() == Some("access_token") && field(&form, "access_token").is_some();
        match self.users.first().filter(|_| named) {
            Some(user) => Ok(Reply::json(200, &json!({ "refresh_token": user.identity() }))),
            None => Err(Refusal::of_status(401)),
        }
    }
}

impl Token {
    fn allows(&self, what: &str, actions: &str) -> bool {
        let rights = self.rights.get(what);
        let all = |rights: &BTreeSet<String>| {
            rights.contains("*") || actions.split(',').all(|action| rights.contains(action))
        };
        rights.is_some_and(all)
    }
}

/// What follows a scheme, in any case.
fn after<'h>(header: &'h str, scheme: &str) -> Option<&'h str> {
    let (before, rest) = header.split_at_checked(scheme.len())?;
    before.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
