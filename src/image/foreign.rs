//! Texts that are not references: names from other tools and services, and typing mistakes. Where possible, the error
//! says what to write instead.

use super::{
    ecr::TAKES,
    nature::Images,
    place::{ParseError, Part, has_known_algorithm},
    provider::Provider,
    providers::hosts,
    read::{Read, Wanted, first_part, is_within},
};
use crate::words;

/// The provider that a name without a scheme is most likely meant for.
const BARE: Provider = Provider::Ecr;

/// Registries whose names people paste, by the end of the host name.
const REGISTRIES: [(&str, &str); 14] = [
    ("docker.io", "Docker Hub"),
    ("hub.docker.com", "Docker Hub"),
    ("ghcr.io", "GitHub's registry"),
    ("gcr.io", "Google's registry"),
    ("pkg.dev", "Google's Artifact Registry"),
    ("azurecr.io", "Azure's registry"),
    ("mcr.microsoft.com", "Microsoft's registry"),
    ("quay.io", "Quay"),
    ("registry.gitlab.com", "GitLab's registry"),
    ("registry.k8s.io", "the Kubernetes registry"),
    ("tencentyun.com", "Tencent's container registry"),
    ("tencentcloudcr.com", "Tencent's container registry"),
    ("myhuaweicloud.com", "Huawei's container registry"),
    ("aliyuncs.com", "Alibaba's registry"),
];

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
    registry(text).unwrap_or_else(|| scheme_or_repository(text, wanted))
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

/// Says why a host, with whatever follows it, is not a registry that is handled here; `None` if it is not a host.
pub(super) fn registry(text: Part) -> Option<ParseError> {
    if let Some(error) = hosts().find_map(|hosts| (hosts.near)(text)) {
        return Some(if error.right().is_none() { error.or(schemes()) } else { error });
    }
    let host = first_part(text);
    if let Some((_, product)) = REGISTRIES.iter().find(|(domain, _)| is_within(host, &[domain])) {
        return Some(host.wrong(format!("this is {product}, which imgctl does not handle")).or(TAKES));
    }
    let follows = host.as_str().len() < text.as_str().len();
    let port = host.split_once(':');
    let has_port = port.is_some_and(|(_, port)| !port.is_empty() && port.first(|c| !c.is_ascii_digit()).is_none());
    let name = port.map_or(host, |(name, _)| name).as_str();
    let is_host = name.eq_ignore_ascii_case("localhost") || name.contains('.') || has_port;
    (follows && is_host).then(|| {
        let wrong = host.wrong("a registry that imgctl does not handle");
        // `team.tools/app` could be a repository too.
        match with_scheme(BARE, text) {
            Some(Read { id: Some(_), .. }) => {
                wrong.or(format!("if that is the name of an ECR repository, write {BARE}:{}", text.as_str()))
            }
            _ => wrong.or(TAKES),
        }
    })
}

fn schemes() -> String {
    let [rest @ .., last] = Provider::ALL;
    let rest = rest.map(|provider| format!("{provider}:")).join(", ");
    format!("a reference begins with {rest} or {last}:, as in ecr:team/app:v1 or cvm:img-6pb6lrmy")
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
