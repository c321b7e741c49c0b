//! AWS ECR, through the official SDK. `call` sends a call, `decode` reads answers, `errors` knows the error codes. The
//! engine retries, so the SDK's own retries are off.

pub(crate) mod call;
mod decode;
mod errors;
pub(super) mod examine;
pub(super) mod lifecycle;
mod registry;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use aws_sdk_ecr::{
    Client,
    operation::RequestId,
    types::{DescribeImagesFilter, ImageIdentifier, ImageStatusFilter, TagStatus, TargetStorageClass},
};
use aws_smithy_types::retry::RetryConfig;
use chrono::TimeDelta;

use self::call::heard;
use super::{
    Answer, Ask, CacheRule, Deletion, Image, ImageStore, LayerState, Limit, Manifest, Op, OwnRule, Page, Put, Receipt,
    Replication, Shared, Source, StorageClass,
};
use crate::{
    error::{Error, Kind, Result},
    image::{Digest, ImageId, StoreRef, ecr::HostKind},
    settings::{
        Settings,
        aws::{self, Aws},
    },
};

/// Asks for manifests as they were pushed, of all four kinds; without this list ECR may convert them.
const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// SDK clients: repositories of one region share one, and with it one connection pool.
pub type Clients = Shared<(Option<String>, HostKind), Opened>;

#[derive(Clone)]
pub struct Opened {
    client: Client,
    aws: Arc<Aws>,
    settings: Arc<Settings>,
}

pub struct Ecr {
    client: Client,
    aws: Arc<Aws>,
    settings: Arc<Settings>,
    /// As it was opened.
    store: Arc<StoreRef>,
    /// With its account, once an answer has named that.
    home: OnceLock<Arc<StoreRef>>,
}

/// Opens a repository, or all repositories of a region.
pub async fn open(settings: &Settings, clients: &Clients, store: &StoreRef) -> Result<Ecr> {
    let host = HostKind::of(store);
    let opened = clients.get((store.region.clone(), host), async {
        let aws = aws::load(settings, store.region.as_deref()).await?;
        Ok(Opened { client: client(&aws, host), aws: Arc::new(aws), settings: Arc::new(settings.clone()) })
    });
    let Opened { client, aws, settings } = opened.await?;
    let store = StoreRef { region: Some(aws.region.clone()), ..store.clone() };
    Ok(Ecr { client, aws, settings, store: Arc::new(store), home: OnceLock::new() })
}

impl Ecr {
    /// The account, if the reference or an answer named it. Without one, ECR uses the caller's own.
    fn registry(&self) -> Option<String> {
        self.home().owner.clone()
    }

    /// Says of missing images what is missing. ECR's own sentence prints an identifier as Java does.
    fn each<T>(&self, answers: Vec<(ImageId, Result<T>)>) -> Answer<ImageId, T> {
        let answer = |(id, answer): (ImageId, Result<T>)| {
            let answer = answer.map_err(|error| self.absent(&id, error));
            (id, answer)
        };
        Answer::Each(answers.into_iter().map(answer).collect())
    }

    /// The error of a call about these images.
    fn of_call(&self, ids: &[ImageId], error: Error) -> Error {
        match ids {
            [id] => self.absent(id, error),
            _ => error,
        }
    }

    fn absent(&self, id: &ImageId, error: Error) -> Error {
        let what = match id {
            ImageId::Tag(tag) | ImageId::TagAt(tag, _) => format!("tag {tag}"),
            ImageId::Digest(digest) => format!("image {digest}"),
            ImageId::Named(name) => format!("image {name}"),
        };
        match error.kind {
            Kind::NotFound => {
                tracing::info!("ECR says: {}", error.message);
                error.in_our_words(format!("no {what} in {}", self.store.name))
            }
            _ => error,
        }
    }

    /// Remembers the account that an answer names.
    fn learn(&self, registry: Option<&str>) {
        if let (Some(registry), None) = (registry, &self.store.owner) {
            // Every answer of one store names the same account.
            self.home.get_or_init(|| Arc::new(StoreRef { owner: Some(registry.to_owned()), ..(*self.store).clone() }));
        }
    }
}

/// The client of a kind of host, or of a custom endpoint.
pub(crate) fn client(aws: &Aws, host: HostKind) -> Client {
    let mut config = aws_sdk_ecr::config::Builder::from(&aws.sdk)
        // A blind retry could delete an image that was pushed in between; the engine looks before it retries.
        .retry_config(RetryConfig::disabled());
    // The SDK panics if the endpoint is set but empty.
    config.set_endpoint_url(aws.endpoint.clone());
    if aws.endpoint.is_some() {
        // The SDK refuses both together with a custom endpoint.
        config = config.use_fips(false).use_dual_stack(false);
    } else {
        // A FIPS or dual-stack host needs it; otherwise variables and the profile decide.
        if host.fips {
            config = config.use_fips(true);
        }
        if host.dual_stack {
            config = config.use_dual_stack(true);
        }
    }
    Client::from_conf(config.build())
}

