//! Which credentials are taken, and what is said where there are none or only a part.

use super::*;

#[test]
fn a_named_profile_must_exist_even_if_other_credentials_do() {
    let files = "[default]\nregion = eu-west-1\n[profile production]\n";
    for (variable, from) in [("AWS_PROFILE", "AWS_PROFILE"), ("TEST_PROFILE", "--profile")] {
        let said = Case::new(&KEYS).config(files).with(&[REGION, (variable, "prodution")]).says();
        let wanted = format!("Config: {from} names the AWS profile \"prodution\", which does not exist");
        assert!(said.starts_with(&wanted), "{said}");
        assert!(said.contains("did you mean production? there are default, production"), "{said}");
    }
    let sourced = "[profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = gone\n";
    let said = Case::new(&KEYS).config(sourced).with(&[REGION, ("AWS_PROFILE", "role")]).says();
    assert!(
        said.starts_with("Config: source_profile of the AWS profile role names the AWS profile \"gone\""),
        "{said}"
    );
    // Set and empty is not set.
    let said = Case::new(&KEYS).with(&[REGION, ("AWS_PROFILE", "")]).says();
    assert!(said.starts_with("eu-west-1"), "{said}");
}

#[test]
fn an_explicit_profile_beats_keys_in_the_environment_and_a_variable_does_not() {
    let keys = "[profile ci]\naws_access_key_id = AKIAPROFILE000000002\naws_secret_access_key = hunter2-profile\n";
    let case = |variable| Case::new(&KEYS).config(keys).with(&[REGION, (variable, "ci")]).says();
    assert!(case("TEST_PROFILE").contains("; AKIA…0002; profile Some(\"ci\")"), "{}", case("TEST_PROFILE"));
    assert!(case("AWS_PROFILE").contains("; AKIA…0001; profile Some(\"ci\")"));
}

#[test]
fn an_explicit_profile_without_credentials_is_not_replaced_by_anything() {
    let said = Case::new(&KEYS).config("[profile bare]\nregion = eu-west-1\n").set("TEST_PROFILE", "bare").says();
    assert!(said.starts_with("Auth: the AWS profile \"bare\" has no credentials"), "{said}");
}

#[test]
fn the_files_that_variables_name_are_read() {
    let case = Case::new(&[NO_METADATA])
        .file("elsewhere", "[default]\nregion = eu-west-3\n")
        .file("keys", "[default]\naws_access_key_id = AKIAELSEWHERE0000003\naws_secret_access_key = hunter2\n");
    let path = |name: &str| case.home.path().join(name).display().to_string();
    let (config, keys) = (path("elsewhere"), path("keys"));
    let said = case.with(&[("AWS_CONFIG_FILE", &config), ("AWS_SHARED_CREDENTIALS_FILE", &keys)]).says();
    assert!(said.starts_with("eu-west-3 from the AWS profile default; AKIA…0003"), "{said}");
}

#[test]
fn a_broken_file_and_a_broken_source_say_what_is_wrong() {
    let broken = Case::new(&KEYS).config("[default\nregion = x\n").set(REGION.0, REGION.1).says();
    assert!(broken.starts_with("Config: cannot read the AWS profiles: "), "{broken}");
    let looping = "[profile a]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = b\n[profile b]\nrole_arn = arn:aws:iam::1:role/y\nsource_profile = a\n";
    let looping = Case::new(&[NO_METADATA, REGION]).config(looping).set("AWS_PROFILE", "a").says();
    assert!(looping.contains("infinite loop"), "{looping}");
    let session = "[profile sso]\nsso_start_url = https://example.awsapps.com/start\nsso_region = eu-west-1\nsso_account_id = 123456789012\nsso_role_name = x\n";
    let session = Case::new(&[NO_METADATA, REGION]).config(session).set("AWS_PROFILE", "sso").says();
    assert!(session.starts_with("Auth: AWS gave no credentials: "), "{session}");
    assert!(session.contains("aws sso login --profile sso"), "{session}");
}

#[test]
fn half_a_key_is_no_key_and_no_reason_to_look_elsewhere() {
    for (name, missing) in
        [("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")]
    {
        let said = Case::new(&[NO_METADATA, REGION, (name, "hunter2")]).says();
        assert!(said.starts_with(&format!("Config: {name} is set and {missing} is not")), "{said}");
    }
}

#[test]
fn a_session_that_only_aws_can_read_is_said_to_be_one() {
    let said = Case::new(&[NO_METADATA, REGION]).config("[default]\nlogin_session = arn:aws:sts::1:x\n").says();
    assert!(said.starts_with("Config: the AWS profile \"default\" is a session of `aws login`"), "{said}");
    assert!(said.contains("export-credentials"), "{said}");
}

