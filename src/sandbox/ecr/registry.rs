//! What applies to a whole registry: rules that replicate deletions to other regions, and rules that fill repositories from
//! another registry when somebody pulls. Pushes are not replicated here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Ecr,
    digest::Digest,
    manifest::Manifest,
    paging::{self, Entry},
    refusal::{Refusal, breaks, page_size, required},
    request::{Request, seconds},
};

/// The rules of one registry.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// The replication rules, in the service's own words.
    pub replication: Vec<Value>,
    /// Prefixes of repositories, with the registry that fills them.
    pub caches: BTreeMap<String, String>,
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRegistry.html>
pub fn describe(request: Request) -> Result<Value, Refusal> {
    Ok(json!({
        "registryId": request.account,
        "replicationConfiguration": { "rules": request.registry.rules.replication },
    }))
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutReplicationConfiguration.html>
pub fn put_replication(request: Request) -> Result<Value, Refusal> {
    let parameters: Value = request.parameters()?;
    let name = "replicationConfiguration.rules";
    let rules = required(parameters.pointer("/replicationConfiguration/rules").and_then(Value::as_array), name)?;
    if rules.len() > 25 {
        return Err(breaks(name, "Member must have length less than or equal to 25"));
    }
    request.registry.rules.replication = rules.clone();
    Ok(json!({ "replicationConfiguration": { "rules": rules } }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CacheParameters {
    ecr_repository_prefix: Option<String>,
    upstream_registry_url: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreatePullThroughCacheRule.html>
pub fn create_cache(request: Request) -> Result<Value, Refusal> {
    let parameters: CacheParameters = request.parameters()?;
    let prefix = required(parameters.ecr_repository_prefix, "ecrRepositoryPrefix")?;
    let upstream = required(parameters.upstream_registry_url, "upstreamRegistryUrl")?;
    let account = request.registry_id()?;
    let answer = json!({
        "ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": upstream, "registryId": account,
        "createdAt": seconds(request.now),
    });
    request.registry.rules.caches.insert(prefix, upstream);
    Ok(answer)
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribePullThroughCacheRules.html>
pub fn describe_caches(request: Request) -> Result<Value, Refusal> {
    let parameters: CacheParameters = request.parameters()?;
    let account = request.registry_id()?;
    let size = page_size(parameters.max_results, 100, 1000)?;
    let after = paging::after(parameters.next_token, "caches")?;
    let all = request.registry.rules.caches.iter();
    let entries =
        all.filter(|(prefix, _)| after.as_ref().is_none_or(|after| *prefix > after)).map(|(prefix, upstream)| {
            let shown = json!({
                "ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": upstream, "registryId": account,
                "createdAt": seconds(request.now),
            });
            Entry { key: prefix.clone(), shown: Some(shown) }
        });
    let (rules, next) = paging::page(entries, size, "caches", request.quirks);
    Ok(paging::answer(json!({ "pullThroughCacheRules": rules }), next))
}

impl Rules {
    /// What a pull by tag brings into a repository that is filled from elsewhere.
    pub fn import(&self, repository: &str, tag: &str) -> Option<Manifest> {
        let fills =
            |prefix: &String| repository.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('/'));
        let (_, upstream) = self.caches.iter().find(|(prefix, _)| fills(prefix))?;
        Some(Manifest::image(&format!("{upstream}/{repository}:{tag}"), 2))
    }

    /// The regions in which deletions in a repository are repeated.
    fn replicas(&self, repository: &str) -> Vec<String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut regions = Vec::new();
        for rule in &self.replication {
            let filters: Vec<String> = rule["repositoryFilters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|it| text(&it["filter"]))
                .collect();
            let applies = filters.is_empty() || filters.iter().any(|prefix| repository.starts_with(prefix.as_str()));
            if applies && rule.pointer("/deleteReplication/enabled") == Some(&Value::Bool(true)) {
                let all = rule["destinations"].as_array().into_iter().flatten();
                regions.extend(all.filter_map(|destination| text(&destination["region"])));
            }
        }
        regions
    }
}

impl Ecr {
    /// Repeats in other regions what a call deleted here.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication.html>
    pub(super) fn replicate(&mut self, region: &str, body: &[u8], answer: &Value) {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let name = asked["repositoryName"].as_str().unwrap_or_default();
        let Some(source) = self.registries.get(region) else { return };
        let gone =
            |digest: &Digest| source.repositories.get(name).is_none_or(|repository| repository.image(digest).is_none());
        let ids = answer["imageIds"].as_array().into_iter().flatten();
        let deleted: Vec<(Option<Digest>, Option<String>)> = ids
            .map(|id| {
                let digest = id["imageDigest"].as_str().and_then(|digest| digest.parse().ok()).filter(gone);
                (digest, id["imageTag"].as_str().map(str::to_owned))
            })
            .collect();
        for there in source.rules.replicas(name) {
            let Some(repository) = self.registries.get_mut(&there).and_then(|there| there.repositories.get_mut(name))
            else {
                continue;
            };
            for (digest, tag) in &deleted {
                match (digest, tag) {
                    (Some(digest), _) => drop(repository.remove(digest)),
                    (None, Some(tag)) => repository.remove_tag(tag),
                    (None, None) => {}
                }
            }
        }
    }

    /// The rules of a region's registry.
    pub fn rules(&mut self, region: &str) -> &mut Rules {
        &mut self.registries.entry(region.into()).or_default().rules
    }
}
