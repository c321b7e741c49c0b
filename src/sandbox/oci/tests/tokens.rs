use aws_smithy_types::base64;

use super::*;

fn basic((name, password): (&str, &str)) -> String {
    format!("Basic {}", base64::encode(format!("{name}:{password}")))
}

impl Fixture {
    fn with(&mut self, method: &str, path: &str, authorization: &str) -> Answer {
        let mut headers = vec![("accept", ALL)];
        if !authorization.is_empty() {
            headers.push(("authorization", authorization));
        }
        self.send(method, path, &headers, b"")
    }

    /// A token for these scopes.
    fn token(&mut self, user: Option<(&str, &str)>, scopes: &[&str]) -> String {
        let scopes: Vec<_> = scopes.iter().map(|scope| format!("scope={scope}")).collect();
        let realm = self.oci.habits.realm;
        let answer = self.with("GET", &format!("{realm}?{}", scopes.join("&")), &user.map(basic).unwrap_or_default());
        format!("Bearer {}", answer.json()["token"].as_str().unwrap())
    }
}

const MANIFEST: &str = "/v2/team/app/manifests/v1";

#[test]
fn a_challenge_says_which_token_is_needed_and_from_where() {
    let mut registry = Fixture::of("harbor");
    registry.push("one", &["v1"]);
    let mut challenge = |method: &str, path: &str| {
        let answer = registry.ask(method, path);
        assert_eq!(answer.error(), code(401, "UNAUTHORIZED"), "{path}");
        answer.header("www-authenticate").to_owned()
    };
    let realm = "Bearer realm=\"http://127.0.0.1:5000/service/token\",service=\"127.0.0.1:5000\"";
    assert_eq!(challenge("GET", "/v2/"), realm);
    for (method, path, scope) in [
        ("HEAD", MANIFEST, "repository:team/app:pull"),
        ("DELETE", MANIFEST, "repository:team/app:delete"),
        ("PUT", MANIFEST, "repository:team/app:pull,push"),
        ("GET", "/v2/_catalog", "registry:catalog:*"),
    ] {
        assert_eq!(challenge(method, path), format!("{realm},scope=\"{scope}\""));
    }
    let mut quay = Fixture::of("quay");
    assert!(
        quay.ask("DELETE", MANIFEST).header("www-authenticate").ends_with("scope=\"repository:team/app:pull,push\"")
    );
    assert_eq!(Fixture::of("gar").ask("GET", "/v2/team/app/referrers/x").error(), code(404, ""), "before it asks who");
}

#[test]
fn a_token_opens_what_it_was_given_for_and_what_its_user_may() {
    let mut registry = Fixture::of("acr");
    let digest = registry.push("one", &["v1"]);
    let by_digest = format!("/v2/team/app/manifests/{digest}");
    let pull = "repository:team/app:pull";
    let delete = "repository:team/app:pull,delete";
    let [sandbox, reader] = [Some(USER), Some(READER)];
    let token = registry.token(sandbox, &["repository:other:pull", pull]);
    assert_eq!(registry.with("HEAD", MANIFEST, &token).status(), 200);
    let refused = registry.with("DELETE", &by_digest, &token);
    assert_eq!(refused.status(), 401);
    assert!(refused.header("www-authenticate").ends_with("error=\"insufficient_scope\""));
    // Given without a word, for less than was asked for.
    let token = registry.token(reader, &[delete]);
    assert_eq!(registry.with("HEAD", MANIFEST, &token).status(), 200);
    assert_eq!(registry.with("DELETE", &by_digest, &token).status(), 401);
    let token = registry.token(sandbox, &["repository:team/app:*"]);
    assert_eq!(registry.with("DELETE", &by_digest, &token).status(), 202);
    let wrong = registry.with("GET", "/oauth2/token", &basic(("sandbox", "wrong")));
    assert_eq!(wrong.error(), code(401, "UNAUTHORIZED"));
}

#[test]
fn a_token_ends_and_says_so() {
    let mut registry = Fixture::of("harbor");
    registry.push("one", &["v1"]);
    registry.oci.door.token_life = TimeDelta::seconds(60);
    let token = registry.token(Some(USER), &["repository:team/app:pull"]);
    assert_eq!(registry.with("HEAD", MANIFEST, &token).status(), 200);
    registry.now += TimeDelta::seconds(60);
    for token in [token.as_str(), "bearer unknown"] {
        let answer = registry.with("HEAD", MANIFEST, token);
        assert_eq!(answer.status(), 401);
        assert!(answer.header("www-authenticate").ends_with("error=\"invalid_token\""));
    }
}

#[test]
fn nobody_pulls_only_where_everybody_may() {
    let mut registry = Fixture::of("ghcr");
    registry.push("one", &["v1"]);
    let token = registry.token(None, &["repository:team/app:pull"]);
    assert_eq!(registry.with("HEAD", MANIFEST, &token).status(), 401);
    registry.oci.door.anonymous = true;
    let token = registry.token(None, &["repository:team/app:pull,delete"]);
    assert_eq!(registry.with("HEAD", MANIFEST, &token).status(), 200);
    assert_eq!(registry.with("DELETE", MANIFEST, &token).status(), 401);
}

#[test]
fn names_and_passwords_go_as_they_are_where_there_is_no_token() {
    let mut registry = Fixture::of("zot");
    let digest = registry.push("one", &["v1"]);
    let none = registry.ask("GET", "/v2/");
    assert_eq!((none.status(), none.header("www-authenticate")), (401, "Basic realm=\"sandbox\""));
    assert_eq!(registry.with("GET", MANIFEST, &basic(READER)).status(), 200);
    let path = format!("/v2/team/app/manifests/{digest}");
    assert_eq!(registry.with("DELETE", &path, &basic(READER)).error(), code(403, "DENIED"));
    assert_eq!(registry.with("DELETE", &path, &basic(USER)).status(), 202);
}

#[test]
fn a_posted_form_gives_a_token_for_an_identity() {
    let mut registry = Fixture::of("acr");
    registry.push("one", &["v1"]);
    let mut post = |path: &str, form: &str| registry.send("POST", path, &[], form.as_bytes());
    let identity = post("/oauth2/exchange", "grant_type=access_token&service=x&access_token=y").json();
    let identity = identity["refresh_token"].as_str().unwrap().to_owned();
    let form =
        format!("grant_type=refresh_token&refresh_token={identity}&scope=repository:team/app:pull+registry:catalog:*");
    let token = post("/oauth2/token", &form).json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(post("/oauth2/token", "grant_type=refresh_token&refresh_token=x").status(), 401);
    let (name, password) = READER;
    assert_eq!(
        post("/oauth2/token", &format!("grant_type=password&username={name}&password={password}")).status(),
        200
    );
    for path in [MANIFEST, "/v2/_catalog"] {
        assert_eq!(registry.with("GET", path, &format!("Bearer {token}")).status(), 200);
    }
}
