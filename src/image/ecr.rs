//! AWS ECR: container images in the repositories of an account's registry, one registry a region. References may begin
//! with the registry's host, and are printed so once account and region are known, so that they can be pulled.

mod registry;

pub use registry::{HostKind, suffix};

use self::registry::Registry;
use super::{
    containers::Containers,
    nature::{Archive, Hosts, Images, Nature},
    place::{ParseError, Part},
    provider::Provider,
    providers::of_host,
    read::{Read, first_part, is_within},
    reference::StoreRef,
};

pub(super) const NATURE: Nature = Nature {
    title: "AWS ECR",
    owner_word: "account",
    aliases: &["aws", "awsecr", "ecs"],
    undo: Some("as long as ECR keeps their layers; AWS does not say how long"),
    race: None,
    archive: Some(Archive {
        costs: "frees nothing: AWS charges each image for 90 days at least; pulls fail until `imgctl restore`, which costs \
                a fee and takes up to 20 minutes",
        indexes: "AWS does not say what it means for the images of an index: imgctl archives the index first, then those \
                  that no active index needs",
    }),
    images: Images::Containers,
    owner: NAMES.owner,
    read,
    hosts: Some(Hosts { read: uri, print: host, locate: registry::locate, near, always: false }),
};

const NAMES: Containers = Containers {
    provider: Provider::Ecr,
    owner: Some(registry::account),
    // <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>
    repository: 2..=256,
    // Docker stops at 128, but an image with a longer tag must be deletable.
    // <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageIdentifier.html>
    tag: 300,
};

/// The hint for a host that is not a registry.
const TAKES: &str = "imgctl deletes from ECR registries: ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG";

/// Reads what follows `ecr:`.
fn read(rest: Part) -> Result<Read, ParseError> {
    match rest.strip_prefix("//") {
        Some(after) => {
            if let Some(read) = uri(after)? {
                return Ok(read);
            }
            another(after)?;
        }
        None => {
            let first = first_part(rest);
            if registry::is_meant(first.as_str()) {
                return Err(first.wrong("a registry's host needs no scheme").or(format!("write {}", rest.as_str())));
            }
            // A name may have dots, but no port.
            if first.as_str().contains(':') {
                another(rest)?;
            }
        }
    }
    NAMES.read(rest)
}

/// Explains the host of another registry.
fn another(text: Part) -> Result<(), ParseError> {
    match of_host(text)? {
        None => Ok(()),
        Some(_) => Err(first_part(text)
            .wrong("this is not the host of an ECR registry")
            .or(format!("write {}", text.as_str()))),
    }
}

/// Reads `HOST/REPOSITORY…` if the host looks like an ECR registry.
fn uri(text: Part) -> Result<Option<Read>, ParseError> {
    let host = first_part(text);
    if !registry::is_meant(host.as_str()) {
        return Ok(None);
    }
    no_port(text, host)?;
    let Registry { account, region, host: kind } = Registry::read(host)?;
    let Some((_, name)) = text.split_once('/') else {
        return Err(host
            .after()
            .wrong("a registry alone is not enough: the repository is missing")
            .or(format!("write {}/REPOSITORY:TAG", host.as_str())));
    };
    let host = (kind != HostKind::default()).then(|| kind.label().to_owned());
    let store = StoreRef { host, ..StoreRef::of(Provider::Ecr).with_owner(account).with_region(region) };
    NAMES.image(store, name).map(Some)
}

/// Registries have no other port, and imgctl calls the API, not the registry.
fn no_port(text: Part, host: Part) -> Result<(), ParseError> {
    match host.split_once(':') {
        None => Ok(()),
        Some((name, _)) => Err(text
            .slice(name.as_str().len()..host.as_str().len())
            .wrong("a registry's host has no port here")
            .or("another endpoint is set with AWS_ENDPOINT_URL_ECR")),
    }
}

fn host(store: &StoreRef) -> Option<String> {
    let (account, region) = (store.owner.clone()?, store.region.clone()?);
    Registry { account, region, host: HostKind::of(store) }.host()
}

/// Explains other names that AWS gives: of resources, and of its other hosts.
fn near(text: Part) -> Option<ParseError> {
    if let Some(rest) = text.strip_prefix("arn:") {
        let wrong = text.wrong("an ARN is not a reference");
        return Some(match of_arn(rest.as_str()) {
            Some(store) => wrong.or(format!("write {store}, and :TAG or @DIGEST for an image")),
            None => wrong,
        });
    }
    let host = first_part(text);
    if is_within(host, &["public.ecr.aws", "ecr-public.aws.com"]) {
        return Some(
            host.wrong("ECR Public is another service, which imgctl does not handle")
                .or("private repositories are named ecr:REPOSITORY:TAG, or by their whole URI"),
        );
    }
    is_within(host, &["amazonaws.com", "amazonaws.com.cn", "api.aws"])
        .then(|| host.wrong("this is not the host of an ECR registry").or(TAKES))
}

/// The repository that an Amazon resource name is of: `AWS-PARTITION:ecr:REGION:ACCOUNT:repository/NAME`.
fn of_arn(rest: &str) -> Option<StoreRef> {
    let fields: Vec<_> = rest.splitn(5, ':').collect();
    let [_, "ecr", region, account, resource] = fields[..] else {
        return None;
    };
    let repository = resource.strip_prefix("repository/")?;
    let name = format!("//{account}@{region}/{repository}");
    let read = NAMES.read(Part::whole(&name)).ok()?;
    read.id.is_none().then_some(read.store)
}
