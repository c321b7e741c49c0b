//! AWS's services that know who uses container images. Each is one file with its calls and the decoder of their answers;
//! `call` signs and sends a call, `errors` knows the codes that all of AWS's services share.

mod call;
pub(super) mod ecs;
pub(super) mod errors;
pub(super) mod inspector;
pub(super) mod lambda;

use std::{collections::HashSet, sync::Arc};

use serde::Deserialize;

use self::call::Api;
use super::{Ask, Asker, Limit, Service, Source, source::asked};
use crate::{
    error::{Error, Kind, Result},
    settings::{
        Settings,
        aws::{Aws, service},
    },
};

/// Opens the services to ask, in the region of the credentials' settings and the others.
pub(super) async fn sources(settings: &Settings, aws: &Aws, ask: &Ask) -> Result<Vec<Arc<dyn Source>>> {
    let mut sources: Vec<Arc<dyn Source>> = Vec::new();
    for region in [&aws.region].into_iter().chain(&ask.regions) {
        let api =
            async |service| Ok::<_, Error>(Api::new(service, service::access(settings, aws, service, region).await?));
        for asked in &ask.services {
            sources.push(match asked {
                Service::Ecs => Arc::new(ecs::Ecs {
                    api: api(&service::ECS).await?,
                    events: api(&service::EVENTS).await?,
                    scheduler: api(&service::SCHEDULER).await?,
                    revisions: ask.revisions.unwrap_or_default(),
                }),
                Service::Lambda => Arc::new(lambda::Lambda { api: api(&service::LAMBDA).await? }),
                Service::Inspector => Arc::new(inspector::Inspector { api: api(&service::INSPECTOR).await? }),
            });
        }
    }
    Ok(sources)
}

/// The account in an Amazon resource name.
fn account(arn: &str) -> Option<String> {
    arn.split(':').nth(4).filter(|account| !account.is_empty()).map(Into::into)
}

/// One page of a listing, and where the next one begins.
#[derive(Deserialize)]
struct Paged<T> {
    #[serde(flatten)]
    page: T,
    #[serde(rename = "nextToken", alias = "NextMarker", alias = "NextToken")]
    next: Option<String>,
}

/// All pages of a listing. A short page says nothing about the end.
async fn pages<T, F>(
    asker: &dyn Asker,
    limit: Limit,
    call: impl Fn(Option<String>) -> F + Send + Sync,
) -> Result<Vec<T>>
where
    T: Send,
    F: Future<Output = Result<Paged<T>>> + Send,
{
    let (mut pages, mut tokens, mut token) = (Vec::new(), HashSet::new(), None);
    loop {
        let Paged { page, next } = asked(asker, limit, || call(token.clone())).await?;
        pages.push(page);
        token = next.filter(|token| !token.is_empty());
        match &token {
            None => return Ok(pages),
            Some(token) if tokens.insert(token.clone()) => {}
            Some(_) => return Err(Error::new(Kind::Unreadable, format!("{} repeats a page", limit.call))),
        }
    }
}
