//! Every form that is taken, every form that is refused, and the law that what is printed is read back.

use proptest::prelude::*;

use super::*;
use crate::{
    error::{Error, Kind},
    image::{ImageId, arbitrary},
};

const SHA: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// Writes out what the tables abbreviate.
fn full(text: &str) -> String {
    text.replace("SHA", SHA).replace("HOST", HOST)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_read_back(image in arbitrary::image()) {
        let text = image.to_string();
        prop_assert_eq!(text.parse::<ImageRef>().unwrap(), image.clone());
        prop_assert_eq!(text.parse::<Reference>().unwrap(), Reference::Image(image));
        prop_assert!(text.parse::<StoreRef>().is_err());
    }

    #[test]
    fn stores_are_read_back_too(store in prop_oneof![arbitrary::store(), arbitrary::pattern()]) {
        let text = store.to_string();
        prop_assert_eq!(text.parse::<StoreRef>().unwrap(), store.clone());
        prop_assert_eq!(text.parse::<Reference>().unwrap(), Reference::Store(store));
        prop_assert!(text.parse::<ImageRef>().is_err());
    }

    #[test]
    fn no_text_is_too_strange(text in r"(ecr:|cvm:|workspace:|oci:|https://|arn:)?[\PC\x00-\x20@:/.*-]{0,40}") {
        for error in [
            text.parse::<ImageRef>().err(),
            text.parse::<StoreRef>().err(),
            text.parse::<Reference>().err(),
        ].into_iter().flatten() {
            prop_assert!(text.get(error.span()).is_some());
            let shown = error.to_string();
            prop_assert!(shown.chars().all(|c| matches!(c, ' '..='~' | '\n')), "{:?}", shown);
        }
    }
}

