//! What applies to the whole registry of a store, asked once a run. The store does not depend on it: without an answer, it
//! is unknown.

use super::{pace::Op, session::Session};
use crate::{
    error::{Error, Kind, Result},
    image::ImageId,
    store::{CacheRule, Image, Manifest, Replica},
};

/// Whether deletions in a store are repeated elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub enum Copies {
    None,
    /// In these registries.
    In(Vec<Replica>),
    /// Why nobody knows.
    Unknown(Error),
}

impl Session {
    /// Where deletions in this store are repeated.
    pub async fn copies(&self) -> Copies {
        if self.store.limit(Op::Registry).is_none() {
            return Copies::None;
        }
        let aside = self.aside();
        let ask = || aside.ask(Op::Registry, || self.store.replication());
        let home = self.store.home();
        match self.line().replication.get_or_init(ask).await {
            Err(error) => Copies::Unknown(error.clone()),
            Ok(replication) => match (&replication.owner, &home.owner) {
                (Some(own), Some(owner)) if own != owner => {
                    let message = format!("only the registry of account {own} can be asked");
                    Copies::Unknown(Error::new(Kind::Unsupported, message))
                }
                _ => match replication.of(&home.name) {
                    replicas if replicas.is_empty() => Copies::None,
                    replicas => Copies::In(replicas),
                },
            },
        }
    }

    /// The rule that fills this store from another registry, as far as the registry tells.
    pub async fn cache_rule(&self) -> Option<CacheRule> {
        self.store.limit(Op::Registry)?;
        let home = self.store.home();
        self.cache_rules().await.as_ref().ok()?.iter().find(|rule| rule.fills(&home.name)).cloned()
    }

    async fn cache_rules(&self) -> &Result<Vec<CacheRule>> {
        let aside = self.aside();
        let ask = || async {
            let (mut rules, mut next) = (Vec::new(), None);
            loop {
                let page = aside.ask(Op::Registry, || self.store.cache_rules(next.as_deref())).await?;
                rules.extend(page.items);
                match page.next {
                    Some(token) if next.as_ref() != Some(&token) => next = Some(token),
                    _ => return Ok(rules),
                }
            }
        };
        self.line().cache_rules.get_or_init(ask).await
    }

    /// Whether the store may fetch from another registry what it is asked for and does not have.
    pub async fn may_fetch(&self) -> bool {
        self.store.limit(Op::Registry).is_some()
            && (self.cache_rules().await.is_err() || self.cache_rule().await.is_some())
    }

    /// Manifests of images that may not be there. A store that is filled from another registry would fetch those, so there
    /// imgctl looks first, and reads what it has seen by its digest.
    pub async fn present_manifests(&self, ids: &[ImageId]) -> Vec<Result<Manifest>> {
        if !self.may_fetch().await {
            return self.manifests(ids).await;
        }
        let seen = self.get(ids).await;
        let digest = |seen: &Result<Image>| seen.as_ref().ok()?.digest();
        let there: Vec<ImageId> = seen.iter().filter_map(digest).map(ImageId::Digest).collect();
        let mut read = self.manifests(&there).await.into_iter();
        let told = |seen: Result<Image>| {
            let found = digest(&seen).is_some();
            let read = if found { read.next() } else { None };
            seen.and_then(|_| read.unwrap_or_else(|| Err(Error::new(Kind::Lost, "the look shows no digest"))))
        };
        seen.into_iter().map(told).collect()
    }
}
