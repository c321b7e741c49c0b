//! Amazon EventBridge as far as it tells what rules start in ECS: read only.
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Hooked, Hooks, Received, Reply, Service,
    door::{Door, page, paged},
    ecr::{
        ACCOUNT,
        refusal::{self, Refusal},
    },
};

const TARGET: &str = "AWSEvents.";

/// The bus that each account has.
const DEFAULT: &str = "default";

/// The service: one account, all regions.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct Events {
    /// Rules by region, event bus and name.
    regions: BTreeMap<String, BTreeMap<String, BTreeMap<String, Rule>>>,
    #[serde(skip, default = "door")]
    pub door: Door,
    #[serde(skip)]
    hooks: Hooks<Events>,
}

/// A rule with its targets, by their ids. No call that is answered here tells whether it is disabled.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Rule {
    targets: BTreeMap<String, Target>,
}

/// What a rule calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Target {
    arn: String,
    /// Of a target that is a cluster.
    definition: Option<String>,
}

fn door() -> Door {
    Door::of("events")
}

impl Default for Events {
    fn default() -> Self {
        Self { regions: BTreeMap::new(), door: door(), hooks: Hooks::default() }
    }
}

impl Hooked for Events {
    fn hooks(&mut self) -> &mut Hooks<Self> {
        &mut self.hooks
    }
}

/// The parameters of all operations together.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    target_arn: Option<String>,
    event_bus_name: Option<String>,
    rule: Option<String>,
    limit: Option<i64>,
    next_token: Option<String>,
}

impl Events {
    /// The rules of an event bus.
    pub fn rules(&mut self, region: &str, bus: &str) -> &mut BTreeMap<String, Rule> {
        self.regions.entry(region.into()).or_default().entry(bus.into()).or_default()
    }

    fn perform(&mut self, operation: &str, region: &str, body: &[u8]) -> Result<Value, Refusal> {
        self.run_hooks(operation);
        let asked: Asked =
            serde_json::from_slice(body).map_err(|error| Refusal::new("SerializationException", error.to_string()))?;
        let size = match asked.limit {
            None => 100,
            Some(size @ 1..=100) => size as usize,
            Some(_) => return Err(invalid("limit must be between 1 and 100")),
        };
        let buses = self.regions.get(region);
        let list = |name: &str, all: Vec<(&str, Value)>| {
            let page = page(all.into_iter(), asked.next_token.as_deref(), self.door.size(size));
            Ok(paged(name, page, "NextToken"))
        };
        if operation == "ListEventBuses" {
            let mut names: Vec<&str> = buses.into_iter().flat_map(BTreeMap::keys).map(String::as_str).collect();
            if !names.contains(&DEFAULT) {
                names.push(DEFAULT);
                names.sort_unstable();
            }
            let arn = |name: &str| format!("arn:aws:events:{region}:{ACCOUNT}:event-bus/{name}");
            return list(
                "EventBuses",
                names.into_iter().map(|name| (name, json!({ "Name": name, "Arn": arn(name) }))).collect(),
            );
        }
        let bus = asked.event_bus_name.as_deref().unwrap_or(DEFAULT);
        let empty = BTreeMap::new();
        let rules = match buses.and_then(|buses| buses.get(bus)) {
            Some(rules) => rules,
            None if bus == DEFAULT => &empty,
            None => return Err(missing(&format!("Event bus {bus} does not exist."))),
        };
        match operation {
            "ListRuleNamesByTarget" => {
                let target = asked.target_arn.as_deref().ok_or_else(|| invalid("targetArn must not be null"))?;
                let calls = |rule: &Rule| rule.targets.values().any(|known| known.arn == target);
                let names = rules.iter().filter(|(_, rule)| calls(rule));
                list("RuleNames", names.map(|(name, _)| (name.as_str(), name.clone().into())).collect())
            }
            "ListTargetsByRule" => {
                let name = asked.rule.as_deref().ok_or_else(|| invalid("rule must not be null"))?;
                let unknown = || missing(&format!("Rule {name} does not exist on EventBus {bus}."));
                let targets = rules.get(name).ok_or_else(unknown)?.targets.iter();
                let shown = targets.map(|(id, target)| {
                    let mut shown = json!({ "Id": id, "Arn": target.arn });
                    if let Some(definition) = &target.definition {
                        shown["RoleArn"] = format!("arn:aws:iam::{ACCOUNT}:role/events").into();
                        shown["EcsParameters"] = json!({ "TaskDefinitionArn": definition, "TaskCount": 1 });
                        // What a task is started with may be secret.
                        shown["Input"] = r#"{"containerOverrides":[{"name":"main","command":["hunter2"]}]}"#.into();
                    }
                    (id.as_str(), shown)
                });
                list("Targets", shown.collect())
            }
            other => Err(Refusal::new("UnknownOperationException", format!("Unknown operation {other}"))),
        }
    }
}

impl Rule {
    /// Starts tasks in a cluster too. Both are resource names.
    pub fn starting(mut self, cluster: &str, definition: &str) -> Self {
        let id = format!("{:04}", self.targets.len());
        self.targets.insert(id, Target { arn: cluster.into(), definition: Some(definition.into()) });
        self
    }

    /// Calls something else too.
    pub fn calling(mut self, arn: &str) -> Self {
        let id = format!("{:04}", self.targets.len());
        self.targets.insert(id, Target { arn: arn.into(), definition: None });
        self
    }
}

fn invalid(why: &str) -> Refusal {
    Refusal::new("ValidationException", why)
}

fn missing(why: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", why)
}

impl Service for Events {
    fn operation(&self, request: &Received) -> Option<String> {
        request.header("x-amz-target").strip_prefix(TARGET).map(Into::into)
    }

    fn operations(&self) -> Vec<&'static str> {
        vec!["ListEventBuses", "ListRuleNamesByTarget", "ListTargetsByRule"]
    }

    fn answer(&mut self, request: &Received) -> Reply {
        let operation = self.operation(request).unwrap_or_default();
        let admitted = self.door.admit(request, &operation);
        let answer = admitted.and_then(|region| self.perform(&operation, &region, &request.body));
        self.door.reply(answer)
    }

    fn throttled(&self) -> Reply {
        self.door.refuse(&refusal::throttled())
    }

    fn broken(&self, status: u16) -> Reply {
        self.door.refuse(&Refusal::of_status(status))
    }

    fn environment(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![("AWS_ENDPOINT_URL_EVENTBRIDGE", url.into())]
    }
}
