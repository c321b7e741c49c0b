//! Names of machine images: `[//[OWNER@]REGION/]ID`.

use super::{
    place::{ParseError, Part},
    provider::Provider,
    read::{Read, Rule, authority},
    reference::{ImageId, StoreRef},
};

/// Far longer than any id that a provider is known to use.
pub(super) const LONGEST_ID: usize = 128;

/// Reads what follows `SCHEME:`, with a provider's rules for an owner and an id.
pub(super) fn read(provider: Provider, owner: Option<Rule>, id: Rule, rest: Part) -> Result<Read, ParseError> {
    let (store, name) = match rest.strip_prefix("//") {
        None => (StoreRef::of(provider), rest),
        Some(after) => {
            // A region alone is a store, with or without the slash.
            let (place, name) = after.split_once('/').unwrap_or((after, after.after()));
            (authority(provider, owner, place, name)?, name)
        }
    };
    let named = if name.is_empty() { None } else { Some(ImageId::Named(id(name)?)) };
    Ok(Read { store, id: named, place: name })
}
