//! Any reference there can be, for tests that hold for all of them.

use std::sync::Arc;

use proptest::{option, prelude::*};

use super::{Digest, ImageId, ImageRef, Provider, StoreRef};

/// Any store that a user can name; of ECR with plain names only.
pub fn store() -> impl Strategy<Value = StoreRef> {
    prop_oneof![ecr(), oci(), by_id(Provider::Cvm), by_id(Provider::Workspace)]
}

/// Any ECR store with a pattern for its name.
pub fn pattern() -> impl Strategy<Value = StoreRef> {
    let part = prop_oneof![
        Just("*".to_owned()),
        Just("**".to_owned()),
        "[a-z]{1,4}-[*?]",
        r"\{[a-z]{1,3},[a-z]{1,3}\}",
        "[a-z]\\[!?[a-f]-[g-z]\\]",
    ];
    let name = (option::of("[a-z]{2,5}"), part).prop_map(|(first, part)| match first {
        Some(first) => format!("{first}/{part}"),
        None => part,
    });
    (ecr(), name).prop_map(|(store, name)| store.with_name(name))
}

pub fn image() -> impl Strategy<Value = ImageRef> {
    store().prop_flat_map(|store| {
        let longest_tag = if store.provider == Provider::Ecr { 300 } else { 128 };
        let id = match store.provider {
            Provider::Ecr | Provider::Oci => prop_oneof![
                tag(longest_tag).prop_map(ImageId::Tag),
                digest().prop_map(ImageId::Digest),
                (tag(longest_tag), digest()).prop_map(|(tag, digest)| ImageId::TagAt(tag, digest)),
            ]
            .boxed(),
            Provider::Cvm => "img-[0-9a-z]{1,12}".prop_map(ImageId::Named).boxed(),
            Provider::Workspace => "[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}".prop_map(ImageId::Named).boxed(),
        };
        let store = Arc::new(store);
        id.prop_map(move |id| store.image(id))
    })
}

pub fn digest() -> impl Strategy<Value = Digest> {
    prop_oneof!["sha256:[0-9a-f]{64}", "sha512:[0-9a-f]{128}"].prop_map(|text| text.parse().unwrap())
}

fn tag(longest: usize) -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("[A-Za-z0-9_][A-Za-z0-9._-]{{0,{}}}", longest - 1)).unwrap()
}

fn region() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", "(cn|eusc|us-iso|us-isob|eu-isoe|us-isof|ap)-[a-z]{1,5}-[1-9]",]
}

fn repository() -> impl Strategy<Value = String> {
    const PART: &str = "[a-z0-9]+((\\.|_|__|-{1,3})[a-z0-9]+){0,2}";
    proptest::collection::vec(PART, 1..4)
        .prop_map(|parts| parts.join("/"))
        .prop_filter("as long as all have it", |name| (2..=255).contains(&name.len()))
}

fn ecr() -> impl Strategy<Value = StoreRef> {
    let place = option::of((
        region(),
        option::of((
            "[0-9]{12}",
            prop_oneof![Just(None), Just(Some("dkr.ecr-fips")), Just(Some("dkr-ecr")), Just(Some("dkr-ecr-fips"))],
        )),
    ));
    (place, repository()).prop_map(|(place, name)| {
        let mut store = StoreRef::of(Provider::Ecr).with_name(name);
        if let Some((region, registry)) = place {
            store = store.with_region(region);
            if let Some((account, host)) = registry {
                store = store.with_owner(account);
                store.host = host.map(Into::into);
                // Some regions have no such host, so nothing could have named it.
                if store.registry_host().is_none() {
                    store.host = None;
                }
            }
        }
        store
    })
}

fn oci() -> impl Strategy<Value = StoreRef> {
    let host = prop_oneof![
        "[a-z0-9]{1,9}(-[a-z0-9]{1,9})?\\.(io|example\\.com)(:[1-9][0-9]{0,3})?",
        "localhost(:[1-9][0-9]{0,3})?",
        "[a-z][a-z0-9]{0,9}:[1-9][0-9]{0,3}",
        Just("docker.io".to_owned()),
        Just("127.0.0.1:5000".to_owned()),
        Just("[::1]:5000".to_owned()),
        Just("[2001:db8::1]".to_owned()),
    ];
    (host, repository()).prop_map(|(host, name)| {
        // Docker Hub's names have two parts.
        let name =
            if host == "docker.io" { format!("library/{}", name.split('/').next().unwrap_or_default()) } else { name };
        StoreRef::of(Provider::Oci).with_region(host).with_name(name)
    })
}

fn by_id(provider: Provider) -> impl Strategy<Value = StoreRef> {
    option::of((region(), option::of("[A-Za-z0-9_-]{1,64}"))).prop_map(move |place| {
        let store = StoreRef::of(provider);
        match place {
            None => store,
            Some((region, Some(owner))) if provider.nature().owner.is_some() => {
                store.with_region(region).with_owner(owner)
            }
            Some((region, _)) => store.with_region(region),
        }
    })
}
