use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use chrono::TimeDelta;
use secrecy::ExposeSecret;

use super::*;
use crate::sandbox::{Options, Received, Reply, Sandbox, Service, World};

const ENV_KEYS: [(&str, &str); 2] = [(SECRET_ID, "ENV"), (SECRET_KEY, "env-key")];
const DEFAULT_FILE: (&str, &str) = (
    "/h/.tccli/default.credential",
    r#"{"secretId":"FILE","secretKey":"file-key","token":"file-token"}"#,
);
const SDK: (&str, &str) = (
    "/h/.tencentcloud/credentials",
    "[default]\nsecret_id = SDK\nsecret_key = sdk-key\n",
);
const SYSTEM: (&str, &str) = (
    "/etc/tencentcloud/credentials",
    "[default]\nsecret_id = SYSTEM\nsecret_key = system-key\n",
);

fn env(vars: &[(&'static str, &'static str)]) -> Env {
    Env::of(vars.iter().copied(), Some("/h".into()))
}

fn of_files(files: &[(&str, &str)]) -> impl Fn(&Path) -> io::Result<String> + Sync + use<> {
    let files: BTreeMap<PathBuf, String> = files
        .iter()
        .map(|(path, text)| (path.into(), (*text).into()))
        .collect();
    move |path| files.get(path).cloned().ok_or(ErrorKind::NotFound.into())
}

/// The secret id and token chosen (or `role`), or the error.
fn chosen(
    vars: &[(&'static str, &'static str)],
    flag: Option<&str>,
    files: &[(&str, &str)],
) -> Result<Option<(String, Option<String>, String)>> {
    let (env, read) = (env(vars), of_files(files));
    let found = Tencent::from(&env, flag, &read)?.stored(&read, &mut Vec::new())?;
    Ok(found.map(|found| match found.value {
        Profile::MachineRole => ("role".into(), None, found.source),
        Profile::Keys(keys) => {
            let token = keys.token.map(|token| token.expose_secret().to_owned());
            (keys.secret_id, token, found.source)
        }
    }))
}

#[test]
fn credentials_come_from_the_first_place_that_has_them() {
    let prod = (
        "/h/.tccli/prod.credential",
        r#"{"secretId":"PROD","secretKey":"p"}"#,
    );
    let role = ("/h/.tccli/default.credential", r#"{"type":"cvm-role"}"#);
    let [id, key] = ENV_KEYS;
    let everything = [DEFAULT_FILE, SDK, SYSTEM, prod];
    type Case<'a> = (
        &'a [(&'static str, &'static str)],
        Option<&'a str>,
        &'a [(&'a str, &'a str)],
        &'a str,
        Option<&'a str>,
    );
    let cases: &[Case<'_>] = &[
        (&ENV_KEYS, None, &everything, "ENV", None),
        (
            &[
                id,
                key,
                ("TENCENTCLOUD_TOKEN", "a"),
                ("TENCENTCLOUD_SESSION_TOKEN", "c"),
            ],
            None,
            &everything,
            "ENV",
            Some("a"),
        ),
        (
            &[id, key, ("TENCENTCLOUD_SECURITY_TOKEN", "b")],
            None,
            &everything,
            "ENV",
            Some("b"),
        ),
        (
            &[id, key, ("TENCENTCLOUD_SESSION_TOKEN", "c")],
            None,
            &everything,
            "ENV",
            Some("c"),
        ),
        // A token alone belongs to nothing that is in a file.
        (
            &[("TENCENTCLOUD_TOKEN", "a")],
            None,
            &everything,
            "FILE",
            Some("file-token"),
        ),
        (&[], None, &everything, "FILE", Some("file-token")),
        (&[], None, &[role, SDK], "role", None),
        (&[], None, &[SDK, SYSTEM], "SDK", None),
        (&[], None, &[SYSTEM], "SYSTEM", None),
        (
            &[(SDK_FILE, "/etc/tencentcloud/credentials")],
            None,
            &[SDK, SYSTEM],
            "SYSTEM",
            None,
        ),
        // An explicit profile beats the environment; a variable's does not beat keys beside it.
        (&ENV_KEYS, Some("prod"), &everything, "PROD", None),
        (
            &ENV_KEYS,
            Some("default"),
            &everything,
            "FILE",
            Some("file-token"),
        ),
        (&[id], Some("prod"), &everything, "PROD", None),
        (
            &[("TCCLI_PROFILE", "prod")],
            None,
            &everything,
            "PROD",
            None,
        ),
        (
            &[("TENCENTCLOUD_PROFILE", "prod")],
            None,
            &everything,
            "PROD",
            None,
        ),
        (
            &[("TCCLI_PROFILE", "prod"), ("TENCENTCLOUD_PROFILE", "other")],
            None,
            &everything,
            "PROD",
            None,
        ),
        (
            &[("TCCLI_PROFILE", "prod"), id, key],
            None,
            &everything,
            "ENV",
            None,
        ),
        (
            &[("TCCLI_PROFILE", "prod")],
            Some("default"),
            &everything,
            "FILE",
            Some("file-token"),
        ),
        (
            &[("TENCENTCLOUD_SHARED_CREDENTIALS_DIR", "/x")],
            None,
            &[
                (
                    "/x/default.credential",
                    r#"{"secretId":"X","secretKey":"k"}"#,
                ),
                DEFAULT_FILE,
            ],
            "X",
            None,
        ),
        (
            &[("TENCENTCLOUD_SHARED_CREDENTIALS_DIR", "~/x")],
            None,
            &[(
                "/h/x/default.credential",
                r#"{"secretId":"X","secretKey":"k"}"#,
            )],
            "X",
            None,
        ),
    ];
    for (vars, flag, files, id, token) in cases {
        let (found, found_token, _) = chosen(vars, *flag, files).unwrap().unwrap();
        assert_eq!(
            (found.as_str(), found_token.as_deref()),
            (*id, *token),
            "{vars:?} {flag:?}"
        );
    }
    assert!(chosen(&[], None, &[]).unwrap().is_none());
}

