//! Every form of a reference and every refusal, and the law that printing is the inverse of parsing.

use proptest::prelude::*;

use super::*;

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

fn digest() -> String {
    format!("sha256:{HEX}")
}

#[test]
fn every_form_of_an_image_is_read_and_printed_canonically() {
    let digest = digest();
    let same = |text: String| (text.clone(), text);
    let table: Vec<(String, String)> = vec![
        same("ecr:app:v1".into()),
        same("ecr:team/app:v1".into()),
        same(format!("ecr:team/app@{digest}")),
        same(format!("ecr:team/app:v1@{digest}")),
        same(format!("ecr://eu-west-1/team/app@{digest}")),
        same("ecr:a0/b__c/d.e/f---g:V_1.0-x".into()),
        ("ecr://123456789012@eu-west-1/app:v1".into(), format!("{HOST}/app:v1")),
        same(format!("{HOST}/team/app:v1")),
        (format!("docker://{HOST}/app:v1"), format!("{HOST}/app:v1")),
        (format!("https://{HOST}/app:v1"), format!("{HOST}/app:v1")),
        (format!("{}/app:V1", HOST.to_uppercase()), format!("{HOST}/app:V1")),
        same("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/app:v1".into()),
        same("123456789012.dkr-ecr.us-east-1.on.aws/app:v1".into()),
        same("123456789012.dkr-ecr-fips.us-east-1.on.aws/app:v1".into()),
        same("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app:v1".into()),
        same("123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn/app:v1".into()),
        same("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu/app:v1".into()),
        same("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov/app:v1".into()),
        same("123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov/app:v1".into()),
        same("123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk/app:v1".into()),
        same("123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov/app:v1".into()),
        ("ECR:app:v1".into(), "ecr:app:v1".into()),
        same("cvm:img-6pb6lrmy".into()),
        same("cvm:img-34vaef8fe".into()),
        same("cvm://ap-guangzhou/img-6pb6lrmy".into()),
        same("workspace:697612196993040384".into()),
        same("workspace://cn-north-4/52071768982601303451".into()),
        same("workspace://a4da8115c9d8464ead3a38309130523f@cn-north-4/84d5dd05-2977-4e37-8409-cf0b027f6a5b".into()),
    ];
    for (text, canonical) in table {
        let image: ImageRef = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(image.to_string(), canonical);
        assert_eq!(canonical.parse(), Ok(image), "{canonical}");
    }
}

#[test]
fn every_form_of_a_store_is_read_and_printed_canonically() {
    for text in [
        "ecr:team/app",
        "ecr:team/*",
        "ecr:**",
        "ecr://eu-west-1/team/app",
        "ecr://123456789012@eu-west-1/team/*",
        "cvm:",
        "cvm://ap-guangzhou/",
        "workspace:",
        "workspace://cn-north-4/",
        "workspace://p1@cn-north-4/",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app",
    ] {
        let store: StoreRef = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(store.to_string(), text);
    }
}

