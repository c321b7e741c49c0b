//! AWS ECR, as its documents describe it: the front door (signatures, permissions, rates) and the choice of the
//! operation. One file holds each group of operations, `repository` what they work on. Where the documents leave open
//! how the service answers, [`Quirks`] chooses.

mod archive;
pub mod build;
mod delete;
pub mod digest;
mod docker;
mod identifier;
mod layers;
mod listing;
pub mod made;
pub mod manifest;
mod paging;
mod pull;
mod push;
pub(in crate::sandbox) mod refusal;
mod registry;
mod repositories;
pub mod repository;
mod request;
mod saved;
mod seed;
mod session;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

pub(in crate::sandbox) use self::{identifier::is_tag, push::movable, request::is_path as is_repository};
use self::{layers::Upload, refusal::Refusal, repository::Repository, request::Request};
use super::{
    Hooked, Hooks, Received, Reply, Service,
    oci::{self, Route, Uploads},
    rates::Rates,
    sigv4::{self, Key},
};

/// What the sandbox's variables name; every other region is there too, and empty.
pub const REGION: &str = "eu-west-1";
/// The account of every key.
pub const ACCOUNT: &str = "123456789012";
/// The access key of every sandbox. It works nowhere else.
pub const ACCESS_KEY: (&str, &str) = ("AKIASANDBOX000000000", "sandbox-secret-that-opens-nothing");

const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.";

const REQUEST_ID: &str = "x-amzn-requestid";

/// The service: one account, all regions.
pub struct Ecr {
    pub account: String,
    pub keys: Vec<Key>,
    /// Operations that the caller may not use.
    pub denied: BTreeSet<String>,
    /// Calls a second, for operations that have a rate.
    pub rates: BTreeMap<String, u32>,
    pub quirks: Quirks,
    pub delays: Delays,
    registries: BTreeMap<String, Registry>,
    docker_uploads: Uploads,
    hooks: Hooks<Ecr>,
    recent: Rates,
    requests: u64,
}

/// One region of an account.
#[derive(Default)]
pub struct Registry {
    pub repositories: BTreeMap<String, Repository>,
    pub rules: registry::Rules,
    uploads: HashMap<String, Upload>,
}

/// How long the service takes.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// From the archive until an image can be pulled; "up to 20 minutes".
    /// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/archive-image.html>
    pub activation: TimeDelta,
    /// From the last image of a layer until the layer is dropped; never if absent. The documents say "at any time".
    pub layers_kept: Option<TimeDelta>,
}

impl Default for Delays {
    fn default() -> Self {
        Self { activation: TimeDelta::seconds(1), layers_kept: None }
    }
}

/// How the service answers where its documents do not say, or where reports differ.
#[derive(Clone, Copy, Debug)]
pub struct Quirks {
    pub missing_layer: MissingLayer,
    pub archived_pull: ArchivedPull,
    /// UpdateImageStorageClass to the class that the image already has.
    pub same_class: SameClass,
    /// BatchGetImage by digest answers with one image a tag, and not with one in all.
    pub one_image_a_tag: bool,
    /// A filter is applied after a page is cut, so pages may be short, or empty, with a token.
    pub sparse_pages: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingLayer {
    /// Among the layers, as unavailable.
    Unavailable,
    /// Among the failures, as a missing digest.
    Failure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchivedPull {
    Inaccessible,
    NotFound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameClass {
    /// Refused as not supported.
    Refused,
    /// Answered with the image's status.
    Accepted,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            missing_layer: MissingLayer::Unavailable,
            archived_pull: ArchivedPull::Inaccessible,
            same_class: SameClass::Refused,
            one_image_a_tag: true,
            sparse_pages: false,
        }
    }
}

impl Default for Ecr {
    fn default() -> Self {
        Self {
            account: ACCOUNT.into(),
            keys: vec![Key {
                id: ACCESS_KEY.0.into(),
                secret: ACCESS_KEY.1.into(),
                session_token: None,
                expires: None,
            }],
            denied: BTreeSet::new(),
            rates: BTreeMap::new(),
            quirks: Quirks::default(),
            delays: Delays::default(),
            registries: BTreeMap::new(),
            docker_uploads: Uploads::default(),
            hooks: Hooks::default(),
            recent: Rates::default(),
            requests: 0,
        }
    }
}

impl Hooked for Ecr {
    fn hooks(&mut self) -> &mut Hooks<Self> {
        &mut self.hooks
    }
}

impl Ecr {
    /// The repository of that name, which is made if it is not there.
    pub fn repository(&mut self, region: &str, name: &str, now: DateTime<Utc>) -> &mut Repository {
        let registry = self.registries.entry(region.into()).or_default();
        let repositories = &mut registry.repositories;
        repositories.entry(name.into()).or_insert_with(|| Repository::new(now))
    }