#[test]
fn the_place_that_credentials_come_from_is_said() {
    let [id, key] = ENV_KEYS;
    for (vars, flag, source) in [
        (
            &ENV_KEYS[..],
            None,
            "TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY",
        ),
        (
            &[id, key, ("TENCENTCLOUD_SESSION_TOKEN", "c")][..],
            None,
            "TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY and TENCENTCLOUD_SESSION_TOKEN",
        ),
        (
            &[],
            Some("default"),
            "profile default in /h/.tccli/default.credential",
        ),
        (
            &[(SDK_FILE, "/h/.tencentcloud/credentials")][..],
            None,
            "profile default in /h/.tccli/default.credential",
        ),
    ] {
        let (.., found) = chosen(vars, flag, &[DEFAULT_FILE, SDK]).unwrap().unwrap();
        assert_eq!(found, source);
    }
    let (.., found) = chosen(&[], None, &[SDK]).unwrap().unwrap();
    assert_eq!(found, "/h/.tencentcloud/credentials");
}

#[test]
fn what_was_asked_for_and_is_not_there_is_an_error_and_never_something_else() {
    let [id, key] = ENV_KEYS;
    let [role, session] = ROLE_VARIABLES;
    let everything = [DEFAULT_FILE, SDK, SYSTEM];
    for (vars, flag, kind, message) in [
        (
            &[id][..],
            None,
            Kind::Auth,
            "TENCENTCLOUD_SECRET_ID is set and TENCENTCLOUD_SECRET_KEY is missing",
        ),
        (
            &[key][..],
            None,
            Kind::Auth,
            "TENCENTCLOUD_SECRET_KEY is set and TENCENTCLOUD_SECRET_ID is missing",
        ),
        (
            &ENV_KEYS[..],
            Some("prod"),
            Kind::Auth,
            "--profile names the profile \"prod\", but /h/.tccli/prod.credential is not there",
        ),
        (
            &[("TCCLI_PROFILE", "prod")][..],
            None,
            Kind::Auth,
            "TCCLI_PROFILE names the profile \"prod\", but /h/.tccli/prod.credential is not there",
        ),
        (
            &[][..],
            Some("../prod"),
            Kind::Config,
            "\"../prod\" is no name of a profile",
        ),
        (
            &[id, key, (role, "r"), (session, "s")][..],
            None,
            Kind::Config,
            "ask for a role to be assumed",
        ),
    ] {
        let error = chosen(vars, flag, &everything).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(message), "{error}");
    }
    let error = chosen(&[(SDK_FILE, "/x/keys")], None, &[SDK]).unwrap_err();
    assert!(error.message.contains("/x/keys is not there"), "{error}");
    let unreadable = |path: &Path| match path.extension() {
        Some(_) => Err(ErrorKind::PermissionDenied.into()),
        None => Err::<String, _>(ErrorKind::NotFound.into()),
    };
    let nothing = env(&[]);
    let error = Tencent::from(&nothing, None, &unreadable).err().unwrap();
    assert_eq!(error.kind, Kind::Config);
    assert!(
        error.message.contains("default.configure cannot be read"),
        "{error}"
    );
}

