//! Pages of tags and of repositories. A page is followed by the one that `Link` names, within the same registry.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags>

use reqwest::Url;

use crate::{
    error::{Error, Kind, Result},
    http::Response,
};

/// Names on a page: some registries refuse more.
/// <https://github.com/google/go-containerregistry/blob/main/pkg/v1/remote/list.go>
pub const MOST: usize = 1000;

/// The query of the next page: from `Link`, or after the last name of a page that is full without one.
/// `asked` is the path of this page with its query, below the registry's own address.
pub fn next(answer: &Response, asked: &str, names: &[String]) -> Result<Option<String>> {
    let (path, query) = asked.split_once('?').unwrap_or((asked, ""));
    let links = answer.headers.get_all("link").iter().filter_map(|value| value.to_str().ok());
    if let Some(link) = links.flat_map(links_of).find(|(_, parameters)| is_next(parameters)) {
        return of_link(link.0, path).map(Some);
    }
    // Some registries page without a link.
    // <https://github.com/go-gitea/gitea/blob/main/routers/api/packages/container/container.go>
    let full = names.len() == MOST;
    // Others send all names, whatever is asked for: then the name to go on after is among them again.
    let ignored = query.rsplit_once("&last=").is_some_and(|(_, last)| names.iter().any(|name| name == last));
    Ok(names.last().filter(|_| full && !ignored).map(|last| format!("n={MOST}&last={last}")))
}

/// The links of a header, each with its parameters.
fn links_of(header: &str) -> impl Iterator<Item = (&str, &str)> {
    header.split('<').skip(1).filter_map(|link| link.split_once('>'))
}

fn is_next(parameters: &str) -> bool {
    let mut parameters = parameters.split([';', ',']).map(str::trim);
    parameters.any(|parameter| {
        let value = parameter.to_ascii_lowercase();
        value.strip_prefix("rel=").is_some_and(|value| value.trim_matches('"') == "next")
    })
}

/// Takes the query of a link alone, so that no credentials go to another host.
fn of_link(link: &str, path: &str) -> Result<String> {
    let wrong = || {
        Error::new(Kind::Unreadable, format!("the registry says that the list goes on at {link}, which is elsewhere"))
            .code("LinkElsewhere")
    };
    let base = Url::parse("https://registry.invalid/").map_err(|_| wrong())?;
    let url = base.join(link).map_err(|_| wrong())?;
    // Azure's registry may encode the slashes of a name.
    if !url.path().replace("%2F", "/").ends_with(path) {
        return Err(wrong());
    }
    url.query().map(Into::into).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue};

    use super::*;

    fn after(links: &[&'static str], names: usize) -> Result<Option<String>> {
        let mut headers = HeaderMap::new();
        for link in links {
            headers.append("link", HeaderValue::from_static(link));
        }
        let answer = Response { status: 200, headers, body: Default::default() };
        next(&answer, "/v2/team/app/tags/list?n=1000", &vec!["v1".to_owned(); names])
    }

    #[test]
    fn a_list_goes_on_where_the_link_says() {
        for (links, names, query) in [
            (&["</v2/team/app/tags/list?last=v9&n=1000>; rel=\"next\""][..], 3, Some("last=v9&n=1000")),
            (
                &["<https://registry.example.com/v2/team/app/tags/list?next_page=x%3D>; rel=next"],
                3,
                Some("next_page=x%3D"),
            ),
            (
                &["</v2/team/app/tags/list?a=1>; rel=\"prev\", </v2/team/app/tags/list?a=2>; REL=\"next\""],
                3,
                Some("a=2"),
            ),
            (&["</x?a=1>; rel=first", "</v2/team/app/tags/list?a=2>; rel=\"next\""], 3, Some("a=2")),
            (&[], 3, None),
            (&[], 0, None),
            (&[], 1000, Some("n=1000&last=v1")),
        ] {
            assert_eq!(after(links, names).unwrap().as_deref(), query, "{links:?}");
        }
        let all: Vec<String> = (0..MOST).map(|number| format!("v{number}")).collect();
        let answer = Response { status: 200, headers: HeaderMap::new(), body: Default::default() };
        let again = |query: &str| next(&answer, &format!("/v2/app/tags/list?{query}"), &all).unwrap();
        assert_eq!(again("n=1000").as_deref(), Some("n=1000&last=v999"));
        // The registry ignores what it is asked for.
        assert_eq!(again("n=1000&last=v999"), None);
        assert_eq!(again("n=1000&last=u1").as_deref(), Some("n=1000&last=v999"));
        for elsewhere in ["</v2/other/tags/list?a=2>; rel=\"next\"", "</v2/team/app/tags/list>; rel=\"next\""] {
            assert_eq!(after(&[elsewhere], 3).unwrap_err().kind, Kind::Unreadable);
        }
    }
}
