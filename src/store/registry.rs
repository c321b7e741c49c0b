//! What applies to a whole registry: whether it replicates deletions, and which repositories it fills from elsewhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where deletions in a registry are repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replication {
    /// The account that the answer is about.
    pub owner: Option<String>,
    pub rules: Vec<ReplicationRule>,
}

/// Repositories whose deletions are repeated in other registries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicationRule {
    /// How their names begin; none means all.
    pub prefixes: Vec<String>,
    pub replicas: Vec<Replica>,
}

/// A registry that holds copies of images.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "replica")]
pub struct Replica {
    pub region: String,
    pub account: String,
}

/// A rule that fills repositories from another registry when somebody pulls from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "pull_through_cache")]
pub struct CacheRule {
    /// How the names of these repositories begin.
    pub prefix: String,
    /// The registry that they are filled from.
    pub upstream: String,
}

impl Replication {
    /// Where deletions in this repository are repeated, each place once.
    pub fn of(&self, repository: &str) -> Vec<Replica> {
        let applies = |rule: &&ReplicationRule| {
            rule.prefixes.is_empty() || rule.prefixes.iter().any(|prefix| repository.starts_with(prefix.as_str()))
        };
        let mut replicas: Vec<Replica> =
            self.rules.iter().filter(applies).flat_map(|rule| rule.replicas.iter().cloned()).collect();
        replicas.sort();
        replicas.dedup();
        replicas
    }
}

impl CacheRule {
    /// Whether a repository is filled by this rule. A rule for the root fills every repository.
    pub fn fills(&self, repository: &str) -> bool {
        let rest = repository.strip_prefix(self.prefix.as_str());
        self.prefix == "ROOT" || rest.is_some_and(|rest| rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_matching_rule_counts_and_each_place_once() {
        let replica = |region: &str| Replica { region: region.into(), account: "123456789012".into() };
        let rule = |prefixes: &[&str], regions: &[&str]| ReplicationRule {
            prefixes: prefixes.iter().map(ToString::to_string).collect(),
            replicas: regions.iter().map(|region| replica(region)).collect(),
        };
        let rules = vec![rule(&["team/", "base"], &["b", "a"]), rule(&[], &["c"]), rule(&["team/app"], &["a"])];
        let replication = Replication { owner: None, rules };
        assert_eq!(replication.of("team/app"), ["a", "b", "c"].map(replica));
        assert_eq!(replication.of("other"), [replica("c")]);
        assert_eq!(Replication::default().of("team/app"), []);
    }

    #[test]
    fn a_cache_rule_fills_what_is_below_its_prefix() {
        let rule = |prefix: &str| CacheRule { prefix: prefix.into(), upstream: String::new() };
        assert!(rule("docker-hub").fills("docker-hub/library/nginx"));
        assert!(!rule("docker-hub").fills("docker-hub-mirror/nginx"));
        assert!(rule("ROOT").fills("library/nginx"));
    }
}
