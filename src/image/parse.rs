//! The one door: text becomes a reference here and nowhere else.

use std::{str::FromStr, sync::Arc};

use super::{
    foreign,
    nature::Images,
    place::{self, ParseError, Part},
    provider::Provider,
    providers::{by_host, of_host},
    read::{self, Read, Wanted},
    reference::{ImageRef, Reference, StoreRef},
    slips,
};

/// Far longer than any reference: the longest host, repository, tag and digest together have fewer than 1,000.
const LONGEST: usize = 2048;

/// What people copy in front of a registry's host.
const PASTED: [&str; 2] = ["docker", "https"];

impl FromStr for ImageRef {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let read = read(text, Wanted::Image)?;
        match read.id {
            Some(id) => Ok(Arc::new(read.store).image(id)),
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
            Some(id) => Self::Image(Arc::new(read.store).image(id)),
            None => Self::Store(read.store),
        })
    }
}

impl FromStr for Provider {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::of_scheme(text).ok_or_else(|| {
            let wrong = Part::whole(text).wrong("not a known provider");
            match foreign::meant(text) {
                Some(meant) => wrong.or(format!("did you mean {meant}")),
                None => {
                    let [rest @ .., last] = Provider::ALL;
                    wrong.or(format!("the providers are {} and {last}", rest.map(Provider::scheme).join(", ")))
                }
            }
        })
    }
}

/// Reads the name of a region, as a flag or a file gives it.
pub fn region(text: &str) -> Result<String, ParseError> {
    read::region(Part::whole(text))
}

fn no_image(read: &Read) -> ParseError {
    let store = &read.store;
    if store.is_pattern() {
        return read
            .place
            .wrong("a pattern stands for repositories, where one image is wanted")
            .or("name the image; commands that take stores, like list and prune, take patterns");
    }
    match store.provider.nature().images {
        Images::Containers => read
            .place
            .after()
            .wrong("this names a repository and no image; nothing is ever read as :latest")
            .or(format!("write {store}:TAG or {store}@sha256:DIGEST")),
        Images::Machines { sample, .. } => read.place.wrong("this names no image").or(format!("write {store}{sample}")),
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
            return (provider.nature().read)(rest);
        }
        let pasted = PASTED.iter().any(|pasted| scheme.as_str().eq_ignore_ascii_case(pasted));
        if pasted && let Some(rest) = rest.strip_prefix("//") {
            return match of_host(rest)? {
                Some(read) => Ok(read),
                None => (by_host().nature().read)(rest),
            };
        }
    }
    match of_host(whole)? {
        Some(read) => Ok(read),
        None => Err(slips::without_colon(whole, wanted).unwrap_or_else(|| foreign::explain(whole, wanted))),
    }
}

/// Refuses what no part of any reference can hold, before anything is made of the text.
fn characters(whole: Part) -> Result<(), ParseError> {
    if let Some((found, place)) = whole.first(|c| !c.is_ascii_graphic()) {
        return Err(if found == ' ' {
            place.wrong("a reference cannot contain spaces")
        } else if found.is_control() || found.is_whitespace() {
            place.wrong("a reference cannot contain control characters")
        } else {
            place.wrong("this is not a plain character, though it may look like one").or("type it again by hand")
        });
    }
    if whole.as_str().len() > LONGEST {
        return Err(whole.wrong(format!("no reference is longer than {LONGEST} characters")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
