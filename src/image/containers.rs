//! Names of container images: `[//[OWNER@]REGION/]REPOSITORY[:TAG][@DIGEST]`. The rules for repositories, tags and
//! patterns, and the errors for names that break them.

use std::ops::RangeInclusive;

use super::{
    digest::Digest,
    patterns::Pattern,
    place::{ParseError, Part},
    provider::Provider,
    read::{Read, Rule, authority},
    reference::{ImageId, StoreRef},
};

/// Longer than a name may be, because a pattern can list alternatives in braces.
const LONGEST_PATTERN: usize = 1024;

/// What a provider of container images allows in names.
pub(super) struct Containers {
    pub provider: Provider,
    pub owner: Option<Rule>,
    /// Characters of a repository's name.
    pub repository: RangeInclusive<usize>,
    /// The longest tag.
    pub tag: usize,
}

impl Containers {
    /// Reads what follows `SCHEME:`.
    pub fn read<'a>(&self, rest: Part<'a>) -> Result<Read<'a>, ParseError> {
        let provider = self.provider;
        let Some(after) = rest.strip_prefix("//") else {
            self.slash_first(rest)?;
            return self.image(StoreRef::of(provider), rest);
        };
        let Some((place, name)) = after.split_once('/') else {
            return Err(after.after().wrong("the repository is missing").or(format!(
                "write {provider}://REGION/REPOSITORY:TAG, or {provider}:REPOSITORY:TAG without a region"
            )));
        };
        let store = authority(provider, self.owner, place, name)?;
        self.slash_first(name)?;
        self.image(store, name)
    }

    fn slash_first(&self, name: Part) -> Result<(), ParseError> {
        let provider = self.provider;
        match name.strip_prefix("/") {
            None => Ok(()),
            Some(_) => Err(name
                .slice(0..1)
                .wrong("a repository's name does not begin with a slash")
                .or(format!("write {provider}:REPOSITORY:TAG or {provider}://REGION/REPOSITORY:TAG"))),
        }
    }

    /// Reads `REPOSITORY[:TAG][@DIGEST]`.
    pub fn image<'a>(&self, store: StoreRef, name: Part<'a>) -> Result<Read<'a>, ParseError> {
        let (before, digest) = match name.split_once('@') {
            Some((before, digest)) => (before, Some(digest)),
            None => (name, None),
        };
        let (named, tagged) = match before.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (before, None),
        };
        if Pattern::is_in(named.as_str()) {
            if tagged.is_some() || digest.is_some() {
                return Err(named
                    .wrong("an image cannot be named with a pattern")
                    .or("patterns name repositories; `imgctl prune` chooses images of many repositories"));
            }
            return Ok(Read { store: store.with_name(pattern(named)?), id: None, place: named });
        }
        if named.is_empty() {
            let (all, one) = (store.clone().with_name("**"), store.with_name("REPOSITORY"));
            return Err(named
                .wrong("the repository's name is missing")
                .or(format!("write {one} or {one}:TAG; {all} means all repositories")));
        }
        let store = store.with_name(repository(named, &self.repository)?);
        let tag = tagged.map(|part| tag(part, self.tag)).transpose()?;
        let place = match digest {
            Some(digest) => digest,
            None => name.slice(named.as_str().len()..name.as_str().len()),
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
}

/// A repository: lower-case words, joined by `.`, `_`, `__` or hyphens, in parts between slashes.
fn repository(name: Part, length: &RangeInclusive<usize>) -> Result<String, ParseError> {
    if let Some((found, place)) = name.first(|c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '/')) {
        return Err(if found.is_ascii_uppercase() {
            let lower = name.as_str().to_ascii_lowercase();
            place.wrong("repository names are in lower case").or(format!("perhaps {lower}"))
        } else {
            place.wrong(format!("`{found}` cannot be in a repository's name"))
        });
    }
    let mut rest = Some(name);
    while let Some(part) = rest {
        let (part, next) = match part.split_once('/') {
            Some((part, next)) => (part, Some(next)),
            None => (part, None),
        };
        component(part)?;
        rest = next;
    }
    if !length.contains(&name.as_str().len()) {
        return Err(name.wrong(format!(
            "a repository's name has {} to {} characters, this one has {}",
            length.start(),
            length.end(),
            name.as_str().len()
        )));
    }
    Ok(name.as_str().into())
}

/// One part of a repository's name between slashes.
fn component(part: Part) -> Result<(), ParseError> {
    const SHAPE: &str = "each part between slashes begins and ends with a letter or digit";
    let joint = |c: char| matches!(c, '.' | '_' | '-');
    let text = part.as_str();
    if text.is_empty() {
        return Err(part.wrong("a part of the repository's name is empty").or(SHAPE));
    }
    if text.starts_with(joint) {
        return Err(part.slice(0..1).wrong("a part of the name begins with this").or(SHAPE));
    }
    if text.ends_with(joint) {
        let last = part.slice(text.len() - 1..text.len());
        return Err(last.wrong("a part of the name ends with this").or(SHAPE));
    }
    for joints in text.split(|c| !joint(c)).filter(|joints| !joints.is_empty()) {
        if !matches!(joints, "." | "_" | "__") && joints.contains(['.', '_']) {
            let at = text.find(joints).unwrap_or(0);
            return Err(part.slice(at..at + joints.len()).wrong("words are joined by one of . _ __ or by hyphens"));
        }
    }
    Ok(())
}

/// A pattern for repositories.
fn pattern(name: Part) -> Result<String, ParseError> {
    if let Some((found, place)) = name.first(
        |c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '/' | '*' | '?' | '[' | ']' | '{' | '}' | ',' | '!'),
    ) {
        return Err(place.wrong(format!("`{found}` cannot be in a pattern for repositories")));
    }
    if name.as_str().len() > LONGEST_PATTERN {
        return Err(name.wrong(format!("a pattern has at most {LONGEST_PATTERN} characters")));
    }
    match name.as_str().parse::<Pattern>() {
        Ok(_) => Ok(name.as_str().into()),
        Err(wrong) => Err(name.wrong(wrong)),
    }
}

fn tag(part: Part, longest: usize) -> Result<String, ParseError> {
    if part.is_empty() {
        return Err(part.wrong("the tag after : is empty"));
    }
    if let Some((found, place)) = part.first(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-')) {
        return Err(place
            .wrong(format!("`{found}` cannot be in a tag"))
            .or("a tag has letters, digits, dots, hyphens and underscores"));
    }
    if part.as_str().starts_with(['.', '-']) {
        return Err(part.slice(0..1).wrong("a tag begins with a letter, a digit or an underscore"));
    }
    if part.as_str().len() > longest {
        return Err(part.wrong(format!("a tag has at most {longest} characters")));
    }
    Ok(part.as_str().into())
}
