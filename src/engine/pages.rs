//! Reads a listing page by page. A token that comes twice is an error: taking it for the end would hide images.

use std::collections::HashSet;

use super::{pace::Op, session::Session};
use crate::{
    error::{Error, Kind, Result},
    image::{ImageId, StoreRef},
    store::{Image, Page},
};

/// Tokens that the provider gave out so far.
#[derive(Default)]
struct Tokens {
    next: Option<String>,
    known: HashSet<String>,
    ended: bool,
}

impl Tokens {
    /// Takes a page's items, and remembers where the next page begins.
    fn turn<T>(&mut self, page: Page<T>) -> Result<Vec<T>> {
        match page.next {
            None => self.ended = true,
            Some(token) if self.known.insert(token.clone()) => self.next = Some(token),
            Some(_) => {
                self.ended = true;
                let message = "the listing does not end: the provider sent the same page token twice";
                return Err(Error::new(Kind::Unreadable, message).code("RepeatedToken"));
            }
        }
        Ok(page.items)
    }
}

/// The pages of one store.
pub struct Pages<'s> {
    session: &'s Session,
    tokens: Tokens,
    /// Images so far, of a listing by offsets: these shift when others add or delete images meanwhile.
    seen: HashSet<ImageId>,
}

impl Session {
    pub fn pages(&self) -> Pages<'_> {
        Pages { session: self, tokens: Tokens::default(), seen: HashSet::new() }
    }

    /// All stores of the account. The caller matches the pattern in a store's name.
    pub async fn stores(&self) -> Result<Vec<StoreRef>> {
        let mut tokens = Tokens::default();
        let mut stores = Vec::new();
        while !tokens.ended {
            let page = self.ask(Op::List, || self.store.stores(tokens.next.as_deref())).await?;
            stores.extend(tokens.turn(page)?);
        }
        Ok(stores)
    }
}

impl Pages<'_> {
    /// The next page's images, or nothing after the last page.
    pub async fn next(&mut self) -> Result<Option<Vec<Image>>> {
        if self.tokens.ended {
            return Ok(None);
        }
        let after = self.tokens.next.as_deref();
        let page = self.session.ask(Op::List, || self.session.store.list(after)).await?;
        let by_offset = page.total.is_some();
        let mut images = self.tokens.turn(page)?;
        if by_offset {
            images.retain(|image| image.id.clone().is_none_or(|id| self.seen.insert(id)));
        }
        Ok(Some(images))
    }
}
