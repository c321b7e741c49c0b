use serde_json::{Value, json};

use super::*;

fn now() -> DateTime<Utc> {
    "2026-11-21T01:02:03Z".parse().unwrap()
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Received {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut map = hyper::HeaderMap::new();
    for (name, value) in headers {
        map.insert(hyper::header::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    Received {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers: map,
        body: body.to_owned().into(),
        now: now(),
        to_registry: false,
    }
}

fn ask(iam: &mut Iam, request: &Received) -> Result<(Value, Option<String>), Refusal> {
    let operation = Iam::operation(request).unwrap();
    let reply = iam.answer(operation, request)?;
    let token = reply.headers.iter().find(|(name, _)| name == "X-Subject-Token");
    let token = token.map(|(_, token)| token.clone());
    Ok((serde_json::from_slice(&reply.body).unwrap(), token))
}

fn login(password: &str, scope: Value) -> Received {
    let user = json!({"name": USER, "password": password, "domain": {"name": DOMAIN}});
    let body = json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"project": scope},
    }});
    request("POST", "/v3/auth/tokens?nocatalog=true", &[], &body.to_string())
}

fn status(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::Iam { status, .. } | Refusal::Gateway { status, .. } => *status,
    }
}

#[test]
fn a_password_gives_a_token_of_the_project_by_id_by_name_and_by_name_and_domain() {
    let mut iam = Iam::default();
    let id = iam.project_id(REGION).unwrap();
    for scope in [
        json!({"id": id}),
        json!({"name": REGION}),
        json!({"name": REGION, "domain": {"name": DOMAIN}}),
        json!({"name": REGION, "domain": {"id": iam.domain.id}}),
    ] {
        let (body, token) = ask(&mut iam, &login(PASSWORD, scope.clone())).unwrap();
        assert_eq!(body["token"]["project"]["id"], id.as_str(), "{scope}");
        assert_eq!(body["token"]["expires_at"], "2026-11-22T01:02:03.000000Z");
        assert_eq!(body["token"]["catalog"], Value::Null);
        let known = iam.project_of(&token.unwrap(), now());
        assert_eq!(known, Ok(Some(id.clone())));
    }
    assert_eq!(iam.logins(), 4);
}

#[test]
fn every_wrong_login_gets_the_same_answer() {
    let mut iam = Iam::default();
    let mut answers = vec![
        ask(&mut iam, &login("wrong", json!({"name": REGION}))).unwrap_err(),
        ask(&mut iam, &login(PASSWORD, json!({"name": "mars-1"}))).unwrap_err(),
        ask(&mut iam, &login(PASSWORD, json!({"name": REGION, "domain": {"name": "other"}}))).unwrap_err(),
    ];
    iam.users[0].name = "somebody else".into();
    answers.push(ask(&mut iam, &login(PASSWORD, json!({"name": REGION}))).unwrap_err());
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(status(&answers[0]), 401);
}

#[test]
fn a_user_is_locked_after_five_failures_and_not_by_four() {
    let mut iam = Iam::default();
    let scope = || json!({"name": REGION});
    for (failures, opens) in [(4, true), (5, false)] {
        for _ in 0..failures {
            ask(&mut iam, &login("wrong", scope())).unwrap_err();
        }
        assert_eq!(ask(&mut iam, &login(PASSWORD, scope())).is_ok(), opens);
    }
    let mut later = login(PASSWORD, scope());
    later.now += USER_LOCK;
    assert!(ask(&mut iam, &later).is_ok());
}

#[test]
fn a_token_ends_and_can_be_revoked() {
    let mut iam = Iam { token_lifetime: Duration::from_secs(4), ..Iam::default() };
    let (_, token) = ask(&mut iam, &login(PASSWORD, json!({"name": REGION}))).unwrap();
    let token = token.unwrap();
    let at = |iam: &mut Iam, seconds| iam.project_of(&token, now() + TimeDelta::seconds(seconds));
    assert!(at(&mut iam, 3).is_ok());
    let Err(Refusal::Gateway { code, message, .. }) = at(&mut iam, 4) else {
        panic!("the token has ended");
    };
    assert_eq!(code, "APIGW.0301");
    assert!(message.contains("token expires, expires_at:2026-11-21T01:02:07.000000Z"));
    iam.revoke_tokens();
    let Err(Refusal::Gateway { code, .. }) = at(&mut iam, 1) else {
        panic!("the token is revoked");
    };
    assert_eq!(code, "APIGW.0307");
}

#[test]
fn a_token_may_be_asked_about_itself_as_long_as_it_is_good() {
    let mut iam = Iam::default();
    let both = |token: &str| {
        let headers = [("x-auth-token", token), ("x-subject-token", token)];
        request("GET", "/v3/auth/tokens", &headers, "")
    };
    let (body, _) = ask(&mut iam, &both(TOKEN)).unwrap();
    assert_eq!(body["token"]["project"]["name"], REGION);
    assert_eq!(body["token"]["catalog"], json!([]));
    assert_eq!(status(&ask(&mut iam, &both("other")).unwrap_err()), 401);
    let headers = [("x-auth-token", TOKEN), ("x-subject-token", "other")];
    let of_other = request("GET", "/v3/auth/tokens", &headers, "");
    assert_eq!(status(&ask(&mut iam, &of_other).unwrap_err()), 404);
}

