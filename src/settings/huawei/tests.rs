use std::fs;

use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::checkup::{Check, State};

/// Settings with these variables and, in a home of their own, these files.
fn settings(variables: &[(&str, &str)], files: &[(&str, &str)]) -> (Settings, TempDir) {
    let home = TempDir::new().unwrap();
    for (path, text) in files {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let settings =
        Settings { env: Env::of(variables.iter().copied(), Some(home.path().into())), ..Settings::default() };
    (settings, home)
}

fn load(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Result<Huawei> {
    let (settings, _home) = settings(variables, files);
    Huawei::load(&settings, Some("cn-north-4"))
}

/// In one line, what was found and where.
fn found(variables: &[(&str, &str)], files: &[(&str, &str)]) -> String {
    let huawei = load(variables, files).unwrap_or_else(|error| panic!("{error}"));
    let credentials = match &huawei.credentials {
        Credentials::Token(token) => format!("token {}", token.expose_secret()),
        Credentials::Password(login) => {
            let user = serde_json::to_string(&login.user).unwrap();
            let scope = serde_json::to_string(&login.scope).unwrap();
            format!("password {} {user} {scope}", login.password.expose_secret())
        }
        Credentials::Keys(keys) => {
            let token = keys.security_token.as_ref();
            let token = token.map_or("none", |token| token.expose_secret());
            let secret = keys.secret_key.expose_secret();
            format!("keys {} {secret} {token}", keys.access_key)
        }
    };
    let id = huawei.project.id.map_or("none".into(), |(id, _)| id);
    format!("{credentials}, project {id} {}", huawei.project.name)
}

const TOKEN: &[(&str, &str)] = &[("HW_AUTH_TOKEN", "t")];
const PASSWORD: &[(&str, &str)] = &[("HW_USER_NAME", "u"), ("HW_USER_PASSWORD", "p"), ("HW_DOMAIN_NAME", "d")];
const SDK_KEYS: &[(&str, &str)] = &[("HUAWEICLOUD_SDK_AK", "a1"), ("HUAWEICLOUD_SDK_SK", "s1")];
const KEYS: &[(&str, &str)] = &[("HW_ACCESS_KEY", "a2"), ("HW_SECRET_KEY", "s2")];
const FILE: &[(&str, &str)] = &[(
    ".huaweicloud/credentials",
    "# keys\n[basic]\nak = a3\nsk=s3\n\n[other]\nak = a4\nsk = s4\nproject_id = p4\nsecurity_token = t4\niam_endpoint = https://iam.example.com\n",
)];

#[test]
fn a_byte_order_mark_before_the_file_is_understood() {
    let marked = format!("\u{feff}{}", FILE[0].1.trim_start_matches("# keys\n"));
    let file: &[(&str, &str)] = &[(FILE[0].0, &marked)];
    assert_eq!(found(&[], file), found(&[], FILE));
}

#[test]
fn a_token_beats_a_password_beats_keys_beat_the_file() {
    let sets = [TOKEN, PASSWORD, SDK_KEYS, KEYS];
    let expected = [
        "token t, project none cn-north-4",
        r#"password p {"name":"u","domain":{"name":"d"}} {"name":"cn-north-4","domain":{"name":"d"}}, project none cn-north-4"#,
        "keys a1 s1 none, project none cn-north-4",
        "keys a2 s2 none, project none cn-north-4",
        "keys a3 s3 none, project none cn-north-4",
    ];
    for (first, expected) in expected.into_iter().enumerate() {
        assert_eq!(found(&sets[first..].concat(), FILE), expected);
    }
}

#[test]
fn the_names_of_openstack_work_after_huaweis_own() {
    for (variables, expected) in [
        (&[("OS_AUTH_TOKEN", "t2")][..], "token t2, project none cn-north-4"),
        (&[("OS_AUTH_TOKEN", "t2"), ("HW_AUTH_TOKEN", "t")], "token t, project none cn-north-4"),
        (
            &[("OS_USERNAME", "u"), ("OS_PASSWORD", "p"), ("OS_USER_DOMAIN_NAME", "d"), ("OS_PROJECT_NAME", "n")],
            r#"password p {"name":"u","domain":{"name":"d"}} {"name":"n","domain":{"name":"d"}}, project none n"#,
        ),
        (
            &[("HW_USER_ID", "u"), ("HW_USER_PASSWORD", "p"), ("HW_PROJECT_ID", "i")],
            r#"password p {"id":"u"} {"id":"i"}, project i cn-north-4"#,
        ),
        (
            &[("OS_USER_ID", "u"), ("OS_PASSWORD", "p"), ("OS_DOMAIN_ID", "d")],
            r#"password p {"id":"u"} {"name":"cn-north-4","domain":{"id":"d"}}, project none cn-north-4"#,
        ),
        (
            &[("OS_ACCESS_KEY", "a"), ("OS_SECRET_KEY", "s"), ("HW_SECURITY_TOKEN", "t"), ("OS_PROJECT_ID", "i")],
            "keys a s t, project i cn-north-4",
        ),
        (
            &[
                ("HUAWEICLOUD_SDK_AK", "a"),
                ("HUAWEICLOUD_SDK_SK", "s"),
                ("HUAWEICLOUD_SDK_SECURITY_TOKEN", "t"),
                ("HUAWEICLOUD_SDK_PROJECT_ID", "i"),
                ("HW_PROJECT_ID", "j"),
            ],
            "keys a s t, project i cn-north-4",
        ),
    ] {
        assert_eq!(found(variables, &[]), expected);
    }
}

#[test]
fn half_a_set_is_an_error_that_names_the_other_half() {
    for (variables, missing) in [
        (&[("HW_USER_NAME", "u")][..], "HW_USER_PASSWORD or OS_PASSWORD is missing"),
        (&[("OS_PASSWORD", "p")], "HW_USER_NAME or OS_USERNAME is missing"),
        (&[("HW_USER_NAME", "u"), ("HW_USER_PASSWORD", "p")], "HW_DOMAIN_NAME or OS_DOMAIN_NAME"),
        (&[("HUAWEICLOUD_SDK_AK", "a")], "HUAWEICLOUD_SDK_SK is missing"),
        (&[("HUAWEICLOUD_SDK_SK", "s")], "HUAWEICLOUD_SDK_AK is missing"),
        (&[("HUAWEICLOUD_SDK_SECURITY_TOKEN", "t")], "HUAWEICLOUD_SDK_AK is missing"),
        (&[("HW_ACCESS_KEY", "a")], "HW_SECRET_KEY or OS_SECRET_KEY is missing"),
        // Two families are two halves.
        (&[("HUAWEICLOUD_SDK_AK", "a"), ("HW_SECRET_KEY", "s")], "HUAWEICLOUD_SDK_SK is missing"),
    ] {
        // The file is complete, and not what was meant.
        let Err(error) = load(variables, FILE) else {
            panic!("{variables:?} is half a set");
        };
        assert_eq!(error.kind, Kind::Auth);
        assert!(error.message.contains(missing), "{error}");
    }
}

#[test]
fn a_profile_that_is_named_beats_all_variables_and_is_never_replaced() {
    let variables =
        [TOKEN, PASSWORD, SDK_KEYS, &[("HW_PROJECT_ID", "i"), ("HW_AUTH_URL", "https://a.example.com")]].concat();
    let (mut settings, _home) = settings(&variables, FILE);
    let mut profile = |name: &str| {
        settings.profile = Some(name.into());
        Huawei::load(&settings, Some("cn-north-4"))
    };
    let huawei = profile("other").unwrap();
    let Credentials::Keys(keys) = &huawei.credentials else {
        panic!("the profile holds keys");
    };
    assert_eq!(keys.access_key, "a4");
    assert_eq!(keys.security_token.as_ref().unwrap().expose_secret(), "t4");
    assert_eq!(huawei.project.id.unwrap().0, "p4");
    assert_eq!(huawei.iam.as_str(), "https://iam.example.com/");
    // The variable's project may be of another account.
    assert_eq!(profile("basic").unwrap().project.id, None);
    let error = profile("third").map(|_| ()).unwrap_err();
    assert_eq!(error.kind, Kind::Auth);
    assert!(error.message.contains("has no section [third]"), "{error}");
}

#[test]
fn without_credentials_everything_looked_at_is_named() {
    let Err(error) = load(&[], &[]) else {
        panic!("there are no credentials");
    };
    assert_eq!(error.kind, Kind::Auth);
    for name in [
        "HW_AUTH_TOKEN/OS_AUTH_TOKEN",
        "HW_USER_NAME/OS_USERNAME and HW_USER_PASSWORD/OS_PASSWORD",
        "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK",
        "HW_ACCESS_KEY/OS_ACCESS_KEY and HW_SECRET_KEY/OS_SECRET_KEY",
        ".huaweicloud/credentials (not there)",
    ] {
        assert!(error.message.contains(name), "{error}");
    }
    assert!(!error.message.contains("hcloud/"));
}

#[test]
fn the_settings_of_koocli_are_noticed_and_said_to_be_encrypted() {
    let Err(error) = load(&[], &[(".hcloud/config.json", "{}")]) else {
        panic!("there are no credentials that can be read");
    };
    assert!(error.message.contains(".hcloud/config.json (encrypted by KooCLI)"));
    assert!(error.hint.unwrap().contains("other tools cannot read them"));
}

#[test]
fn a_broken_file_is_named_and_not_repeated() {
    for (text, why) in [
        ("[basic]\nak = a\nsecretsecret\n", "line 3"),
        ("ak = secretsecret\n", "line 1"),
        ("[basic]\nak = secretsecret\n", "sk is missing"),
        ("[basic]\nsk = secretsecret\n", "ak is missing"),
    ] {
        let Err(error) = load(&[], &[(".huaweicloud/credentials", text)]) else {
            panic!("{text}");
        };
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(why) && !shown.contains("secretsecret"), "{shown}");
    }
    let named = load(&[("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "/no/such/file")], &[]);
    assert_eq!(named.map(|_| ()).unwrap_err().kind, Kind::Config);
}

#[test]
fn the_project_of_variables_is_of_the_region_beside_it() {
    let variables = [PASSWORD, &[("HW_PROJECT_ID", "i"), ("HW_REGION_NAME", "cn-north-4")]].concat();
    let (settings, _home) = settings(&variables, &[]);
    let project = |region| Huawei::load(&settings, region).unwrap().project.id.map(|(id, _)| id);
    assert_eq!(project(None), Some("i".into()));
    assert_eq!(project(Some("cn-north-4")), Some("i".into()));
    assert_eq!(project(Some("ap-southeast-1")), None);
}

#[test]
fn the_region_is_the_references_then_the_flags_then_the_variables() {
    let variables = [TOKEN, &[("OS_REGION_NAME", "os-1")]].concat();
    let (mut with, _home) = settings(&variables, &[]);
    assert_eq!(Huawei::load(&with, None).unwrap().region, "os-1");
    with.region = Some("flag-1".into());
    assert_eq!(Huawei::load(&with, None).unwrap().region, "flag-1");
    assert_eq!(Huawei::load(&with, Some("ref-1")).unwrap().region, "ref-1");
    let (without, _home) = settings(TOKEN, &[]);
    let error = Huawei::load(&without, None).map(|_| ()).unwrap_err();
    assert_eq!(error.kind, Kind::Config);
    assert!(error.message.contains("HW_REGION_NAME"));
}

#[test]
fn a_region_that_would_change_the_host_is_refused() {
    let (settings, _home) = settings(TOKEN, &[]);
    for region in ["evil.example.com/", "a@b", "", "-a", "a.b", "a b", &"a".repeat(64)] {
        let error = Huawei::load(&settings, Some(region)).map(|_| ()).unwrap_err();
        assert_eq!(error.kind, Kind::Config, "{region}");
    }
    // The case of a host name does not matter.
    assert_eq!(Huawei::load(&settings, Some("CN-North-4")).unwrap().region, "cn-north-4");
}

#[test]
fn each_region_has_its_hosts() {
    let cases = [
        ("cn-north-4", "https://appstream.cn-north-4.myhuaweicloud.com/", "https://iam.cn-north-4.myhuaweicloud.com/"),
        (
            "cn-southwest-2",
            "https://appstream.cn-southwest-2.myhuaweicloud.com/",
            "https://iam.cn-southwest-2.myhuaweicloud.com/",
        ),
        ("cn-east-5", "https://workspace.cn-east-5.myhuaweicloud.com/", "https://iam.cn-east-5.myhuaweicloud.com/"),
        (
            "ap-southeast-1",
            "https://workspace.ap-southeast-1.myhuaweicloud.com/",
            "https://iam.ap-southeast-1.myhuaweicloud.com/",
        ),
        ("eu-west-101", "https://workspace.eu-west-101.myhuaweicloud.eu/", "https://iam.eu-west-101.myhuaweicloud.eu/"),
    ];
    let (settings, _home) = settings(TOKEN, &[]);
    for (region, workspace, iam) in cases {
        let huawei = Huawei::load(&settings, Some(region)).unwrap();
        assert_eq!([huawei.workspace.as_str(), huawei.iam.as_str()], [workspace, iam]);
    }
}

#[test]
fn endpoints_can_be_set_and_must_be_safe() {
    type Case<'a> = (&'a [(&'a str, &'a str)], Option<[&'a str; 2]>);
    let ours = "https://appstream.cn-north-4.myhuaweicloud.com/";
    let cases: [Case; 10] = [
        (
            &[("HW_CLOUD", "example.org")],
            Some(["https://appstream.cn-north-4.example.org/", "https://iam.cn-north-4.example.org/"]),
        ),
        (&[("HW_AUTH_URL", "https://iam.example.org/v3")], Some([ours, "https://iam.example.org/"])),
        (&[("OS_AUTH_URL", "http://127.0.0.1:5000/identity/v3/")], Some([ours, "http://127.0.0.1:5000/identity"])),
        (&[("HUAWEICLOUD_SDK_IAM_ENDPOINT", "https://sdk.example.org")], Some([ours, "https://sdk.example.org/"])),
        (
            &[
                ("IMGCTL_IAM_ENDPOINT", "http://127.0.0.1:1"),
                ("HW_AUTH_URL", "https://iam.example.org/v3"),
                ("IMGCTL_WORKSPACE_ENDPOINT", "http://127.0.0.1:2"),
            ],
            Some(["http://127.0.0.1:2/", "http://127.0.0.1:1/"]),
        ),
        (&[("HW_AUTH_URL", "http://iam.example.org/v3")], None),
        (&[("IMGCTL_WORKSPACE_ENDPOINT", "http://example.org")], None),
        (&[("IMGCTL_WORKSPACE_ENDPOINT", "https://example.org/?a=b")], None),
        (&[("IMGCTL_WORKSPACE_ENDPOINT", "https://example.org/a(b)")], None),
        (&[("HW_CLOUD", "example.org/x@evil")], None),
    ];
    for (variables, expected) in cases {
        let loaded = load(&[TOKEN, variables].concat(), &[]);
        match expected {
            Some(expected) => {
                let huawei = loaded.unwrap();
                assert_eq!([huawei.workspace.as_str(), huawei.iam.as_str()], expected);
            }
            None => assert_eq!(loaded.map(|_| ()).unwrap_err().kind, Kind::Config, "{variables:?}"),
        }
    }
}

#[test]
fn users_and_projects_are_written_as_iam_reads_them() {
    let domain = Domain::Id { id: "d".into() };
    let named = Named::Name { name: "n".into(), domain };
    assert_eq!(json!(named), json!({"name": "n", "domain": {"id": "d"}}));
    assert_eq!(json!(Named::Id { id: "i".into() }), json!({"id": "i"}));
}

#[test]
fn what_is_set_and_has_no_say_is_told_with_what_comes_before_it() {
    let unused = |variables: &[&[(&str, &str)]], profile: Option<&str>| {
        let (settings, _home) = settings(&variables.concat(), FILE);
        let settings = Settings { profile: profile.map(Into::into), ..settings };
        let mut checkup = Checkup::default();
        Huawei::look(&settings, Some("cn-north-4"), &mut checkup).unwrap();
        let unused = checkup.checks.iter().filter(|check| check.state == State::Unused);
        let shown = unused.map(|check| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            format!("{}: {}", text(&check.value), text(&check.note))
        });
        shown.collect::<Vec<_>>()
    };
    assert!(unused(&[SDK_KEYS], None).is_empty());
    assert!(unused(&[], None).is_empty());
    assert_eq!(
        unused(&[SDK_KEYS, KEYS], None),
        ["HW_ACCESS_KEY: not used because of HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK"]
    );
    assert_eq!(
        unused(&[PASSWORD, KEYS, &[("HW_USER_ID", "id")]], None),
        ["HW_ACCESS_KEY: not used because of HW_USER_ID and HW_USER_PASSWORD"]
    );
    assert_eq!(
        unused(&[TOKEN, PASSWORD, SDK_KEYS], None),
        ["HW_USER_NAME: not used because of HW_AUTH_TOKEN", "HUAWEICLOUD_SDK_AK: not used because of HW_AUTH_TOKEN"]
    );
    assert_eq!(unused(&[TOKEN], Some("other")), ["HW_AUTH_TOKEN: --profile names other credentials"]);
}

#[test]
fn each_setting_is_told_with_what_set_it() {
    let (settings, _home) =
        settings(&[SDK_KEYS, &[("HW_REGION_NAME", "cn-north-4"), ("HW_PROJECT_ID", "p1")]].concat(), &[]);
    let mut checkup = Checkup::default();
    Huawei::look(&settings, None, &mut checkup).unwrap();
    let found = |check: &Check| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{:?} {} <{}>", check.check, text(&check.value), text(&check.source))
    };
    assert_eq!(
        checkup.checks.iter().map(found).collect::<Vec<_>>(),
        [
            "Credentials a1 <HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK>",
            "Region cn-north-4 <HW_REGION_NAME>",
            "Project p1 <HW_PROJECT_ID>",
            "Endpoint https://appstream.cn-north-4.myhuaweicloud.com <the region's host>",
        ]
    );
}
