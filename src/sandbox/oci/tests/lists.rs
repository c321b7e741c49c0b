use super::*;

fn names(answer: &Answer, member: &str) -> Vec<String> {
    serde_json::from_value(answer.json()[member].clone()).unwrap()
}

fn with_tags(registry: &str) -> Fixture {
    let mut fixture = Fixture::open(registry);
    fixture.push("one", &["a", "b", "c", "d", "e"]);
    fixture
}

#[test]
fn distribution_lists_all_tags_at_once_whatever_is_asked() {
    let mut registry = with_tags("distribution");
    let answer = registry.ask("GET", "/v2/team/app/tags/list?n=2&last=b");
    let listed = names(&answer, "tags");
    assert!(listed.len() == 5 && !listed.is_sorted() && answer.header("link").is_empty(), "{listed:?}");
    registry.oci.repository("empty", now());
    assert_eq!(registry.ask("GET", "/v2/empty/tags/list").json()["tags"], Value::Null);
    assert_eq!(registry.ask("GET", "/v2/absent/tags/list").error(), code(404, "NAME_UNKNOWN"));
}

#[test]
fn pages_follow_links_of_each_form_to_the_end() {
    let first = "/v2/team/app/tags/list";
    for (quirk, before) in
        [("", ""), ("absolute-links", "http://127.0.0.1:5000"), ("foreign-links", "http://registry.invalid")]
    {
        let mut registry = with_tags("zot");
        assert_eq!(registry.oci.habits.add(quirk), !quirk.is_empty());
        let (mut path, mut all) = (format!("{first}?n=2"), Vec::new());
        loop {
            let answer = registry.ask("GET", &path);
            all.extend(names(&answer, "tags"));
            let Some(next) = answer.header("link").strip_prefix('<') else { break };
            let next = next.strip_suffix(">; rel=\"next\"").unwrap();
            path = next.strip_prefix(before).unwrap().into();
            assert!(path.starts_with(first), "{path}");
        }
        assert_eq!(all, ["a", "b", "c", "d", "e"], "{quirk}");
    }
    let mut silent = with_tags("gitea");
    let answer = silent.ask("GET", format!("{first}?n=2"));
    assert!(names(&answer, "tags") == ["a", "b"] && answer.header("link").is_empty());
    assert_eq!(names(&silent.ask("GET", format!("{first}?n=2&last=d")), "tags"), ["e"]);
}

#[test]
fn each_registry_takes_another_n() {
    let mut zot = with_tags("zot");
    let mut ask = |query: &str| zot.ask("GET", format!("/v2/team/app/tags/list?{query}")).error();
    assert_eq!(ask("n=many"), code(400, "PAGINATION_NUMBER_INVALID"));
    assert_eq!(ask("n=2&last=gone"), code(404, "NAME_UNKNOWN"));
    let mut distribution = with_tags("distribution");
    let mut catalog = |query: &str| distribution.ask("GET", format!("/v2/_catalog{query}"));
    assert_eq!(names(&catalog(""), "repositories"), ["team/app"]);
    assert_eq!(names(&catalog("?n=many"), "repositories"), ["team/app"]);
    assert_eq!(catalog("?n=5000").error(), code(400, "PAGINATION_NUMBER_INVALID"));
    let mut ghcr = with_tags("ghcr");
    assert_eq!(ghcr.ask("GET", "/v2/_catalog").error(), code(404, ""));
}

#[test]
fn referrers_are_listed_or_have_no_route_or_lie_elsewhere() {
    let mut registry = Fixture::open("zot");
    let path = format!("/v2/team/app/referrers/{}", Digest::of("absent"));
    assert_eq!(registry.ask("GET", &path).json()["manifests"], serde_json::json!([]));
    assert_eq!(Fixture::open("distribution").ask("GET", &path).error(), code(404, ""));
    let elsewhere = Fixture::open("ghcr").ask("GET", &path);
    assert_eq!(elsewhere.status(), 303);
    assert!(elsewhere.header("location").starts_with("https://registry.invalid/"));
}
