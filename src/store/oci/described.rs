//! Listings beside the protocol: dates, sizes and images without tags, where a registry's own API tells them. The protocol's
//! list of tags follows each of them, so that no tag is missed.

use std::sync::{PoisonError, atomic::Ordering};

use chrono::{DateTime, Utc};

use super::{super::plausible, Oci, facts::built, product::Product};
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId},
    store::{Fact, Image, Page},
};

/// Marks the token of a page that the registry's own API lists.
const OWN: char = '+';

/// One page of a listing beside the protocol, and what to ask for next.
pub struct Described {
    pub images: Vec<Image>,
    pub next: Option<String>,
}

impl Oci {
    /// The page after this token from the registry's own API; `None` if that has no such page.
    pub(super) async fn list_described(&self, after: Option<&str>) -> Result<Option<Page<Image>>> {
        let query = match after {
            None => "",
            Some(token) => match token.strip_prefix(OWN) {
                Some(query) => query,
                None => return Ok(None),
            },
        };
        let page = match self.opened.product().await? {
            Product::Acr => self.list_acr(query).await,
            Product::Harbor => self.list_harbor(query).await,
            Product::Zot => self.list_zot(query).await,
            Product::Google | Product::Github | Product::Hub | Product::Plain => return Ok(None),
        };
        match page {
            Ok(Described { images, next }) => {
                let next = next.map_or_else(super::first_page, |next| format!("{OWN}{next}"));
                Ok(Some(Page { items: images, total: None, next: Some(next) }))
            }
            Err(error) if is_refusal(&error) && after.is_none() && !self.needs_own() => {
                let message = format!(
                    "the registry does not tell these credentials when images were pushed, and shows no images without a \
                     tag: {}",
                    error.message
                );
                *self.reduced.lock().unwrap_or_else(PoisonError::into_inner) = Some(Error { message, ..error });
                Ok(None)
            }
            Err(error) => {
                let message = format!("cannot read from the registry when images were pushed: {}", error.message);
                Err(Error { message, ..error })
            }
        }
    }

    /// Whether something was asked that only the registry's own API tells.
    fn needs_own(&self) -> bool {
        self.needs_own.load(Ordering::Relaxed)
    }

    /// Whether this registry tells a fact. What was asked for must be in the listing from now on.
    pub(super) async fn told(&self, fact: Fact) -> Result<bool> {
        let found = self.opened.found().await?;
        let mut told = found.product.tells(fact);
        if !told && found.product == Product::Plain && Product::Google.tells(fact) {
            let call = self.tags_call(&super::first_page());
            told = self.page(&call).await?.0.describes();
        }
        match (&found.doubt, told) {
            (Some(doubt), false) => Err(Error { kind: Kind::Unsupported, ..unclear(doubt) }),
            _ => {
                let flag = if fact == Fact::Built { &self.needs_built } else { &self.needs_own };
                flag.fetch_or(told, Ordering::Relaxed);
                Ok(told)
            }
        }
    }
}

/// What an error leaves open that came where a registry shows what it is.
pub fn unclear(error: &Error) -> Error {
    let message = format!("cannot find out whether the registry tells when images were pushed: {}", error.message);
    Error { message, ..error.clone() }
}

/// Whether a registry's own API does not answer this caller, although the protocol may.
fn is_refusal(error: &Error) -> bool {
    use Kind::*;
    matches!(error.kind, Auth | Denied | NotFound | NoStore | Unsupported | Invalid | Config)
}

/// A date as these APIs write it, or `None` if it is none.
pub fn date(text: Option<&str>) -> Option<DateTime<Utc>> {
    plausible(DateTime::parse_from_rfc3339(text?).ok()?.to_utc())
}

/// The same for the date of a build.
pub fn built_at(text: Option<&str>) -> Option<DateTime<Utc>> {
    built(DateTime::parse_from_rfc3339(text?).ok()?.to_utc())
}

impl Image {
    /// An image of which only the digest is known.
    pub(super) fn of(digest: Digest) -> Self {
        Self { digest: Some(digest.to_string()), id: Some(ImageId::Digest(digest)), ..Self::default() }
    }

    /// The same of one that can be pulled.
    pub(super) fn available(digest: Digest) -> Self {
        Self { state: Some("available".into()), ..Self::of(digest) }
    }
}
