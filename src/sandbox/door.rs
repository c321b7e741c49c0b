//! The front door of AWS's services that speak JSON: signatures, permissions, request ids. Behind it each service does its
//! own work.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Received, Reply,
    ecr::{
        ACCESS_KEY, ACCOUNT,
        refusal::{self, Refusal},
    },
    sigv4::{self, Key},
};

/// The door of one service.
pub struct Door {
    /// What is signed for, and what permissions begin with.
    service: &'static str,
    pub keys: Vec<Key>,
    /// Operations that the caller may not use.
    pub denied: BTreeSet<String>,
    /// The most that a page holds, where the service itself would put more on one.
    pub page: Option<usize>,
    requests: u64,
}

impl Door {
    pub fn of(service: &'static str) -> Self {
        let (id, secret) = ACCESS_KEY;
        let key = Key { id: id.into(), secret: secret.into(), session_token: None, expires: None };
        Self { service, keys: vec![key], denied: BTreeSet::new(), page: None, requests: 0 }
    }

    /// The region that a request is for, if its sender may make it.
    pub fn admit(&self, request: &Received, operation: &str) -> Result<String, Refusal> {
        let caller = sigv4::verify(request, self.service, &self.keys)?;
        if self.denied.contains(operation) {
            let service = self.service;
            let message = format!(
                "User: arn:aws:iam::{ACCOUNT}:user/sandbox is not authorized to perform: {service}:{operation} because no \
                 identity-based policy allows the {service}:{operation} action"
            );
            return Err(Refusal::new("AccessDeniedException", message));
        }
        Ok(caller.region)
    }

    /// How many a page holds that was asked for so many.
    pub fn size(&self, asked: usize) -> usize {
        self.page.map_or(asked, |most| asked.min(most))
    }

    /// The answer, with the next request id.
    pub fn reply(&mut self, answer: Result<Value, Refusal>) -> Reply {
        self.requests += 1;
        self.numbered(match answer {
            Ok(body) => refusal::json_reply(200, &body),
            Err(refusal) => refusal.reply(),
        })
    }

    /// An answer of the fault script, which counts no request.
    pub fn refuse(&self, refusal: &Refusal) -> Reply {
        self.numbered(refusal.reply())
    }

    fn numbered(&self, mut reply: Reply) -> Reply {
        reply.headers.push(("x-amzn-requestid".into(), format!("00000000-0000-4000-9000-{:012x}", self.requests)));
        reply
    }
}

/// A page of what is listed in the order of its keys, and the token of the next one: the last key.
pub fn page<'k, T>(
    all: impl Iterator<Item = (&'k str, T)>,
    token: Option<&str>,
    size: usize,
) -> (Vec<T>, Option<String>) {
    let after = token.and_then(|token| hex::decode(token).ok()).and_then(|key| String::from_utf8(key).ok());
    let mut rest = all.skip_while(|(key, _)| after.as_deref().is_some_and(|after| *key <= after)).peekable();
    let (mut page, mut last) = (Vec::new(), "");
    while page.len() < size
        && let Some((key, value)) = rest.next()
    {
        page.push(value);
        last = key;
    }
    let next = rest.peek().is_some().then(|| hex::encode(last));
    (page, next)
}

/// An answer with a list and, unless it is the last page, a token.
pub fn paged(name: &str, (list, next): (Vec<Value>, Option<String>), token: &str) -> Value {
    let mut answer = json!({ name: list });
    if let Some(next) = next {
        answer[token] = next.into();
    }
    answer
}
