//! Texts that are no reference: those of other tools and services, and slips of the finger. Each is answered with what
//! to write instead, where that can be told.

use super::{
    ImageRef, Provider, StoreRef,
    place::{ParseError, Part, Wanted, has_known_algorithm},
};
use crate::words;

/// Registries that people paste from, by the end of their host name.
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

/// Clouds and habits, and the scheme that stands for them here.
const ALIASES: [(&str, Provider); 11] = [
    ("aws", Provider::Ecr),
    ("awsecr", Provider::Ecr),
    ("ecs", Provider::Ecr),
    ("docker", Provider::Ecr),
    ("oci", Provider::Ecr),
    ("tencent", Provider::Cvm),
    ("tencentcloud", Provider::Cvm),
    ("qcloud", Provider::Cvm),
    ("huawei", Provider::Workspace),
    ("huaweicloud", Provider::Workspace),
    ("hw", Provider::Workspace),
];

const SCHEMES: &str = "a reference begins with ecr:, cvm: or workspace:, as in ecr:team/app:v1 or cvm:img-6pb6lrmy";

/// Says why a text without a scheme of ours is no reference, and what may have been meant.
pub(super) fn explain(text: Part, wanted: Wanted) -> ParseError {
    if text.is_empty() {
        return text.wrong("the reference is empty").or(SCHEMES);
    }
    if let Some(rest) = text.strip_prefix("arn:") {
        return arn(text, rest);
    }
    if has_known_algorithm(text.as_str()) {
        return text
            .wrong("a digest alone does not say which repository it is in")
            .or(format!("write ecr:REPOSITORY@{}", text.as_str()));
    }
    for scheme in ["cvm", "workspace"] {
        // An image server's id could be any word; the ones that are known are long numbers.
        let looks = match scheme {
            "cvm" => text.as_str().starts_with("img-"),
            _ => text.as_str().len() > 12 && text.first(|c| !c.is_ascii_digit()).is_none(),
        };
        let meant = format!("{scheme}:{}", text.as_str());
        if looks && meant.parse::<ImageRef>().is_ok() {
            return no_scheme(text).or(format!("write {meant}"));
        }
    }
    let host = text.split_once('/').map_or(text, |(first, _)| first);
    if host.as_str().contains("://") || text.as_str().contains("://") {
        return scheme(text);
    }
    if let Some(error) = registry(host, text) {
        return error;
    }
    scheme_or_repository(text, wanted)
}

/// Says why a host, with whatever follows it, is no registry that is handled here; `None` if it is no host.
pub(super) fn registry(host: Part, text: Part) -> Option<ParseError> {
    let lower = host.as_str().to_ascii_lowercase();
    let name = lower.split(':').next().unwrap_or_default();
    let within = |domain: &str| name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    const TAKES: &str = "imgctl deletes from ECR registries: ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG";
    if within("public.ecr.aws") || within("ecr-public.aws.com") {
        return Some(
            host.wrong("ECR Public is another service, which imgctl does not handle")
                .or("private repositories are named ecr:REPOSITORY:TAG, or by their whole URI"),
        );
    }
    if let Some((_, product)) = REGISTRIES.iter().find(|(domain, _)| within(domain)) {
        return Some(host.wrong(format!("this is {product}, which imgctl does not handle")).or(TAKES));
    }
    if within("amazonaws.com") || within("amazonaws.com.cn") || within("api.aws") {
        return Some(host.wrong("this is not the host of an ECR registry").or(TAKES));
    }
    let follows = host.as_str().len() < text.as_str().len();
    let port =
        host.split_once(':').is_some_and(|(_, port)| !port.is_empty() && port.first(|c| !c.is_ascii_digit()).is_none());
    let is_host = name == "localhost" || name.contains('.') || port;
    (follows && is_host).then(|| {
        let wrong = host.wrong("a registry that imgctl does not handle");
        // `team.tools/app` could be a repository too.
        let repository = format!("ecr:{}", text.as_str());
        match repository.parse::<ImageRef>() {
            Ok(_) => wrong.or(format!("if that is the name of an ECR repository, write {repository}")),
            Err(_) => wrong.or(TAKES),
        }
    })
}

fn no_scheme(text: Part) -> ParseError {
    text.slice(0..0).wrong("the reference does not say which provider it is for")
}

/// An Amazon resource name of a repository says all but the image.
fn arn(text: Part, rest: Part) -> ParseError {
    let wrong = text.wrong("an ARN is no reference");
    let fields: Vec<_> = rest.as_str().splitn(5, ':').collect();
    let [_, "ecr", region, account, resource] = fields[..] else {
        return wrong.or(SCHEMES);
    };
    let Some(repository) = resource.strip_prefix("repository/") else {
        return wrong.or(SCHEMES);
    };
    match format!("ecr://{account}@{region}/{repository}").parse::<StoreRef>() {
        Ok(store) => wrong.or(format!("write {store}, and :TAG or @DIGEST for an image")),
        Err(_) => wrong.or(SCHEMES),
    }
}

/// A scheme with `//` that is none of ours.
fn scheme(text: Part) -> ParseError {
    let Some((scheme, _)) = text.split_once(':') else {
        return text.wrong("this is no reference").or(SCHEMES);
    };
    let wrong = scheme.wrong(format!("there is no provider `{}`", scheme.as_str()));
    match meant(scheme.as_str()) {
        Some(meant) => wrong.or(format!("did you mean {meant}:")),
        None => wrong.or(SCHEMES),
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
    let bare = text.as_str();
    let image = format!("ecr:{bare}");
    if image.parse::<ImageRef>().is_ok() {
        return no_scheme(text).or(format!("write {image}"));
    }
    if image.parse::<StoreRef>().is_ok() {
        return no_scheme(text).or(match wanted {
            Wanted::Image => format!("write {image}:TAG or {image}@DIGEST"),
            Wanted::Store | Wanted::Either => format!("write {image}"),
        });
    }
    no_scheme(text).or(SCHEMES)
}

/// The provider that a word means which is no scheme.
pub(super) fn meant(word: &str) -> Option<Provider> {
    let word = word.to_ascii_lowercase();
    let alias = ALIASES.iter().find(|(alias, _)| *alias == word);
    alias.map(|(_, provider)| *provider).or_else(|| {
        let nearest = words::nearest(&word, Provider::ALL.map(Provider::scheme))?;
        Provider::ALL.into_iter().find(|provider| provider.scheme() == nearest)
    })
}
