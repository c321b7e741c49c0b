//! Any registry that speaks the protocol of the Open Container Initiative: its host is part of every reference, and there
//! is no default registry.

use std::net::Ipv6Addr;

use super::{
    containers::Containers,
    nature::{Hosts, Images, Nature},
    place::{ParseError, Part},
    provider::Provider,
    providers::of_host,
    read::{Read, first_part, is_within},
    reference::StoreRef,
};

/// The name by which Docker Hub is printed. Its repositories have two parts at least.
pub const HUB: &str = "docker.io";

/// Other hosts of Docker Hub.
/// <https://github.com/regclient/regclient/blob/main/config/host.go>
const HUBS: [&str; 3] = ["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/// RFC 1035, section 2.3.4.
const LONGEST_HOST: usize = 253;

pub(super) const NATURE: Nature = Nature {
    title: "OCI registry",
    owner_word: "account",
    aliases: &["docker", "registry", "distribution", "harbor", "zot", "ghcr", "quay", "gar", "acr"],
    undo: Some("until the registry collects their layers"),
    race: Some("a tag that someone gives an image at the moment of its deletion is deleted with it"),
    archive: None,
    images: Images::Containers,
    owner: None,
    read,
    hosts: Some(Hosts {
        read: uri,
        print: |store| store.region.clone(),
        // A word for one registry may mean another: a mirror, or a proxy of it.
        locate: |_| None,
        near: |_| None,
        always: true,
    }),
};

const NAMES: Containers = Containers {
    provider: Provider::Oci,
    owner: None,
    // The specification has no limit; clients and registries stop at 255.
    // <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>
    repository: 1..=255,
    tag: 128,
};

/// Reads what follows `oci:`.
fn read(rest: Part) -> Result<Read, ParseError> {
    let text = rest.strip_prefix("//").unwrap_or(rest);
    if let Some(read) = of_host(text)? {
        return Ok(read);
    }
    let host = first_part(text);
    if text.is_empty() || host.is_empty() {
        return Err(host.wrong("the registry's host is missing").or(format!("write oci:{EXAMPLE}")));
    }
    if is_meant(host.as_str()) && host.as_str().len() == text.as_str().len() {
        return Err(alone(text));
    }
    Err(host.wrong("this is not the host of a registry, and there is no default registry").or(suggestion(text)))
}

/// What a reference looks like.
const EXAMPLE: &str = "REGISTRY/REPOSITORY:TAG";

/// What may be meant by a text without a host.
fn suggestion(text: Part) -> String {
    let library = if text.as_str().contains('/') { "" } else { "library/" };
    let hub = format!("{HUB}/{library}{}", text.as_str());
    match NAMES.image(StoreRef::of(Provider::Oci), text) {
        Ok(_) => format!("write oci:REGISTRY/{}, or {hub} for Docker Hub", text.as_str()),
        Err(_) => format!("write oci:{EXAMPLE}"),
    }
}

fn alone(host: Part) -> ParseError {
    let text = host.as_str();
    host.after()
        .wrong("a registry alone is not enough: the repository is missing")
        .or(format!("write {text}/REPOSITORY:TAG, or {text}/** for all its repositories"))
}

/// Whether a first part stands for a host, as Docker decides it: it has a dot or a port, or is `localhost`.
fn is_meant(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((_, port))
            if host.ends_with(']') || port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            host
        }
        Some((name, _)) => return !name.is_empty(),
        None => host,
    };
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    begins
        && (name.eq_ignore_ascii_case("localhost")
            || name.starts_with('[')
            || name.contains('.') && !name.contains(':'))
}

/// Reads `HOST/REPOSITORY…` of any registry.
fn uri(text: Part) -> Result<Option<Read>, ParseError> {
    let Some((host, name)) = text.split_once('/') else {
        return Ok(None);
    };
    if !is_meant(host.as_str()) {
        return Ok(None);
    }
    page(host)?;
    let store = StoreRef::of(Provider::Oci).with_region(registry(host)?);
    if name.is_empty() {
        return Err(alone(host));
    }
    let read = NAMES.image(store, name)?;
    if read.store.region.as_deref() == Some(HUB) && !read.store.name.contains('/') && !read.store.is_pattern() {
        let right = format!("write {HUB}/library/{}", name.as_str());
        return Err(name.wrong("a repository of Docker Hub has two parts").or(right));
    }
    Ok(Some(read))
}

/// Reads a registry's host with its port. Credentials are sent there.
fn registry(host: Part) -> Result<String, ParseError> {
    const SHAPE: &str = "a registry's host looks like ghcr.io or registry.example.com:5000";
    if let Some((user, _)) = host.rsplit_once('@') {
        return Err(user.wrong("a user name does not belong in a reference").or(SHAPE));
    }
    let (name, port) = match host.rsplit_once(':') {
        // The colons of an IPv6 address stand in its brackets.
        Some((name, port)) if !host.as_str().starts_with('[') || name.as_str().ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if let Some(port) = port
        && !port.as_str().parse::<u16>().is_ok_and(|number| number > 0)
    {
        return Err(port.wrong("this is not a port").or(SHAPE));
    }
    let text = name.as_str();
    if let Some(address) = text.strip_prefix('[') {
        let address = address.strip_suffix(']').and_then(|address| address.parse::<Ipv6Addr>().ok());
        let address = address.ok_or_else(|| {
            name.wrong("this is not an IPv6 address in brackets").or("an IPv6 host looks like [2001:db8::1]:5000")
        })?;
        // One address has many spellings, and credentials are looked up by one.
        return Ok(match port {
            Some(port) => format!("[{address}]:{}", port.as_str()),
            None => format!("[{address}]"),
        });
    }
    let is_host = text.len() <= LONGEST_HOST && text.split('.').all(is_label);
    if !is_host {
        return Err(name.wrong("this is not a host").or(SHAPE));
    }
    let host = host.as_str().to_ascii_lowercase();
    Ok(if HUBS.contains(&host.as_str()) { HUB.into() } else { host })
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&label.len()) && label.bytes().all(allowed) && !label.starts_with('-') && !label.ends_with('-')
}

/// Web pages that people copy instead of references, each with what would be right.
const PAGES: [(&str, &str); 2] = [
    ("hub.docker.com", "images of Docker Hub are named docker.io/NAMESPACE/REPOSITORY:TAG"),
    ("github.com", "images of GitHub's registry are named ghcr.io/OWNER/REPOSITORY:TAG"),
];

fn page(host: Part) -> Result<(), ParseError> {
    match PAGES.iter().find(|(domain, _)| is_within(host, &[domain])) {
        Some((_, right)) => Err(host.wrong("this is a web page, not a registry").or(*right)),
        None => Ok(()),
    }
}
