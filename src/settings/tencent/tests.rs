use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;

use super::*;
use crate::checkup::Checkup;
use crate::settings::tencent::{
    credentials::{ROLE_VARIABLES, SDK_FILE, SECRET_ID, SECRET_KEY},
    files::Profile,
};

mod place;
mod role;

const ENV_KEYS: [(&str, &str); 2] = [(SECRET_ID, "ENV"), (SECRET_KEY, "env-key")];
const DEFAULT_FILE: (&str, &str) =
    ("/h/.tccli/default.credential", r#"{"secretId":"FILE","secretKey":"file-key","token":"file-token"}"#);
const SDK: (&str, &str) = ("/h/.tencentcloud/credentials", "[default]\nsecret_id = SDK\nsecret_key = sdk-key\n");
const SYSTEM: (&str, &str) =
    ("/etc/tencentcloud/credentials", "[default]\nsecret_id = SYSTEM\nsecret_key = system-key\n");

fn env(vars: &[(&'static str, &'static str)]) -> Env {
    Env::of(vars.iter().copied(), Some("/h".into()))
}

fn of_files(files: &[(&str, &str)]) -> impl Fn(&Path) -> io::Result<String> + Sync + use<> {
    let files: BTreeMap<PathBuf, String> = files.iter().map(|(path, text)| (path.into(), (*text).into())).collect();
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
fn a_byte_order_mark_before_a_file_is_understood() {
    for (path, text) in [DEFAULT_FILE, SDK] {
        let marked = format!("\u{feff}{text}");
        let plain = chosen(&[], None, &[(path, text)]).unwrap();
        assert!(plain.is_some());
        assert_eq!(chosen(&[], None, &[(path, &marked)]).unwrap(), plain);
    }
}

#[test]
fn credentials_come_from_the_first_place_that_has_them() {
    let prod = ("/h/.tccli/prod.credential", r#"{"secretId":"PROD","secretKey":"p"}"#);
    let role = ("/h/.tccli/default.credential", r#"{"type":"cvm-role"}"#);
    let [id, key] = ENV_KEYS;
    let everything = [DEFAULT_FILE, SDK, SYSTEM, prod];
    type Case<'a> =
        (&'a [(&'static str, &'static str)], Option<&'a str>, &'a [(&'a str, &'a str)], &'a str, Option<&'a str>);
    let cases: &[Case<'_>] = &[
        (&ENV_KEYS, None, &everything, "ENV", None),
        (
            &[id, key, ("TENCENTCLOUD_TOKEN", "a"), ("TENCENTCLOUD_SESSION_TOKEN", "c")],
            None,
            &everything,
            "ENV",
            Some("a"),
        ),
        (&[id, key, ("TENCENTCLOUD_SECURITY_TOKEN", "b")], None, &everything, "ENV", Some("b")),
        (&[id, key, ("TENCENTCLOUD_SESSION_TOKEN", "c")], None, &everything, "ENV", Some("c")),
        // A token alone belongs to nothing that is in a file.
        (&[("TENCENTCLOUD_TOKEN", "a")], None, &everything, "FILE", Some("file-token")),
        (&[], None, &everything, "FILE", Some("file-token")),
        (&[], None, &[role, SDK], "role", None),
        (&[], None, &[SDK, SYSTEM], "SDK", None),
        (&[], None, &[SYSTEM], "SYSTEM", None),
        (&[(SDK_FILE, "/etc/tencentcloud/credentials")], None, &[SDK, SYSTEM], "SYSTEM", None),
        // An explicit profile beats the environment; a variable's does not beat keys beside it.
        (&ENV_KEYS, Some("prod"), &everything, "PROD", None),
        (&ENV_KEYS, Some("default"), &everything, "FILE", Some("file-token")),
        (&[id], Some("prod"), &everything, "PROD", None),
        (&[("TCCLI_PROFILE", "prod")], None, &everything, "PROD", None),
        (&[("TENCENTCLOUD_PROFILE", "prod")], None, &everything, "PROD", None),
        (&[("TCCLI_PROFILE", "prod"), ("TENCENTCLOUD_PROFILE", "other")], None, &everything, "PROD", None),
        (&[("TCCLI_PROFILE", "prod"), id, key], None, &everything, "ENV", None),
        (&[("TCCLI_PROFILE", "prod")], Some("default"), &everything, "FILE", Some("file-token")),
        (
            &[("TENCENTCLOUD_SHARED_CREDENTIALS_DIR", "/x")],
            None,
            &[("/x/default.credential", r#"{"secretId":"X","secretKey":"k"}"#), DEFAULT_FILE],
            "X",
            None,
        ),
        (
            &[("TENCENTCLOUD_SHARED_CREDENTIALS_DIR", "~/x")],
            None,
            &[("/h/x/default.credential", r#"{"secretId":"X","secretKey":"k"}"#)],
            "X",
            None,
        ),
    ];
    for (vars, flag, files, id, token) in cases {
        let (found, found_token, _) = chosen(vars, *flag, files).unwrap().unwrap();
        assert_eq!((found.as_str(), found_token.as_deref()), (*id, *token), "{vars:?} {flag:?}");
    }
    assert!(chosen(&[], None, &[]).unwrap().is_none());
}

#[test]
fn the_place_that_credentials_come_from_is_said() {
    let [id, key] = ENV_KEYS;
    for (vars, flag, source) in [
        (&ENV_KEYS[..], None, "TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY"),
        (
            &[id, key, ("TENCENTCLOUD_SESSION_TOKEN", "c")][..],
            None,
            "TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY and TENCENTCLOUD_SESSION_TOKEN",
        ),
        (&[], Some("default"), "profile default in /h/.tccli/default.credential"),
        (&[(SDK_FILE, "/h/.tencentcloud/credentials")][..], None, "profile default in /h/.tccli/default.credential"),
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
        (&[id][..], None, Kind::Auth, "TENCENTCLOUD_SECRET_ID is set and TENCENTCLOUD_SECRET_KEY is missing"),
        (&[key][..], None, Kind::Auth, "TENCENTCLOUD_SECRET_KEY is set and TENCENTCLOUD_SECRET_ID is missing"),
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
        (&[][..], Some("../prod"), Kind::Config, "\"../prod\" is not a profile name"),
        (&[id, key, (role, "r"), (session, "s")][..], None, Kind::Config, "ask for a role to be assumed"),
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
    assert!(error.message.contains("default.configure cannot be read"), "{error}");
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
    let settings = Settings { env: Env::of([], Some(home.path().into())), ..Settings::default() };
    let end = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let keys = Tencent::load(&settings).unwrap().keys(end).await.unwrap();
    assert_eq!(keys.at(end - TimeDelta::seconds(1)).await.unwrap().secret_id, "I");
    let error = keys.at(end).await.err().unwrap();
    assert_eq!(error.kind, Kind::Auth);
    assert!(error.message.contains("expired at 2023-11-14 22:13:20 UTC"), "{error}");
    assert!(error.hint.unwrap().contains("tccli auth login"));
}

#[test]
fn credentials_that_are_set_but_not_used_are_shown() {
    let profile = ("TCCLI_PROFILE", "mine");
    for (vars, flag, unused) in [
        (vec![], Some("mine"), ""),
        (vec![profile], None, ""),
        (ENV_KEYS.to_vec(), None, ""),
        (ENV_KEYS.to_vec(), Some("mine"), SECRET_ID),
        ([&ENV_KEYS[..], &[profile]].concat(), None, "TCCLI_PROFILE"),
        ([&ENV_KEYS[..], &[profile]].concat(), Some("mine"), SECRET_ID),
    ] {
        let env = env(&vars);
        let mut checkup = Checkup::default();
        let tencent = Tencent::from(&env, flag, &of_files(&[])).unwrap();
        tencent.note_unused(&mut checkup);
        let values = checkup.checks.iter().filter_map(|check| check.value.as_deref());
        assert_eq!(values.collect::<String>(), unused, "{vars:?} {flag:?}");
    }
}
