//! What is found, and what is said where nothing is. The SDK reads the environment of its process, so each case is a
//! process of its own: this test binary again, with a cleared environment and a home folder of its own.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    process::Command,
    sync::mpsc,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::*;
use crate::{
    checkup::Check,
    image::ecr::HostKind,
    settings::Env,
    store::ecr::{call::describe, client},
};

const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT00001"),
    ("AWS_SECRET_ACCESS_KEY", "hunter2-environment"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];
const NO_METADATA: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");
const REGION: (&str, &str) = ("AWS_REGION", "eu-west-1");

/// Five seconds are promised on a machine of one's own; test machines are busy.
const SOON: Duration = Duration::from_secs(10);

/// One process: its variables, its files, and what `load` is asked.
struct Case {
    home: TempDir,
    variables: Vec<(String, String)>,
}

impl Case {
    fn new(variables: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        let variables_of_home = vec![("HOME".into(), home.path().display().to_string())];
        let case = Self { variables: variables_of_home, home };
        case.with(variables)
    }

    fn with(self, variables: &[(&str, &str)]) -> Self {
        variables.iter().fold(self, |case, (name, value)| case.set(name, value))
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn config(self, text: &str) -> Self {
        self.file(".aws/config", text)
    }

    fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.home.path().join(name), text).unwrap();
        self
    }

    /// What the process said, and how long it took.
    fn run(&self) -> (String, Duration) {
        self.run_with(&[])
    }

    fn run_with(&self, more: &[(&str, &std::ffi::OsStr)]) -> (String, Duration) {
        let said = self.home.path().join("said");
        let start = Instant::now();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "settings::aws::tests::one_process", "--ignored"])
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("TEST_SAID", &said)
            .envs(more.iter().copied())
            .output()
            .unwrap();
        let took = start.elapsed();
        let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}");
        let said = std::fs::read_to_string(said).unwrap();
        assert!(!said.contains("hunter2"), "a secret is printed: {said}");
        (said, took)
    }

    fn says(&self) -> String {
        self.run().0
    }
}

/// Loads with what the variables `TEST_…` say, and calls the service where `TEST_CALL` is set.
#[tokio::test]
#[ignore = "the other tests run it, in a process of its own"]
async fn one_process() {
    let env = Env::from_process();
    let Some(said_to) = env.get("TEST_SAID") else {
        return;
    };
    let argument = |name: &str| env.get(name).map(str::to_owned);
    let settings = Settings {
        region: argument("TEST_FLAG_REGION"),
        profile: argument("TEST_PROFILE"),
        timeout: Duration::from_millis(argument("TEST_TIMEOUT").map_or(5000, |text| text.parse().unwrap())),
        env: env.clone(),
        ..Settings::default()
    };
    let host = HostKind { fips: env.get("TEST_FIPS").is_some(), dual_stack: env.get("TEST_DUAL_STACK").is_some() };
    let mut checkup = Checkup::default();
    let found = look(&settings, env.get("TEST_REGION"), &mut checkup).await;
    let mut said = match &found {
        Ok(aws) => format!(
            "{} from {}; {}; profile {:?}; endpoint {:?}; {:?}",
            aws.region,
            aws.region_from,
            aws.caller,
            aws.profile,
            aws.endpoint,
            client(aws, host).config()
        ),
        Err(error) => format!("{:?}: {error}; {:?}; {error:?}", error.kind, error.hint),
    };
    if env.get("TEST_CHECKS").is_some() {
        said = checkup.checks.iter().map(shown).collect();
    }
    if let (Ok(aws), true) = (found, env.get("TEST_CALL").is_some()) {
        let answer = client(&aws, host).describe_repositories().send().await;
        let error = describe("BatchDeleteImage", &answer.unwrap_err());
        said = format!("{:?}: {error}; {said}", error.kind);
    }
    std::fs::write(said_to, said).unwrap();
}

/// A check in one line.
fn shown(check: &Check) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (value, source, note) = (text(&check.value), text(&check.source), text(&check.note));
    format!("{:?} {:?}: {value} <{source}> {note}\n", check.check, check.state)
}

