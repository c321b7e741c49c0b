//! The one door: text becomes a reference here and nowhere else.

use std::str::FromStr;

use super::{
    Digest, ImageId, ImageRef, Provider, Reference, StoreRef, foreign,
    place::{self, ParseError, Part, Wanted},
    registry::{self, Registry},
    rules,
};
use crate::image::patterns::Pattern;

/// Far longer than any reference: the longest host, repository, tag and digest together stay below 1,000.
const LONGEST: usize = 2048;

/// What people copy in front of a registry's host.
const PASTED: [&str; 3] = ["docker", "oci", "https"];

impl FromStr for ImageRef {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let read = read(text, Wanted::Image)?;
        match read.id {
            Some(id) => Ok(read.store.image(id)),
            None => Err(no_image(&read)),
        }
    }
}

impl FromStr for StoreRef {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let read = read(text, Wanted::Store)?;
        match read.id {
            None => Ok(read.store),
            Some(_) => Err(read
                .place
                .wrong("this names one image, where a store is wanted")
                .or(format!("the store is {}", read.store))),
        }
    }
}

impl FromStr for Reference {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let read = read(text, Wanted::Either)?;
        Ok(match read.id {
            Some(id) => Self::Image(read.store.image(id)),
            None => Self::Store(read.store),
        })
    }
}

impl FromStr for Provider {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::of_scheme(text).ok_or_else(|| {
            let wrong = Part::whole(text).wrong("there is no such provider");
            match foreign::meant(text) {
                Some(meant) => wrong.or(format!("did you mean {meant}")),
                None => wrong.or("the providers are ecr, cvm and workspace"),
            }
        })
    }
}

/// Reads the name of a region, as a flag or a file gives it.
pub fn region(text: &str) -> Result<String, ParseError> {
    rules::region(Part::whole(text))
}

/// What a text says: a store, and perhaps an image of it.
struct Read<'a> {
    store: StoreRef,
    id: Option<ImageId>,
    /// Where the image is named, or would be.
    place: Part<'a>,
}

fn no_image(read: &Read) -> ParseError {
    let store = &read.store;
    if store.is_pattern() {
        return read
            .place
            .wrong("a pattern stands for repositories, where one image is wanted")
            .or("name the image; commands that take stores, like list and prune, take patterns");
    }
    match store.provider {
        Provider::Ecr => read
            .place
            .after()
            .wrong("this names a repository and no image; nothing is ever read as :latest")
            .or(format!("write {store}:TAG or {store}@sha256:DIGEST")),
        Provider::Cvm => read.place.wrong("this names no image").or(format!("write {store}img-ID")),
        Provider::Workspace => read.place.wrong("this names no image").or(format!("write {store}SERVER_ID")),
    }
}

fn read(text: &str, wanted: Wanted) -> Result<Read<'_>, ParseError> {
    let whole = Part::whole(text);
    characters(whole)?;
    if let Some(secret) = place::secret(text) {
        return Err(whole
            .slice(secret)
            .wrong("a user name or password does not belong in a reference")
            .or("credentials come from the environment and from the provider's own files"));
    }
    if let Some((scheme, rest)) = whole.split_once(':') {
        if let Some(provider) = Provider::of_scheme(scheme.as_str()) {
            return match provider {
                Provider::Ecr => ecr(rest),
                Provider::Cvm | Provider::Workspace => by_id(provider, rest),
            };
        }
        let pasted = PASTED.iter().any(|pasted| scheme.as_str().eq_ignore_ascii_case(pasted));
        if pasted && let Some(rest) = rest.strip_prefix("//") {
            return match uri(rest)? {
                Some(read) => Ok(read),
                None => {
                    Err(foreign::registry(first_part(rest), rest).unwrap_or_else(|| foreign::explain(whole, wanted)))
                }
            };
        }
    }
    match uri(whole)? {
        Some(read) => Ok(read),
        None => Err(foreign::explain(whole, wanted)),
    }
}

/// Refuses what no part of any reference can hold, before anything is made of the text.
fn characters(whole: Part) -> Result<(), ParseError> {
    if let Some((found, place)) = whole.first(|c| !c.is_ascii_graphic()) {
        return Err(if found == ' ' {
            place.wrong("a reference has no spaces")
        } else if found.is_control() || found.is_whitespace() {
            place.wrong("a reference has no control characters")
        } else {
            place.wrong("this is not a plain character, though it may look like one").or("type it again by hand")
        });
    }
    if whole.as_str().len() > LONGEST {
        return Err(whole.wrong(format!("no reference is longer than {LONGEST} characters")));
    }
    Ok(())
}

/// What stands before the first slash.
fn first_part(text: Part) -> Part {
    text.split_once('/').map_or(text, |(first, _)| first)
}