const SETTINGS: (&str, &str) = (
    "/h/.tccli/default.configure",
    r#"{"_sys_param":{"region":"ap-file"},"cvm":{"endpoint":"cvm.tencentcloudapi.com","version":"2017-03-12"}}"#,
);

#[test]
fn the_region_is_the_variables_unless_a_profile_was_asked_for() {
    for (vars, flag, region, source) in [
        (&[(REGION, "ap-env")][..], None, "ap-env", REGION),
        (
            &[(REGION, "ap-env")][..],
            Some("default"),
            "ap-file",
            SETTINGS.0,
        ),
        (&[(REGION, "ap-env")][..], Some("other"), "ap-env", REGION),
        (&[][..], None, "ap-file", SETTINGS.0),
    ] {
        let env = env(vars);
        let tencent = Tencent::from(&env, flag, &of_files(&[SETTINGS])).unwrap();
        let found = tencent.region().unwrap();
        assert_eq!(
            (found.value.as_str(), found.source.as_str()),
            (region, source)
        );
    }
    let nothing = env(&[]);
    let error = Tencent::from(&nothing, None, &of_files(&[]))
        .unwrap()
        .region()
        .unwrap_err();
    assert_eq!(error.kind, Kind::Config);
    for place in [
        "the reference",
        "--region",
        REGION,
        "/h/.tccli/default.configure (not there)",
    ] {
        assert!(error.message.contains(place), "{error}");
    }
}

#[test]
fn the_endpoint_is_the_first_that_somebody_chose() {
    let configured = |endpoint: &str| format!(r#"{{"cvm":{{"endpoint":"{endpoint}"}}}}"#);
    let default = configured("cvm.tencentcloudapi.com");
    let intl = configured("cvm.intl.tencentcloudapi.com");
    let local = configured("http://127.0.0.1:9");
    let own = ("IMGCTL_CVM_ENDPOINT", "http://127.0.0.1:8");
    let domain = (ROOT_DOMAIN, "internal.tencentcloudapi.com");
    let file = "cvm.endpoint in /h/.tccli/default.configure";
    for (vars, configure, region, url, source) in [
        (
            &[][..],
            "{}",
            "ap-guangzhou",
            "https://cvm.tencentcloudapi.com/",
            "default",
        ),
        (
            &[][..],
            &default,
            "ap-guangzhou",
            "https://cvm.tencentcloudapi.com/",
            "default",
        ),
        (
            &[][..],
            &default,
            "ap-shanghai-fsi",
            "https://cvm.ap-shanghai-fsi.tencentcloudapi.com/",
            "default",
        ),
        (
            &[][..],
            &intl,
            "ap-guangzhou",
            "https://cvm.intl.tencentcloudapi.com/",
            file,
        ),
        (&[][..], &local, "ap-guangzhou", "http://127.0.0.1:9/", file),
        (
            &[own, domain][..],
            &intl,
            "ap-shanghai-fsi",
            "http://127.0.0.1:8/",
            own.0,
        ),
        (
            &[domain][..],
            &intl,
            "ap-guangzhou",
            "https://cvm.intl.tencentcloudapi.com/",
            file,
        ),
        (
            &[domain][..],
            &default,
            "ap-guangzhou",
            "https://cvm.internal.tencentcloudapi.com/",
            ROOT_DOMAIN,
        ),
    ] {
        let env = env(vars);
        let read = of_files(&[("/h/.tccli/default.configure", configure)]);
        let tencent = Tencent::from(&env, None, &read).unwrap();
        let found = tencent
            .endpoint("cvm", "IMGCTL_CVM_ENDPOINT", region)
            .unwrap();
        assert_eq!((found.value.as_str(), found.source.as_str()), (url, source));
    }
    for (vars, configure) in [
        (
            ("IMGCTL_CVM_ENDPOINT", "http://cvm.example.com"),
            "{}".to_owned(),
        ),
        (
            ("IMGCTL_CVM_ENDPOINT", "https://cvm.example.com/path"),
            "{}".to_owned(),
        ),
        ((ROOT_DOMAIN, "no host"), "{}".to_owned()),
        ((ROOT_DOMAIN, "example.com/path"), "{}".to_owned()),
        (("OTHER", "x"), configured("http://cvm.example.com")),
        (("OTHER", "x"), r#"{"cvm":{"endpoint":1}}"#.to_owned()),
    ] {
        let env = env(&[vars]);
        let read = of_files(&[("/h/.tccli/default.configure", &configure)]);
        let tencent = Tencent::from(&env, None, &read).unwrap();
        let error = tencent
            .endpoint("cvm", "IMGCTL_CVM_ENDPOINT", "ap-guangzhou")
            .unwrap_err();
        assert_eq!(error.kind, Kind::Config, "{vars:?} {configure}");
    }
}

#[tokio::test]
async fn a_login_that_ran_out_asks_for_another_one() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".tccli")).unwrap();
    std::fs::write(
        home.path().join(".tccli/default.credential"),
        r#"{"type":"oauth","secretId":"I","secretKey":"K","token":"T","expiresAt":1700000000}"#,
    )
    .unwrap();
    let settings = Settings {
        env: Env::of([], Some(home.path().into())),
        ..Settings::default()
    };
    let end = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let keys = Tencent::load(&settings).unwrap().keys(end).await.unwrap();
    assert_eq!(
        keys.at(end - TimeDelta::seconds(1))
            .await
            .unwrap()
            .secret_id,
        "I"
    );
    let error = keys.at(end).await.err().unwrap();
    assert_eq!(error.kind, Kind::Auth);
    assert!(
        error.message.contains("ran out at 2023-11-14 22:13:20 UTC"),
        "{error}"
    );
    assert!(error.hint.unwrap().contains("tccli auth login"));
}

