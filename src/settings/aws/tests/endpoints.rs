//! Which host is called: endpoints, proxies and certificates.

use super::*;

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
