//! The one door through which text becomes a reference. Every refusal points at its place and says what would be
//! right; nothing is guessed, above all no tag.

use std::{ops::Range, str::FromStr};

use super::{
    Digest, ImageId, ImageRef, Named, ParseError, Provider, StoreRef,
    registry::{NotEcr, Registry, is_region},
};
use crate::words::nearest;

type Result<T> = std::result::Result<T, ParseError>;

/// No reference is longer: a repository of 256 characters, a tag of 300, a digest, a host.
const LONGEST: usize = 1024;

/// A reference taken apart; which parts must be there is for the types to say.
struct Parts<'t> {
    text: &'t str,
    store: StoreRef,
    /// Where the name stands: repository, or image id.
    name: Range<usize>,
    tag: Option<Range<usize>>,
    digest: Option<Digest>,
}

impl FromStr for ImageRef {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self> {
        Parts::of(text)?.image()
    }
}

impl FromStr for StoreRef {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self> {
        Parts::of(text)?.store()
    }
}

impl FromStr for Named {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self> {
        let parts = Parts::of(text)?;
        let image = match parts.store.provider {
            Provider::Ecr => parts.tag.is_some() || parts.digest.is_some(),
            Provider::Cvm | Provider::Workspace => !parts.name.is_empty(),
        };
        if image {
            parts.image().map(Self::Image)
        } else {
            parts.store().map(Self::Store)
        }
    }
}

impl FromStr for Provider {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL
            .into_iter()
            .find(|provider| provider.scheme().eq_ignore_ascii_case(text));
        known.ok_or_else(|| {
            let error = ParseError::new(text, 0..text.len(), "this is no provider");
            match nearest(text, Self::ALL.map(Self::scheme)) {
                Some(meant) => error.right(format!("did you mean {meant}?")),
                None => error.right("the providers are ecr, cvm and workspace"),
            }
        })
    }
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Result<Self> {
        check_characters(text)?;
        // What browsers and other tools put before a registry's host.
        for prefix in ["docker://", "https://"] {
            if text
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            {
                return Self::of_registry(text, prefix.len());
            }
        }
        match text.find([':', '/']) {
            Some(end) if text.as_bytes()[end] == b':' => match text[..end].parse() {
                Ok(provider) => Self::of_scheme(text, provider, end + 1),
                Err(_) => Err(no_scheme(text, end)),
            },
            Some(end) if text[..end].contains('.') => Self::of_registry(text, 0),
            _ => Err(no_scheme(text, text.len())),
        }
    }

    /// `SCHEME:[//[OWNER@]REGION/]NAME`, from after the colon.
    fn of_scheme(text: &'t str, provider: Provider, start: usize) -> Result<Self> {
        let mut store = StoreRef::new(provider, "");
        let mut name = start;
        if text[start..].starts_with("//") {
            let place = start + 2;
            let end = text[place..]
                .find('/')
                .map(|end| place + end)
                .ok_or_else(|| {
                    let example = if provider == Provider::Ecr {
                        "team/app:v1"
                    } else {
                        ""
                    };
                    ParseError::new(text, text.len()..text.len(), "a / must follow the region")
                        .right(format!("write {}/{example}", text))
                })?;
            let at = text[place..end].find('@').map(|at| place + at);
            if let Some(at) = at {
                store.owner = Some(owner(text, provider, place..at)?);
            }
            store.region = Some(region(text, at.map_or(place, |at| at + 1)..end)?);
            name = end + 1;
        }
        Self::of_name(text, store, name)
    }

    /// `HOST/NAME`, as docker writes it.
    fn of_registry(text: &'t str, start: usize) -> Result<Self> {
        let end = text[start..]
            .find('/')
            .map_or(text.len(), |end| start + end);
        let host = text[start..end].to_ascii_lowercase();
        let wrong =
            |why: &str, right: String| Err(ParseError::new(text, start..end, why).right(right));
        let example = "an ECR registry is ACCOUNT.dkr.ecr.REGION.amazonaws.com";
        if host == "public.ecr.aws" || host == "ecr-public.aws.com" {
            return wrong(
                "this is the public gallery: another service, which imgctl does not speak to",
                "images of private registries can be deleted; use `aws ecr-public` for the gallery"
                    .into(),
            );
        }
        if host.contains('@') || host.contains(':') {
            return wrong(
                "a registry's host has no port, user or password",
                example.into(),
            );
        }
        match Registry::parse(&host) {
            Ok(Registry {
                account,
                region,
                kind,
            }) => {
                let mut store = StoreRef::new(Provider::Ecr, "");
                (store.owner, store.region, store.host) = (Some(account), Some(region), kind);
                Self::of_name(text, store, (end + 1).min(text.len()))
            }
            Err(NotEcr::WrongDomain(right)) => wrong(
                "this domain is not that of its region",
                format!("the registry of this region is {right}"),
            ),
            Err(NotEcr::Other) => wrong("this host is no registry of ECR", example.into()),
        }
    }

    fn of_name(text: &'t str, store: StoreRef, start: usize) -> Result<Self> {
        let mut parts = Self {
            text,
            store,
            name: start..text.len(),
            tag: None,
            digest: None,
        };
        if parts.store.provider == Provider::Ecr {
            if let Some(at) = text[start..].find('@').map(|at| start + at) {
                parts.digest = Some(Digest::within(text, at + 1)?);
                parts.name.end = at;
            }
            if let Some(colon) = text[parts.name.clone()]
                .find(':')
                .map(|colon| start + colon)
            {
                parts.tag = Some(tag(text, colon + 1..parts.name.end)?);
                parts.name.end = colon;
            }
        }
        Ok(parts)
    }

    fn image(mut self) -> Result<ImageRef> {
        let name = self.text[self.name.clone()].to_owned();
        let id = match self.store.provider {
            Provider::Ecr => {
                repository(self.text, self.name.clone())?;
                let tag = self.tag.map(|tag| self.text[tag].to_owned());
                self.store.name = name;
                match (tag, self.digest) {
                    (Some(tag), Some(digest)) => ImageId::TagAt(tag, digest),
                    (Some(tag), None) => ImageId::Tag(tag),
                    (None, Some(digest)) => ImageId::Digest(digest),
                    (None, None) => {
                        let end = self.text.len();
                        return Err(ParseError::new(
                            self.text,
                            end..end,
                            "this names a repository and no image of it",
                        )
                        .right(format!(
                            "write {0}:TAG or {0}@sha256:DIGEST; no tag is assumed",
                            self.text
                        )));
                    }
                }
            }
            Provider::Cvm => ImageId::Named(cvm_image(self.text, self.name)?),
            Provider::Workspace => ImageId::Named(image_server(self.text, self.name)?),
        };
        Ok(ImageRef {
            store: self.store,
            id,
        })
    }

    fn store(mut self) -> Result<StoreRef> {
        if self.store.provider == Provider::Ecr {
            if self.tag.is_some() || self.digest.is_some() {
                return Err(ParseError::new(
                    self.text,
                    self.name.end..self.text.len(),
                    "this names an image",
                )
                .right(format!("its store is {}", &self.text[..self.name.end])));
            }
            self.store.name = self.text[self.name.clone()].to_owned();
            match self.store.is_pattern() {
                true => pattern(self.text, self.name)?,
                false => repository(self.text, self.name)?,
            }
        } else if !self.name.is_empty() {
            let store = &self.text[..self.name.start];
            return Err(ParseError::new(self.text, self.name, "this names an image")
                .right(format!("its store is {store}")));
        }
        Ok(self.store)
    }
}