#[test]
fn images_are_taken_in_every_form_and_printed_in_one() {
    for (text, canonical) in [
        ("ecr:app:v1", "ecr:app:v1"),
        ("ecr:team/app:v1", "ecr:team/app:v1"),
        ("ECR:team/app:V1", "ecr:team/app:V1"),
        ("ecr:team/app@SHA", "ecr:team/app@SHA"),
        ("ecr:team/app:v1@SHA", "ecr:team/app:v1@SHA"),
        ("ecr://eu-west-1/team/app@SHA", "ecr://eu-west-1/team/app@SHA"),
        ("ecr://EU-West-1/app:v1", "ecr://eu-west-1/app:v1"),
        ("ecr://123456789012@eu-west-1/app:v1", "HOST/app:v1"),
        ("HOST/team/app:v1", "HOST/team/app:v1"),
        ("HOST/team/app@SHA", "HOST/team/app@SHA"),
        ("HOST/team/app:v1@SHA", "HOST/team/app:v1@SHA"),
        ("123456789012.DKR.ecr.EU-west-1.AmazonAWS.com/app:V1", "HOST/app:V1"),
        ("docker://HOST/app:v1", "HOST/app:v1"),
        ("https://HOST/app:v1", "HOST/app:v1"),
        ("oci://HOST/app:v1", "HOST/app:v1"),
        ("ecr://HOST/app:v1", "HOST/app:v1"),
        (
            "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/app:v1",
            "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/app:v1",
        ),
        ("123456789012.dkr-ecr.eu-west-1.on.aws/app:v1", "123456789012.dkr-ecr.eu-west-1.on.aws/app:v1"),
        ("ecr://123456789012@cn-north-1/app:v1", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app:v1"),
        ("ecr:a__b.c--d/e_f:_tag.-", "ecr:a__b.c--d/e_f:_tag.-"),
        ("oci:ghcr.io/o/app:v1", "ghcr.io/o/app:v1"),
        ("oci://ghcr.io/o/app:v1", "ghcr.io/o/app:v1"),
        ("OCI:GHCR.io/o/app:V1", "ghcr.io/o/app:V1"),
        ("ghcr.io/o/app@SHA", "ghcr.io/o/app@SHA"),
        ("docker://ghcr.io/o/app:v1@SHA", "ghcr.io/o/app:v1@SHA"),
        ("https://eu.gcr.io/me/app:v1", "eu.gcr.io/me/app:v1"),
        ("me.azurecr.io/app@SHA", "me.azurecr.io/app@SHA"),
        ("localhost:5000/app:v1", "localhost:5000/app:v1"),
        ("[::1]:5000/app:v1", "[::1]:5000/app:v1"),
        ("oci:[::1]/app:v1", "[::1]/app:v1"),
        ("docker://[2001:DB8:0::1]:5000/app:v1", "[2001:db8::1]:5000/app:v1"),
        ("localhost/app:v1", "localhost/app:v1"),
        ("registry:5000/team/app:v1", "registry:5000/team/app:v1"),
        ("team.tools/app:v1", "team.tools/app:v1"),
        ("docker.io/library/nginx:1", "docker.io/library/nginx:1"),
        ("index.docker.io/library/nginx:1", "docker.io/library/nginx:1"),
        ("docker://registry-1.docker.io/o/app:1", "docker.io/o/app:1"),
        ("oci:HOST/app:v1", "HOST/app:v1"),
        ("ecr:team.tools/app:v1", "ecr:team.tools/app:v1"),
        ("cvm:img-6pb6lrmy", "cvm:img-6pb6lrmy"),
        ("Cvm://AP-guangzhou/img-34vaef8fe", "cvm://ap-guangzhou/img-34vaef8fe"),
        ("workspace:697612196993040384", "workspace:697612196993040384"),
        ("workspace://cn-north-4/697612196993040384", "workspace://cn-north-4/697612196993040384"),
        (
            "workspace://a4da8115c9d8464ead3a38309130523f@cn-north-4/wksapp-1.x_~",
            "workspace://a4da8115c9d8464ead3a38309130523f@cn-north-4/wksapp-1.x_~",
        ),
    ] {
        let image: ImageRef = full(text).parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(image.to_string(), full(canonical), "{text}");
    }
}

#[test]
fn stores_are_taken_in_every_form_and_printed_in_one() {
    for (text, canonical) in [
        ("ecr:app", "ecr:app"),
        ("ecr:team/*", "ecr:team/*"),
        ("ecr:**", "ecr:**"),
        ("ecr://eu-west-1/{web,api}-[0-9]?", "ecr://eu-west-1/{web,api}-[0-9]?"),
        ("HOST/team/app", "HOST/team/app"),
        ("HOST/team/*", "HOST/team/*"),
        ("oci:ghcr.io/team/**", "ghcr.io/team/**"),
        ("registry.example.com:5000/**", "registry.example.com:5000/**"),
        ("oci://docker.io/*/app-?", "docker.io/*/app-?"),
        ("cvm:", "cvm:"),
        ("cvm://ap-guangzhou/", "cvm://ap-guangzhou/"),
        ("cvm://ap-guangzhou", "cvm://ap-guangzhou/"),
        ("workspace:", "workspace:"),
        ("workspace://cn-north-4/", "workspace://cn-north-4/"),
        ("workspace://p1@cn-north-4", "workspace://p1@cn-north-4/"),
    ] {
        let store: StoreRef = full(text).parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(store.to_string(), full(canonical), "{text}");
        assert_eq!(store.is_pattern(), text.contains(['*', '{']), "{text}");
    }
}

#[test]
fn a_host_says_account_region_and_variant() {
    let image: ImageRef = "123456789012.dkr-ecr-fips.us-east-1.on.aws/team/app:v1".parse().unwrap();
    assert_eq!(
        image,
        Arc::new(StoreRef {
            provider: Provider::Ecr,
            owner: Some("123456789012".into()),
            region: Some("us-east-1".into()),
            name: "team/app".into(),
            host: Some("dkr-ecr-fips".into()),
        })
        .image(ImageId::Tag("v1".into()))
    );
}

/// What an image reference is refused for: the text, what the carets are under, what is said to be right.
#[test]
fn what_names_no_image_is_refused_with_what_would_be_right() {
    for (text, place, right) in [
        // No image is named.
        ("ecr:app", "", "write ecr:app:TAG or ecr:app@sha256:DIGEST"),
        ("ecr://eu-west-1/app", "", "write ecr://eu-west-1/app:TAG or ecr://eu-west-1/app@sha256:DIGEST"),
        ("HOST/app", "", "write HOST/app:TAG or HOST/app@sha256:DIGEST"),
        ("cvm:", "", "write cvm:img-ID"),
        ("cvm://ap-guangzhou/", "", "write cvm://ap-guangzhou/img-ID"),
        ("workspace://cn-north-4", "", "write workspace://cn-north-4/SERVER_ID"),
        ("ecr:team/*", "team/*", "name the image; commands that take stores, like list and prune, take patterns"),
        ("ecr:team/*:v1", "team/*", "patterns name repositories; `imgctl prune` chooses images of many repositories"),
        // Parts that are empty.
        ("", "", SCHEMES),
        ("ecr::v1", "", "write ecr:REPOSITORY or ecr:REPOSITORY:TAG; ecr:** means all repositories"),
        ("ecr:app:", "", ""),
        ("ecr:app@", "", "a digest looks like sha256: and 64 hexadecimal digits"),
        ("ecr:app:@SHA", "", ""),
        ("ecr:///app:v1", "", "a region looks like eu-west-1 or ap-guangzhou"),
        ("ecr://@eu-west-1/app:v1", "", ""),
        ("ecr://eu-west-1//app:v1", "/", "write ecr:REPOSITORY:TAG or ecr://REGION/REPOSITORY:TAG"),
        ("ecr:/app:v1", "/", "write ecr:REPOSITORY:TAG or ecr://REGION/REPOSITORY:TAG"),
        ("ecr:team//app:v1", "", "each part between slashes begins and ends with a letter or digit"),
        ("ecr:team/:v1", "", "each part between slashes begins and ends with a letter or digit"),
        ("ecr://eu-west-1", "", "write ecr://REGION/REPOSITORY:TAG, or ecr:REPOSITORY:TAG without a region"),
        ("HOST", "", "write HOST/REPOSITORY:TAG"),
        ("HOST/", "", "write HOST/REPOSITORY or HOST/REPOSITORY:TAG; HOST/** means all repositories"),
        ("workspace://@cn-north-4/1", "", ""),
        // Names, tags, digests and ids that cannot be.
        ("ecr:Team/app:v1", "T", "perhaps team/app"),
        ("ecr:te$am/app:v1", "$", ""),
        ("ecr:-app:v1", "-", "each part between slashes begins and ends with a letter or digit"),
        ("ecr:app./x:v1", ".", "each part between slashes begins and ends with a letter or digit"),
        ("ecr:a..b:v1", "..", ""),
        ("ecr:a_b___c:v1", "___", ""),
        ("ecr:a.-b:v1", ".-", ""),
        ("ecr:a:v1", "a", ""),
        ("ecr:app:-v1", "-", ""),
        ("ecr:app:v1:v2", ":", "a tag has letters, digits, dots, hyphens and underscores"),
        ("ecr:app:v1/x", "/", "a tag has letters, digits, dots, hyphens and underscores"),
        ("ecr:app@latest", "latest", "a digest looks like sha256: and 64 hexadecimal digits"),
        ("ecr:app@md5:00", "md5", "the algorithms are sha256, sha512, blake3"),
        ("ecr:app@sha256:00", "00", ""),
        ("ecr:app:v1@SHA@SHA", "@", ""),
        ("cvm:ami-1", "ami-1", "an image's id looks like img-6pb6lrmy"),
        ("cvm:IMG-6pb6lrmy", "IMG-6pb6lrmy", "an image's id looks like img-6pb6lrmy"),
        ("cvm:img-", "", "an image's id looks like img-6pb6lrmy"),
        ("cvm:img-1:v1", ":", "an image's id looks like img-6pb6lrmy"),
        ("cvm:img-1/x", "/", "an image's id looks like img-6pb6lrmy"),
        ("cvm://p@ap-guangzhou/img-1", "p", "write cvm://ap-guangzhou/img-1"),
        ("workspace:..", "..", ""),
        ("workspace:a/b", "/", "an id looks like 697612196993040384"),
        ("workspace:a?x=1", "?", "an id looks like 697612196993040384"),
        ("workspace:a%2fb", "%", "an id looks like 697612196993040384"),
        ("workspace:a;b", ";", "an id looks like 697612196993040384"),
        ("workspace://a.b@cn-north-4/1", ".", ""),
        ("ecr://eu_west_1/app:v1", "_", "a region looks like eu-west-1 or ap-guangzhou"),
        ("ecr://-eu/app:v1", "-eu", "a region looks like eu-west-1 or ap-guangzhou"),
        ("ecr://1234@eu-west-1/app:v1", "1234", ""),
        // Characters that are never right.
        ("ecr:app:v1 ", " ", ""),
        ("ecr:app:v1\n", "\n", ""),
        ("ecr:a\u{1b}[31mpp:v1", "\u{1b}", ""),
        ("ecr:\u{430}pp:v1", "\u{430}", "type it again by hand"),
        ("ecr:app:v\u{202e}1", "\u{202e}", "type it again by hand"),
        ("ecr:app\u{2013}1:v1", "\u{2013}", "type it again by hand"),
        // Hosts.
        ("HOST:443/app:v1", ":443", "another endpoint is set with AWS_ENDPOINT_URL_ECR"),
        ("me@HOST/app:v1", "me@123456789012", "a registry's host looks like HOST"),
        ("12345.dkr.ecr.eu-west-1.amazonaws.com/app:v1", "12345", "a registry's host looks like HOST"),
        ("HOST.evil.com/app:v1", "amazonaws.com.evil.com", "the registry's host is HOST"),
        ("HOST.cn/app:v1", "amazonaws.com.cn", "the registry's host is HOST"),
        ("ecr:HOST/app:v1", "HOST", "write HOST/app:v1"),
        (
            "public.ecr.aws/nginx/nginx:1",
            "public.ecr.aws",
            "private repositories are named ecr:REPOSITORY:TAG, or by their whole URI",
        ),
        (
            "https://public.ecr.aws/nginx:1",
            "public.ecr.aws",
            "private repositories are named ecr:REPOSITORY:TAG, or by their whole URI",
        ),
        (
            "ecr-public.aws.com/nginx:1",
            "ecr-public.aws.com",
            "private repositories are named ecr:REPOSITORY:TAG, or by their whole URI",
        ),
        (
            "oci:public.ecr.aws/nginx:1",
            "public.ecr.aws",
            "private repositories are named ecr:REPOSITORY:TAG, or by their whole URI",
        ),
        ("oci:app:v1", "app:v1", "write oci:REGISTRY/app:v1, or docker.io/library/app:v1 for Docker Hub"),
        ("oci:team/app:v1", "team", "write oci:REGISTRY/team/app:v1, or docker.io/team/app:v1 for Docker Hub"),
        ("oci:", "", "write oci:REGISTRY/REPOSITORY:TAG"),
        ("oci:/app:v1", "", "write oci:REGISTRY/REPOSITORY:TAG"),
        ("oci:ghcr.io", "", "write ghcr.io/REPOSITORY:TAG, or ghcr.io/** for all its repositories"),
        ("ghcr.io/", "", "write ghcr.io/REPOSITORY:TAG, or ghcr.io/** for all its repositories"),
        ("ghcr.io/o/app", "", "write ghcr.io/o/app:TAG or ghcr.io/o/app@sha256:DIGEST"),
        ("ghcr.io/O/app:v1", "O", "perhaps o/app"),
        ("ghcr.io:0/o/app:v1", "0", "a registry's host looks like ghcr.io or registry.example.com:5000"),
        ("ghcr..io/o/app:v1", "ghcr..io", "a registry's host looks like ghcr.io or registry.example.com:5000"),
        ("me@ghcr.io/o/app:v1", "me", "a registry's host looks like ghcr.io or registry.example.com:5000"),
        ("docker.io/nginx:1", "nginx:1", "write docker.io/library/nginx:1"),
        ("docker://app:v1", "app:v1", "write oci:REGISTRY/app:v1, or docker.io/library/app:v1 for Docker Hub"),
        (
            "https://hub.docker.com/r/o/app",
            "hub.docker.com",
            "images of Docker Hub are named docker.io/NAMESPACE/REPOSITORY:TAG",
        ),
        ("oci:[::g]:5000/app:v1", "[::g]", "an IPv6 host looks like [2001:db8::1]:5000"),
        ("[127.0.0.1]:5000/app:v1", "[127.0.0.1]", "an IPv6 host looks like [2001:db8::1]:5000"),
        ("[::1/app:v1", "[::1", "an IPv6 host looks like [2001:db8::1]:5000"),
        ("[fe80::1%eth0]/app:v1", "[fe80::1%eth0]", "an IPv6 host looks like [2001:db8::1]:5000"),
        ("github.com/o/app", "github.com", "images of GitHub's registry are named ghcr.io/OWNER/REPOSITORY:TAG"),
        ("ecr://ghcr.io/o/app:v1", "ghcr.io", "write ghcr.io/o/app:v1"),
        ("ecr:localhost:5000/app:v1", "localhost:5000", "write localhost:5000/app:v1"),
        ("ghcr.io/o/app@sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "E", "write SHA"),
        ("docker:app:v1", "docker", "did you mean oci:app:v1"),
        ("api.ecr.eu-west-1.amazonaws.com/app:v1", "api.ecr.eu-west-1.amazonaws.com", TAKES),
        // No scheme, or another.
        ("team/app:v1", "", "write ecr:team/app:v1"),
        ("team/app@SHA", "", "write ecr:team/app@SHA"),
        ("app:v1@SHA", "", "write ecr:app:v1@SHA"),
        ("team/app", "", "write ecr:team/app:TAG or ecr:team/app@DIGEST"),
        ("img-6pb6lrmy", "", "write cvm:img-6pb6lrmy"),
        ("cvm", "", "write cvm:img-ID"),
        ("aws", "", "write ecr:REPOSITORY:TAG"),
        ("ecr/base/alpine:3.10", "", "write ecr:base/alpine:3.10"),
        ("ECR/base/alpine:3.10", "", "write ecr:base/alpine:3.10"),
        ("cvm/ap-guangzhou/img-6pb6lrmy", "", "write cvm://ap-guangzhou/img-6pb6lrmy"),
        ("cvm/", "", "write cvm:img-ID"),
        ("docker/app:v1", "", "write ecr:docker/app:v1"),
        ("ecr:", "", "write ecr:REPOSITORY or ecr:REPOSITORY:TAG; ecr:** means all repositories"),
        ("697612196993040384", "", "write workspace:697612196993040384"),
        ("SHA", "SHA", "write ecr:REPOSITORY@SHA"),
        ("erc:app:v1", "erc", "did you mean ecr:app:v1"),
        ("tencent:img-1", "tencent", "did you mean cvm:img-1"),
        ("Workspaces://cn-north-4/1", "Workspaces", "did you mean workspace:"),
        ("s3://bucket/key", "s3", SCHEMES),
        ("docker://team/app:v1", "team", "write oci:REGISTRY/team/app:v1, or docker.io/team/app:v1 for Docker Hub"),
        (
            "arn:aws:ecr:eu-west-1:123456789012:repository/team/app",
            "arn:aws:ecr:eu-west-1:123456789012:repository/team/app",
            "write HOST/team/app, and :TAG or @DIGEST for an image",
        ),
        ("arn:aws:s3:::bucket", "arn:aws:s3:::bucket", SCHEMES),
        ("--help", "", SCHEMES),
        ("/etc/passwd", "", SCHEMES),
    ] {
        let text = full(text);
        let error = text.parse::<ImageRef>().expect_err(&text);
        assert_eq!(&text[error.span()], full(place), "{text}: {error}");
        assert_eq!(error.right().unwrap_or_default(), full(right), "{text}: {error}");
    }
}

const SCHEMES: &str =
    "a reference begins with ecr:, cvm:, workspace: or oci:, as in ecr:team/app:v1 or cvm:img-6pb6lrmy";
const TAKES: &str = "imgctl deletes from ECR registries: ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG";

#[test]
fn a_store_is_not_an_image() {
    for (text, place, right) in [
        ("ecr:app:v1", ":v1", "the store is ecr:app"),
        ("ecr:app:v1@SHA", "SHA", "the store is ecr:app"),
        ("HOST/app@SHA", "SHA", "the store is HOST/app"),
        ("cvm://ap-guangzhou/img-1", "img-1", "the store is cvm://ap-guangzhou/"),
        ("workspace:1", "1", "the store is workspace:"),
        ("team/*", "", "write ecr:team/*"),
        ("cvm", "", "write cvm:"),
        ("tencent", "", "write cvm:"),
        ("workspace/", "", "write workspace:"),
        ("workspace/cn-north-4/", "", "write workspace://cn-north-4/"),
        ("ecr", "", "write ecr:REPOSITORY, or ecr:** for all repositories"),
        ("ecr/team/*", "", "write ecr:team/*"),
        ("ecr:", "", "write ecr:REPOSITORY or ecr:REPOSITORY:TAG; ecr:** means all repositories"),
        ("ecr:te\\*", "\\", ""),
        ("ecr:team**", "team**", ""),
        ("ecr:te[am", "te[am", ""),
    ] {
        let text = full(text);
        let error = text.parse::<StoreRef>().expect_err(&text);
        assert_eq!(&text[error.span()], full(place), "{error}");
        assert_eq!(error.right().unwrap_or_default(), full(right), "{error}");
    }
}

#[test]
fn names_and_tags_have_the_documented_lengths() {
    let image = |repository: usize, tag: usize| {
        format!("ecr:{}:{}", "a".repeat(repository), "t".repeat(tag)).parse::<ImageRef>()
    };
    assert!(image(2, 1).is_ok());
    assert!(image(256, 300).is_ok());
    assert!(image(1, 1).is_err());
    assert!(image(257, 1).is_err());
    assert!(image(2, 301).is_err());
    let id = |length| format!("workspace:{}", "1".repeat(length)).parse::<ImageRef>();
    assert!(id(128).is_ok());
    assert!(id(129).is_err());
    let endless = "a".repeat(10_000_000);
    assert!(endless.parse::<ImageRef>().unwrap_err().to_string().len() < 400);
}

#[test]
fn no_password_is_repeated() {
    for text in [
        "https://me:hunter2@HOST/app:v1",
        "AWS:hunter2@HOST/app:v1",
        "AWS:hunter2/x@HOST/app:v1",
        "https://hunter2@ghcr.io/me/app:v1",
        "oci:me:hunter2@ghcr.io/me/app:v1",
        "oci://me:hunter2@ghcr.io/me/app:v1",
        "me:hunter2@ghcr.io/me/app:v1",
        "ecr://AKIA:hunter2@eu-west-1/app:v1",
        "ecr://AKIA:hunter2/x@eu-west-1/app:v1",
        "erc://AKIA:hunter2/x@eu-west-1/app:v1",
        "https://me:hunter2\u{e9}@HOST/app:v1",
    ] {
        let error = full(text).parse::<ImageRef>().unwrap_err();
        let as_error = Error::from(error.clone());
        assert_eq!(as_error.kind, Kind::Usage);
        assert!(!format!("{error} {error:?} {as_error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn an_error_shows_the_place_and_what_would_be_right() {
    let error = "ecr://eu-west-1/team/App:v1".parse::<ImageRef>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "repository names are in lower case\n  ecr://eu-west-1/team/App:v1\n                       ^\nperhaps team/app"
    );
    let error = Error::from(error);
    assert_eq!(error.kind, Kind::Usage);
    assert_eq!(error.hint.as_deref(), Some("perhaps team/app"));
    assert_eq!(error.message, "repository names are in lower case");
    let position = error.position.unwrap();
    assert_eq!((position.text.as_str(), position.start, position.end), ("ecr://eu-west-1/team/App:v1", 21, 22));
}

#[test]
fn a_provider_is_named_by_its_scheme() {
    for provider in Provider::ALL {
        assert_eq!(provider.to_string().parse::<Provider>().unwrap(), provider);
        assert_eq!(serde_json::to_string(&provider).unwrap(), format!("\"{provider}\""));
    }
    assert_eq!("EcR".parse::<Provider>().unwrap(), Provider::Ecr);
    let error = "wrokspace".parse::<Provider>().unwrap_err();
    assert_eq!(error.right(), Some("did you mean workspace"));
}

#[test]
fn a_region_is_read_alone_too() {
    assert_eq!(region("EU-west-1").unwrap(), "eu-west-1");
    for bad in ["", "eu west", "evil.com/", "a@b", "-a", "a-", &"a".repeat(64)] {
        assert!(region(bad).is_err(), "{bad}");
    }
}