    /// The repositories of a region.
    pub fn repositories(&self, region: &str) -> impl Iterator<Item = (&str, &Repository)> {
        let registry = self.registries.get(region);
        let repositories = registry.into_iter().flat_map(|registry| &registry.repositories);
        repositories.map(|(name, repository)| (name.as_str(), repository))
    }

    /// Region, repository and digest of every image, with its tags: to compare before and after.
    pub fn snapshot(&self) -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
        let registries = self.registries.iter();
        let repositories = registries.flat_map(|(region, registry)| {
            let named =
                move |(name, repository): (&String, &Repository)| (format!("{region}/{name}"), repository.snapshot());
            registry.repositories.iter().map(named)
        });
        repositories.collect()
    }

    fn check_permission(&self, operation: &str, region: &str) -> Result<(), Refusal> {
        if !self.denied.contains(operation) {
            return Ok(());
        }
        Err(Refusal::new(
            "AccessDeniedException",
            format!(
                "User: arn:aws:iam::{0}:user/sandbox is not authorized to perform: ecr:{operation} on resource: \
                 arn:aws:ecr:{region}:{0}:repository/* because no identity-based policy allows the ecr:{operation} action",
                self.account
            ),
        ))
    }

    /// Everything behind the signature.
    fn perform(&mut self, operation: &str, region: &str, body: &[u8], now: DateTime<Utc>) -> Result<Value, Refusal> {
        let (_, work) = OPERATIONS
            .into_iter()
            .find(|(name, _)| *name == operation)
            .ok_or_else(|| Refusal::new("UnknownOperationException", format!("Unknown operation {operation}")))?;
        if !self.recent.admits(operation.into(), self.rates.get(operation).copied(), now) {
            return Err(refusal::throttled());
        }
        self.check_permission(operation, region)?;
        self.run_hooks(operation);
        let answer = work(Request {
            registry: self.registries.entry(region.into()).or_default(),
            account: &self.account,
            region,
            now,
            quirks: &self.quirks,
            delays: &self.delays,
            number: self.requests,
            body,
        })?;
        if operation == "BatchDeleteImage" {
            self.replicate(region, body, &answer);
        }
        Ok(answer)
    }

    /// An answer of the fault script, which counts no request.
    fn refuse(&self, refusal: &Refusal) -> Reply {
        let mut reply = refusal.reply();
        reply.headers.push((REQUEST_ID.into(), request_id(self.requests + 1)));
        reply
    }

    fn answer_sts(&self, request: &Received, request_id: &str) -> Reply {
        match sigv4::verify(request, "sts", &self.keys) {
            Err(distrust) => session::distrusted(distrust, request_id),
            Ok(caller) if session::action(request).as_deref() == Some("GetCallerIdentity") => {
                session::caller_identity(&self.account, &caller.key_id, request_id)
            }
            Ok(_) => session::failed(400, "InvalidAction", "Could not find the operation", request_id),
        }
    }
}

fn request_id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

type Work = fn(Request) -> Result<Value, Refusal>;

