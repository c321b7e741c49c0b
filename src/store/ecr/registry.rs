//! What applies to the whole registry: DescribeRegistry and DescribePullThroughCacheRules.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ecr::{config::ConfigBag, error::BoxError, operation::RequestId};
use aws_smithy_runtime_api::client::{
    interceptors::{Intercept, context::AfterDeserializationInterceptorContextRef, dyn_dispatch_hint},
    runtime_components::RuntimeComponents,
};
use serde::Deserialize;

use super::{Ecr, heard, no_list};
use crate::{
    error::{Error, Kind, Result},
    store::{CacheRule, Page, Replica, Replication, ReplicationRule},
};

impl Ecr {
    /// Only the caller's own registry can be asked about. The SDK leaves out whether a rule repeats deletions, so that is read
    /// from the answer itself.
    pub(super) async fn replication_rules(&self) -> Result<Replication> {
        let body = Body::default();
        let call = self.client.describe_registry().customize().interceptor(body.clone());
        let answer = heard(&self.aws, "DescribeRegistry", 0, call.send()).await?;
        let told = body.read().map_err(|why| {
            let message = format!("ECR's answer to DescribeRegistry cannot be read: {why}");
            Error::new(Kind::Unreadable, message).request_id(answer.request_id())
        })?;
        Ok(told.into())
    }

    pub(super) async fn page_of_cache_rules(&self, after: Option<&str>) -> Result<Page<CacheRule>> {
        let call = self.client.describe_pull_through_cache_rules().set_registry_id(self.registry()).max_results(1000);
        let call = call.set_next_token(after.map(str::to_owned));
        let answer = heard(&self.aws, "DescribePullThroughCacheRules", 0, call.send()).await?;
        let request = answer.request_id().map(str::to_owned);
        let next = answer.next_token.filter(|token| !token.is_empty());
        let rules = answer.pull_through_cache_rules;
        let rules = rules.ok_or_else(|| no_list("pullThroughCacheRules", request.as_deref()))?;
        let rule = |rule: aws_sdk_ecr::types::PullThroughCacheRule| {
            let upstream = rule.upstream_registry_url.unwrap_or_else(|| "another registry".into());
            Some(CacheRule { prefix: rule.ecr_repository_prefix?, upstream })
        };
        Ok(Page { items: rules.into_iter().filter_map(rule).collect(), total: None, next })
    }
}

/// The body of an answer as it came.
#[derive(Clone, Debug, Default)]
struct Body(Arc<Mutex<Vec<u8>>>);

impl Body {
    fn read(&self) -> Result<Told, serde_json::Error> {
        serde_json::from_slice(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[dyn_dispatch_hint]
impl Intercept for Body {
    fn name(&self) -> &'static str {
        "Body"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let bytes = context.response().body().bytes().unwrap_or_default();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes.to_owned();
        Ok(())
    }
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRegistry.html>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    registry_id: Option<String>,
    replication_configuration: Configuration,
}

#[derive(Deserialize)]
struct Configuration {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    destinations: Vec<Destination>,
    #[serde(default)]
    repository_filters: Vec<Filter>,
    delete_replication: Option<DeleteReplication>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Destination {
    region: String,
    registry_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    filter: String,
    filter_type: String,
}

#[derive(Deserialize)]
struct DeleteReplication {
    enabled: bool,
}

impl From<Told> for Replication {
    /// Rules that only repeat pushes do not matter.
    fn from(told: Told) -> Self {
        let repeats = |rule: &Rule| rule.delete_replication.as_ref().is_some_and(|delete| delete.enabled);
        // A filter of a kind that is new may match anything.
        let prefix = |filter: Filter| (filter.filter_type == "PREFIX_MATCH").then_some(filter.filter);
        let rules = told.replication_configuration.rules.into_iter().filter(repeats).map(|rule| ReplicationRule {
            prefixes: rule.repository_filters.into_iter().map(prefix).collect::<Option<_>>().unwrap_or_default(),
            replicas: rule
                .destinations
                .into_iter()
                .map(|to| Replica { region: to.region, account: to.registry_id })
                .collect(),
        });
        Self { owner: told.registry_id, rules: rules.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rules_that_repeat_deletions_count() {
        let text = r#"{"registryId":"123456789012","replicationConfiguration":{"rules":[
            {"destinations":[{"region":"us-east-1","registryId":"123456789012"}],
             "repositoryFilters":[{"filter":"team/","filterType":"PREFIX_MATCH"}],"deleteReplication":{"enabled":true}},
            {"destinations":[{"region":"us-east-2","registryId":"123456789012"}],"deleteReplication":{"enabled":false}},
            {"destinations":[{"region":"us-west-1","registryId":"123456789012"}]}]}}"#;
        let replication: Replication = serde_json::from_str::<Told>(text).unwrap().into();
        let there = Replica { region: "us-east-1".into(), account: "123456789012".into() };
        assert_eq!(replication.of("team/app"), [there]);
        assert_eq!(replication.of("base/alpine"), []);
        for bad in ["{}", r#"{"replicationConfiguration":{}}"#] {
            assert!(serde_json::from_str::<Told>(bad).is_err(), "{bad}");
        }
    }
}
