//! The calls to ECS of one search: in pages, in their turn, and with what never changes kept from run to run. An answer that
//! leaves something out is refused.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    super::{
        Paged,
        call::{Api, Call},
        pages,
    },
    CODES, TARGET,
    decode::Failed,
};
use crate::{
    error::{Error, Kind, Result},
    store::{Asker, Limit, source::asked},
};

/// The calls of one search.
pub struct Asking<'a> {
    pub api: &'a Api,
    pub asker: &'a dyn Asker,
}

impl Asking<'_> {
    /// Makes a call about so many things.
    pub async fn call<T: DeserializeOwned + Send>(
        &self,
        limit: Limit,
        action: &'static str,
        ids: usize,
        body: &Value,
    ) -> Result<T> {
        asked(self.asker, limit, || self.once(action, ids, body)).await
    }

    async fn once<T: DeserializeOwned>(&self, action: &'static str, ids: usize, body: &Value) -> Result<T> {
        self.api.target(TARGET, Call { action, ids, own: CODES }, body).await
    }

    pub async fn pages<T: DeserializeOwned + Send>(
        &self,
        limit: Limit,
        action: &'static str,
        body: &Value,
    ) -> Result<Vec<T>> {
        let call = |token: Option<String>| async move {
            let mut body = body.clone();
            // Some listings give 10 at once if they are not asked for more.
            body["maxResults"] = 100.into();
            if let Some(token) = token {
                body["nextToken"] = token.into();
            }
            self.once::<Paged<T>>(action, 0, &body).await
        };
        pages(self.asker, limit, call).await
    }

    /// What earlier runs kept.
    pub async fn recalled<'n, T: DeserializeOwned>(
        &self,
        kind: &str,
        arns: impl Iterator<Item = &'n str>,
    ) -> BTreeMap<String, T> {
        let arns: Vec<&str> = arns.collect();
        let names: Vec<_> = arns.iter().map(|arn| self.api.named(&format!("{kind} {arn}"))).collect();
        let kept = self.asker.kept().answers(&names).await.into_iter();
        let read = |(arn, kept): (&str, Option<String>)| Some((arn.to_owned(), serde_json::from_str(&kept?).ok()?));
        arns.into_iter().zip(kept).filter_map(read).collect()
    }

    pub async fn keep<'n, T: serde::Serialize + 'n>(&self, kind: &str, new: impl Iterator<Item = (&'n str, &'n T)>) {
        let text = |(arn, what): (&str, &T)| {
            Some((self.api.named(&format!("{kind} {arn}")), serde_json::to_string(what).ok()?))
        };
        let new: Vec<_> = new.filter_map(text).collect();
        self.asker.kept().put_answers(new).await;
    }
}

/// What vanished since it was listed uses nothing.
pub async fn gone<T: Default>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    match asked.await {
        Err(error) if error.kind == Kind::NotFound => Ok(T::default()),
        other => other,
    }
}

/// Refuses an answer that is about something else, or leaves something out for any other reason than that it vanished.
pub fn complete<'t>(
    action: &str,
    asked: &[impl AsRef<str>],
    told: impl Iterator<Item = &'t str>,
    failures: &[Failed],
) -> Result<()> {
    let wrong = |why: String| Err(Error::new(Kind::Unreadable, format!("{action} {why}")));
    let mut open: BTreeSet<&str> = asked.iter().map(AsRef::as_ref).collect();
    for arn in told {
        if !open.remove(arn) {
            return wrong(format!("tells about {arn}, which was not asked for"));
        }
    }
    let vanished = |failure: &&Failed| failure.reason.as_deref() == Some("MISSING");
    if let Some(other) = failures.iter().find(|failure| !vanished(failure)) {
        let (arn, reason) = (other.arn.as_deref().unwrap_or("something"), other.reason.as_deref().unwrap_or("?"));
        return wrong(format!("does not tell about {arn}: {reason}"));
    }
    match open.first() {
        Some(arn) if open.len() > failures.len() => wrong(format!("does not tell about {arn}, and does not say why")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_leaves_something_out_is_worthless_unless_it_vanished() {
        let failed = |reason: &str| Failed { arn: Some("b".into()), reason: Some(reason.into()) };
        let check = |told: &[&str], failures: &[Failed]| complete("X", &["a", "b"], told.iter().copied(), failures);
        assert!(check(&["a"], &[failed("MISSING")]).is_ok());
        assert!(check(&["b", "a"], &[]).is_ok());
        for (told, failures) in [
            (&["a"][..], vec![]),
            (&["a"], vec![failed("ACCESS")]),
            (&["a", "b"], vec![failed("ACCESS")]),
            (&["a", "c"], vec![]),
            (&["a", "a"], vec![]),
        ] {
            assert_eq!(check(told, &failures).unwrap_err().kind, Kind::Unreadable, "{told:?}");
        }
    }
}
