//! IAM's own calls: log in with a password, validate a token, list projects.

use serde_json::{Value, json};

use super::{Caller, Iam, Named, Refusal, Token, USER_FAILURES, USER_LOCK, time};
use crate::sandbox::{Received, Reply};

impl Iam {
    pub(super) fn log_in(&mut self, request: &Received) -> Result<Reply, Refusal> {
        let body: Value =
            serde_json::from_slice(&request.body).map_err(|_| invalid("The request body is not JSON."))?;
        let identity = &body["auth"]["identity"];
        if identity["methods"] != json!(["password"]) {
            return Err(invalid("The sandbox knows the method password alone."));
        }
        let asked = &identity["password"]["user"];
        let password = asked["password"].as_str().ok_or_else(|| invalid("Expecting to find password in user."))?;
        let domain = self.domain.clone();
        let place = self.users.iter().position(|user| match &asked["id"] {
            Value::String(id) => user.id == *id,
            _ => asked["name"] == user.name.as_str() && is(&asked["domain"], &domain),
        });
        let user = place.map(|place| &mut self.users[place]).ok_or_else(wrong)?;
        if user.lock.holds(request.now) {
            return Err(unauthorized("The user is locked after too many failures."));
        }
        if user.password != password {
            user.lock.fail(request.now, USER_FAILURES, USER_LOCK);
            return Err(wrong());
        }
        user.lock = super::Lock::default();
        let user = user.id.clone();
        let project = self.scope(&body["auth"]["scope"])?;
        self.given_out += 1;
        let text = format!("MIISandboxToken{:06}{}", self.given_out, "x".repeat(2000));
        let lifetime = chrono::TimeDelta::from_std(self.token_lifetime).unwrap_or_default();
        let token = Token { user, project, issued_at: request.now, expires_at: request.now + lifetime, revoked: false };
        let mut reply = reply(201, &json!({"token": self.described(&token, request)}));
        reply.headers.push(("X-Subject-Token".into(), text.clone()));
        self.tokens.insert(text, token);
        Ok(reply)
    }

    /// The project that a login asks for: by id, by name and domain, or by name alone.
    fn scope(&self, scope: &Value) -> Result<Option<String>, Refusal> {
        let asked = match &scope["project"] {
            Value::Null => return Ok(None),
            asked => asked,
        };
        if !asked["domain"].is_null() && !is(&asked["domain"], &self.domain) {
            return Err(wrong());
        }
        let project = self.projects.iter().find(|project| is(asked, project));
        project.map(|project| Some(project.id.clone())).ok_or_else(wrong)
    }

    pub(super) fn validate(&mut self, request: &Received) -> Result<Reply, Refusal> {
        let own = request.header("x-auth-token");
        let mut good = |token: &str| self.project_of(token, request.now).is_ok();
        if !good(own) {
            return Err(unauthorized("The request you have made requires authentication."));
        }
        let subject = request.header("x-subject-token");
        let token = Some(subject).filter(|subject| good(subject)).and_then(|subject| self.tokens.get(subject).cloned());
        let token = token.ok_or_else(|| Refusal::Iam {
            status: 404,
            title: "Not Found",
            message: "There is no such token.".into(),
        })?;
        let mut reply = reply(200, &json!({"token": self.described(&token, request)}));
        reply.headers.push(("X-Subject-Token".into(), subject.into()));
        Ok(reply)
    }

    pub(super) fn list_projects(&mut self, request: &Received) -> Result<Reply, Refusal> {
        let caller = self.caller(request)?;
        let query = super::signature::pairs(&request.query);
        let name = query.iter().find(|(name, _)| name == "name");
        let mine = |project: &&Named| match &caller {
            Caller::Token(Some(id)) => project.id == *id,
            Caller::Token(None) | Caller::Key => true,
        };
        let projects: Vec<_> = self
            .projects
            .iter()
            .filter(|project| name.is_none_or(|(_, name)| project.name == *name))
            .filter(mine)
            .map(|project| {
                json!({"id": project.id, "name": project.name, "domain_id": self.domain.id,
                    "enabled": true, "is_domain": false, "parent_id": self.domain.id, "description": ""})
            })
            .collect();
        Ok(reply(200, &json!({"projects": projects, "links": {}})))
    }

    fn described(&self, token: &Token, request: &Received) -> Value {
        let domain = json!({"id": self.domain.id, "name": self.domain.name});
        let name = self.users.iter().find(|user| user.id == token.user).map(|user| user.name.as_str());
        let mut described = json!({
            "methods": ["password"],
            "user": {"id": token.user, "name": name, "domain": domain, "password_expires_at": ""},
            "issued_at": time(token.issued_at),
            "expires_at": time(token.expires_at),
            "roles": [{"id": "0", "name": "te_admin"}],
        });
        let project = |id: &String| self.projects.iter().find(|project| project.id == *id);
        match token.project.as_ref().and_then(project) {
            Some(Named { id, name }) => {
                described["project"] = json!({"id": id, "name": name, "domain": domain});
            }
            None => described["domain"] = domain,
        }
        if !request.query.contains("nocatalog") {
            described["catalog"] = json!([]);
        }
        described
    }
}

/// Whether `{id}` or `{name}` means this.
fn is(asked: &Value, named: &Named) -> bool {
    match (&asked["id"], &asked["name"]) {
        (Value::String(id), _) => *id == named.id,
        (_, Value::String(name)) => *name == named.name,
        _ => false,
    }
}

fn reply(status: u16, body: &Value) -> Reply {
    Reply {
        status,
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.to_string().into_bytes(),
    }
}

/// The message does not say which part was right: it must not help to guess.
fn wrong() -> Refusal {
    unauthorized("The username or password is wrong.")
}

fn unauthorized(message: &str) -> Refusal {
    Refusal::Iam { status: 401, title: "Unauthorized", message: message.into() }
}

fn invalid(message: &str) -> Refusal {
    Refusal::Iam { status: 400, title: "Bad Request", message: message.into() }
}