#[test]
fn a_program_that_gives_credentials_is_not_waited_for_without_end() {
    let (said, took) = Case::new(&[NO_METADATA, REGION, ("TEST_TIMEOUT", "300")])
        .config("[default]\ncredential_process = sh -c 'sleep 30.125; true'\n")
        .set("PATH", "/usr/bin:/bin")
        .run();
    assert!(said.starts_with("Auth: AWS credentials did not come within 0.3 s"), "{said}");
    assert!(took < SOON);
    if cfg!(target_os = "linux") {
        let left = || {
            let processes = std::fs::read_dir("/proc").unwrap().flatten();
            let mut lines =
                processes.filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok());
            lines.any(|line| line.contains("30.125"))
        };
        // A process takes a moment to end.
        let begun = Instant::now();
        while left() {
            assert!(begun.elapsed() < SOON, "the command still runs");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn values_of_other_sdks_do_not_panic_and_nothing_is_sent_twice() {
    for (variable, value) in [
        ("AWS_RETRY_MODE", "legacy"),
        ("AWS_RETRY_MODE", "bogus"),
        ("AWS_MAX_ATTEMPTS", "0"),
        ("AWS_MAX_ATTEMPTS", "5"),
        ("AWS_RETRY_MODE", "adaptive"),
    ] {
        let (address, asked) = server(|_| Some(http_answer("500 X", "{\"__type\":\"ServerException\"}")));
        let said = Case::new(&KEYS)
            .with(&[REGION, (variable, value), ("TEST_CALL", "1")])
            .set("AWS_ENDPOINT_URL_ECR", &format!("http://{address}"))
            .says();
        assert!(said.starts_with("Lost: "), "{said}");
        assert_eq!(asked.try_iter().count(), 1, "{variable}={value}");
    }
}

#[test]
fn credentials_that_no_header_can_carry_are_an_error() {
    for (variables, config) in [
        (vec![("AWS_ACCESS_KEY_ID", "AKIA\u{1}"), KEYS[1]], ""),
        (vec![KEYS[0], KEYS[1], ("AWS_SESSION_TOKEN", "a\nb")], ""),
        (vec![], "[default]\naws_access_key_id = AKIA\u{1}\naws_secret_access_key = hunter2\n"),
    ] {
        let said = Case::new(&variables).with(&[REGION, NO_METADATA, ("TEST_CALL", "1")]).config(config).says();
        assert!(said.starts_with("Config: the AWS credentials of "), "{said}");
    }
}

#[test]
#[cfg(unix)]
fn a_variable_that_is_not_text_is_never_taken_as_unset() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let case = Case::new(&KEYS).with(&[REGION]);
    let said = case.run_with(&[("AWS_PROFILE", OsStr::from_bytes(b"caf\xe9"))]).0;
    assert!(said.starts_with("Config: the variable AWS_PROFILE is not valid UTF-8"), "{said}");
}

#[test]
fn no_secret_is_in_what_is_found() {
    let said = Case::new(&KEYS).with(&[REGION, ("AWS_SESSION_TOKEN", "hunter2-session")]).says();
    // `run` looks for the secret in all that is said, the client's `Debug` included.
    assert!(said.contains("AKIA…0001"), "{said}");
}

#[test]
fn it_is_told_where_credentials_come_from_and_which_are_passed_over() {
    let keys = "aws_access_key_id = AKIAPROFILE000000001\naws_secret_access_key = hunter2\n";
    let process = "credential_process = /bin/echo {\"Version\":1,\"AccessKeyId\":\"AKIAPROCESS000000001\",\"SecretAccessKey\":\"hunter2\"}\n";
    let case = |variables: &[(&str, &str)]| {
        let config = format!(
            "[default]\nregion = us-west-2\n{keys}[profile mine]\n{keys}[profile made]\n{}",
            process.replace('"', "\\\"").replace("echo {", "echo \"{").replace("}\n", "}\"\n")
        );
        let case = Case::new(&[NO_METADATA, ("TEST_CHECKS", "1")]);
        case.with(variables).config(&config)
    };
    let both = ("AWS_PROFILE", "mine");
    let of_keys = "Credentials Found: AKIA…0001 <AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY>";
    for (variables, lines) in [
        (
            vec![],
            vec![
                "Credentials Found: AKIA…0001 <the AWS profile default>",
                "Region Found: us-west-2 <the AWS profile default>",
            ],
        ),
        (KEYS.to_vec(), vec![of_keys]),
        (
            [&KEYS[..], &[both, REGION]].concat(),
            vec![
                "Credentials Unused: AWS_PROFILE <> not used because of AWS_ACCESS_KEY_ID; its settings count",
                of_keys,
                "Region Found: eu-west-1 <AWS_REGION>",
            ],
        ),
        (
            [&KEYS[..], &[both, REGION, ("TEST_PROFILE", "made")]].concat(),
            vec![
                "Credentials Unused: AWS_ACCESS_KEY_ID <> --profile names other credentials",
                "Credentials Unused: AWS_PROFILE <> --profile names other credentials",
                "Credentials Found: AKIA…0001 <credential_process of the AWS profile made>",
            ],
        ),
        (
            vec![both, ("TEST_FLAG_REGION", "eu-west-3"), ("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:9")],
            vec![
                "Credentials Found: AKIA…0001 <the AWS profile mine>",
                "Region Found: eu-west-3 <--region>",
                "Endpoint Found: http://127.0.0.1:9 <AWS_ENDPOINT_URL_ECR>",
            ],
        ),
    ] {
        let said = case(&variables).says();
        for line in lines {
            assert!(said.contains(line), "{line} is not in {said}");
        }
    }
}

#[test]
fn credentials_are_missing_where_nothing_leads_to_any_and_wrong_where_something_does() {
    for (variables, config, state) in [
        (vec![], "", "Credentials Missing"),
        (vec![], "[default]\nregion = us-west-2\n", "Credentials Missing"),
        (vec![], "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\n", "Credentials Failed"),
        (vec![("TEST_PROFILE", "nope")], "", "Credentials Failed"),
        (vec![("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT00001")], "", "Credentials Failed"),
    ] {
        let case = Case::new(&[NO_METADATA, REGION, ("TEST_CHECKS", "1")]);
        let said = case.with(&variables).config(config).says();
        assert!(said.contains(state), "{variables:?} {config}: {said}");
    }
}
