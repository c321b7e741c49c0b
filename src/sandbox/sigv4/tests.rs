use hyper::{HeaderMap, body::Bytes};

use super::*;

/// The key of the vectors that AWS publishes.
fn example_key() -> Key {
    Key {
        id: "AKIDEXAMPLE".into(),
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        session_token: None,
        expires: None,
    }
}

fn request(method: &str, path: &str, query: &str, headers: &[(&'static str, &str)]) -> Received {
    Received {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>(),
        body: Bytes::new(),
        now: "2015-08-30T12:36:00Z".parse().unwrap(),
        to_registry: false,
    }
}

#[test]
fn published_signatures_are_accepted() {
    let authorization = |service: &str, headers: &str, signature: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, \
             SignedHeaders={headers}, Signature={signature}"
        )
    };
    // The "get-vanilla" vector, and the ListUsers example of the general reference.
    let vanilla =
        authorization("service", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    let list_users = authorization(
        "iam",
        "content-type;host;x-amz-date",
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    );
    let cases = [
        (
            "service",
            request(
                "GET",
                "/",
                "",
                &[("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z"), ("authorization", &vanilla)],
            ),
        ),
        (
            "iam",
            request(
                "GET",
                "/",
                "Version=2010-05-08&Action=ListUsers",
                &[
                    ("host", "iam.amazonaws.com"),
                    ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                    ("x-amz-date", "20150830T123600Z"),
                    ("authorization", &list_users),
                ],
            ),
        ),
    ];
    for (service, request) in cases {
        let caller = verify(&request, service, &[example_key()]).unwrap();
        assert_eq!((caller.key_id.as_str(), caller.region.as_str()), ("AKIDEXAMPLE", "us-east-1"));
    }
}

/// A request signed as it should be, then changed.
fn changed(key: &Key, change: impl FnOnce(&mut Received)) -> Result<Caller, Distrust> {
    let mut request = request("POST", "/a b", "x=1", &[("x-amz-target", "Service.Operation")]);
    request.body = Bytes::from("{}");
    sign(&mut request, "ecr", "eu-west-1", key);
    change(&mut request);
    let known = Key { session_token: key.session_token.clone(), expires: key.expires, ..example_key() };
    verify(&request, "ecr", &[known])
}

fn set(name: &'static str, value: &'static str) -> impl FnOnce(&mut Received) {
    move |request| drop(request.headers.insert(name, value.parse().unwrap()))
}

#[test]
fn whatever_is_changed_after_signing_is_noticed() {
    let key = example_key();
    assert!(changed(&key, |_| {}).is_ok());
    let invalid = |result: Result<Caller, Distrust>, text: &str| match result {
        Err(Distrust::Invalid(why)) => assert!(why.contains(text), "{why}"),
        other => panic!("{other:?}"),
    };
    let mismatch = "does not match the signature";
    invalid(changed(&key, |request| request.body = Bytes::from("{ }")), mismatch);
    invalid(changed(&key, |request| request.path = "/".into()), mismatch);
    invalid(changed(&key, |request| request.query = "x=2".into()), mismatch);
    invalid(changed(&key, |request| request.method = "PUT".into()), mismatch);
    invalid(changed(&key, set("x-amz-target", "Service.Other")), mismatch);
    invalid(changed(&key, set("x-amz-more", "unsigned")), "'x-amz-more' must be a 'SignedHeader'");
    let wrong_secret = Key { secret: "another".into(), ..example_key() };
    invalid(changed(&wrong_secret, |_| {}), mismatch);
}

#[test]
fn time_and_scope_must_be_the_services_own() {
    let late = |minutes| move |request: &mut Received| request.now += TimeDelta::minutes(minutes);
    let key = example_key();
    let text = |result: Result<Caller, Distrust>| format!("{:?}", result.unwrap_err());
    assert!(changed(&key, late(15)).is_ok() && changed(&key, late(-15)).is_ok());
    assert!(text(changed(&key, late(16))).contains(
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123700Z (20150830T125200Z - 15 min.)"
    ));
    assert!(text(changed(&key, late(-16))).contains("Signature not yet current"));
    assert!(text(changed(&key, set("x-amz-date", "20150831T000000Z"))).contains("date of the request"));
    for (service, region, why) in [
        ("sts", "eu-west-1", "correct service: 'ecr'"),
        ("ecr", "europe", "a valid region"),
        ("ecr", "eu-WEST-1", "a valid region"),
    ] {
        let mut request = request("POST", "/", "", &[]);
        sign(&mut request, service, region, &key);
        assert!(text(verify(&request, "ecr", &[example_key()])).contains(why), "{region}");
    }
}

#[test]
fn a_key_must_be_known_and_a_session_whole_and_running() {
    let stranger = Key { id: "AKIDSTRANGER".into(), ..example_key() };
    assert_eq!(changed(&stranger, |_| {}), Err(Distrust::Unknown));
    let session = Key { session_token: Some("token".into()), ..example_key() };
    assert!(changed(&session, |_| {}).is_ok());
    assert_eq!(changed(&session, set("x-amz-security-token", "other")), Err(Distrust::Unknown));
    let over = Key { expires: Some("2015-08-30T12:36:00Z".parse().unwrap()), ..session };
    assert_eq!(changed(&over, |_| {}), Err(Distrust::Expired));
    assert_eq!(changed(&example_key(), |request| request.headers.clear()), Err(Distrust::Missing));
    for broken in ["Basic abc", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0"]
    {
        let result = changed(&example_key(), set("authorization", broken));
        assert!(matches!(result, Err(Distrust::Incomplete(_))), "{broken}: {result:?}");
    }
    let result = changed(&example_key(), set("x-amz-date", "today"));
    assert!(matches!(result, Err(Distrust::Incomplete(_))));
}
