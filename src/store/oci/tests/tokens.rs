//! Who gets credentials and tokens, and how many are asked for.

use super::*;

#[tokio::test]
async fn one_token_serves_all_calls_of_one_right_however_many_run_at_once() {
    let server = guarded("", "pull,delete");
    let store = server.open(me()).await;
    let tags = [tag("a"), tag("b"), tag("c"), tag("d")];
    for _ in 0..2 {
        for answer in join_all(tags.iter().map(|tag| store.get(tag))).await {
            let Answer::Each(answers) = answer.unwrap() else { panic!() };
            assert_eq!(answers[0].1.as_ref().unwrap().media_type.as_deref(), Some(INDEX));
        }
    }
    let tokens: Vec<_> =
        server.asked.lock().unwrap().iter().filter(|asked| asked.line.contains("/token")).cloned().collect();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    let line = &tokens[0].line;
    assert_eq!(line, "GET /token?service=reg&scope=repository%3Aapp%3Apull&account=me&client_id=imgctl");
    assert_eq!(tokens[0].authorization, "Basic bWU6dGhlLXBhc3N3b3Jk");
    // The password went to the realm alone.
    let others = server.asked.lock().unwrap().iter().filter(|asked| asked.authorization.starts_with("Basic")).count();
    assert_eq!(others, 1);
    let accepts = server.asked.lock().unwrap().last().unwrap().accept.clone();
    assert_eq!(accepts.matches("application/vnd.").count(), 4, "{accepts}");
    store.delete(&[ImageId::Digest(DIGEST.parse().unwrap())]).await.unwrap();
    assert_eq!(server.count("GET /token"), 2);
}

#[tokio::test]
async fn a_token_at_its_end_is_renewed_before_it_is_sent() {
    let server = guarded(r#","expires_in":1"#, "pull");
    let store = server.open(me()).await;
    store.get(&tag("a")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    store.get(&tag("a")).await.unwrap();
    assert_eq!(server.count("GET /token"), 2);
    // One refusal at the beginning, none at the renewal.
    assert_eq!(server.count("HEAD"), 3);
}

#[tokio::test]
async fn a_token_that_lacks_a_right_is_a_missing_right_and_not_a_wrong_password() {
    let server = guarded("", "pull");
    let store = server.open(me()).await;
    store.get(&tag("a")).await.unwrap();
    let error = store.delete(&[ImageId::Digest(DIGEST.parse().unwrap())]).await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(error.message.contains("no right to delete"), "{error}");
    assert_eq!(server.count("DELETE"), 2);
    let anonymous = Server::start(|_, _| (401, vec![("www-authenticate", "Basic realm=\"x\"".into())], String::new()));
    let error = anonymous.open(oci::Credentials::Anonymous).await.get(&tag("a")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Auth);
    assert!(error.hint.unwrap().contains("found no credentials"));
    assert_eq!(anonymous.lines().len(), 1);
}

#[tokio::test]
async fn a_password_is_sent_only_where_it_is_asked_for() {
    let server = Server::start(|_, asked| match asked.authorization.as_str() {
        "Basic bWU6dGhlLXBhc3N3b3Jk" => found(),
        _ => (401, vec![("www-authenticate", "Basic realm=\"x\"".into())], String::new()),
    });
    let store = server.open(me()).await;
    store.get(&tag("a")).await.unwrap();
    store.get(&tag("b")).await.unwrap();
    let sent: Vec<_> = server.asked.lock().unwrap().iter().map(|asked| asked.authorization.is_empty()).collect();
    assert_eq!(sent, [true, false, false]);
}

#[tokio::test]
async fn an_identity_token_is_exchanged_and_a_ready_one_is_sent_as_it_is() {
    let server = guarded("", "pull");
    let store = server.open(oci::Credentials::Identity("the identity&token".to_owned().into())).await;
    store.get(&tag("a")).await.unwrap();
    let asked = server.asked.lock().unwrap()[1].clone();
    assert_eq!(asked.line, "POST /token");
    assert_eq!(
        asked.body,
        "grant_type=refresh_token&refresh_token=the+identity%26token&service=reg&scope=repository%3Aapp%3Apull&client_id=imgctl"
    );
    assert!(asked.authorization.is_empty());
    let ready = guarded("", "pull");
    let store = ready.open(oci::Credentials::Token("TOKEN-0-pull".to_owned().into())).await;
    store.get(&tag("a")).await.unwrap();
    assert_eq!(ready.lines(), ["HEAD /v2/app/manifests/a"]);
}

#[tokio::test]
async fn credentials_go_to_no_unsafe_realm() {
    for realm in [
        "http://auth.example.com/token",
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest",
        "https://[fe80::1]/token",
        "https://me:pw@auth.example.com/token",
        "file:///etc/passwd",
        "not an address",
    ] {
        let header = format!("Bearer realm=\"{realm}\"");
        let server = Server::start(move |_, _| (401, vec![("www-authenticate", header.clone())], String::new()));
        let error = server.open(me()).await.get(&tag("a")).await.unwrap_err();
        assert_eq!(error.kind, Kind::Config, "{realm}: {error}");
        assert_eq!(server.lines().len(), 1, "{realm}");
    }
}

#[tokio::test]
async fn redirects_are_followed_for_blobs_alone_and_without_credentials() {
    let storage = Server::start(|_, _| (200, vec![("content-length", "3".into())], String::new()));
    let elsewhere = storage.url.clone();
    let server = Server::start(move |_, asked| match asked.authorization.is_empty() {
        true => (401, vec![("www-authenticate", "Basic".into())], String::new()),
        false => (307, vec![("location", format!("{elsewhere}/blob?signature=x"))], String::new()),
    });
    let store = server.open(me()).await;
    store.check_layers(&[DIGEST.parse().unwrap()]).await.unwrap();
    let asked = storage.asked.lock().unwrap().clone();
    assert_eq!((asked.len(), asked[0].authorization.as_str()), (1, ""));
    let error = store.get(&tag("a")).await.unwrap_err();
    assert_eq!(error.kind, Kind::Config);
    assert_eq!(storage.lines().len(), 1);
    for unsafe_place in ["http://example.com/blob", "file:///etc/passwd"] {
        let server = Server::start(move |_, _| (307, vec![("location", unsafe_place.into())], String::new()));
        let error = server.open(me()).await.check_layers(&[DIGEST.parse().unwrap()]).await.unwrap_err();
        assert_eq!(error.kind, Kind::Config, "{error}");
    }
}