/// A server that says to each connection what `answer` makes of its first bytes, and reports those.
fn server(answer: impl Fn(&str) -> Option<String> + Send + 'static) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (report, reported) = mpsc::channel();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 8192];
            let length = stream.read(&mut bytes).unwrap_or(0);
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            match answer(&text) {
                Some(answer) => drop(stream.write_all(answer.as_bytes())),
                None => silent.push(stream),
            }
            let _ = report.send(text);
        }
    });
    (address, reported)
}

fn http_answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

#[test]
fn the_region_is_the_most_particular_one_that_is_named() {
    let profile = "[default]\nregion = sa-east-1\n[profile ci]\nregion = ca-central-1\n";
    let all = |skip: usize| {
        let named = [
            ("TEST_REGION", "us-east-1"),
            ("TEST_FLAG_REGION", "us-east-2"),
            ("AWS_REGION", "us-west-1"),
            ("AWS_DEFAULT_REGION", "us-west-2"),
        ];
        Case::new(&KEYS).config(profile).with(&named[skip..]).says()
    };
    assert!(all(0).starts_with("us-east-1 from the reference;"), "{}", all(0));
    assert!(all(1).starts_with("us-east-2 from --region;"));
    assert!(all(2).starts_with("us-west-1 from AWS_REGION;"));
    assert!(all(3).starts_with("us-west-2 from AWS_DEFAULT_REGION;"));
    assert!(all(4).starts_with("sa-east-1 from the AWS profile default;"));
    let ci = Case::new(&KEYS).config(profile).set("AWS_PROFILE", "ci").says();
    assert!(ci.starts_with("ca-central-1 from the AWS profile ci;"), "{ci}");
}

#[test]
fn a_region_that_is_none_is_refused_before_it_becomes_a_host() {
    for (variable, from) in [("AWS_REGION", "AWS_REGION"), ("TEST_FLAG_REGION", "--region")] {
        let said = Case::new(&KEYS).set(variable, "evil.example.com/").says();
        assert!(said.starts_with(&format!("Config: {from} does not name a region")), "{said}");
    }
}

#[test]
fn the_machines_metadata_names_a_region_where_nothing_else_does() {
    let (address, asked) = server(|request| {
        Some(match request.starts_with("PUT /latest/api/token") {
            true => http_answer("200 OK\r\nx-aws-ec2-metadata-token-ttl-seconds: 600", "token"),
            false => http_answer("200 OK", "eu-north-1"),
        })
    });
    let said = Case::new(&KEYS[..2])
        .set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &format!("http://{address}"))
        // Services that only this machine's own network can reach never use a proxy.
        .set("HTTP_PROXY", "http://127.0.0.1:1")
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .says();
    assert!(said.starts_with("eu-north-1 from the machine's metadata;"), "{said}");
    assert_eq!(asked.iter().take(2).count(), 2);
}

#[test]
fn the_metadata_is_not_asked_when_everything_is_known_or_where_it_is_switched_off() {
    let (address, asked) = server(|_| None);
    let metadata = format!("http://{address}");
    let endpoint = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.as_str());
    let known = Case::new(&KEYS[..2]).with(&[endpoint, REGION]).says();
    assert!(known.starts_with("eu-west-1"), "{known}");
    let off = Case::new(&[endpoint, NO_METADATA]).run();
    assert!(off.0.starts_with("Auth: no AWS credentials found; tried: AWS_ACCESS_KEY_ID"), "{}", off.0);
    assert!(asked.try_recv().is_err());
}

