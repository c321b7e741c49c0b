//! Candidates for a reference: schemes, then regions or registries, then repositories, tags and ids of the store. It asks for at most
//! one page, once, and does not wait long.

use std::time::Duration;

use chrono::Utc;

use super::{Candidate, Wanted};
use crate::{
    context::Context,
    engine::Op,
    image::{ImageId, ImageRef, Provider, StoreRef},
    output::human,
    prune::ago,
    settings,
    store::Image,
};

/// The user waits at the keyboard.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A word, split where its next part begins.
enum Begun<'w> {
    Scheme,
    /// `SCHEME://[OWNER@]`, or `SCHEME:` where the host of a registry follows
    Region(Provider, &'w str),
    /// `SCHEME:[//[OWNER@]REGION/]`, or the host of a registry; a repository follows, or the id of an image.
    Repository(&'w str),
    Id(&'w str),
    /// A repository, and the separator before the image: `:` or `@`.
    Image(&'w str, char),
}

/// All candidates for a word.
pub async fn names(context: &Context, word: &str, wanted: Wanted) -> Vec<Candidate> {
    let mut found = match begun(word) {
        Begun::Scheme => schemes(),
        Begun::Region(provider, before) => regions(context, provider, before).await,
        Begun::Repository(before) => in_time(repositories(context, before, wanted)).await,
        Begun::Id(..) | Begun::Image(..) if wanted == Wanted::Store => Vec::new(),
        Begun::Id(before) => in_time(ids(context, before)).await,
        Begun::Image(repository, joint) => in_time(tagged(context, repository, joint)).await,
    };
    if let Some(provider) = word.strip_suffix(':').and_then(Provider::of_scheme)
        && !provider.begins_with_host()
    {
        found.extend(regions(context, provider, &format!("{word}//")).await);
    }
    // What the user typed is theirs, such as the brackets of an IPv6 address.
    found.retain(|candidate| candidate.word.strip_prefix(word).is_some_and(is_plain));
    found
}

/// Whether a shell reads this as one plain word, whatever a provider answered.
pub fn is_plain(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/@._-~".contains(&byte))
}

fn begun(word: &str) -> Begun<'_> {
    let (containers, name) = match word.split_once(':') {
        Some((scheme, rest)) if let Some(provider) = Provider::of_scheme(scheme) => {
            let (containers, after) = (provider.has_containers(), scheme.len() + 1);
            match rest.strip_prefix("//").map(|rest| rest.find('/')) {
                None if provider.begins_with_host() => match rest.find('/') {
                    Some(slash) => (containers, after + slash + 1),
                    None => return Begun::Region(provider, &word[..after]),
                },
                None => (containers, after),
                Some(Some(slash)) => (containers, after + 2 + slash + 1),
                Some(None) => {
                    let owner = word.rfind('@').map_or(after + 2, |at| at + 1);
                    return Begun::Region(provider, &word[..owner]);
                }
            }
        }
        _ => match word.find('/') {
            Some(slash) => (true, slash + 1),
            None => return Begun::Scheme,
        },
    };
    match word[name..].find([':', '@']) {
        Some(at) if containers => {
            let joint = word[name + at..].chars().next().unwrap_or_default();
            Begun::Image(&word[..name + at], joint)
        }
        _ if containers => Begun::Repository(&word[..name]),
        _ => Begun::Id(&word[..name]),
    }
}

/// The candidates, if they arrive in time; errors are not shown here.
async fn in_time(found: impl Future<Output = Option<Vec<Candidate>>>) -> Vec<Candidate> {
    let found = tokio::time::timeout(PATIENCE, found).await;
    found.ok().flatten().unwrap_or_default()
}

fn schemes() -> Vec<Candidate> {
    let scheme = |provider: Provider| Candidate { word: format!("{provider}:"), about: provider.title().into() };
    Provider::ALL.into_iter().map(scheme).collect()
}

async fn regions(context: &Context, provider: Provider, before: &str) -> Vec<Candidate> {
    let regions = settings::regions(&context.settings, provider).await;
    let about = if provider.begins_with_host() { "registry" } else { "region" };
    let region = |region: String| Candidate { word: format!("{before}{region}/"), about: about.into() };
    regions.into_iter().map(region).collect()
}

/// Images of a provider that names them by ids.
async fn ids(context: &Context, before: &str) -> Option<Vec<Candidate>> {
    let images = first_page(context, &before.parse().ok()?).await?;
    Some(candidates(images, |image| match &image.id {
        Some(ImageId::Named(id)) => vec![format!("{before}{id}")],
        _ => Vec::new(),
    }))
}

async fn repositories(context: &Context, before: &str, wanted: Wanted) -> Option<Vec<Candidate>> {
    let any: StoreRef = format!("{before}**").parse().ok()?;
    let session = context.open(&any).await.ok()?;
    let page = session.ask(Op::List, || session.store.stores(None)).await;
    // A repository alone does not name an image.
    let end = if wanted == Wanted::Image { ":" } else { "" };
    let repository =
        |store: StoreRef| Candidate { word: format!("{before}{}{end}", store.name), about: "repository".into() };
    Some(page.ok()?.items.into_iter().map(repository).collect())
}

/// Tags of a repository, or digests.
async fn tagged(context: &Context, repository: &str, joint: char) -> Option<Vec<Candidate>> {
    let images = first_page(context, &repository.parse().ok()?).await?;
    Some(candidates(images, |image| {
        let digest = image.digest.iter();
        let ends = match joint {
            '@' => digest.collect::<Vec<_>>(),
            _ => image.tags.iter().collect(),
        };
        let name = |end| format!("{repository}{joint}{end}");
        ends.into_iter().map(name).collect()
    }))
}

async fn first_page(context: &Context, store: &StoreRef) -> Option<Vec<Image>> {
    let session = context.open(store).await.ok()?;
    let page = session.ask(Op::List, || session.store.list(None)).await;
    Some(page.ok()?.items)
}

/// Candidates for images, the newest first.
fn candidates(mut images: Vec<Image>, names: impl Fn(&Image) -> Vec<String>) -> Vec<Candidate> {
    let born = |image: &Image| image.pushed_at.or(image.created_at);
    images.sort_by_key(|image| std::cmp::Reverse(born(image)));
    let of_image = |image: &Image| {
        let age = born(image).map(|born| ago(born, Utc::now()));
        let about = [image.name.clone(), age, image.bytes.map(human::size)];
        let about: Vec<_> = about.into_iter().flatten().collect();
        let candidate = |word: String| Candidate { word, about: about.join(", ") };
        let is_reference = |word: &String| word.parse::<ImageRef>().is_ok();
        let names = names(image).into_iter().filter(is_reference);
        names.map(candidate).collect::<Vec<_>>()
    };
    images.iter().flat_map(of_image).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_cut_where_its_next_part_begins() {
        let cut = |word| match begun(word) {
            Begun::Scheme => "scheme".to_owned(),
            Begun::Region(provider, before) => format!("region of {provider} after {before}"),
            Begun::Repository(before) => format!("repository after {before}"),
            Begun::Id(before) => format!("id after {before}"),
            Begun::Image(repository, joint) => format!("image of {repository} after {joint}"),
        };
        for (word, part) in [
            ("", "scheme"),
            ("ec", "scheme"),
            ("ecr:", "repository after ecr:"),
            ("ecr:team/a", "repository after ecr:"),
            ("ecr:/", "repository after ecr:"),
            ("ecr://", "region of ecr after ecr://"),
            ("ecr://eu", "region of ecr after ecr://"),
            ("ecr://123@eu", "region of ecr after ecr://123@"),
            ("ecr://eu-west-1/te", "repository after ecr://eu-west-1/"),
            ("ecr:team/app:v", "image of ecr:team/app after :"),
            ("ecr:team/app:v1@", "image of ecr:team/app after :"),
            ("ecr:team/app@sha", "image of ecr:team/app after @"),
            ("host/team/app:v", "image of host/team/app after :"),
            ("host:5000/team/app:v", "image of host:5000/team/app after :"),
            ("[::1]:5000/te", "repository after [::1]:5000/"),
            ("[::1]:5000/team/app:v", "image of [::1]:5000/team/app after :"),
            ("oci:", "region of oci after oci:"),
            ("oci:host:50", "region of oci after oci:"),
            ("oci:host:5000/te", "repository after oci:host:5000/"),
            ("oci:[::1]:5000/team/app@", "image of oci:[::1]:5000/team/app after @"),
            ("oci://host:5000/te", "repository after oci://host:5000/"),
            ("cvm:img-1", "id after cvm:"),
            ("workspace://p@r/6", "id after workspace://p@r/"),
        ] {
            assert_eq!(cut(word), part, "{word}");
        }
    }

    #[test]
    fn nothing_that_a_shell_would_act_on_is_offered() {
        for word in ["ecr:a;b", "ecr:$(x)", "ecr:a b", "ecr:`x`", "ecr:a\nb", "ecr:'"] {
            assert!(!is_plain(word), "{word}");
        }
        assert!(is_plain("123456789012.dkr.ecr.eu-west-1.amazonaws.com/a_b/c:v1-x@sha256:0"));
    }
}