/// Nothing that is invisible, or that looks like something else, gets any further.
fn check_characters(text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(ParseError::new(text, 0..0, "this reference is empty")
            .right("an image is named like ecr:team/app:v1"));
    }
    if let Some((place, character)) = text
        .char_indices()
        .find(|(_, character)| !character.is_ascii_graphic())
    {
        let why = match character {
            ' ' => "a reference has no spaces".to_owned(),
            control if control.is_control() => format!(
                "the control character U+{:04X} is in here",
                u32::from(control)
            ),
            other => format!("the character U+{:04X} is no ASCII", u32::from(other)),
        };
        return Err(
            ParseError::new(text, place..place + character.len_utf8(), why)
                .right("references are of plain letters, digits and punctuation"),
        );
    }
    if text.len() > LONGEST {
        return Err(ParseError::new(
            text,
            LONGEST..text.len(),
            "this is longer than any reference",
        ));
    }
    Ok(())
}

/// A text that begins with no known scheme, up to `end`.
fn no_scheme(text: &str, end: usize) -> ParseError {
    let head = &text[..end];
    let error = |why: &str| ParseError::new(text, 0..end, why);
    if head.contains('.') || head == "localhost" {
        return error("a registry's host has no port")
            .right("an ECR registry is ACCOUNT.dkr.ecr.REGION.amazonaws.com");
    }
    let rest = &text[end..];
    let meant = nearest(head, Provider::ALL.map(Provider::scheme));
    if let Some(meant) = meant.filter(|_| !rest.is_empty()) {
        return error("this scheme is not known").right(format!("did you mean {meant}{rest}?"));
    }
    if rest.starts_with("://") {
        return error("this scheme is not known").right("the schemes are ecr, cvm and workspace");
    }
    let provider = if text.starts_with("img-") {
        Provider::Cvm
    } else {
        Provider::Ecr
    };
    error("no scheme says which provider is meant")
        .right(format!("write {}:{text}", provider.scheme()))
}

fn owner(text: &str, provider: Provider, place: Range<usize>) -> Result<String> {
    let owner = &text[place.clone()];
    let wrong =
        |why: &str, right: &str| Err(ParseError::new(text, place.clone(), why).right(right));
    match provider {
        Provider::Ecr if owner.len() == 12 && owner.bytes().all(|byte| byte.is_ascii_digit()) => {}
        Provider::Ecr => return wrong("this is no AWS account", "an account has 12 digits"),
        Provider::Cvm => {
            return wrong(
                "references of cvm name no owner",
                "write cvm://REGION/img-…",
            );
        }
        Provider::Workspace if (1..=64).contains(&owner.len()) && owner.bytes().all(is_id) => {}
        Provider::Workspace => {
            return wrong(
                "this is no project id",
                "a project id has only letters, digits, - and _",
            );
        }
    }
    Ok(owner.to_owned())
}