/// `HOST/REPOSITORY…`, if the host means to be an ECR registry.
fn uri(text: Part) -> Result<Option<Read>, ParseError> {
    let host = first_part(text);
    if !registry::is_meant(host.as_str()) {
        return Ok(None);
    }
    no_port(text, host)?;
    let registry = Registry::read(host)?;
    let Some((_, name)) = text.split_once('/') else {
        return Err(host
            .after()
            .wrong("a registry alone is not enough: the repository is missing")
            .or(format!("write {}/REPOSITORY:TAG", host.as_str())));
    };
    let store = StoreRef {
        owner: Some(registry.account),
        region: Some(registry.region),
        host: registry.host,
        ..StoreRef::of(Provider::Ecr)
    };
    repository(store, name).map(Some)
}

/// Registries have no other port, and the API is asked, not the registry.
fn no_port(text: Part, host: Part) -> Result<(), ParseError> {
    match host.split_once(':') {
        None => Ok(()),
        Some((name, _)) => Err(text
            .slice(name.as_str().len()..host.as_str().len())
            .wrong("a registry's host has no port here")
            .or("another endpoint is set with AWS_ENDPOINT_URL_ECR")),
    }
}

/// What follows `ecr:`.
fn ecr(rest: Part) -> Result<Read, ParseError> {
    let host = StoreRef::of(Provider::Ecr);
    let Some(after) = rest.strip_prefix("//") else {
        let first = first_part(rest);
        if registry::is_meant(first.as_str()) {
            return Err(first.wrong("a registry's host needs no scheme").or(format!("write {}", rest.as_str())));
        }
        slash_first(rest)?;
        return repository(host, rest);
    };
    if let Some(read) = uri(after)? {
        return Ok(read);
    }
    let Some((authority, name)) = after.split_once('/') else {
        return Err(after
            .after()
            .wrong("the repository is missing")
            .or("write ecr://REGION/REPOSITORY:TAG, or ecr:REPOSITORY:TAG without a region"));
    };
    let (owner, region) = authority_of(authority)?;
    let store = StoreRef { owner: owner.map(rules::account).transpose()?, region: Some(region), ..host };
    slash_first(name)?;
    repository(store, name)
}

fn slash_first(name: Part) -> Result<(), ParseError> {
    match name.strip_prefix("/") {
        None => Ok(()),
        Some(_) => Err(name
            .slice(0..1)
            .wrong("a repository's name does not begin with a slash")
            .or("write ecr:REPOSITORY:TAG or ecr://REGION/REPOSITORY:TAG")),
    }
}

/// `[OWNER@]REGION`
fn authority_of(authority: Part) -> Result<(Option<Part>, String), ParseError> {
    match authority.rsplit_once('@') {
        Some((owner, region)) => Ok((Some(owner), rules::region(region)?)),
        None => Ok((None, rules::region(authority)?)),
    }
}

/// `REPOSITORY[:TAG][@DIGEST]`
fn repository(store: StoreRef, name: Part) -> Result<Read, ParseError> {
    let (before, digest) = match name.split_once('@') {
        Some((before, digest)) => (before, Some(digest)),
        None => (name, None),
    };
    let (repository, tag) = match before.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (before, None),
    };
    if Pattern::is_in(repository.as_str()) {
        if tag.is_some() || digest.is_some() {
            return Err(repository
                .wrong("a pattern stands for repositories; an image is named without one")
                .or("prune chooses images of many repositories by their tags"));
        }
        let name = rules::pattern(repository)?;
        return Ok(Read { store: store.with_name(name), id: None, place: repository });
    }
    let store = store.with_name(rules::repository(repository)?);
    let tag = tag.map(rules::tag).transpose()?;
    let place = match digest {
        Some(digest) => digest,
        None => name.slice(repository.as_str().len()..name.as_str().len()),
    };
    let digest = digest.map(Digest::image).transpose()?;
    let id = match (tag, digest) {
        (Some(tag), Some(digest)) => Some(ImageId::TagAt(tag, digest)),
        (Some(tag), None) => Some(ImageId::Tag(tag)),
        (None, Some(digest)) => Some(ImageId::Digest(digest)),
        (None, None) => None,
    };
    Ok(Read { store, id, place })
}

/// What follows `cvm:` and `workspace:`: `[//[OWNER@]REGION/]ID`.
fn by_id(provider: Provider, rest: Part) -> Result<Read, ParseError> {
    let mut store = StoreRef::of(provider);
    let mut id = rest;
    if let Some(after) = rest.strip_prefix("//") {
        let (authority, name) = match after.split_once('/') {
            Some(halves) => halves,
            // A region alone is a store, with or without the slash.
            None => (after, after.after()),
        };
        let (owner, region) = authority_of(authority)?;
        store.owner = match (provider, owner) {
            (_, None) => None,
            (Provider::Workspace, Some(owner)) => Some(rules::project(owner)?),
            (_, Some(owner)) => {
                return Err(owner
                    .wrong(format!("references of {provider} have no owner before the region"))
                    .or(format!("write {provider}://{region}/{}", name.as_str())));
            }
        };
        store.region = Some(region);
        id = name;
    }
    let named = match provider {
        _ if id.is_empty() => None,
        Provider::Cvm => Some(rules::cvm_image(id)?),
        _ => Some(rules::workspace_server(id)?),
    };
    Ok(Read { store, id: named.map(ImageId::Named), place: id })
}

#[cfg(test)]
mod tests;
