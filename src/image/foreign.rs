//! Texts that are not references: names from other tools and services, and typing mistakes. Where possible, the error
//! says what to write instead.

use super::{
    nature::Images,
    place::{ParseError, Part, has_known_algorithm},
    provider::Provider,
    providers::schemes,
    read::{Read, Wanted},
};
use crate::words;

/// The provider that a name without a scheme is most likely meant for.
const BARE: Provider = Provider::Ecr;

/// Says why a text without a scheme of ours is not a reference, and what may have been meant.
pub(super) fn explain(text: Part, wanted: Wanted) -> ParseError {
    if text.is_empty() {
        return text.wrong("the reference is empty").or(schemes());
    }
    if has_known_algorithm(text.as_str()) {
        return text
            .wrong("a digest alone does not say which repository it is in")
            .or(format!("write {BARE}:REPOSITORY@{}", text.as_str()));
    }
    if let Some(provider) = Provider::ALL.into_iter().find(|provider| may_be_id(*provider, text)) {
        return no_scheme(text).or(format!("write {provider}:{}", text.as_str()));
    }
    if text.as_str().contains("://") {
        return scheme(text);
    }
    scheme_or_repository(text, wanted)
}

/// What a text would be with a provider's scheme before it.
fn with_scheme(provider: Provider, text: Part) -> Option<Read> {
    (provider.nature().read)(text).ok()
}

/// Whether a text may be an id of this provider.
fn may_be_id(provider: Provider, text: Part) -> bool {
    match provider.nature().images {
        Images::Containers => false,
        Images::Machines { may_be_id, .. } => may_be_id(text.as_str()) && with_scheme(provider, text).is_some(),
    }
}

fn no_scheme(text: Part) -> ParseError {
    text.slice(0..0).wrong("the reference does not say which provider it is for")
}

/// A scheme with `//` that imgctl does not know.
fn scheme(text: Part) -> ParseError {
    let Some((scheme, _)) = text.split_once(':') else {
        return text.wrong("this is not a reference").or(schemes());
    };
    let wrong = scheme.wrong(format!("there is no provider `{}`", scheme.as_str()));
    match meant(scheme.as_str()) {
        Some(meant) => wrong.or(format!("did you mean {meant}:")),
        None => wrong.or(schemes()),
    }
}

/// A text like `erc:app:v1`, or like `app:v1`.
fn scheme_or_repository(text: Part, wanted: Wanted) -> ParseError {
    if let Some((scheme, rest)) = text.split_once(':')
        && let Some(meant) = meant(scheme.as_str())
    {
        return scheme
            .wrong(format!("there is no provider `{}`", scheme.as_str()))
            .or(format!("did you mean {meant}:{}", rest.as_str()));
    }
    let image = format!("{BARE}:{}", text.as_str());
    no_scheme(text).or(match with_scheme(BARE, text) {
        None => schemes(),
        Some(Read { id: None, .. }) if wanted == Wanted::Image => format!("write {image}:TAG or {image}@DIGEST"),
        Some(_) => format!("write {image}"),
    })
}

/// The provider that a word means which is not a scheme.
pub(super) fn meant(word: &str) -> Option<Provider> {
    let word = word.to_ascii_lowercase();
    let alias = Provider::ALL.into_iter().find(|provider| provider.nature().aliases.contains(&word.as_str()));
    alias.or_else(|| Provider::of_scheme(words::nearest(&word, Provider::ALL.map(Provider::scheme))?))
}