#[async_trait]
impl ImageStore for Ecr {
    fn home(&self) -> Arc<StoreRef> {
        Arc::clone(self.home.get().unwrap_or(&self.store))
    }

    fn caller(&self) -> Option<String> {
        Some(self.aws.caller.clone())
    }

    fn endpoint(&self) -> Option<String> {
        self.aws.endpoint.clone()
    }

    fn clock_ahead(&self) -> Option<TimeDelta> {
        self.aws.clock.ahead()
    }

    fn limit(&self, op: Op) -> Option<Limit> {
        // Batches: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html> and its
        // siblings. Rates: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>. None is
        // published for describing, deleting and archiving: these begin like BatchGetImage, until ECR throttles them.
        let limit = |call, batch, per_second| Some(Limit { call, batch, per_second, in_flight: 16 });
        match op {
            Op::Delete => limit("BatchDeleteImage", 100, 2000),
            Op::Get => limit("DescribeImages", 100, 2000),
            Op::List => limit("DescribeImages", 1000, 2000),
            Op::Manifests => limit("BatchGetImage", 100, 2000),
            Op::Layers => limit("BatchCheckLayerAvailability", 100, 1000),
            Op::Rules => limit("GetLifecyclePolicy", 1, 10),
            Op::Put => limit("PutImage", 1, 10),
            Op::StorageClass => limit("UpdateImageStorageClass", 1, 2000),
            Op::Registry => limit("DescribeRegistry", 1, 10),
            Op::Poll | Op::Sharing | Op::Details | Op::Referrers => None,
        }
    }

    async fn delete(&self, ids: &[ImageId]) -> Result<Receipt<Answer<ImageId, Deletion>>> {
        let call = self.client.batch_delete_image().set_registry_id(self.registry());
        let call = call.repository_name(&self.store.name).set_image_ids(Some(ids.iter().map(identifier).collect()));
        let answer = heard(&self.aws, "BatchDeleteImage", ids.len(), call.send()).await?;
        let request = answer.request_id().map(str::to_owned);
        let answers = decode::deleted(ids, answer.image_ids(), answer.failures(), request.as_deref())?;
        Ok(Receipt::new(self.each(answers), request))
    }

    async fn get(&self, ids: &[ImageId]) -> Result<Answer<ImageId, Image>> {
        // A pinned tag is requested by its tag alone; `decode` compares the digest.
        let mut named: Vec<ImageIdentifier> = Vec::with_capacity(ids.len());
        for id in ids.iter().map(by_tag_alone) {
            if !named.contains(&id) {
                named.push(id);
            }
        }
        let call = self.client.describe_images().set_registry_id(self.registry());
        let call = call.repository_name(&self.store.name).set_image_ids(Some(named)).filter(in_any_state());
        let answer = heard(&self.aws, "DescribeImages", ids.len(), call.send()).await;
        let answer = answer.map_err(|error| self.of_call(ids, error))?;
        let answers = decode::described(ids, answer.image_details(), answer.request_id())?;
        self.learn(answer.image_details().first().and_then(|detail| detail.registry_id()));
        Ok(self.each(answers))
    }

    async fn list(&self, after: Option<&str>) -> Result<Page<Image>> {
        let call = self.client.describe_images().set_registry_id(self.registry());
        let call = call.repository_name(&self.store.name).max_results(1000).filter(in_any_state());
        let call = call.set_next_token(after.map(str::to_owned));
        let answer = heard(&self.aws, "DescribeImages", 0, call.send()).await?;
        self.learn(answer.image_details().first().and_then(|detail| detail.registry_id()));
        let request = answer.request_id().map(str::to_owned);
        let next = answer.next_token.filter(|token| !token.is_empty());
        // Without this, an answer that lacks the list would make every image look absent.
        let details = answer.image_details.ok_or_else(|| no_list("imageDetails", request.as_deref()))?;
        let items = details.iter().map(|detail| decode::image(detail, request.as_deref())).collect::<Result<_>>()?;
        Ok(Page { items, total: None, next })
    }

    async fn replication(&self) -> Result<Replication> {
        self.replication_rules().await
    }

    async fn cache_rules(&self, after: Option<&str>) -> Result<Page<CacheRule>> {
        self.page_of_cache_rules(after).await
    }

    fn has_sources(&self) -> bool {
        true
    }

    async fn sources(&self, ask: &Ask) -> Result<Vec<Arc<dyn Source>>> {
        super::aws::sources(&self.settings, &self.aws, ask).await
    }

    async fn stores(&self, after: Option<&str>) -> Result<Page<StoreRef>> {
        let call = self.client.describe_repositories().set_registry_id(self.registry()).max_results(1000);
        let call = call.set_next_token(after.map(str::to_owned));
        let answer = heard(&self.aws, "DescribeRepositories", 0, call.send()).await?;
        let request = answer.request_id().map(str::to_owned);
        let repositories = answer.repositories.ok_or_else(|| no_list("repositories", request.as_deref()))?;
        let items = repositories.into_iter().filter_map(|repository| {
            let owner = repository.registry_id.or_else(|| self.registry());
            Some(StoreRef { owner, name: repository.repository_name?, ..(*self.store).clone() })
        });
        let next = answer.next_token.filter(|token| !token.is_empty());
        Ok(Page { items: items.collect(), total: None, next })
    }