/// The operations of the API.
const OPERATIONS: [(&str, Work); 21] = [
    ("BatchCheckLayerAvailability", layers::batch_check_layer_availability),
    ("BatchDeleteImage", delete::batch_delete_image),
    ("BatchGetImage", pull::batch_get_image),
    ("CompleteLayerUpload", layers::complete_layer_upload),
    ("CreatePullThroughCacheRule", registry::create_cache),
    ("CreateRepository", repositories::create),
    ("DeleteRepository", repositories::delete),
    ("DescribeImages", listing::describe_images),
    ("DescribePullThroughCacheRules", registry::describe_caches),
    ("DescribeRegistry", registry::describe),
    ("DescribeRepositories", repositories::describe),
    ("GetAuthorizationToken", session::get_authorization_token),
    ("GetLifecyclePolicy", repositories::get_lifecycle_policy),
    ("InitiateLayerUpload", layers::initiate_layer_upload),
    ("ListImageReferrers", listing::list_image_referrers),
    ("ListImages", listing::list_images),
    ("PutImage", push::put_image),
    ("PutImageTagMutability", repositories::put_tag_mutability),
    ("UpdateImageStorageClass", archive::update_image_storage_class),
    ("PutReplicationConfiguration", registry::put_replication),
    ("UploadLayerPart", layers::upload_layer_part),
];

impl Service for Ecr {
    fn operation(&self, request: &Received) -> Option<String> {
        let target = request.header("x-amz-target").strip_prefix(TARGET);
        let docker = || Route::of(request).map(|route| route.name());
        target.map(Into::into).or_else(|| session::action(request)).or_else(docker)
    }

    fn login(&self) -> Option<(String, String)> {
        Some(("AWS".into(), docker::password(&self.account)))
    }

    fn operations(&self) -> Vec<&'static str> {
        let api = OPERATIONS.iter().map(|(name, _)| *name);
        api.chain(["GetCallerIdentity"]).chain(oci::OPERATIONS).collect()
    }

    fn items(&self, request: &Received) -> Vec<String> {
        match Route::of(request) {
            Some(route) => route.item().into_iter().collect(),
            None => items(&serde_json::from_slice(&request.body).unwrap_or_default()),
        }
    }

    fn answer(&mut self, request: &Received) -> Reply {
        if let Some(route) = Route::of(request) {
            return self.answer_docker(request, &route);
        }
        self.requests += 1;
        let request_id = request_id(self.requests);
        let target = request.header("x-amz-target").strip_prefix(TARGET);
        let mut reply = match target {
            None => self.answer_sts(request, &request_id),
            Some(operation) => sigv4::verify(request, "ecr", &self.keys)
                .map_err(Refusal::from)
                .and_then(|caller| self.perform(operation, &caller.region, &request.body, request.now))
                .map_or_else(|refusal| refusal.reply(), |body| refusal::json_reply(200, &body)),
        };
        reply.headers.push((REQUEST_ID.into(), request_id));
        reply
    }

    fn throttled(&self) -> Reply {
        self.refuse(&refusal::throttled())
    }

    fn broken(&self, status: u16) -> Reply {
        self.refuse(&Refusal::of_status(status))
    }

    fn environment(&self, url: &str) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("AWS_ENDPOINT_URL_ECR", url.into()),
            ("AWS_ENDPOINT_URL_STS", url.into()),
            ("AWS_REGION", REGION.into()),
            ("AWS_DEFAULT_REGION", REGION.into()),
            // Without these the user's own settings could lead past the sandbox, or wait for a metadata service.
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false".into()),
            ("AWS_USE_FIPS_ENDPOINT", "false".into()),
            ("AWS_USE_DUALSTACK_ENDPOINT", "false".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ];
        if let Some(key) = self.keys.first() {
            variables.push(("AWS_ACCESS_KEY_ID", key.id.clone()));
            variables.push(("AWS_SECRET_ACCESS_KEY", key.secret.clone()));
            variables.extend(key.session_token.clone().map(|token| ("AWS_SESSION_TOKEN", token)));
        }
        variables
    }
}

/// The ids that a request names, as imgctl would print them without their repository.
fn items(body: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let image = |id: &Value| {
        let parts = [text(&id["imageTag"]), text(&id["imageDigest"])];
        parts.into_iter().flatten().collect::<Vec<_>>().join("@")
    };
    let list = |name: &str| body[name].as_array().into_iter().flatten();
    let mut items: Vec<_> = list("imageIds").map(image).collect();
    items.extend(list("layerDigests").filter_map(text));
    items.extend(list("repositoryNames").filter_map(text));
    if body["imageId"].is_object() {
        items.push(image(&body["imageId"]));
    }
    if body["imageManifest"].is_string() {
        items.push(image(&json!({"imageTag": body["imageTag"], "imageDigest": body["imageDigest"]})));
    }
    items
}

#[cfg(test)]
mod tests;
