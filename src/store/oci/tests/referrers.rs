//! What a registry's own list of referrers means, and what its absence does.

use super::*;

const OTHER: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn subject() -> Digest {
    DIGEST.parse().unwrap()
}

fn lists(digests: &[&str]) -> String {
    let entries: Vec<_> =
        digests.iter().map(|digest| format!(r#"{{"digest":"{digest}","artifactType":"sig"}}"#)).collect();
    format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","))
}

#[tokio::test]
async fn a_list_of_referrers_is_read_page_by_page_within_its_own_path() {
    let server = Server::start(|_, asked| {
        let next = match asked.line.as_str() {
            line if line.ends_with("page=2") => None,
            line if line.ends_with("page=3") => Some("</v2/other/referrers/sha256:0?page=4>; rel=\"next\"".to_owned()),
            _ => Some(format!("</v2/app/referrers/{DIGEST}?page=2>; rel=\"next\"")),
        };
        (200, next.into_iter().map(|next| ("link", next)).collect(), lists(&[OTHER]))
    });
    let store = server.open(me()).await;
    let page = store.referrers(&subject(), None).await.unwrap().unwrap();
    assert_eq!((page.items.len(), page.next.as_deref()), (1, Some("page=2")));
    assert_eq!(page.items[0].digest.as_deref(), Some(OTHER));
    // What it is attached to is for its own manifest to say.
    assert_eq!((&page.items[0].subject, page.items[0].artifact_type.as_deref()), (&None, Some("sig")));
    let page = store.referrers(&subject(), page.next.as_deref()).await.unwrap().unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));
    assert_eq!(store.referrers(&subject(), Some("page=3")).await.unwrap_err().kind, Kind::Unreadable);
    assert_eq!(server.lines()[0], format!("GET /v2/app/referrers/{DIGEST}"));
}

#[tokio::test]
async fn a_registry_without_such_a_list_is_asked_once_however_many_ask_at_once() {
    let page = || vec![("location", "https://github.example.com/app".to_owned())];
    for told in [
        (404, Vec::new(), "404 page not found".to_owned()),
        (405, Vec::new(), String::new()),
        (303, page(), String::new()),
    ] {
        let status = told.0;
        let server = Server::start(move |_, _| told.clone());
        let store = server.open(me()).await;
        let subject = subject();
        let answers = join_all((0..20).map(|_| store.referrers(&subject, None))).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap().is_none()), "{status}");
        assert_eq!(server.lines().len(), 1, "{status}");
    }
    // An image that is not there says nothing of the others.
    let server = Server::start(|_, _| says(404, "MANIFEST_UNKNOWN"));
    let store = server.open(me()).await;
    for _ in 0..2 {
        assert!(store.referrers(&subject(), None).await.unwrap().is_none());
    }
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn an_answer_that_is_no_list_is_an_error_and_never_an_empty_list() {
    let filtered = || vec![("oci-filters-applied", "artifactType".to_owned())];
    for (told, kind) in [
        (says(403, "DENIED"), Kind::Denied),
        (says(400, "UNSUPPORTED"), Kind::Invalid),
        (says(429, "TOOMANYREQUESTS"), Kind::Throttled),
        (says(503, "UNAVAILABLE"), Kind::Lost),
        ((200, Vec::new(), "<html>".to_owned()), Kind::Unreadable),
        ((200, Vec::new(), "{}".to_owned()), Kind::Unreadable),
        ((200, filtered(), lists(&[])), Kind::Unreadable),
    ] {
        let status = told.0;
        let server = Server::start(move |_, _| told.clone());
        let error = server.open(me()).await.referrers(&subject(), None).await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {error}");
    }
}
