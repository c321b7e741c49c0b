//! A provider's word without its colon: `cvm`, `aws`, `ecr/team/app:v1`.

use super::{
    nature::Images,
    place::{ParseError, Part},
    provider::Provider,
    read::{Wanted, first_part},
};

/// Says what to write instead of a text that begins with the word for a provider and a slash, or is only that word.
pub(super) fn without_colon(text: Part, wanted: Wanted) -> Option<ParseError> {
    let word = first_part(text);
    let rest = text.slice((word.as_str().len() + 1).min(text.as_str().len())..text.as_str().len());
    // `docker/app` may be a repository.
    let provider = match rest.is_empty() {
        true => Provider::of_word(word.as_str()),
        false => Provider::of_scheme(word.as_str()),
    }?;
    let right = match complete(provider, rest, wanted) {
        Some(reference) => format!("write {reference}"),
        None => shape(provider, wanted),
    };
    Some(word.after().wrong("a provider's name ends with a colon").or(right))
}

/// The reference that was most likely meant, if the text says enough for one.
fn complete(provider: Provider, rest: Part, wanted: Wanted) -> Option<String> {
    let whole = provider.has_containers() && rest.is_empty();
    let forms = [rest.as_str().to_owned(), format!("//{}", rest.as_str())];
    let fits = |form: &String| {
        let read = (provider.nature().read)(Part::whole(form));
        read.is_ok_and(|read| match wanted {
            Wanted::Image => read.id.is_some(),
            Wanted::Store => read.id.is_none(),
            Wanted::Either => true,
        })
    };
    let form = forms.into_iter().find(|form| !whole && fits(form))?;
    Some(format!("{provider}:{form}"))
}

fn shape(provider: Provider, wanted: Wanted) -> String {
    match (&provider.nature().images, wanted) {
        (Images::Containers, Wanted::Image) => format!("write {provider}:REPOSITORY:TAG"),
        (Images::Containers, _) => format!("write {provider}:REPOSITORY, or {provider}:** for all repositories"),
        (Images::Machines { sample, .. }, Wanted::Image) => format!("write {provider}:{sample}"),
        (Images::Machines { .. }, _) => format!("write {provider}:"),
    }
}