/// A metadata service with one role, whose keys last as long as the test says.
struct Metadata {
    answers: Arc<Mutex<Vec<&'static str>>>,
}

impl Service for Metadata {
    fn operation(&self, request: &Received) -> Option<String> {
        request
            .path
            .strip_prefix("/latest/meta-data/cam/security-credentials/")
            .map(Into::into)
    }

    fn answer(&mut self, request: &Received) -> Reply {
        let mut answers = self.answers.lock().unwrap();
        let (status, body) = match request.path.ends_with('/') {
            true if answers.is_empty() => (404, ""),
            true => (200, "ci-role\n"),
            false if answers.is_empty() => (500, ""),
            false => (200, answers.remove(0)),
        };
        Reply {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    fn throttled(&self) -> Reply {
        self.broken(429)
    }

    fn broken(&self, status: u16) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    fn environment(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![(role::VARIABLE, url.into())]
    }
}

async fn machine(answers: &[&'static str]) -> (Sandbox, Settings) {
    let mut world = World::default();
    let answers = Arc::new(Mutex::new(answers.to_vec()));
    world
        .others
        .push(("metadata", Box::new(Metadata { answers })));
    let sandbox = Sandbox::start(world, Options::default()).await.unwrap();
    let url = sandbox.url();
    let settings = Settings {
        env: Env::of([(role::VARIABLE, url.as_str()), (SDK_FILE, "")], None),
        ..Settings::default()
    };
    (sandbox, settings)
}

const FIRST: &str = r#"{"TmpSecretId":"FIRST","TmpSecretKey":"k1","Token":"t1","ExpiredTime":1700000000,"Expiration":"2023-11-14T22:13:20Z","Code":"Success"}"#;
const SECOND: &str = r#"{"TmpSecretId":"SECOND","TmpSecretKey":"k2","Token":"t2","ExpiredTime":1700007200,"Code":"Success"}"#;

#[tokio::test]
async fn a_machines_role_gives_keys_that_are_renewed_before_they_end() {
    let (sandbox, settings) = machine(&[FIRST, SECOND]).await;
    let end = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let before = |seconds| end - TimeDelta::seconds(seconds);
    let keys = Tencent::load(&settings)
        .unwrap()
        .keys(before(3600))
        .await
        .unwrap();
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
    let asked: Vec<_> = sandbox
        .calls()
        .into_iter()
        .map(|call| call.operation)
        .collect();
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
        let error = Tencent::load(&settings)
            .unwrap()
            .keys(now)
            .await
            .err()
            .unwrap();
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
    let error = Tencent::load(&wrong)
        .unwrap()
        .keys(now)
        .await
        .err()
        .unwrap();
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
        let error = Tencent::load(&settings)
            .unwrap()
            .keys(now)
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind, Kind::Auth, "{answer}");
        assert!(error.message.contains("ci-role"), "{error}");
    }
}