/// The vectors were made by the provider's own SDK.
fn vectors() -> Vec<Value> {
    let text = include_str!("../../../tests/data/sdk_hmac.json");
    let all: Value = serde_json::from_str(text).unwrap();
    all["vectors"].as_array().unwrap().clone()
}

/// An account with the key of a vector, and its request as it would arrive.
fn signed(vector: &Value) -> (Iam, Received) {
    let text = |name: &str| vector[name].as_str().unwrap();
    let headers = vector["final_headers"].as_object().unwrap();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let wire = text("request_uri_on_wire");
    let mut iam = Iam::default();
    let token = vector["headers"]["X-Security-Token"].as_str();
    iam.add_key(text("ak"), text("sk"), token);
    (iam, request(text("method"), wire, &headers, text("body")))
}

#[test]
fn what_the_official_sdk_signs_is_believed() {
    for vector in vectors() {
        let (mut iam, request) = signed(&vector);
        assert_eq!(iam.caller(&request), Ok(Caller::Key), "{}", vector["name"]);
    }
}

#[test]
fn every_change_after_signing_is_refused() {
    type Change = fn(&mut Received);
    let changes: [(&str, Change); 9] = [
        ("the method", |request| request.method = "PUT".into()),
        ("the path", |request| request.path += "x"),
        ("the query", |request| request.query += "&a=b"),
        ("the body", |request| request.body = "{}".into()),
        ("the host", |request| {
            request.headers.insert("host", "example.com".parse().unwrap());
        }),
        ("the project", |request| {
            request.headers.insert("x-project-id", "0".parse().unwrap());
        }),
        ("the date", |request| {
            request.headers.insert("x-sdk-date", "20261121T010204Z".parse().unwrap());
        }),
        ("the time, forth", |request| request.now += TimeDelta::minutes(16)),
        ("the time, back", |request| request.now -= TimeDelta::minutes(16)),
    ];
    for vector in vectors() {
        for (what, change) in changes {
            let (mut iam, mut request) = signed(&vector);
            change(&mut request);
            assert!(iam.caller(&request).is_err(), "{} {what}", vector["name"]);
        }
    }
}

#[test]
fn temporary_keys_are_refused_without_their_token() {
    let vectors = vectors();
    let vector = vectors.iter().find(|vector| vector["headers"]["X-Security-Token"].is_string()).unwrap();
    let (mut iam, request) = signed(vector);
    iam.keys.last_mut().unwrap().security_token = Some("another".into());
    assert!(iam.caller(&request).is_err());
    iam.keys.last_mut().unwrap().security_token = None;
    assert!(iam.caller(&request).is_err());
}

#[test]
fn a_key_is_locked_for_five_minutes_after_five_bad_signatures_in_a_row() {
    let vector = &vectors()[0];
    let (mut iam, good) = signed(vector);
    let mut bad = good.clone();
    bad.body = "{}".into();
    for (failures, believed) in [(4, true), (5, false)] {
        for _ in 0..failures {
            assert!(iam.caller(&bad).is_err());
        }
        assert_eq!(iam.caller(&good).is_ok(), believed, "{failures}");
    }
    let Err(Refusal::Gateway { message, .. }) = iam.caller(&good) else {
        panic!("the key is locked");
    };
    assert!(message.ends_with("AK access failed to reach the limit,forbidden"));
    let mut later = good;
    later.now += KEY_LOCK;
    assert!(iam.caller(&later).is_ok());
}

#[test]
fn projects_are_found_by_the_name_of_their_region() {
    let mut iam = Iam::default();
    let list = |iam: &mut Iam, path: &str| {
        let request = request("GET", path, &[("x-auth-token", TOKEN)], "");
        let (body, _) = ask(iam, &request).unwrap();
        let projects = body["projects"].as_array().unwrap().clone();
        projects.iter().map(|project| project["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(&mut iam, "/v3/projects?name=cn-north-4"), [REGION]);
    assert!(list(&mut iam, "/v3/projects?name=mars-1").is_empty());
    assert_eq!(list(&mut iam, "/v3/auth/projects"), [REGION]);
}

#[test]
fn a_request_that_shows_nothing_is_refused() {
    let mut iam = Iam::default();
    let bare = request("GET", "/v3/projects", &[], "");
    assert_eq!(status(&iam.caller(&bare).unwrap_err()), 401);
    let basic = request("GET", "/v3/projects", &[("authorization", "Basic eDp5")], "");
    assert_eq!(status(&iam.caller(&basic).unwrap_err()), 401);
}
