//! What EventBridge starts in ECS: the rules of every event bus that run tasks in some cluster. Disabled rules count too,
//! because a person can enable them again at any time.
//!
//! Rules are asked for by cluster and bus, a call for each pair, and then one for each rule that was found. Listing all rules
//! and asking for the targets of each would take a call for each rule of the account, and most start nothing in ECS.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    super::{
        Paged,
        call::{Api, Call, NOTHING, Try},
        errors::Row,
        pages,
    },
    asking::gone,
    start::{Start, Target},
};
use crate::{
    error::{Kind, Result},
    store::{Asker, Limit, Permission},
};

const TARGET: &str = "AWSEvents";

/// The bus that each account has.
const DEFAULT: &str = "default";

/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListTargetsByRule.html>
const CODES: &[Row] = &[(&["ResourceNotFoundException"], Kind::NotFound, ""), (&["InternalException"], Kind::Lost, "")];

/// The service publishes no rates for its reading calls; these are the same as for ECS.
const fn limit(call: &'static str) -> Limit {
    Limit { call, batch: 100, per_second: 10, in_flight: 4 }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Buses {
    event_buses: Vec<Bus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Bus {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Names {
    rule_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Targets {
    targets: Vec<Target>,
}

/// The calls of one search.
pub struct Rules<'a> {
    pub api: &'a Api,
    pub asker: &'a dyn Asker,
}

impl Rules<'_> {
    /// What rules start in these clusters.
    pub async fn starts(&self, clusters: &[String]) -> Result<Vec<Start>> {
        if clusters.is_empty() {
            return Ok(Vec::new());
        }
        let buses = self.buses().await?;
        let pairs = buses.iter().flat_map(|bus| clusters.iter().map(move |cluster| (bus, cluster)));
        let named = try_join_all(pairs.map(|(bus, cluster)| gone(self.names(bus, cluster)))).await?;
        // One rule may start tasks in several clusters.
        let rules: BTreeSet<(String, String)> = named.into_iter().flatten().collect();
        let starts = try_join_all(rules.iter().map(|(bus, rule)| gone(self.targets(bus, rule)))).await?;
        Ok(starts.into_iter().flatten().collect())
    }

    async fn buses(&self) -> Result<BTreeSet<String>> {
        let pages: Vec<Buses> = self.pages("ListEventBuses", &json!({})).await?;
        let names = pages.into_iter().flat_map(|page| page.event_buses).map(|bus| bus.name);
        Ok(names.chain([DEFAULT.to_owned()]).collect())
    }

    /// The rules of a bus with a target in a cluster.
    async fn names(&self, bus: &str, cluster: &str) -> Result<Vec<(String, String)>> {
        let body = json!({ "TargetArn": cluster, "EventBusName": bus });
        let pages: Vec<Names> = self.pages("ListRuleNamesByTarget", &body).await?;
        Ok(pages.into_iter().flat_map(|page| page.rule_names).map(|rule| (bus.to_owned(), rule)).collect())
    }

    async fn targets(&self, bus: &str, rule: &str) -> Result<Vec<Start>> {
        let pages: Vec<Targets> =
            self.pages("ListTargetsByRule", &json!({ "Rule": rule, "EventBusName": bus })).await?;
        let targets = pages.into_iter().flat_map(|page| page.targets);
        let starts =
            targets.filter_map(|target| Some(Start { who: who(bus, rule), definition: target.starts(&target.arn)? }));
        Ok(starts.collect())
    }

    async fn pages<T: DeserializeOwned + Send>(&self, action: &'static str, body: &Value) -> Result<Vec<T>> {
        let limit = limit(action);
        let call = |token: Option<String>| async move {
            let mut body = body.clone();
            body["Limit"] = limit.batch.into();
            if let Some(token) = token {
                body["NextToken"] = token.into();
            }
            self.api.target::<Paged<T>>(TARGET, Call { action, ids: 0, own: CODES }, &body).await
        };
        pages(self.asker, limit, call).await
    }
}

fn who(bus: &str, rule: &str) -> String {
    match bus {
        DEFAULT => format!("EventBridge rule {rule}"),
        other => format!("EventBridge rule {rule} on event bus {other}"),
    }
}

pub async fn permissions(api: &Api) -> Vec<Permission> {
    let tries = [
        Try::Target("events:ListEventBuses", TARGET, json!({ "Limit": 1 })),
        Try::Target("events:ListRuleNamesByTarget", TARGET, json!({ "TargetArn": NOTHING })),
        Try::Target("events:ListTargetsByRule", TARGET, json!({ "Rule": NOTHING })),
    ];
    api.permissions(CODES, &tries).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_named_with_its_bus_unless_that_is_the_usual_one() {
        assert_eq!(who("default", "nightly"), "EventBridge rule nightly");
        assert_eq!(who("orders", "nightly"), "EventBridge rule nightly on event bus orders");
    }

    #[test]
    fn a_listing_without_its_list_cannot_be_read() {
        assert!(serde_json::from_str::<Paged<Buses>>("{}").is_err());
        assert!(serde_json::from_str::<Paged<Names>>(r#"{"NextToken":null}"#).is_err());
        assert!(serde_json::from_str::<Paged<Targets>>("{}").is_err());
        let page: Paged<Names> = serde_json::from_str(r#"{"RuleNames":["a"],"NextToken":"t"}"#).unwrap();
        assert_eq!((page.page.rule_names, page.next), (vec!["a".to_owned()], Some("t".to_owned())));
    }
}