fn region(text: &str, place: Range<usize>) -> Result<String> {
    let region = &text[place.clone()];
    if is_region(region) {
        return Ok(region.to_owned());
    }
    let why = if region.is_empty() {
        "the region is missing"
    } else {
        "this is no region"
    };
    Err(ParseError::new(text, place, why)
        .right("a region is written like eu-west-1, with small letters, digits and -"))
}

/// Pattern and lengths: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
fn repository(text: &str, place: Range<usize>) -> Result<()> {
    let name = &text[place.clone()];
    let right =
        "a repository's name has small letters and digits, with single . _ or - and / between them";
    let wrong =
        |place: Range<usize>, why: &str| Err(ParseError::new(text, place, why).right(right));
    if name.is_empty() {
        return wrong(place, "the repository is missing");
    }
    if !(2..=256).contains(&name.len()) {
        return wrong(place, "a repository's name has 2 to 256 characters");
    }
    let mut start = place.start;
    for part in name.split('/') {
        let end = start + part.len();
        if part.is_empty() {
            return wrong(start..end, "a part of the repository's name is empty");
        }
        if let Some(bad) = part
            .bytes()
            .position(|byte| !is_small(byte) && !b"._-".contains(&byte))
        {
            let upper = part.as_bytes()[bad].is_ascii_uppercase();
            let why = if upper {
                "a repository's name has no capitals"
            } else {
                "this may not be in a repository's name"
            };
            return wrong(start + bad..start + bad + 1, why);
        }
        let separators = part
            .split(|character: char| is_small(character as u8))
            .filter(|run| !run.is_empty());
        let bounded = is_small(part.as_bytes()[0]) && is_small(part.as_bytes()[part.len() - 1]);
        let single = |run: &str| {
            run == "." || run == "_" || run == "__" || run.bytes().all(|byte| byte == b'-')
        };
        if !bounded || !separators.into_iter().all(single) {
            return wrong(
                start..end,
                "the . _ and - of a repository's name stand singly between letters and digits",
            );
        }
        start = end + 1;
    }
    Ok(())
}

fn pattern(text: &str, place: Range<usize>) -> Result<()> {
    match globset::GlobBuilder::new(&text[place.clone()])
        .literal_separator(true)
        .build()
    {
        Ok(_) => Ok(()),
        Err(error) => Err(ParseError::new(
            text,
            place,
            format!("this pattern cannot be read: {}", error.kind()),
        )
        .right("`*` stands for anything but `/`, `**` for anything, `?` for one character")),
    }
}

/// The characters of a tag are the registry's, its length the API's.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageIdentifier.html>
fn tag(text: &str, place: Range<usize>) -> Result<Range<usize>> {
    let tag = &text[place.clone()];
    let right = "a tag has letters, digits, _ . and -, begins with none of the last two, and is at most 300 long";
    let wrong =
        |place: Range<usize>, why: &str| Err(ParseError::new(text, place, why).right(right));
    if tag.is_empty() {
        return wrong(place, "the tag is missing");
    }
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if let Some(bad) = tag
        .bytes()
        .position(|byte| !word(byte) && !b".-".contains(&byte))
    {
        return wrong(
            place.start + bad..place.start + bad + 1,
            "this may not be in a tag",
        );
    }
    if !word(tag.as_bytes()[0]) {
        return wrong(
            place.start..place.start + 1,
            "a tag does not begin with this",
        );
    }
    if tag.len() > 300 {
        return wrong(place, "this tag is too long");
    }
    Ok(place)
}

/// Lengths vary in Tencent's own examples, so only the characters are checked.
fn cvm_image(text: &str, place: Range<usize>) -> Result<String> {
    let id = &text[place.clone()];
    let known = id
        .strip_prefix("img-")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_small));
    if known && id.len() <= 128 {
        return Ok(id.to_owned());
    }
    let why = if id.is_empty() {
        "the image is missing"
    } else {
        "this is no CVM image"
    };
    Err(ParseError::new(text, place, why)
        .right("an image's id is img- and small letters and digits"))
}

/// Opaque to us; the characters are those that mean nothing else in the path of a URL.
/// <https://support.huaweicloud.com/intl/en-us/api-workspace/BatchDeleteImageServer.html>
fn image_server(text: &str, place: Range<usize>) -> Result<String> {
    let id = &text[place.clone()];
    let safe = |byte: u8| is_id(byte) || b".~".contains(&byte);
    if (1..=128).contains(&id.len()) && id.bytes().all(safe) && !id.bytes().all(|byte| byte == b'.')
    {
        return Ok(id.to_owned());
    }
    let why = if id.is_empty() {
        "the image server is missing"
    } else {
        "this is no id of an image server"
    };
    Err(ParseError::new(text, place, why).right("an id has 1 to 128 letters, digits, - and _"))
}

fn is_small(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}