/// Text, the part that the error points at, a word of what is said.
#[test]
fn every_refusal_points_at_its_place_and_says_what_would_be_right() {
    let long = format!("ecr:{}:v1", "a".repeat(257));
    let too_long = "e".repeat(2000);
    let short = "ecr:app@sha256:abc";
    let upper = format!("ecr:app@sha256:{}", HEX.to_uppercase());
    let table: Vec<(&str, &str, &str)> = vec![
        ("", "", "empty"),
        ("ecr:app", "", "no tag is assumed"),
        ("ecr:app:", "", "tag is missing"),
        ("ecr::v1", "", "repository is missing"),
        ("ecr:", "", "repository is missing"),
        ("ecr:a:v1", "a", "2 to 256"),
        (&long, &long[4..261], "2 to 256"),
        (&too_long, &too_long[1024..], "longer than any"),
        ("ecr:Team/app:v1", "T", "no capitals"),
        ("ecr:team//app:v1", "", "empty"),
        ("ecr:/app:v1", "", "empty"),
        ("ecr:app/:v1", "", "empty"),
        ("ecr:team/-app:v1", "-app", "between letters"),
        ("ecr:team/a___b:v1", "a___b", "between letters"),
        ("ecr:team/a..b:v1", "a..b", "between letters"),
        ("ecr:team/*:v1", "*", "may not be"),
        ("ecr:app:.v1", ".", "does not begin"),
        ("ecr:app:v 1", " ", "no spaces"),
        ("ecr:app:v1:v2", ":", "may not be in a tag"),
        ("ecr:app\u{1b}[2J:v1", "\u{1b}", "U+001B"),
        ("ecr:app:v1\n", "\n", "U+000A"),
        ("ecr:аpp:v1", "а", "U+0430"),
        (short, "abc", "has 64 digits, and this has 3"),
        (&upper, &upper[25..], "only the digits"),
        ("ecr:app@md5:abc", "md5:abc", "no known algorithm"),
        ("ecr:app@v1", "v1", "no colon"),
        ("ecr:app@", "", "no colon"),
        ("ecr://eu-west-1", "", "must follow the region"),
        ("ecr:///app:v1", "", "region is missing"),
        ("ecr://EU-WEST-1/app:v1", "EU-WEST-1", "no region"),
        ("ecr://1234@eu-west-1/app:v1", "1234", "12 digits"),
        ("cvm://me@ap-guangzhou/img-1", "me", "no owner"),
        ("cvm:", "", "image is missing"),
        ("cvm:ami-123", "ami-123", "no CVM image"),
        ("cvm:img-ABC", "img-ABC", "no CVM image"),
        ("cvm:img-", "img-", "no CVM image"),
        ("workspace:a/b", "a/b", "no id"),
        ("workspace:..", "..", "no id"),
        ("workspace:a%2fb", "a%2fb", "no id"),
        ("workspace:a?b=c", "a?b=c", "no id"),
        ("erc:app:v1", "erc", "did you mean ecr:app:v1?"),
        (
            "workspaces:123",
            "workspaces",
            "did you mean workspace:123?",
        ),
        ("azure://x/app:v1", "azure", "ecr, cvm and workspace"),
        ("team/app:v1", "team/app:v1", "write ecr:team/app:v1"),
        ("app:v1", "app", "write ecr:app:v1"),
        ("img-6pb6lrmy", "img-6pb6lrmy", "write cvm:img-6pb6lrmy"),
        (
            "public.ecr.aws/nginx/nginx:latest",
            "public.ecr.aws",
            "public gallery",
        ),
        (
            "docker.io/library/nginx:1",
            "docker.io",
            "no registry of ECR",
        ),
        ("ghcr.io/team/app:v1", "ghcr.io", "no registry of ECR"),
        ("localhost:5000/app:v1", "localhost", "no port"),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com:443/app:v1",
            HOST,
            "no port",
        ),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.com/app:v1",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.com",
            "no registry of ECR",
        ),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn/app:v1",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn",
            "the registry of this region is 123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        ),
        (
            "user@123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:v1",
            "user@123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "user",
        ),
    ];
    for (text, place, said) in table {
        let Err(error) = text.parse::<ImageRef>() else {
            panic!("{text} was accepted")
        };
        let whole = crate::error::Error::from(error.clone());
        let words = format!("{} {}", whole.message, whole.hint.unwrap_or_default());
        assert!(words.contains(said), "{text}: {words}");
        assert_eq!(&text[error.place()], place, "{words}");
        assert!(!words.contains('\u{1b}'), "a control character is repeated");
    }
}

#[test]
fn a_store_is_no_image_and_an_image_is_no_store() {
    for (text, right) in [
        ("ecr:app:v1", "its store is ecr:app"),
        (
            "cvm://ap-guangzhou/img-1",
            "its store is cvm://ap-guangzhou/",
        ),
        ("workspace:1", "its store is workspace:"),
    ] {
        let error = crate::error::Error::from(text.parse::<StoreRef>().unwrap_err());
        assert_eq!(error.hint.as_deref(), Some(right));
    }
    assert!(matches!("ecr:app".parse(), Ok(Named::Store(_))));
    assert!(matches!("ecr:app:v1".parse(), Ok(Named::Image(_))));
    assert!(matches!("cvm:".parse(), Ok(Named::Store(_))));
    assert!("ecr:[".parse::<StoreRef>().is_err());
}

