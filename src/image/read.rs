//! What a text says once it is read, and the parts that references of all providers share.

use super::{
    place::{ParseError, Part},
    provider::Provider,
    reference::{ImageId, StoreRef},
};

/// A region becomes a label of a host name, which has at most 63 characters: RFC 1035, section 2.3.4.
const LONGEST_REGION: usize = 63;

/// What a text says: a store, and perhaps an image of it.
pub(super) struct Read<'a> {
    pub store: StoreRef,
    pub id: Option<ImageId>,
    /// Where the image is named, or would be.
    pub place: Part<'a>,
}

/// Reads one part of a reference, or says what is wrong with it.
pub(super) type Rule = fn(Part) -> Result<String, ParseError>;

/// What a text is expected to name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wanted {
    Image,
    Store,
    Either,
}

/// What stands before the first slash.
pub(super) fn first_part(text: Part) -> Part {
    text.split_once('/').map_or(text, |(first, _)| first)
}

/// Whether a host, with or without a port, is in one of these domains.
pub(super) fn is_within(host: Part, domains: &[&str]) -> bool {
    let lower = host.as_str().to_ascii_lowercase();
    let name = lower.split(':').next().unwrap_or_default();
    domains.iter().any(|domain| name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// Reads the `[OWNER@]REGION` before `/NAME`; the owner by a rule, if this provider's references name one.
pub(super) fn authority(
    provider: Provider,
    owner: Option<Rule>,
    authority: Part,
    name: Part,
) -> Result<StoreRef, ParseError> {
    let store = StoreRef::of(provider);
    let Some((named, place)) = authority.rsplit_once('@') else {
        return Ok(store.with_region(region(authority)?));
    };
    let region = region(place)?;
    match owner {
        Some(owner) => Ok(store.with_owner(owner(named)?).with_region(region)),
        None => Err(named
            .wrong(format!("references of {provider} have no owner before the region"))
            .or(format!("write {provider}://{region}/{}", name.as_str()))),
    }
}

/// Reads a region of any cloud. No list of regions is kept: new ones come every year. It is part of a host name, so its
/// case does not matter.
pub(super) fn region(part: Part) -> Result<String, ParseError> {
    const SHAPE: &str = "a region looks like eu-west-1 or ap-guangzhou";
    if part.is_empty() {
        return Err(part.wrong("the region is empty").or(SHAPE));
    }
    if let Some((_, place)) = part.first(|c| !c.is_ascii_alphanumeric() && c != '-') {
        return Err(place.wrong("this cannot be in a region's name").or(SHAPE));
    }
    let text = part.as_str();
    if text.len() > LONGEST_REGION {
        return Err(part.wrong("this is too long for a region").or(SHAPE));
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err(part.wrong("a region neither begins nor ends with -").or(SHAPE));
    }
    Ok(text.to_ascii_lowercase())
}
