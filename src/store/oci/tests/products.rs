//! What is asked of registries that can do more than the protocol says.

use super::*;

/// Google's registry with one image, which is deleted after its tags.
fn google(tags: &Arc<Mutex<Vec<&'static str>>>) -> Server {
    let tags = Arc::clone(tags);
    Server::start(move |_, asked| {
        let mut tags = tags.lock().unwrap();
        match asked.line.as_str() {
            line if line.starts_with("GET") => {
                let list = format!(r#"{{"tags":{tags:?},"manifest":{{"{DIGEST}":{{"tag":{tags:?}}}}}}}"#);
                (200, Vec::new(), list)
            }
            line if line.contains("sha256:") && !tags.is_empty() => says(400, "GOOGLE_MANIFEST_DANGLING_TAG"),
            line => {
                tags.retain(|tag| !line.ends_with(tag));
                (202, Vec::new(), String::new())
            }
        }
    })
}

/// How zot tells that it can be searched.
fn zot() -> Told {
    let extensions = r#"{"extensions":[{"name":"_zot","endpoints":["/v2/_zot/ext/search"]}]}"#;
    (200, Vec::new(), extensions.into())
}

#[tokio::test]
async fn googles_registry_gets_the_tags_of_an_image_deleted_first() {
    let server = google(&Arc::new(Mutex::new(vec!["v1", "v2"])));
    let store = server.named("eu.gcr.io", me()).await;
    for (fact, told) in [(Fact::Age, true), (Fact::Untagged, true), (Fact::Pull, false)] {
        assert_eq!(store.tells(fact).await, Ok(told));
    }
    store.delete(&[ImageId::Digest(DIGEST.parse().unwrap())]).await.unwrap();
    let deletions: Vec<_> = server.lines().into_iter().filter(|line| line.starts_with("DELETE")).collect();
    let image = format!("DELETE /v2/app/manifests/{DIGEST}");
    assert_eq!(deletions, [&image, "DELETE /v2/app/manifests/v1", "DELETE /v2/app/manifests/v2", &image]);
}

#[tokio::test]
async fn tags_that_a_search_does_not_know_yet_follow_what_it_knows() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        "GET /v2/_oci/ext/discover" => zot(),
        "POST /v2/_zot/ext/search" => {
            let one = format!(r#"{{"Tag":"v1","Digest":"{DIGEST}","PushTimestamp":"2024-05-07T00:00:00Z"}}"#);
            let list = format!(r#"{{"data":{{"ImageList":{{"Results":[{one}],"Page":{{"TotalCount":1}}}}}}}}"#);
            (200, Vec::new(), list)
        }
        line if line.starts_with("GET /v2/app/tags/list") => (200, Vec::new(), r#"{"tags":["v1","late"]}"#.into()),
        _ => says(404, "NOT_FOUND"),
    });
    let store = server.open(me()).await;
    let first = store.list(None).await.unwrap();
    assert_eq!(first.items[0].id, Some(ImageId::Digest(DIGEST.parse().unwrap())));
    let second = store.list(first.next.as_deref()).await.unwrap();
    let names: Vec<_> = second.items.iter().filter_map(|image| image.id.clone()).collect();
    assert_eq!((names, second.next), (vec![ImageId::Tag("v1".into()), ImageId::Tag("late".into())], None));
    assert_eq!(server.count("GET /v2/_oci"), 1);
    assert!(!store.lists_untagged());
}

#[tokio::test]
async fn an_old_search_is_asked_for_less() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        "GET /v2/_oci/ext/discover" => zot(),
        "POST /v2/_zot/ext/search" if asked.body.contains("TaggedTimestamp") => {
            (422, Vec::new(), r#"{"errors":[{"message":"Cannot query field"}],"data":null}"#.into())
        }
        "POST /v2/_zot/ext/search" => {
            (200, Vec::new(), r#"{"data":{"ImageList":{"Results":[],"Page":{"TotalCount":0}}}}"#.into())
        }
        _ => says(404, "NOT_FOUND"),
    });
    let store = server.open(me()).await;
    assert_eq!(store.tells(Fact::Age).await, Ok(true));
    assert!(store.list(None).await.unwrap().items.is_empty());
    assert_eq!(server.count("POST"), 2);
}

#[tokio::test]
async fn what_answers_like_a_product_by_chance_is_not_one() {
    for (status, body) in [(200, "<html>pong</html>"), (200, "{}"), (200, "pong"), (404, ""), (302, ""), (400, "{")] {
        let server = Server::start(move |_, asked| match asked.line.as_str() {
            line if line.starts_with("GET /v2/app/tags/list") => (200, Vec::new(), r#"{"tags":["v1"]}"#.into()),
            _ => (status, Vec::new(), body.into()),
        });
        let store = server.open(me()).await;
        for fact in [Fact::Age, Fact::Pull, Fact::Untagged] {
            assert_eq!(store.tells(fact).await, Ok(false), "{status} {body}");
        }
        assert_eq!(store.list(None).await.unwrap().items.len(), 1);
        assert!(store.reduced().is_none());
    }
    // An error could hide anything.
    let server = Server::start(|_, asked| match asked.line.as_str() {
        line if line.starts_with("GET /v2/app/tags/list") => (200, Vec::new(), r#"{"tags":["v1"]}"#.into()),
        _ => (503, Vec::new(), String::new()),
    });
    let store = server.open(me()).await;
    let error = store.tells(Fact::Age).await.unwrap_err();
    assert!(error.message.starts_with("cannot find out whether"), "{error}");
    assert_eq!(store.list(None).await.unwrap().items.len(), 1);
    assert!(store.reduced().is_some());
}

#[tokio::test]
async fn a_list_of_tags_that_describes_images_needs_no_known_host() {
    let server = Server::start(|_, asked| match asked.line.as_str() {
        line if line.starts_with("GET /v2/app/tags/list") => {
            let list = format!(r#"{{"tags":["v1"],"manifest":{{"{DIGEST}":{{"tag":["v1"]}}}}}}"#);
            (200, Vec::new(), list)
        }
        _ => says(404, "NOT_FOUND"),
    });
    let store = server.open(me()).await;
    assert_eq!(store.tells(Fact::Age).await, Ok(true));
    assert_eq!(store.tells(Fact::Pull).await, Ok(false));
    assert_eq!(store.list(None).await.unwrap().items.len(), 1);
    assert!(store.lists_untagged());
}

#[tokio::test]
async fn a_tag_that_google_got_after_the_last_look_keeps_the_image() {
    let tags = Arc::new(Mutex::new(vec!["v1"]));
    let server = google(&tags);
    let store = server.named("eu.gcr.io", me()).await;
    store.list(None).await.unwrap();
    tags.lock().unwrap().push("late");
    assert_eq!(
        kind(store.delete(&[ImageId::Digest(DIGEST.parse().unwrap())]).await.map(|done| done.said)),
        Kind::InUse
    );
    assert_eq!(*tags.lock().unwrap(), ["late"]);
}
