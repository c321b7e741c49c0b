use std::sync::{Arc, Mutex};

use super::*;
use crate::{
    sandbox::{Options, Received, Reply, Sandbox, Service, World},
    settings::tencent::role,
};

/// A metadata service with one role, whose keys last as long as the test says.
struct Metadata {
    answers: Arc<Mutex<Vec<&'static str>>>,
}

impl Service for Metadata {
    fn operation(&self, request: &Received) -> Option<String> {
        request.path.strip_prefix("/latest/meta-data/cam/security-credentials/").map(Into::into)
    }

    fn answer(&mut self, request: &Received) -> Reply {
        let mut answers = self.answers.lock().unwrap();
        let (status, body) = match request.path.ends_with('/') {
            true if answers.is_empty() => (404, ""),
            true => (200, "ci-role\n"),
            false if answers.is_empty() => (500, ""),
            false => (200, answers.remove(0)),
        };
        Reply { status, headers: Vec::new(), body: body.into() }
    }

    fn throttled(&self) -> Reply {
        self.broken(429)
    }

    fn broken(&self, status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Vec::new() }
    }

    fn environment(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![(role::VARIABLE, url.into())]
    }
}

async fn machine(answers: &[&'static str]) -> (Sandbox, Settings) {
    let mut world = World::default();
    let answers = Arc::new(Mutex::new(answers.to_vec()));
    world.others.push(("metadata", Box::new(Metadata { answers })));
    let sandbox = Sandbox::start(world, Options::default()).await.unwrap();
    let url = sandbox.url();
    let settings =
        Settings { env: Env::of([(role::VARIABLE, url.as_str()), (SDK_FILE, "")], None), ..Settings::default() };
    (sandbox, settings)
}

const FIRST: &str = r#"{"TmpSecretId":"FIRST","TmpSecretKey":"k1","Token":"t1","ExpiredTime":1700000000,"Expiration":"2023-11-14T22:13:20Z","Code":"Success"}"#;
const SECOND: &str =
    r#"{"TmpSecretId":"SECOND","TmpSecretKey":"k2","Token":"t2","ExpiredTime":1700007200,"Code":"Success"}"#;

#[tokio::test]
async fn a_machines_role_gives_keys_that_are_renewed_before_they_end() {
    let (sandbox, settings) = machine(&[FIRST, SECOND]).await;
    let end = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let before = |seconds| end - TimeDelta::seconds(seconds);
    let keys = Tencent::load(&settings).unwrap().keys(before(3600)).await.unwrap();
    assert_eq!(keys.found(), "the role ci-role of this machine");
    for (now, id) in [
        (before(3600), "FIRST"),
        (before(301), "FIRST"),
        (before(300), "SECOND"),
        (before(299), "SECOND"),
        // No more answers: what still holds is used to its end, and not beyond.
        (end + TimeDelta::seconds(7199), "SECOND"),
    ] {
        assert_eq!(keys.at(now).await.unwrap().secret_id, id);
    }
    let error = keys.at(end + TimeDelta::seconds(7200)).await.err().unwrap();
    assert_eq!(error.kind, Kind::Auth);
    let asked: Vec<_> = sandbox.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(asked, ["", "ci-role", "ci-role", "ci-role", "ci-role"]);
}

#[tokio::test]
async fn without_any_credentials_every_place_that_was_looked_at_is_named() {
    let now = Utc::now();
    let settings = |vars: &[(&str, &str)]| Settings {
        env: Env::of(vars.iter().copied(), Some("/nowhere".into())),
        ..Settings::default()
    };
    let (_sandbox, nobody) = machine(&[]).await;
    let metadata = nobody.env.get(role::VARIABLE).unwrap();
    for (endpoint, why) in [
        ("off", "IMGCTL_TENCENT_METADATA_ENDPOINT is off"),
        (metadata, "has no role"),
        ("http://127.0.0.1:1", "does not answer"),
    ] {
        let settings = settings(&[(role::VARIABLE, endpoint)]);
        let error = Tencent::load(&settings).unwrap().keys(now).await.err().unwrap();
        assert_eq!(error.kind, Kind::Auth);
        for place in [
            "TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY (not set)",
            "/nowhere/.tccli/default.credential (not there)",
            "/nowhere/.tencentcloud/credentials (not there)",
            "the role of this machine",
            why,
        ] {
            assert!(error.message.contains(place), "{place}: {error}");
        }
    }
    let wrong = settings(&[(role::VARIABLE, "http://metadata.example.com")]);
    let error = Tencent::load(&wrong).unwrap().keys(now).await.err().unwrap();
    assert_eq!(error.kind, Kind::Config);
}

#[tokio::test]
async fn metadata_that_is_no_set_of_good_keys_is_no_credential() {
    let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    for answer in [
        "<html>",
        "{}",
        r#"{"TmpSecretId":"I","TmpSecretKey":"k","Token":"t","ExpiredTime":1800000000,"Code":"Failed"}"#,
        FIRST,
    ] {
        let (_sandbox, settings) = machine(&[answer]).await;
        let error = Tencent::load(&settings).unwrap().keys(now).await.err().unwrap();
        assert_eq!(error.kind, Kind::Auth, "{answer}");
        assert!(error.message.contains("ci-role"), "{error}");
    }
}