    async fn manifests(&self, ids: &[ImageId]) -> Result<Answer<ImageId, Manifest>> {
        let call = self.client.batch_get_image().set_registry_id(self.registry()).repository_name(&self.store.name);
        let call = call.set_image_ids(Some(ids.iter().map(by_tag_alone).collect()));
        let call = call.set_accepted_media_types(Some(MEDIA_TYPES.map(String::from).into()));
        let answer = heard(&self.aws, "BatchGetImage", ids.len(), call.send()).await?;
        let request = answer.request_id().map(str::to_owned);
        let answers = decode::manifests(ids, answer.images(), answer.failures(), request.as_deref())?;
        self.learn(answer.images().first().and_then(|image| image.registry_id()));
        Ok(self.each(answers))
    }

    async fn own_rules(&self) -> Result<Option<Vec<OwnRule>>> {
        let call = self.client.get_lifecycle_policy().set_registry_id(self.registry());
        let answer =
            match heard(&self.aws, "GetLifecyclePolicy", 0, call.repository_name(&self.store.name).send()).await {
                Err(error) if error.code.as_deref() == Some("LifecyclePolicyNotFoundException") => return Ok(None),
                answer => answer?,
            };
        self.learn(answer.registry_id());
        let text = answer.lifecycle_policy_text().unwrap_or_default();
        let unreadable = |why| Error::new(Kind::Unreadable, why).request_id(answer.request_id());
        lifecycle::read(text).map(Some).map_err(unreadable)
    }

    async fn put(&self, put: &Put) -> Result<Receipt<()>> {
        let Put { manifest, tag } = put;
        let text = std::str::from_utf8(&manifest.bytes)
            .map_err(|_| Error::new(Kind::Invalid, format!("the manifest of {} is not text", manifest.digest)))?;
        let call = self.client.put_image().set_registry_id(self.registry()).repository_name(&self.store.name);
        // The digest makes ECR refuse a manifest that is not the one that was saved.
        let call = call.image_manifest(text).image_digest(manifest.digest.to_string()).set_image_tag(tag.clone());
        let call = call.set_image_manifest_media_type(manifest.media_type.clone());
        let answer = heard(&self.aws, "PutImage", 1, call.send()).await.map_err(errors::of_put)?;
        let stored = answer.image().and_then(|image| image.image_id()?.image_digest());
        match stored == Some(manifest.digest.to_string().as_str()) {
            true => Ok(Receipt::new((), answer.request_id())),
            false => {
                let message = format!("ECR stored {}, not {}", stored.unwrap_or("an unknown image"), manifest.digest);
                Err(Error::new(Kind::Unreadable, message).request_id(answer.request_id()))
            }
        }
    }

    async fn set_storage_class(&self, id: &ImageId, class: StorageClass) -> Result<Receipt<()>> {
        let target = match class {
            StorageClass::Standard => TargetStorageClass::Standard,
            StorageClass::Archive => TargetStorageClass::Archive,
        };
        let call = self.client.update_image_storage_class().set_registry_id(self.registry());
        let call = call.repository_name(&self.store.name).image_id(identifier(id)).target_storage_class(target);
        let answer = heard(&self.aws, "UpdateImageStorageClass", 1, call.send()).await?;
        Ok(Receipt::new((), answer.request_id()))
    }

    async fn check_layers(&self, digests: &[Digest]) -> Result<Answer<Digest, LayerState>> {
        let call = self.client.batch_check_layer_availability().set_registry_id(self.registry());
        let call = call.repository_name(&self.store.name);
        let call = call.set_layer_digests(Some(digests.iter().map(ToString::to_string).collect()));
        let answer = heard(&self.aws, "BatchCheckLayerAvailability", digests.len(), call.send()).await?;
        let request = answer.request_id().map(str::to_owned);
        decode::layers(digests, answer.layers(), answer.failures(), request.as_deref()).map(Answer::Each)
    }
}

fn identifier(id: &ImageId) -> ImageIdentifier {
    let tag = id.tag().or_else(|| match id {
        // Only tags and digests name container images; ECR refuses any other id.
        ImageId::Named(name) => Some(name),
        _ => None,
    });
    let digest = id.digest().map(ToString::to_string);
    ImageIdentifier::builder().set_image_tag(tag.map(str::to_owned)).set_image_digest(digest).build()
}

fn by_tag_alone(id: &ImageId) -> ImageIdentifier {
    match id {
        ImageId::TagAt(tag, _) => identifier(&ImageId::Tag(tag.clone())),
        id => identifier(id),
    }
}

fn no_list(name: &str, request: Option<&str>) -> Error {
    Error::new(Kind::Unreadable, format!("ECR's answer has no {name}")).request_id(request)
}

/// Without this filter only active images are described.
fn in_any_state() -> DescribeImagesFilter {
    DescribeImagesFilter::builder().tag_status(TagStatus::Any).image_status(ImageStatusFilter::Any).build()
}