#[test]
fn a_pattern_means_repositories_and_a_star_stops_at_a_slash() {
    let store = |text: &str| text.parse::<StoreRef>().unwrap();
    for (pattern, name, means) in [
        ("ecr:team/*", "ecr:team/app", true),
        ("ecr:team/*", "ecr:team/app/web", false),
        ("ecr:team/**", "ecr:team/app/web", true),
        ("ecr:*", "ecr:app", true),
        ("ecr:{aa,bb}/app", "ecr:bb/app", true),
        ("ecr:app-?", "ecr:app-12", false),
    ] {
        assert_eq!(
            store(pattern).matches(&store(name)),
            means,
            "{pattern} {name}"
        );
    }
}

#[test]
fn a_layers_digest_is_for_the_service_to_judge_as_far_as_its_pattern_allows() {
    for good in [digest().as_str(), "sha256:ABC", "md5:00", "a+b.c_d-e:0"] {
        assert!(Digest::layer(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "sha256",
        "sha256:",
        ":abc",
        "sha256:xyz",
        "sha 256:abc",
        "sha256:abc\n",
    ] {
        assert!(Digest::layer(bad).is_err(), "{bad}");
    }
}

fn images() -> impl Strategy<Value = ImageRef> {
    let digest = "[0-9a-f]{64}".prop_map(|hex| format!("sha256:{hex}").parse::<Digest>().unwrap());
    let tag = "[A-Za-z0-9_][A-Za-z0-9._-]{0,40}";
    let container = prop_oneof![
        tag.prop_map(ImageId::Tag),
        digest.clone().prop_map(ImageId::Digest),
        (tag, digest).prop_map(|(tag, digest)| ImageId::TagAt(tag, digest)),
    ];
    let region = prop_oneof![
        "[a-z]{2}-[a-z]{4,9}-[1-9]",
        Just("cn-north-1".to_owned()),
        Just("eusc-de-east-1".to_owned()),
        Just("us-iso-east-1".to_owned()),
        Just("us-isob-east-1".to_owned()),
    ];
    let place = prop::option::of((prop::option::of("[0-9]{12}"), region));
    let repository = "[a-z0-9]{2,8}(/[a-z0-9]{1,5}([._]|__|-{1,3})[a-z0-9]{1,5}){0,3}";
    let ecr = (place.clone(), repository, container, any::<(bool, bool)>());
    let ecr = ecr.prop_map(|(place, name, id, (fips, dual_stack))| {
        let (owner, region) = place.map_or((None, None), |(owner, region)| (owner, Some(region)));
        // Only a registry's host says which variant is meant.
        let host = if owner.is_some() {
            HostKind { fips, dual_stack }
        } else {
            HostKind::default()
        };
        ImageRef {
            store: StoreRef {
                provider: Provider::Ecr,
                owner,
                region,
                name,
                host,
            },
            id,
        }
    });
    let machine = (place, "[0-9a-z]{1,30}", any::<bool>()).prop_map(|(place, name, cvm)| {
        let (owner, region) = place.map_or((None, None), |(owner, region)| (owner, Some(region)));
        let (provider, owner, name) = match cvm {
            true => (Provider::Cvm, None, format!("img-{name}")),
            false => (Provider::Workspace, owner, name),
        };
        ImageRef {
            store: StoreRef {
                owner,
                region,
                ..StoreRef::new(provider, "")
            },
            id: ImageId::Named(name),
        }
    });
    prop_oneof![2 => ecr, 1 => machine]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parsing_what_was_printed_gives_the_same(image in images()) {
        prop_assert_eq!(image.to_string().parse(), Ok(image));
    }

    #[test]
    fn no_text_makes_the_parser_stumble(text in "\\PC{0,60}") {
        for error in [text.parse::<ImageRef>().err(), text.parse::<StoreRef>().err()].into_iter().flatten() {
            let _ = error.to_string();
        }
    }

    #[test]
    fn what_looks_nearly_right_never_makes_it_stumble(text in "(ecr|cvm|workspace|[0-9]{12}\\.dkr)?[:/@.a-z0-9é\u{7}*-]{0,40}") {
        if let Ok(image) = text.parse::<ImageRef>() {
            prop_assert_eq!(image.to_string().parse(), Ok(image));
        }
    }
}