#[test]
fn nothing_at_all_is_said_soon_even_where_the_metadata_is_silent() {
    let (address, _asked) = server(|_| None);
    let metadata = format!("http://{address}");
    let endpoint = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.as_str());
    let (said, took) = Case::new(&[endpoint]).run();
    assert!(said.starts_with("Auth: no AWS credentials found"), "{said}");
    assert!(took < SOON, "{took:?}");
    let (said, took) = Case::new(&KEYS[..2]).with(&[endpoint]).run();
    assert!(said.starts_with("Config: no AWS region; tried: the reference"), "{said}");
    assert!(took < SOON, "{took:?}");
}

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
fn an_endpoint_of_ones_own_is_found_wherever_it_is_set_and_needs_no_proxy() {
    let answer = || server(|_| Some(http_answer("400 X", "{\"__type\":\"ValidationException\"}")));
    for place in ["AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL", "service", "profile"] {
        let (address, asked) = answer();
        let url = format!("http://{address}");
        let case = Case::new(&KEYS).with(&[
            REGION,
            ("TEST_CALL", "1"),
            ("TEST_FIPS", "1"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
            ("HTTPS_PROXY", "http://127.0.0.1:1"),
            ("HTTP_PROXY", "http://127.0.0.1:1"),
        ]);
        let case = match place {
            "service" => {
                case.config(&format!("[default]\nservices = local\n[services local]\necr =\n  endpoint_url = {url}\n"))
            }
            "profile" => case.config(&format!("[default]\nendpoint_url = {url}\n")),
            variable => case.set(variable, &url),
        };
        let said = case.says();
        assert!(said.starts_with("Invalid: "), "{place}: {said}");
        assert_eq!(asked.try_iter().count(), 1, "{place}");
    }
}

#[test]
fn no_proxy_stands_before_this_machine_even_for_https() {
    let (proxy, asked_proxy) = server(|_| None);
    let (address, asked) = server(|_| Some("no TLS".into()));
    let said = Case::new(&KEYS)
        .with(&[REGION, ("TEST_CALL", "1")])
        .set("HTTPS_PROXY", &format!("http://{proxy}"))
        .set("AWS_ENDPOINT_URL_ECR", &format!("https://{address}"))
        .says();
    assert!(said.starts_with("Unreachable: "), "{said}");
    assert_eq!((asked.try_iter().count(), asked_proxy.try_iter().count()), (1, 0));
}

#[test]
fn an_endpoint_that_is_not_safe_or_not_readable_is_refused_and_never_passed_over() {
    for (variable, value) in [
        ("AWS_ENDPOINT_URL_ECR", "http://ecr.example.com"),
        ("AWS_ENDPOINT_URL", "http://ecr.example.com"),
        ("AWS_ENDPOINT_URL_ECR", "localhost:4566"),
        ("AWS_ENDPOINT_URL", "localhost:4566"),
        ("AWS_ENDPOINT_URL", "https://"),
        ("AWS_ENDPOINT_URL_ECR", "https://me:hunter2@example.com"),
    ] {
        let said = Case::new(&KEYS).with(&[REGION, (variable, value)]).says();
        assert!(said.starts_with(&format!("Config: {variable} ")), "{said}");
    }
    let said = Case::new(&KEYS).with(&[REGION]).config("[default]\nendpoint_url = http://ecr.example.com\n").says();
    assert!(said.starts_with("Config: endpoint_url of the AWS profile "), "{said}");
    let ignored = Case::new(&KEYS)
        .with(&[
            REGION,
            ("AWS_ENDPOINT_URL", "http://ecr.example.com"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ])
        .says();
    assert!(ignored.contains("endpoint None"), "{ignored}");
}

/// The SDK panics with it.
#[test]
fn an_endpoint_that_is_empty_is_as_none_and_where_the_sdk_needs_it_an_error() {
    let none = |case: Case| case.with(&[REGION, ("TEST_CALL", "1"), ("HTTPS_PROXY", "http://127.0.0.1:1")]).says();
    for variable in ["AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL"] {
        let said = none(Case::new(&KEYS).set(variable, ""));
        assert!(said.starts_with("Unreachable: "), "{variable}: {said}");
    }
    let said = none(Case::new(&KEYS).config("[default]\nendpoint_url =\n"));
    assert!(said.starts_with("Unreachable: "), "{said}");
    let role = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\ncredential_source = Environment\n";
    for (variables, config, from) in [
        (vec![("AWS_ENDPOINT_URL", "")], role.to_owned(), "AWS_ENDPOINT_URL"),
        (vec![], format!("{role}endpoint_url =\n"), "endpoint_url of the AWS profile"),
    ] {
        let said =
            Case::new(&KEYS).with(&[REGION]).with(&variables).config(&config).set("TEST_PROFILE", "default").says();
        assert!(said.starts_with(&format!("Config: {from} is empty")), "{said}");
    }
}

#[test]
fn no_source_of_credentials_is_asked_at_an_endpoint_that_is_not_safe() {
    let role = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n";
    let base = "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = hunter2\n";
    let bad = "endpoint_url = http://me:hunter2@sts.example.com\n";
    for (variable, config) in [
        ("AWS_ENDPOINT_URL_STS", String::new()),
        ("AWS_ENDPOINT_URL_SSO", String::new()),
        ("AWS_ENDPOINT_URL_SSO_OIDC", String::new()),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", String::new()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", String::new()),
        ("", format!("{role}services = s\n{base}[services s]\nsts =\n  {bad}")),
        ("", format!("{role}{bad}{base}")),
        ("", format!("{role}{base}{bad}")),
        ("", format!("[default]\nec2_metadata_service_{}", bad.replace("endpoint_url", "endpoint"))),
    ] {
        let case = Case::new(&KEYS).with(&[REGION]).config(&config);
        let case = if variable.is_empty() { case } else { case.set(variable, "http://me:hunter2@sts.example.com") };
        let said = case.says();
        assert!(said.starts_with("Config: "), "{variable} {config}: {said}");
        assert!(said.contains("…@sts.example.com"), "{said}");
    }
    let metadata = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254");
    let said = Case::new(&KEYS).with(&[REGION, metadata]).says();
    assert!(said.starts_with("eu-west-1 "), "{said}");
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
fn the_host_that_is_called_is_that_of_region_and_variant_and_https_goes_through_the_proxy() {
    for (variables, host) in [
        (vec![], "api.ecr.eu-west-1.amazonaws.com:443"),
        (vec![("TEST_FIPS", "1")], "ecr-fips.eu-west-1.amazonaws.com:443"),
        (vec![("TEST_DUAL_STACK", "1")], "ecr.eu-west-1.api.aws:443"),
        (vec![("TEST_FIPS", "1"), ("TEST_DUAL_STACK", "1")], "ecr-fips.eu-west-1.api.aws:443"),
        (vec![("AWS_USE_FIPS_ENDPOINT", "true")], "ecr-fips.eu-west-1.amazonaws.com:443"),
        (vec![("TEST_REGION", "cn-north-1")], "api.ecr.cn-north-1.amazonaws.com.cn:443"),
    ] {
        let (address, asked) = server(|_| Some(http_answer("502 Bad Gateway", "")));
        let said = Case::new(&KEYS)
            .with(&[REGION, ("TEST_CALL", "1")])
            .with(&variables)
            .set("HTTPS_PROXY", &format!("me:hunter2@{address}"))
            .says();
        // No tunnel, so nothing was sent.
        assert!(said.starts_with("Unreachable: "), "{said}");
        let request = asked.try_iter().next().unwrap();
        assert!(request.starts_with("CONNECT ") && request.contains(host), "{host}: {request}");
    }
}

#[test]
fn a_proxy_that_is_none_is_refused_without_repeating_its_password() {
    let said = Case::new(&KEYS).with(&[REGION, ("HTTPS_PROXY", "socks5://me:hunter2@x:1")]).says();
    assert!(said.starts_with("Config: HTTPS_PROXY is not a valid proxy address"), "{said}");
}

#[test]
fn the_certificates_that_awss_tools_are_told_to_trust_are_read_or_refused() {
    let bundle = |text: &str| {
        let case = Case::new(&KEYS).with(&[REGION]).file("ca.pem", text);
        let path = case.home.path().join("ca.pem").display().to_string();
        case.set("AWS_CA_BUNDLE", &path).says()
    };
    for bad in [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n",
    ] {
        let said = bundle(bad);
        assert!(said.starts_with("Config: AWS_CA_BUNDLE is "), "{said}");
    }
    let missing = Case::new(&KEYS).with(&[REGION, ("AWS_CA_BUNDLE", "/nowhere/ca.pem")]).says();
    assert!(missing.starts_with("Config: AWS_CA_BUNDLE is "), "{missing}");
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
