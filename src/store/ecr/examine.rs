//! Whether ECR can be worked with: one repository, or one image of the repository that was named, is asked for.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Instant,
};

use aws_sdk_ecr::{config::ConfigBag, error::BoxError};
use aws_smithy_runtime_api::client::{
    interceptors::{
        Intercept,
        context::{BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef},
        dyn_dispatch_hint,
    },
    runtime_components::RuntimeComponents,
};
use chrono::{TimeDelta, Utc};

use super::{Answer, Ask, Ecr, ImageStore, client, heard, in_any_state};
use crate::{
    checkup::{Checkup, Heard, Subject},
    error::{Error, Kind, Result},
    image::{Digest, ImageId, StoreRef, ecr::HostKind},
    settings::{Settings, aws},
    store::Permission,
};

/// "In most cases", and some services take more.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-signing.html>
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// No known bytes have this digest.
const UNUSED_DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

pub async fn examine(settings: &Settings, store: &StoreRef, ask: &Ask, checkup: &mut Checkup) -> Result<()> {
    let aws = aws::look(settings, store.region.as_deref(), checkup).await?;
    let ecr = Ecr {
        client: client(&aws, HostKind::of(store)),
        store: Arc::new(store.clone().with_region(aws.region.clone())),
        aws: Arc::new(aws),
        settings: Arc::new(settings.clone()),
        home: OnceLock::new(),
    };
    if let Some(owner) = &store.owner {
        checkup.found(Subject::Account, owner, "the reference");
    }
    let one_repository = !store.is_pattern();
    let witness = Witness::default();
    let started = Instant::now();
    checkup.calls += 1;
    let answer = match one_repository {
        true => ecr.one_image(&witness).await,
        false => ecr.one_repository(&witness).await,
    };
    let (at, took) = (Utc::now(), started.elapsed());
    let seen = witness.seen();
    if let (None, Some(uri)) = (checkup.value(Subject::Endpoint), seen.endpoint) {
        let host = uri.trim_end_matches('/');
        checkup.found(Subject::Endpoint, host, "the region's host");
    }
    let heard = seen.answered.map(|date| Heard { date, at, took });
    let permission = match one_repository {
        true => "ecr:DescribeImages",
        false => "ecr:DescribeRepositories",
    };
    let account = checkup.tried(permission, heard.as_ref(), TOLERANCE, answer)?;
    match account {
        Some(account) => checkup.told(Subject::Account, account),
        None if store.owner.is_none() => {
            checkup.unknown(Subject::Account, "no answer has named it yet");
        }
        None => {}
    }
    match (settings.options.check_delete, one_repository) {
        (false, false) => checkup.unknown(Subject::Delete, "cannot be asked without deleting"),
        (false, true) => checkup.unknown(Subject::Delete, "cannot be asked without deleting, but for --check-delete"),
        (true, false) => {
            checkup.unknown(Subject::Delete, "--check-delete needs a repository, as in `imgctl doctor ecr:team/app`")
        }
        (true, true) => {
            checkup.calls += 1;
            let answer = ecr.deletes_nothing().await;
            checkup.allowed(Subject::Delete, "ecr:BatchDeleteImage", answer);
        }
    }
    if !ask.is_empty() {
        ecr.askable(ask, checkup).await;
    }
    Ok(())
}

/// What a service said to each kind of call: fine, or which permissions are missing.
fn missing(permissions: Vec<Permission>) -> Result<()> {
    let (mut names, mut first) = (Vec::new(), None);
    for Permission { name, answer } in permissions {
        if let Err(error) = answer {
            names.push(name);
            first = first.or(Some(error));
        }
    }
    let Some(error) = first else { return Ok(()) };
    let message = match error.kind {
        Kind::Denied => format!("missing permissions: {}; {}", names.join(", "), error.message),
        _ => error.message.clone(),
    };
    Err(Error { message, ..error })
}

impl Ecr {
    /// Tries what pruning asks about use and about the registry.
    async fn askable(&self, ask: &Ask, checkup: &mut Checkup) {
        let registry = vec![
            Permission::of("ecr:DescribeRegistry", self.replication_rules().await),
            Permission::of("ecr:DescribePullThroughCacheRules", self.page_of_cache_rules(None).await),
        ];
        checkup.calls += registry.len();
        checkup.askable("replication and pull-through caches".into(), missing(registry));
        match self.sources(ask).await {
            Err(error) => checkup.askable("services".into(), Err(error)),
            Ok(sources) => {
                for source in sources {
                    let permissions = source.permissions().await;
                    checkup.calls += permissions.len();
                    checkup.askable(source.name(), missing(permissions));
                }
            }
        }
    }

    /// Asks for one image of the repository; an answer may name the account.
    async fn one_image(&self, witness: &Witness) -> Result<Option<String>> {
        let call = self
            .client
            .describe_images()
            .set_registry_id(self.registry())
            .repository_name(&self.store.name)
            .max_results(1)
            .filter(in_any_state());
        let call = call.customize().interceptor(witness.clone());
        let answer = heard(&self.aws, "DescribeImages", 0, call.send()).await?;
        let first = answer.image_details().first();
        Ok(first.and_then(|image| image.registry_id().map(Into::into)))
    }

    /// Asks for one repository of the registry.
    async fn one_repository(&self, witness: &Witness) -> Result<Option<String>> {
        let call = self.client.describe_repositories().set_registry_id(self.registry()).max_results(1);
        let call = call.customize().interceptor(witness.clone());
        let answer = heard(&self.aws, "DescribeRepositories", 0, call.send()).await;
        let answer = answer.map_err(|error| match error.kind {
            Kind::Denied => {
                error.hint("only patterns need this; to check one repository: `imgctl doctor ecr:REPOSITORY`")
            }
            _ => error,
        })?;
        let first = answer.repositories().first();
        Ok(first.and_then(|repository| repository.registry_id().map(Into::into)))
    }

    /// Tries to delete an image that cannot exist. With the permission, ECR answers that it does not exist.
    async fn deletes_nothing(&self) -> Result<()> {
        let digest: Digest =
            UNUSED_DIGEST.parse().map_err(|_| Error::new(Kind::Invalid, "the test digest is not valid"))?;
        match self.delete(&[ImageId::Digest(digest)]).await?.said {
            Answer::All(_) => Ok(()),
            Answer::Each(answers) => answers.into_iter().try_for_each(|(_, answer)| match answer {
                Err(error) if error.kind != Kind::NotFound => Err(error),
                _ => Ok(()),
            }),
        }
    }
}

/// Records a call's host and the date of its answer, which the SDK does not return.
#[derive(Clone, Debug, Default)]
struct Witness(Arc<Mutex<Seen>>);

#[derive(Clone, Debug, Default)]
struct Seen {
    endpoint: Option<String>,
    /// An answer came; within, its date.
    answered: Option<Option<String>>,
}

impl Witness {
    fn seen(&self) -> Seen {
        self.0.lock().expect("no holder of this lock panics").clone()
    }
}

#[dyn_dispatch_hint]
impl Intercept for Witness {
    fn name(&self) -> &'static str {
        "Witness"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        let uri = context.request().uri().to_owned();
        self.0.lock().expect("no holder of this lock panics").endpoint = Some(uri);
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        let date = context.response().headers().get("date").map(Into::into);
        self.0.lock().expect("no holder of this lock panics").answered = Some(date);
        Ok(())
    }
}
