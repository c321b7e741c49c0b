//! Which region is taken, and when the machine's metadata is asked.

use super::*;

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
